//! `pent cat`.

use crate::app::cat::{self, Options, Side};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::verb::{Describe, Example, Group, Verb};
use clap::ValueEnum;
use std::path::PathBuf;

/// Send a file's bytes, as they once were, to another program
///
/// Writes exactly the bytes that were committed, checked on the way. Your own files stay as they are.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The file; a version may follow, as in logo.svg@3
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// As of this revision instead of the newest
    #[arg(short, long, value_name = "REVISION")]
    revision: Option<String>,
    /// During a merge: as it was before both, here, or in the other draft
    #[arg(long, value_name = "SIDE", value_enum, conflicts_with = "revision")]
    side: Option<SideName>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SideName {
    Base,
    Ours,
    Theirs,
}

impl Describe for Arguments {
    const NAME: &'static str = "cat";
    const GROUP: Group = Group::Look;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example {
            line: "pent cat logo.svg@3 > /tmp/logo-3.svg",
            what: "have version 3 beside the present one",
        },
        Example { line: "pent cat notes.txt -r yesterdays-tag | less", what: "read it as it was at a tag" },
        Example {
            line: "pent cat cover.psd --side theirs > /tmp/theirs.psd",
            what: "look at the other side of a conflict",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let side = self.side.map(|side| match side {
            SideName::Base => Side::Base,
            SideName::Ours => Side::Ours,
            SideName::Theirs => Side::Theirs,
        });
        let path = context.asset_path(&repository, &self.path)?;
        let options = Options { path, revision: self.revision, side };
        let mut out = context.raw_output().lock();
        cat::run(&repository, &options, &mut out, context.clock(), context.monitor())?;
        Ok(ExitStatus::Done)
    }
}
