//! `pent restore`.

use crate::app::restore::{self, Options, Report};
use crate::base::id::CommitId;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::Page;
use crate::cli::output::files::{status_of, write_files, write_paths};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;
/// Bring back files or folders as they once were
///
/// Shows first what it would replace. What it replaces is set aside for 30 days, even when it was never
/// committed: `pent undo` brings it back.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which files and folders; a version may follow, as in logo.psd@40
    #[arg(value_name = "PATH", required = true)]
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
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = if self.dry_run || self.to.is_some() {
            context.repository_to_read()?
        } else {
            context.repository()?
        };
        let options = Options {
            revision: self.revision,
            paths: context.asset_paths(&repository, &self.paths)?,
            exact: self.exact,
            to: self.to.as_ref().map(|folder| context.folder().join(folder)),
            preview: self.dry_run,
        };
        let report = restore::run(&repository, &options, context.clock(), context.monitor())?;
        context.print("restore", &report, show)?;
        Ok(status_of(&report.files))
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    if report.preview {
        return show_preview(page, report);
    }
    if report.write.is_empty() && report.remove.is_empty() {
        page.line("Everything is so already.")?;
    } else {
        let from: Vec<String> = report.commits.iter().map(CommitId::short).collect();
        page.line(format_args!("Brought back from {}.", from.join(", ")))?;
    }
    write_files(page, &report.files)
}

fn show_preview(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    for (heading, paths) in [
        ("Would be written:", &report.write),
        ("Would be removed:", &report.remove),
        ("Of these, would be set aside first, since they are not committed:", &report.files.set_aside),
    ] {
        if !paths.is_empty() {
            page.heading(heading)?;
            write_paths(page, paths)?;
        }
    }
    if report.write.is_empty() && report.remove.is_empty() {
        page.line("Everything is so already.")?;
    }
    Ok(())
}
