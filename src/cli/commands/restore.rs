//! `pent restore`.

use crate::app::restore::{self, Options, Report};
use crate::app::set_aside;
use crate::base::id::CommitId;
use crate::base::size::{human_bytes, human_count};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::files::{status_of, write_files, write_files_with, write_paths};
use crate::cli::output::{BOLD, DIM, Page, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;

/// Bring back files or folders as they once were
///
/// On a terminal it first shows what it would replace that is not as committed, and asks; --dry-run shows
/// all and does nothing. What it replaces is set aside for 30 days, even when it was never committed:
/// `pent undo` brings it back. --set-aside lists whatever commands have set aside here, and brings any of it back.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which files and folders; a version may follow, as in logo.psd@40
    #[arg(value_name = "PATH", required_unless_present = "set_aside")]
    paths: Vec<PathBuf>,
    /// As of this revision; the newest commit when you name none
    #[arg(short, long, visible_alias = "from", value_name = "REVISION")]
    revision: Option<String>,
    /// Put them into this folder instead of where they belong
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Also remove committed files that the revision does not have
    #[arg(long)]
    exact: bool,
    /// Only show what would be replaced
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// List what commands set aside, or bring back what lies under this name
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        default_missing_value = "",
        conflicts_with_all = ["revision", "exact", "dry_run"]
    )]
    set_aside: Option<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "restore";
    const GROUP: Group = Group::BringBack;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent restore logo.psd", what: "as in the newest commit" },
        Example { line: "pent restore logo.psd@12", what: "version 12" },
        Example {
            line: "pent restore brand -r @~5 --to /tmp/brand",
            what: "an earlier state of a folder, somewhere else",
        },
        Example { line: "pent restore --set-aside", what: "see what commands have set aside" },
    ];
}

impl Verb for Arguments {
    fn run(mut self, context: &mut Context) -> Result<ExitStatus, Failure> {
        if let Some(id) = self.set_aside.take() {
            return self.bring_back(&id, context);
        }
        let repository = if self.dry_run || self.to.is_some() {
            context.repository_to_read()?
        } else {
            context.repository()?
        };
        let mut options = Options {
            revision: self.revision,
            paths: context.asset_paths(&repository, &self.paths)?,
            exact: self.exact,
            to: self.to.as_ref().map(|folder| context.folder().join(folder)),
            preview: self.dry_run,
        };
        if !options.preview && context.can_ask() {
            options.preview = true;
            let planned = restore::run(&repository, &options, context.clock(), context.monitor())?;
            options.preview = false;
            if !planned.files.set_aside.is_empty() || !planned.described.is_empty() {
                context.print("restore", &planned, show)?;
                context.confirm("Go on?")?;
            }
        }
        let report = restore::run(&repository, &options, context.clock(), context.monitor())?;
        context.print("restore", &report, show)?;
        Ok(status_of(&report.files))
    }
}

impl Arguments {
    fn bring_back(self, id: &str, context: &mut Context) -> Result<ExitStatus, Failure> {
        if id.is_empty() {
            let repository = context.repository_to_read()?;
            let report = set_aside::list(&repository)?;
            context.print("restore-set-aside", &report, show_sets)?;
            return Ok(ExitStatus::Done);
        }
        let repository = context.repository()?;
        let options = set_aside::Options {
            id: id.to_owned(),
            paths: context.asset_paths(&repository, &self.paths)?,
            to: self.to.as_ref().map(|folder| context.folder().join(folder)),
        };
        let report = set_aside::bring_back(&repository, &options, context.monitor())?;
        context.print("restore-brought-back", &report, show_brought_back)?;
        Ok(if report.problems.is_empty() { ExitStatus::Done } else { ExitStatus::Problems })
    }
}

fn show_sets(page: &mut Page<'_>, report: &set_aside::ListReport) -> io::Result<()> {
    if report.sets.is_empty() {
        return page.line("Nothing is set aside.");
    }
    for set in &report.sets {
        let name = page.styles.paint(BOLD, safe(&set.id));
        let verb = if set.reason.is_empty() { "a command".to_owned() } else { safe(&set.reason) };
        let bytes = human_bytes(set.items.iter().map(|item| item.size).sum());
        page.line(format_args!("{name}  by {verb}, {bytes}"))?;
        let paths: Vec<_> = set.items.iter().filter_map(|item| item.path.clone()).collect();
        write_paths(page, &paths)?;
    }
    page.remark("`pent restore --set-aside NAME` brings one back; each is kept for 30 days")
}

fn show_brought_back(page: &mut Page<'_>, report: &set_aside::Report) -> io::Result<()> {
    if !report.brought_back.is_empty() {
        page.line("In their places again:")?;
        write_paths(page, &report.brought_back)?;
    }
    if !report.problems.is_empty() {
        page.line("Still set aside; `--to FOLDER` brings it back somewhere else:")?;
        for problem in &report.problems {
            page.line(format_args!("  {}: {}", problem.path, safe(&problem.message)))?;
        }
    }
    Ok(())
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.preview {
        return show_preview(page, report);
    }
    if report.write.is_empty() && report.remove.is_empty() && report.described.is_empty() {
        page.line("Everything is so already.")?;
    } else {
        let from: Vec<String> = report.commits.iter().map(CommitId::short).collect();
        page.line(format_args!("Brought back from {}.", from.join(", ")))?;
    }
    if !report.described.is_empty() {
        page.line("What was said of them and not committed is as it was (`pent undo` brings it back):")?;
        write_paths(page, &report.described)?;
    }
    match (&report.to, &report.files.set_aside_as) {
        (Some(_), Some(id)) => {
            let back = format!("`pent restore --set-aside {id} --to FOLDER` brings it back");
            write_files_with(page, &report.files, &back)
        }
        _ => write_files(page, &report.files),
    }
}

fn show_preview(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let bytes = human_bytes(report.bytes);
    for (heading, remark, paths) in [
        ("Would be written", bytes.as_str(), &report.write),
        ("Would be removed", "", &report.remove),
        ("Set aside first, since not as committed", "kept for 30 days", &report.files.set_aside),
        ("Said anew, since what is said is not committed", "", &report.described),
    ] {
        if !paths.is_empty() {
            let number = human_count(paths.len() as u64);
            let facts = [number.as_str(), remark].into_iter().filter(|fact| !fact.is_empty());
            let facts = facts.collect::<Vec<_>>().join(", ");
            page.line(format_args!(
                "{} {}",
                page.styles.paint(BOLD, heading),
                page.styles.paint(DIM, facts)
            ))?;
            write_paths(page, paths)?;
        }
    }
    if report.write.is_empty() && report.remove.is_empty() && report.described.is_empty() {
        page.line("Everything is so already.")?;
    }
    Ok(())
}
