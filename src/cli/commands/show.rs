//! `pent show`.

use crate::cli::verb::{Describe, Example, Group};
use std::path::PathBuf;
/// See one commit: what it did, who made it, when
///
/// With a path it shows one asset as it was then: its version, its size, what is said about it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which: a name, the start of an id, @~3, logo.psd@40; the newest commit when you name none
    #[arg(value_name = "REVISION")]
    pub revision: Option<String>,
    /// This asset as it was then
    #[arg(value_name = "PATH", requires = "revision")]
    pub path: Option<PathBuf>,
}

impl Describe for Arguments {
    const NAME: &'static str = "show";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent show", what: "the newest commit" },
        Example { line: "pent show logo.psd@40", what: "the commit that made version 40" },
    ];
}
