//! `pent repair`.

use crate::cli::verb::{Describe, Example, Group};

/// Mend a damaged repository
///
/// Builds the index anew from what is there, sets aside what is broken, and names every version that is lost, by path
/// and commit. Versions that you still have as files come back by committing them.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only show what would be done
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "repair";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent repair --dry-run", what: "what could be mended" },
        Example { line: "pent repair", what: "mend it" },
    ];
}
