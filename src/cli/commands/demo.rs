//! `pent demo`.

use crate::cli::verb::{Describe, Example, Group};
use std::path::PathBuf;
/// Play in a small studio
///
/// Makes a folder with pictures, a layered document, sound and text, and walks through keeping, changing, drafting,
/// comparing, bringing back and undoing. The folder stays for you to play in.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The folder to make; one in the folder for temporary files when you name none
    #[arg(value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
}

impl Describe for Arguments {
    const NAME: &'static str = "demo";
    const GROUP: Group = Group::Start;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent demo", what: "take the tour" },
        Example { line: "pent demo ~/pent-demo", what: "keep the studio there" },
    ];
}
