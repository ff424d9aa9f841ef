//! `pent gc`.

use crate::cli::verb::{Describe, Example, Group};

/// Give back space that nothing needs any more
///
/// Shows first what would go. It spares everything that a branch, a tag, a draft, uncommitted work or the journal
/// can still reach, and everything that is younger than the grace period.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only show what would go
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Spare what is younger than so many days
    #[arg(long, value_name = "DAYS", default_value_t = 14)]
    pub grace: u32,
}

impl Describe for Arguments {
    const NAME: &'static str = "gc";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent gc --dry-run", what: "how much could be given back" },
        Example { line: "pent gc --yes", what: "do it without asking" },
    ];
}
