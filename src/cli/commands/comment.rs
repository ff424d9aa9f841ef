//! `pent comment`.

use crate::app::review::comment::{self, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{BOLD, Page, safe};
use crate::cli::reviewing::{Desk, subject};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;

/// Say something about a submission, a folder or single assets
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which submission - its draft or the beginning of its id - and only these folders and assets of it
    #[arg(value_name = "SUBMISSION|PATH")]
    subject: Vec<PathBuf>,
    /// Your words
    #[arg(short, long, value_name = "TEXT")]
    message: String,
}

impl Describe for Arguments {
    const NAME: &'static str = "comment";
    const GROUP: Group = Group::Review;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent comment draft/poster -m \"Looks good so far\"", what: "on the whole" },
        Example {
            line: "pent comment draft/poster brand/logo.svg -m \"Is this the new green?\"",
            what: "on one asset",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let desk = Desk::open(context)?;
        let subject = subject(context, &desk.repository, &self.subject)?;
        let options = Options { subject, message: self.message };
        let report = comment::run(&desk.acting(context), &options)?;
        context.print("comment", &report, show)?;
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let draft = page.styles.paint(BOLD, safe(&report.draft));
    match report.comment.paths.as_slice() {
        [] => page.line(format_args!("You commented on {draft}.")),
        [one] => page.line(format_args!("You commented on {one} in {draft}.")),
        several => page.line(format_args!("You commented on {} paths in {draft}.", several.len())),
    }
}
