//! `pent fsck`.

use crate::cli::verb::{Describe, Example, Group};

/// Check that everything kept is whole
///
/// Reads everything and computes every hash anew. Changes nothing.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only this part of the content, chosen by chance, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100), conflicts_with = "since_last")]
    pub sample: Option<u8>,
    /// Only what came since the last complete check
    #[arg(long)]
    pub since_last: bool,
    /// Only the records, not the content: quick
    #[arg(long, conflicts_with_all = ["sample", "since_last"])]
    pub records_only: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "fsck";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent fsck", what: "check everything" },
        Example { line: "pent fsck --sample 5", what: "check a twentieth, for every day" },
    ];
}
