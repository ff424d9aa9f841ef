//! `pent resolve`.

use crate::app::resolve::{self, Decision, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::Page;
use crate::cli::output::changes::write_undecided;
use crate::cli::output::files::{status_of, write_files};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;
/// Decide which version holds where a merge found two
///
/// Look at them first: `pent cat PATH --side theirs > other.psd`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which files; all that wait for a decision when you name none
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    side: Side,
}

/// Which version holds.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Side {
    /// The one of this draft
    #[arg(long)]
    ours: bool,
    /// The one of the other draft
    #[arg(long)]
    theirs: bool,
    /// Both, side by side under two names
    #[arg(long)]
    both: bool,
    /// The file as you have edited it
    #[arg(long)]
    edited: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "resolve";
    const GROUP: Group = Group::BranchOut;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent resolve cover.psd --ours", what: "keep what is here" },
        Example { line: "pent resolve cover.psd --theirs", what: "take what the other draft has" },
        Example {
            line: "pent resolve cover.psd --both",
            what: "keep both, the other one under a name of its own",
        },
        Example { line: "pent resolve notes.txt --edited", what: "the file is now as it should be" },
    ];
}

impl Side {
    fn decision(&self) -> Decision {
        match self {
            Self { ours: true, .. } => Decision::Ours,
            Self { theirs: true, .. } => Decision::Theirs,
            Self { both: true, .. } => Decision::Both,
            Self { .. } => Decision::AsIs,
        }
    }
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let paths = context.asset_paths(&repository, &self.paths)?;
        let decision = self.side.decision();
        let report = resolve::run(&repository, &paths, decision, context.clock(), context.monitor())?;
        context.print("resolve", &report, show)?;
        if report.undecided.is_empty() {
            context.hint("pent commit finishes the merge");
        }
        Ok(status_of(&report.files))
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    for line in &report.decided {
        let what = match (line.decision, &line.beside) {
            (Decision::Ours, _) => "the version of this draft holds".to_owned(),
            (Decision::Theirs, Some(beside)) => {
                format!("the version of the other draft holds, as {beside}: its own place is taken")
            }
            (Decision::Theirs, None) => "the version of the other draft holds".to_owned(),
            (Decision::Both, Some(beside)) => format!("both are kept, the other one as {beside}"),
            (Decision::Both, None) => "both are kept".to_owned(),
            (Decision::AsIs, _) => "it holds as it is now".to_owned(),
        };
        page.line(format_args!("{}: {what}.", line.path))?;
    }
    write_undecided(page, &report.undecided)?;
    write_files(page, &report.files)
}
