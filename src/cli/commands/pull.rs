//! `pent pull`.

use crate::app::merge::Outcome;
use crate::app::pull::{self, Failed, Options, Report};
use crate::cli::commands::{fetch, merge};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::Page;
use crate::cli::output::files::{status_of, write_files};
use crate::cli::output::logs::write_anew;
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use std::io;

/// Take in what others did on your branch
///
/// Fetches, and merges the remote's branch into yours. Where both sides changed the same thing, both versions stay at
/// hand, and `pent resolve` decides.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which remote; `origin`, or the only one, when you name none
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "pull";
    const GROUP: Group = Group::Share;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent pull", what: "bring others' work together with yours" },
        Example { line: "pent undo", what: "take that back" },
    ];
    const WHEN_STOPPED: Stopped = Stopped::of(
        "none of your branches moved, and what came so far is kept",
        "the same command again goes on from there",
    );
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let options = Options { remote: self.remote, identity: context.identity_or_ask()? };
        let pulled = {
            let (reach, clock, monitor) = (context.reach(), context.clock(), context.monitor());
            let signing = context.signing_when_needed(options.identity.as_ref());
            pull::run(&repository, &options, &signing, &reach, clock, monitor)
        };
        let report = match pulled {
            Ok(report) => report,
            Err(Failed { report, error }) => {
                // What was seen at the remote is told whatever came after it.
                if let Some(report) = report.as_deref() {
                    context.print("pull", report, show)?;
                }
                return Err(error.into());
            }
        };
        context.print("pull", &report, show)?;
        if let Some(merge) = &report.merge {
            if merge.outcome == Outcome::Undecided {
                context.hint("decide: pent resolve PATH --ours, --theirs or --both; then pent commit");
                return Ok(ExitStatus::Problems);
            }
            if status_of(&merge.files) != ExitStatus::Done {
                return Ok(status_of(&merge.files));
            }
        }
        if !report.anew.given_up.is_empty() {
            return Ok(ExitStatus::Problems);
        }
        Ok(fetch::status_of(&report.fetch.fetched))
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    fetch::show(page, &report.fetch)?;
    write_anew(page, &report.anew)?;
    if let Some(merged) = &report.merge {
        merge::show(page, merged)?;
    }
    match &report.files {
        Some(files) => write_files(page, files),
        None => Ok(()),
    }
}
