//! `pent undo`.

use crate::app::undo::{self, Direction, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::files::{status_of, write_files_with, write_paths};
use crate::cli::output::{Page, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;

/// Take back the last thing you did
///
/// Works for everything that moved a name, replaced files or waits to be committed: commits, merges, switches,
/// restores, removed drafts, labels. Nothing is lost by it: `pent redo` does it again, and brings back what was set
/// aside to make room. What leaves this repository or is removed for good - push, export, erase, gc - has no way back.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

impl Describe for Arguments {
    const NAME: &'static str = "undo";
    const GROUP: Group = Group::BringBack;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent undo", what: "take back the last thing" },
        Example { line: "pent journal", what: "see first what that would be" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let report = undo::run(&repository, Direction::Undo, context.clock(), context.monitor())?;
        context.print("undo", &report, |page, report| show(page, report, "Taken back", "redo"))?;
        Ok(status_of(&report.files))
    }
}

/// Writes what was taken back or done again.
/// `other` is the verb that brings back what this one set aside.
pub(super) fn show(page: &mut Page<'_>, report: &Report, lead: &str, other: &str) -> io::Result<()> {
    page.line(format_args!("{lead}: {}.", safe(&report.summary)))?;
    if !report.brought_back.is_empty() {
        page.line("In their places again:")?;
        write_paths(page, &report.brought_back)?;
    }
    write_files_with(page, &report.files, &format!("`pent {other}` brings it back"))
}
