//! `pent fetch`.

use crate::app::fetch::{self, ContentOptions, ContentReport, Report};
use crate::base::size::human_bytes;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::logs::{is_quiet, write_fetched};
use crate::cli::output::{ACCENT, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use crate::sync::fetch::{Fetched, MovedName};
use std::io;
use std::path::PathBuf;

/// Take in what others have pushed, without touching your files
///
/// Every byte is checked when it arrives, and every signature: what was said in reviews comes along, and a protected
/// branch that somebody moved against the policy is not taken over. Branches of the remote appear as origin/main;
/// `pent pull` also brings them together with yours.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which remote; `origin`, or the only one, when you name none
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
    /// Bring the content of these files and folders; without a path, of everything that there ever was
    #[arg(long, value_name = "PATH", num_args = 0..)]
    content: Option<Vec<PathBuf>>,
    /// With --content: as of which revision; the newest commit of your branch when you name none
    #[arg(long, value_name = "REVISION", requires = "content")]
    at: Option<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "fetch";
    const GROUP: Group = Group::Share;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent fetch", what: "take in what is new" },
        Example { line: "pent diff main origin/main", what: "see what others did" },
        Example { line: "pent fetch --content footage/2026", what: "have a folder at hand on the train" },
    ];
    const WHEN_STOPPED: Stopped = Stopped::of(
        "none of your branches moved, and what came so far is kept",
        "the same command again goes on from there",
    );
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        if let Some(paths) = &self.content {
            let paths = context.asset_paths(&repository, paths)?;
            let options = ContentOptions { remote: self.remote, paths, revision: self.at };
            let (reach, clock, monitor) = (context.reach(), context.clock(), context.monitor());
            let report = fetch::content(&repository, &options, &reach, clock, monitor)?;
            context.print("fetch-content", &report, show_content)?;
            return Ok(ExitStatus::Done);
        }
        let (reach, clock, monitor) = (context.reach(), context.clock(), context.monitor());
        let report = fetch::run(&repository, self.remote.as_deref(), &reach, clock, monitor)?;
        context.print("fetch", &report, show)?;
        Ok(status_of(&report.fetched))
    }
}

fn show_content(page: &mut Page<'_>, report: &ContentReport) -> io::Result<()> {
    let (files, bytes) = (count(report.files, "file", "files"), human_bytes(report.bytes));
    if report.files == 0 {
        page.line("All of it is here already.")?;
    } else {
        let received = human_bytes(report.bytes_received);
        page.line(format_args!("The content of {files}, {bytes}, is here now; {received} received."))?;
    }
    if report.complete {
        page.remark("This clone has everything.")?;
    }
    Ok(())
}

/// How a command ended that fetched.
pub(super) fn status_of(fetched: &Fetched) -> ExitStatus {
    let logs = &fetched.logs;
    let is_well = fetched.refused.is_empty() && logs.problem.is_none() && logs.withheld.is_empty();
    if is_well { ExitStatus::Done } else { ExitStatus::Problems }
}

/// Writes what came.
pub(super) fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let (remote, fetched) = (safe(&report.remote), &report.fetched);
    if fetched.moved.is_empty() && fetched.refused.is_empty() && is_quiet(&fetched.logs) {
        return page.line(format_args!("Nothing new on {remote}."));
    }
    if fetched.commits > 0 || !fetched.moved.is_empty() {
        page.line(sentence(fetched))?;
    }
    write_fetched(page, &fetched.logs, &remote)?;
    for moved in &fetched.moved {
        show_moved(page, moved, &remote)?;
    }
    for refused in &fetched.refused {
        let heading = page.styles.paint(ACCENT, "Not taken over:");
        page.line(format_args!("{heading} {} of {remote}", refused.name))?;
        for reason in &refused.reasons {
            page.line(format_args!("  {}", safe(reason)))?;
        }
    }
    Ok(())
}

/// How much came, and how much was here already.
pub(super) fn sentence(fetched: &Fetched) -> String {
    let commits = count(fetched.commits, "commit", "commits");
    let assets = count(fetched.assets, "asset", "assets");
    let rest = if fetched.bytes_shared > 0 { ", the rest was already here" } else { "" };
    let (bytes, received) = (human_bytes(fetched.bytes), human_bytes(fetched.bytes_received));
    let withheld = match fetched.withheld {
        0 => String::new(),
        files => format!(" {} withheld from you.", count(files, "file is", "files are")),
    };
    if fetched.bytes_left > 0 {
        return format!(
            "{commits}, {assets}, {bytes}; {received} received, content stays there until you ask for it.{withheld}"
        );
    }
    format!("{commits}, {assets}, {bytes}; {received} received{rest}.{withheld}")
}

fn show_moved(page: &mut Page<'_>, moved: &MovedName, remote: &str) -> io::Result<()> {
    let name = format!("{remote}/{}", moved.name);
    match (&moved.before, &moved.after) {
        (_, None) => page.line(format_args!("{name} is gone.")),
        (None, Some(after)) => page.line(format_args!("{name} is new, at {}.", after.short())),
        (Some(before), Some(after)) => {
            page.line(format_args!("{name} went from {} to {}.", before.short(), after.short()))
        }
    }
}
