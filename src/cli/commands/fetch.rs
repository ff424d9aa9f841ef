//! `pent fetch`.

use crate::app::fetch::{self, Report};
use crate::base::size::human_bytes;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::{ACCENT, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::sync::fetch::{Fetched, MovedName};
use std::io;

/// Take in what others have pushed, without touching your files
///
/// Every byte is checked when it arrives. Branches of the remote appear as origin/main; `pent pull` also brings them
/// together with yours.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Which remote; `origin`, or the only one, when you name none
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
}

impl Describe for Arguments {
    const NAME: &'static str = "fetch";
    const GROUP: Group = Group::Share;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent fetch", what: "take in what is new" },
        Example { line: "pent diff main origin/main", what: "see what others did" },
    ];
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let report = fetch::run(&repository, self.remote.as_deref(), &context.reach(), context.monitor())?;
        context.print("fetch", &report, show)?;
        Ok(status_of(&report.fetched))
    }
}

/// How a command ended that fetched.
pub(super) fn status_of(fetched: &Fetched) -> ExitStatus {
    if fetched.refused.is_empty() { ExitStatus::Done } else { ExitStatus::Problems }
}

/// Writes what came.
pub(super) fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let (remote, fetched) = (safe(&report.remote), &report.fetched);
    if fetched.moved.is_empty() && fetched.refused.is_empty() {
        return page.line(format_args!("Nothing new on {remote}."));
    }
    page.line(sentence(fetched))?;
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
