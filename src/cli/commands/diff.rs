//! `pent diff`.

use crate::cli::verb::{Describe, Example, Group};
use std::path::PathBuf;
/// See what is different
///
/// With no revision it compares your files with the newest commit; with one, your files with that one; with two,
/// those two. Text is shown line by line. Of other files it shows which bytes changed and how much both share.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Up to two revisions, then files and folders; -- before a path that looks like a revision
    #[arg(value_name = "REVISION-OR-PATH")]
    pub what: Vec<String>,
    /// Files and folders only
    #[arg(last = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only list the paths
    #[arg(long)]
    pub names: bool,
    /// So many lines of text around each change
    #[arg(short = 'U', long, value_name = "LINES", default_value_t = 3)]
    pub context: usize,
    /// End with code 1 when there are differences
    #[arg(long)]
    pub exit_code: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "diff";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent diff", what: "your files and the newest commit" },
        Example { line: "pent diff main draft/night brand", what: "one folder in two drafts" },
        Example { line: "pent diff @~1 -- main", what: "a file that is called like a branch" },
    ];
}
