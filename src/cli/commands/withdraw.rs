//! `pent withdraw`.

use crate::app::review::act::Subject;
use crate::app::review::withdraw::{self, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{BOLD, Page, count, safe};
use crate::cli::reviewing::{Desk, subject};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;

/// Take back a submission of yours, or your verdict on one
///
/// Nothing is forgotten: that you said it, and that you took it back, both stay in the log.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which submission: its draft, or the beginning of its id; then folders and assets, to take back what you said of
    /// these alone
    #[arg(value_name = "SUBMISSION|PATH")]
    subject: Vec<PathBuf>,
    /// Take back your own verdict on it, not the submission
    #[arg(long)]
    verdict: bool,
    /// Why
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
}

impl Describe for Arguments {
    const NAME: &'static str = "withdraw";
    const GROUP: Group = Group::Review;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent withdraw draft/poster", what: "take back what you submitted" },
        Example { line: "pent withdraw draft/poster --verdict", what: "take back your approval" },
        Example { line: "pent withdraw draft/poster brand", what: "take back what you said of one folder" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let desk = Desk::open(context)?;
        let Subject { submission, paths } = subject(context, &desk.repository, &self.subject)?;
        let options = Options { submission, paths, verdict: self.verdict, message: self.message };
        let report = withdraw::run(&desk.acting(context), &options)?;
        context.print("withdraw", &report, show)?;
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let draft = page.styles.paint(BOLD, safe(&report.submission.draft));
    match report.verdicts.len() as u64 {
        0 => page.line(format_args!("The submission of {draft} is taken back. The draft stays as it is.")),
        number => {
            let verdicts = count(number, "verdict", "verdicts");
            page.line(format_args!("You took back {verdicts} on {draft}."))?;
            match report.renewed {
                0 => Ok(()),
                renewed => {
                    let assets = count(renewed, "other asset", "other assets");
                    page.line(format_args!("What you said of {assets} stands, signed anew."))
                }
            }
        }
    }
}
