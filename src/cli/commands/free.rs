//! `pent free`.

use crate::app::free::{self, Options, Report, Stays};
use crate::base::size::human_bytes;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use std::io;
use std::path::PathBuf;

/// Make room: drop content here that a remote holds
///
/// Every version of the files and folders you name. All of it is read on the remote first and compared; what is not
/// there, or not pushed yet, stays. Files in your folder stay as they are, and so do history and previews of what
/// changed. What you need again is fetched when you ask for it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Files and folders
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Which remote holds it; `origin`, or the only one, when you name none
    #[arg(long, value_name = "REMOTE")]
    from: Option<String>,
    /// Say what could go, and drop nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "free";
    const GROUP: Group = Group::Share;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent free footage/2024", what: "drop what the remote holds of a folder" },
        Example { line: "pent free footage --dry-run", what: "see first how much that is" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let paths = context.asset_paths(&repository, &self.paths)?;
        let options = Options { remote: self.from, paths, dry_run: self.dry_run };
        let (reach, clock, monitor) = (context.reach(), context.clock(), context.monitor());
        let report = free::run(&repository, &options, &reach, clock, monitor)?;
        context.print("free", &report, show)?;
        if report.freed.files > 0 && !report.dry_run {
            context.hint("your folder is as it was; `pent sparse remove <folder>` takes files out of it too");
        }
        if report.not_pushed.files > 0 {
            context.hint("pent push gives the remote what it does not have");
        }
        Ok(if report.not_held.files > 0 { ExitStatus::Problems } else { ExitStatus::Done })
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let remote = safe(&report.remote);
    let (files, bytes) = (count(report.freed.files, "file", "files"), human_bytes(report.freed.bytes));
    if report.dry_run {
        page.line(format_args!("The content of {files}, {bytes}, could go: {remote} has it, by its lists."))?;
    } else if report.freed.files == 0 {
        page.line("Nothing was dropped.")?;
    } else {
        let freed = human_bytes(report.freed.bytes_freed);
        page.line(format_args!(
            "The content of {files}, {bytes}, is on {remote} alone now; {freed} are free."
        ))?;
    }
    stays(page, report.not_pushed, "the remote does not have it yet")?;
    stays(page, report.shared, "it stands at other paths too")?;
    stays(page, report.not_held, "the remote could not give all of it")
}

fn stays(page: &mut Page<'_>, what: Stays, why: &str) -> io::Result<()> {
    if what.files == 0 {
        return Ok(());
    }
    let files = count(what.files, "file stays", "files stay");
    page.remark(format_args!("{files}, {}: {why}.", human_bytes(what.bytes)))
}
