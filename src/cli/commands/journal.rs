//! `pent journal`.

use crate::app::journal::{self, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::words::moment;
use crate::cli::output::{BOLD, DIM, Page, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;

/// See what you did here, and what undo would take back
///
/// The journal is yours alone: it is kept on this machine and never shared.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// At most so many; 0 for all
    #[arg(short = 'n', long = "number", value_name = "NUMBER", default_value_t = 30)]
    number: usize,
}

impl Describe for Arguments {
    const NAME: &'static str = "journal";
    const GROUP: Group = Group::BringBack;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] =
        &[Example { line: "pent journal -n 5", what: "the last five things you did" }];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let limit = (self.number > 0).then_some(self.number);
        let report = journal::run(&repository, Options { limit })?;
        context.print("journal", &report, show)?;
        Ok(ExitStatus::Done)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.entries.is_empty() {
        return page.line("Nothing was done yet.");
    }
    let mut columns = Columns::default();
    for entry in &report.entries {
        let mark = match Some(entry.sequence) {
            next if next == report.undo => "undo takes this back",
            next if next == report.redo => "redo does this again",
            _ => "",
        };
        columns.row([
            Cell::right(entry.sequence.to_string()).styled(DIM),
            Cell::new(page.dates.show(moment(&entry.time))).styled(DIM),
            Cell::new(safe(&entry.verb)).styled(BOLD),
            Cell::new(safe(&entry.summary)),
            Cell::new(mark).styled(DIM),
        ]);
    }
    columns.write(page)
}
