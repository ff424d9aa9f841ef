//! `pent sparse`.

use crate::cli::verb::{Describe, Example, Group};
use std::path::PathBuf;
/// Have only a part of everything in your folder
///
/// Without a command it lists the parts. Work that is not committed is never removed.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do with the parts.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Have these files and folders, and no longer everything
    Add {
        /// Which
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
    /// Put these away; they stay in the repository
    Remove {
        /// Which
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
    /// List the parts
    List,
    /// Have everything again
    All,
}

impl Describe for Arguments {
    const NAME: &'static str = "sparse";
    const GROUP: Group = Group::More;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent sparse add brand shots/2026", what: "have these folders" },
        Example { line: "pent sparse remove shots/2026", what: "put one away" },
        Example { line: "pent sparse all", what: "have everything again" },
    ];
}
