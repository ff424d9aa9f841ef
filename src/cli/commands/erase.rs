//! `pent erase`.

use crate::cli::verb::{Describe, Example, Group};
use std::path::PathBuf;
/// Remove a file's bytes for good, because they must go
///
/// For what the law, a contract or a person asks you to remove. The bytes go from every version that has them; the
/// history, its ids and everything else stay and still verify. A record says what was removed, when and why. This
/// cannot be undone.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which file; a version may follow, as in portrait.jpg@3; all its versions when none does
    #[arg(value_name = "PATH", required_unless_present = "file")]
    pub path: Option<PathBuf>,
    /// Which file, by its id, as `b3sum` prints it
    #[arg(long, value_name = "ID", conflicts_with = "path")]
    pub file: Option<String>,
    /// Why, in a few words; this is kept
    #[arg(long, value_name = "TEXT", required = true)]
    pub reason: String,
    /// Only show what would go
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "erase";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example {
            line: "pent erase portrait.jpg --reason \"The model withdrew consent\" --dry-run",
            what: "see what would go",
        },
        Example {
            line: "pent erase portrait.jpg@3 --reason \"Client request of 3 March\"",
            what: "one version",
        },
    ];
}
