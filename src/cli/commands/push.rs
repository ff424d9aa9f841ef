//! `pent push`.

use crate::app::push::{self, LogsPushed, NameLine, Options, Report};
use crate::base::size::human_bytes;
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::logs::{write_anew, write_pushed};
use crate::cli::output::{Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Stopped, Verb};
use crate::sync::push::Moved;
use std::io;

/// Give your work to a remote
///
/// Sends what the remote does not have, however little of a file that is, and then moves the branch there. When
/// something stops it, the next push goes on from there. When others were quicker, pull first. What you said in reviews,
/// signed or proposed goes along, and what others said comes here.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Branches, drafts and tags; the branch you are on when you name none
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Which remote; `origin`, or the only one, when you name none
    #[arg(long, value_name = "REMOTE")]
    to: Option<String>,
    /// All branches, drafts and tags
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Remove the named branches, drafts or tags from the remote
    #[arg(long, requires = "names", conflicts_with = "all")]
    delete: bool,
    /// Move the branch even when that takes commits off it, unless somebody moved it since you fetched
    #[arg(long)]
    force: bool,
    /// Hold on to your locks, although the new versions get there
    #[arg(long)]
    keep_locks: bool,
    /// Say what would be sent, and send nothing
    #[arg(long, short = 'n')]
    dry_run: bool,
}

impl Describe for Arguments {
    const NAME: &'static str = "push";
    const GROUP: Group = Group::Share;
    const CHANGES: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent push", what: "give the branch you are on to origin" },
        Example { line: "pent push --dry-run", what: "see first how much that would be" },
        Example {
            line: "pent push draft/night v1 --to archive",
            what: "a draft and a tag, to another remote",
        },
    ];
    const WHEN_STOPPED: Stopped = Stopped::of(
        "no branch moved at the remote, and what was sent so far is kept there",
        "the same command again goes on from there",
    );
}

impl Verb for Arguments {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository()?;
        let options = Options {
            remote: self.to,
            names: self.names,
            all: self.all,
            delete: self.delete,
            force: self.force,
            dry_run: self.dry_run,
            only_logs: false,
            keep_locks: self.keep_locks,
            person: None,
        };
        let identity = context.identity()?;
        let options = Options { person: identity.as_ref().map(|identity| identity.id), ..options };
        let mut say_first = |moved: &Moved| {
            if moved.bytes_sent > 0 {
                context.announce(&format!("{}.", to_send(moved)));
            }
        };
        let report = {
            let (reach, clock, monitor) = (context.reach(), context.clock(), context.monitor());
            let signing = context.signing_when_needed(identity.as_ref());
            push::run(&repository, &options, &signing, &reach, &mut say_first, clock, monitor)?
        };
        context.print("push", &report, show)?;
        Ok(if report.anew.given_up.is_empty() { ExitStatus::Done } else { ExitStatus::Problems })
    }
}

fn show(page: &mut Page<'_>, report: &Report) -> io::Result<()> {
    let remote = safe(&report.remote);
    write_anew(page, &report.anew)?;
    write_pushed(page, &report.logs, &remote, report.dry_run)?;
    if report.names.is_empty() && report.logs == LogsPushed::default() {
        return page.line(format_args!("{remote} has everything already."));
    }
    if report.names.is_empty() {
        return Ok(());
    }
    if report.dry_run {
        page.line(format_args!("{}.", to_send(&report.moved)))?;
    } else if report.moved.bytes_sent > 0 {
        page.line(format_args!("{} sent.", human_bytes(report.moved.bytes_sent)))?;
    }
    for name in &report.names {
        show_name(page, name, report.dry_run, &remote)?;
    }
    Ok(())
}

/// How much moves, and how much need not: it is there, or the same bytes once more.
fn to_send(moved: &Moved) -> String {
    let assets = format!("{}, {}", count(moved.assets, "asset", "assets"), human_bytes(moved.bytes));
    let shared = match moved.bytes_shared {
        0 => String::new(),
        bytes => format!(", {} shared", human_bytes(bytes)),
    };
    format!("{assets}; {} to send{shared}", human_bytes(moved.bytes_sent))
}

fn show_name(page: &mut Page<'_>, name: &NameLine, dry_run: bool, remote: &str) -> io::Result<()> {
    let text = safe(&name.name);
    let would = if dry_run { "would be" } else { "is" };
    match (&name.before, &name.after) {
        (_, None) if dry_run => page.line(format_args!("{text} would be removed from {remote}.")),
        (_, None) => page.line(format_args!("{text} is gone from {remote}.")),
        (None, Some(after)) => {
            page.line(format_args!("{text} {would} new on {remote}, at {}.", after.short()))
        }
        (Some(before), Some(after)) => page.line(format_args!(
            "{text} {would} at {} on {remote}, instead of {}.",
            after.short(),
            before.short()
        )),
    }
}
