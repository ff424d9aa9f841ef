//! `pent submit`.

use crate::app::review::submit::{self, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::review::{assets_text, write_assets};
use crate::cli::output::{BOLD, Page, count, safe};
use crate::cli::reviewing::Desk;
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::repo::refs::DEFAULT_BRANCH;
use std::io;

/// Ask for your draft to land
///
/// It names exactly what would change, asset by asset. Go on with the draft and submit again whenever you like: only
/// what you touched has to be approved anew.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which draft; the one that you are on when left out
    #[arg(value_name = "DRAFT")]
    draft: Option<String>,
    /// Where it is to land
    #[arg(long, value_name = "BRANCH", default_value = DEFAULT_BRANCH)]
    to: String,
    /// Whom you ask: handles or names, with commas between
    #[arg(long, value_name = "PEOPLE", value_delimiter = ',')]
    reviewers: Vec<String>,
    /// What it is about, and what to look at
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
}

impl Describe for Arguments {
    const NAME: &'static str = "submit";
    const GROUP: Group = Group::Review;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example {
            line: "pent submit draft/poster --to main --reviewers ben,cleo -m \"Second cut\"",
            what: "ask two people",
        },
        Example { line: "pent submit", what: "submit the draft that you are on" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let desk = Desk::open(context)?;
        let options = Options {
            draft: self.draft,
            branch: self.to,
            reviewers: self
                .reviewers
                .iter()
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
            message: self.message,
        };
        let report = submit::run(&desk.acting(context), &options)?;
        context.print("submit", &report, show)?;
        context.hint(&format!("where it stands: pent review {}", safe(&report.submission.draft)));
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let line = &report.submission;
    let draft = page.styles.paint(BOLD, safe(&line.draft));
    let branch = safe(&line.branch);
    if line.round > 1 {
        page.line(format_args!("Submitted {draft} to {branch} again: round {}.", line.round))?;
        if report.kept > 0 {
            page.line(format_args!("{} approved.", stays(report.kept)))?;
        }
        if report.voided > 0 {
            let them = if report.voided == 1 { "It has" } else { "They have" };
            let changed = count(report.voided, "asset", "assets");
            page.line(format_args!("{changed} changed since somebody judged. {them} to be judged again."))?;
        }
    } else {
        page.line(format_args!("Submitted {draft} to {branch}: {}.", assets_text(line.assets)))?;
    }
    write_assets(page, &report.assets)
}

fn stays(number: u64) -> String {
    format!("{} {}", count(number, "asset", "assets"), if number == 1 { "stays" } else { "stay" })
}
