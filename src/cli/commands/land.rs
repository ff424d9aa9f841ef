//! `pent land`.

use crate::app::review::land::{self, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::files::{status_of, write_files};
use crate::cli::output::review::assets_text;
use crate::cli::output::{BOLD, DIM, Page, safe};
use crate::cli::reviewing::Desk;
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;

/// Move a branch by a submission
///
/// What lands is exactly what was submitted, on the branch as it stands now. On a protected branch the policy decides,
/// and when it says no it says what is missing and from whom. Where no policy holds, you decide.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which submission: its draft, or the beginning of its id
    #[arg(value_name = "SUBMISSION")]
    submission: Option<String>,
    /// What to say about it in the branch's history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Sign the landing's commit too; `pent config commit.sign true` does so always
    #[arg(short = 'S', long, overrides_with = "no_sign")]
    sign: bool,
    /// Do not sign it, whatever the setting says
    #[arg(long)]
    no_sign: bool,
    /// Only say whether it could land
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "land";
    const GROUP: Group = Group::Review;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent land draft/poster", what: "land what was approved" },
        Example { line: "pent land draft/poster --dry-run", what: "see what is missing" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let desk = Desk::open(context)?;
        let sign = self.sign || (!self.no_sign && context.settings()?.truth("commit.sign")?);
        let (submission, message, dry_run) = (self.submission, self.message, self.dry_run);
        let options = Options { submission, message, sign, dry_run };
        let report = land::run(&desk.acting(context), &options)?;
        context.print("land", &report, show)?;
        if report.draft_went_on {
            let draft = safe(&report.submission.draft);
            context.hint(&format!("{draft} has more than was submitted; that stays on the draft"));
        }
        Ok(status_of(&report.files))
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let line = &report.submission;
    let (draft, branch) = (page.styles.paint(BOLD, safe(&line.draft)), safe(&line.branch));
    let assets = assets_text(line.assets);
    match &report.commit {
        Some(commit) => {
            let id = page.styles.paint(DIM, commit.id.short());
            page.line(format_args!("{draft} landed on {branch}: {assets}.  {id}"))?;
        }
        None => page.line(format_args!("{draft} can land on {branch}: {assets}."))?,
    }
    if !report.protected {
        page.remark(format_args!("No policy protects {branch}: you decided."))?;
    }
    write_files(page, &report.files)
}
