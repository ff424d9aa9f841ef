//! `pent merge`.

use crate::app::common::signing::SigningAs;
use crate::app::merge::{self, Options, Outcome, Report};
use crate::app::sign;
use crate::base::path::AssetPath;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::changes::write_undecided;
use crate::cli::output::files::{status_of, write_files};
use crate::cli::output::{Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;

/// Bring the work of another draft into this one
///
/// Different files, different lines and different fields come together by themselves. Where both sides changed the
/// same thing, both versions stay at hand and nothing is lost: `pent resolve` decides.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which draft, branch or other revision
    #[arg(value_name = "REVISION")]
    revision: String,
    /// What to say about it, instead of what the merge says of itself
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "merge";
    const GROUP: Group = Group::BranchOut;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent merge draft/night", what: "bring a draft home" },
        Example { line: "pent merge draft/night -m \"The night version is chosen\"", what: "and say why" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let identity = context.identity_or_ask()?;
        let branch = repository.view()?.branch()?.clone();
        let authority = context.authority(&repository, &branch, identity.as_ref())?;
        let writer = authority.as_ref().map(SigningAs::writer);
        // A passphrase is asked for before anything moves.
        let signing = match &identity {
            Some(identity) if context.settings()?.truth("commit.sign")? => Some(context.signing(identity)?),
            _ => None,
        };
        let options = Options { name: self.revision, identity, message: self.message };
        let report = merge::run_as(&repository, &options, writer, context.clock(), context.monitor())?;
        if let (Some(signing), Outcome::Merged, Some(commit)) = (signing, report.outcome, &report.commit) {
            let options = sign::Options { revisions: vec![commit.id.to_string()], signing };
            sign::run(&repository, &options, context.clock())?;
        }
        context.print("merge", &report, show)?;
        if report.outcome == Outcome::Undecided {
            context.hint("look at the other side: pent cat PATH --side theirs > other-file");
            context.hint("decide: pent resolve PATH --ours, --theirs or --both; then pent commit");
            return Ok(ExitStatus::Problems);
        }
        Ok(status_of(&report.files))
    }
}

/// Writes how two lines of work came together.
pub(super) fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let (name, branch) = (safe(&report.name), safe(&report.branch));
    match (report.outcome, &report.commit) {
        (Outcome::UpToDate, _) => page.line(format_args!("{branch} has everything of {name} already."))?,
        (Outcome::Forward, _) => page.line(format_args!("{branch} went forward to {name}."))?,
        (Outcome::Merged, Some(commit)) => {
            page.line(format_args!("{name} is merged into {branch}: {}", commit.id.short()))?;
        }
        (Outcome::Merged | Outcome::Undecided, _) => {
            page.line(format_args!("{name} and {branch} come together; something is left to decide."))?;
        }
    }
    if !report.texts_merged.is_empty() {
        let texts = count(report.texts_merged.len() as u64, "text", "texts");
        page.line(format_args!("{texts} came together line by line."))?;
    }
    let undecided: Vec<AssetPath> = report.conflicts.iter().map(|conflict| conflict.path.clone()).collect();
    write_undecided(page, &undecided)?;
    write_files(page, &report.files)
}
