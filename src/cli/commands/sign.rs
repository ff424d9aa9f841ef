//! `pent sign`.

use crate::app::sign::{self, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::words::subject;
use crate::cli::output::{BOLD, DIM, Page};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;

/// Put your signature under states that exist
///
/// A commit keeps its id however many people sign it. To sign what you commit yourself, use
/// `pent commit --sign`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which commits, or `A..B` for what B has and A has not; the newest when left out
    #[arg(value_name = "REVISION")]
    revisions: Vec<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "sign";
    const GROUP: Group = Group::Trust;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent sign", what: "sign the newest commit" },
        Example { line: "pent sign v1 v2", what: "sign what two tags name" },
        Example {
            line: "pent sign main..draft/poster",
            what: "sign all of a draft that you have not signed",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let identity = context.require_identity()?;
        let options = Options { revisions: self.revisions, signing: context.signing(&identity)? };
        let report = sign::run(&repository, &options, context.clock())?;
        context.print("sign", &report, show)?;
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.commits.is_empty() {
        return page.line("You have signed all of it already.");
    }
    for commit in &report.commits {
        let title = page.styles.paint(BOLD, subject(&commit.message));
        let id = page.styles.paint(DIM, commit.id.short());
        page.line(format_args!("Signed: {title}  {id}"))?;
    }
    page.line(format_args!("The key is {}.", report.key))
}
