//! `pent switch`.

use crate::app::switch::{self, Report};
use crate::base::path::AssetPath;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::changes::write_undecided;
use crate::cli::output::damage::write_lost_packs;
use crate::cli::output::files::{status_of, write_files};
use crate::cli::output::{BOLD, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;

/// Go to another draft or branch
///
/// Work that is not committed stays with the draft that you leave and is there again when you come back. If the
/// draft has new commits by then, it is brought together with them as `pent merge` does.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to
    #[arg(value_name = "NAME")]
    name: String,
    /// Begin a draft of that name first
    #[arg(short, long)]
    create: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "switch";
    const GROUP: Group = Group::BranchOut;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent switch draft/night", what: "go to a draft" },
        Example { line: "pent switch main", what: "go back" },
        Example { line: "pent switch -c night", what: "begin a draft and go there" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        if self.create { begin(context, &self.name) } else { go(context, &self.name) }
    }
}

/// Goes to a draft or branch.
pub(super) fn go(context: &mut Context, name: &str) -> Result<ExitStatus, Failure> {
    let repository = context.repository()?;
    let report = switch::run(&repository, name, context.clock(), context.monitor())?;
    context.print("switch", &report, show)?;
    if !report.conflicts.is_empty() {
        context.hint("your version is the other side: pent cat PATH --side theirs > other-file");
        context.hint("decide: pent resolve PATH --ours (as committed), --theirs (yours) or --both");
        return Ok(ExitStatus::Problems);
    }
    Ok(status_of(&report.files))
}

/// Begins a draft and goes there; uncommitted work comes along.
fn begin(context: &mut Context, name: &str) -> Result<ExitStatus, Failure> {
    let repository = context.repository()?;
    let report = switch::begin_draft(&repository, name, context.clock(), context.monitor())?;
    context.print("switch", &report, show)?;
    Ok(ExitStatus::Done)
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let branch = page.styles.paint(BOLD, safe(&report.branch));
    page.line(format_args!("On {branch} now."))?;
    if report.shelved_paths > 0 {
        let paths = count(report.shelved_paths, "uncommitted change stays", "uncommitted changes stay");
        page.line(format_args!("{paths} with {} until you come back.", safe(&report.from)))?;
    }
    if report.taken_up_paths > 0 {
        let paths = count(report.taken_up_paths, "uncommitted change", "uncommitted changes");
        page.line(format_args!(
            "{paths} from last time {} here again.",
            if report.taken_up_paths == 1 { "is" } else { "are" }
        ))?;
    }
    if !report.texts_merged.is_empty() {
        let texts = count(report.texts_merged.len() as u64, "text", "texts");
        page.line(format_args!("{texts} came together line by line with what was committed since."))?;
    }
    if !report.conflicts.is_empty() {
        page.line("Commits since have changed what you had changed, too. As committed is what is here now.")?;
        let paths: Vec<AssetPath> = report.conflicts.iter().map(|conflict| conflict.path.clone()).collect();
        write_undecided(page, &paths)?;
    }
    write_lost_packs(page, report.lost_packs)?;
    write_files(page, &report.files)
}
