//! `pent repair`.

use crate::app::repair::{self, Options, Report};
use crate::base::id::RepositoryId;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::damage::{write_affected, write_findings};
use crate::cli::output::{Page, count, place, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;

/// Mend a damaged repository
///
/// Your own files are only read. Whatever is changed in the repository is copied to .pent/quarantine first. What
/// cannot be brought back is named, with the versions that it concerns.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Also look in this folder for what is lost: a backup, an export, another copy of your work
    #[arg(long, value_name = "FOLDER")]
    from: Vec<PathBuf>,
}

impl Describe for Arguments {
    const NAME: &'static str = "repair";
    const GROUP: Group = Group::KeepHealthy;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent repair", what: "mend what can be mended" },
        Example {
            line: "pent repair --from /media/backup/harbour",
            what: "and look in a backup for the rest",
        },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let mut id = [0u8; RepositoryId::SIZE];
        getrandom::fill(&mut id).map_err(|error| {
            let error = io::Error::other(error.to_string());
            Failure::io("the system gave no random bytes for a new id", &error)
        })?;
        let search = self.from.iter().map(|folder| context.folder().join(folder)).collect();
        let options = Options { root: context.root()?, search, new_id: RepositoryId::from_bytes(id) };
        let report = repair::run(&options, context.clock(), context.monitor())?;
        context.print("repair", &report, show)?;
        if report.sound {
            return Ok(ExitStatus::Done);
        }
        if !report.lost.is_empty() {
            context.hint("a backup may have it: pent repair --from FOLDER");
        }
        Ok(ExitStatus::Damaged)
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    for step in &report.steps {
        page.line(format_args!("Mended: {}.", safe(&step.message)))?;
        if let Some(kept) = &step.kept {
            page.remark(format_args!("    what was there is kept as {}", place(kept)))?;
        }
    }
    if page.verbose > 0 {
        for path in &report.found_in {
            page.remark(format_args!("    found in {}", place(path)))?;
        }
    }
    match (report.sound, report.steps.is_empty()) {
        (true, true) => return page.line("Nothing is damaged; there is nothing to mend."),
        (true, false) => return page.line("Everything is sound again. Nothing is lost."),
        (false, _) => {}
    }
    if !report.steps.is_empty() {
        page.gap()?;
    }
    write_findings(page, &report.findings, report.findings_total)?;
    if report.lost.is_empty() {
        return page.line("No file of any version is lost.");
    }
    let lost = count(report.lost.len() as u64, "path", "paths");
    write_affected(page, "Lost", &report.lost)?;
    page.line(format_args!("Every version of every file but these {lost} is as it was."))
}
