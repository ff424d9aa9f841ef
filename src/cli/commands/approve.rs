//! `pent approve`, `pent request-changes` and `pent reject`.

use crate::app::review::verdict::{self, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::review::assets_text;
use crate::cli::output::{BOLD, Page, safe};
use crate::cli::reviewing::{Desk, subject};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::object::approval::Judgement;
use std::io;
use std::path::PathBuf;

/// Say that work may land, with your signature
///
/// It holds for exactly the changes that were submitted, under the policy in force. New bytes void it for the assets
/// that they touch, and for no other.
#[derive(Debug, clap::Args)]
pub struct Approve {
    /// Which submission - its draft or the beginning of its id - and only these folders and assets of it
    #[arg(value_name = "SUBMISSION|PATH")]
    subject: Vec<PathBuf>,
    /// Your words on it
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
}

/// Say what has to change before work may land
///
/// It stands until you approve what comes of it.
#[derive(Debug, clap::Args)]
pub struct RequestChanges {
    /// Which submission - its draft or the beginning of its id - and only these folders and assets of it
    #[arg(value_name = "SUBMISSION|PATH")]
    subject: Vec<PathBuf>,
    /// What has to change
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
}

/// Say that work shall not land
#[derive(Debug, clap::Args)]
pub struct Reject {
    /// Which submission - its draft or the beginning of its id - and only these folders and assets of it
    #[arg(value_name = "SUBMISSION|PATH")]
    subject: Vec<PathBuf>,
    /// Why not
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
}

impl Describe for Approve {
    const NAME: &'static str = "approve";
    const GROUP: Group = Group::Review;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent approve draft/poster -m \"Ship it\"", what: "approve the whole submission" },
        Example { line: "pent approve draft/poster brand/logo.svg", what: "approve one asset of it" },
    ];
}

impl Describe for RequestChanges {
    const NAME: &'static str = "request-changes";
    const GROUP: Group = Group::Review;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        line: "pent request-changes draft/poster brand -m \"The logo is too dark\"",
        what: "send one folder back",
    }];
}

impl Describe for Reject {
    const NAME: &'static str = "reject";
    const GROUP: Group = Group::Review;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        line: "pent reject draft/poster -m \"The client went with another idea\"",
        what: "turn it down",
    }];
}

impl Verb for Approve {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        give(context, &self.subject, self.message, Judgement::Approve, Self::NAME)
    }
}

impl Verb for RequestChanges {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        give(context, &self.subject, self.message, Judgement::RequestChanges, Self::NAME)
    }
}

impl Verb for Reject {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        give(context, &self.subject, self.message, Judgement::Reject, Self::NAME)
    }
}

fn give(
    context: &mut Context,
    words: &[PathBuf],
    message: String,
    judgement: Judgement,
    verb: &str,
) -> Result<ExitStatus, Failure> {
    let desk = Desk::open(context)?;
    let subject = subject(context, &desk.repository, words)?;
    let options = Options { subject, judgement, message, policy: desk.keys.policy() };
    let report = verdict::run(&desk.acting(context), &options)?;
    context.print(verb, &report, show)?;
    if report.own && judgement == Judgement::Approve && report.verdict.ignored.is_none() {
        context.hint("you submitted it yourself: whether your own word counts is for the policy to say");
    }
    if report.draft_went_on {
        let draft = safe(&report.submission.draft);
        context.hint(&format!("{draft} went on since; what is new there is not submitted yet"));
    }
    Ok(ExitStatus::Done)
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let draft = page.styles.paint(BOLD, safe(&report.submission.draft));
    let assets = assets_text(report.verdict.assets);
    match report.verdict.judgement {
        Judgement::Approve => page.line(format_args!("You approved {assets} of {draft}."))?,
        Judgement::RequestChanges => {
            page.line(format_args!("You asked for changes of {assets} of {draft}."))?;
        }
        Judgement::Reject => page.line(format_args!("You rejected {assets} of {draft}."))?,
    }
    if let Some(why) = &report.verdict.ignored {
        page.line(format_args!("It does not count: {why}."))?;
    }
    let line = &report.submission;
    page.remark(format_args!("{} of {} approved by now.", line.approved, assets_text(line.assets)))
}
