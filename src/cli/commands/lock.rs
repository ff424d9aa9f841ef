//! `pent lock`, `pent unlock` and `pent locks`.

use crate::app::auto_lock;
use crate::app::common::locks::LockLine;
use crate::app::lock::{self, LEASE_MS, ListReport, Locking, Options, Report};
use crate::cli::context::Context;
use crate::cli::failure::{ExitStatus, Failure};
use crate::cli::output::columns::{Cell, Columns};
use crate::cli::output::words::moment;
use crate::cli::output::{ACCENT, BOLD, DIM, Page, count, safe};
use crate::cli::verb::{Describe, Example, Group, Verb};
use crate::rules::policy::parse_duration;
use std::io;
use std::path::PathBuf;

/// Claim assets that cannot be merged, before others change them
///
/// You get a lock only when you have the newest version that is on any shared branch. Others can neither lock such an
/// asset nor push a change of it until you give it back, push your new version, or its time has passed. Files that the
/// policy or `lock.patterns` call lockable are read-only until you lock them.
#[derive(Debug, clap::Args)]
pub struct Lock {
    /// Files, or folders with all that is in them
    #[arg(value_name = "PATH", required_unless_present = "changed")]
    paths: Vec<PathBuf>,
    /// What you have changed and have not committed yet, as far as it should be locked: everywhere, or at these paths
    #[arg(long)]
    changed: bool,
    /// Why, for others to read
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// How long it lasts: "3 hours", "2 days"; a week when you do not say
    #[arg(long = "for", value_name = "TIME")]
    lease: Option<String>,
}

impl Describe for Lock {
    const NAME: &'static str = "lock";
    const GROUP: Group = Group::Share;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent lock brand/logo.psd", what: "nobody else changes it now" },
        Example { line: "pent lock --changed", what: "claim what you have begun already" },
        Example {
            line: "pent lock film --for \"2 days\" -m \"colour grading\"",
            what: "a folder, with a reason",
        },
    ];
}

/// Give locks back
///
/// A push of your new version gives a lock back by itself. Whoever the policy lets administer can end locks of others;
/// that stands in the audit.
#[derive(Debug, clap::Args)]
pub struct Unlock {
    /// Files, or folders with all that is in them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// End locks that others hold: for those whom the policy lets administer
    #[arg(short, long, visible_alias = "break")]
    force: bool,
    /// Why, for others to read
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
}

impl Describe for Unlock {
    const NAME: &'static str = "unlock";
    const GROUP: Group = Group::Share;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[
        Example { line: "pent unlock brand/logo.psd", what: "others may change it again" },
        Example {
            line: "pent unlock film --break -m \"she is on leave\"",
            what: "end a lock of somebody else",
        },
    ];
}

/// See who holds which lock
///
/// As far as it was fetched: `pent fetch` brings what is new.
#[derive(Debug, clap::Args)]
pub struct Locks {}

impl Describe for Locks {
    const NAME: &'static str = "locks";
    const GROUP: Group = Group::Share;
    const CHANGES: bool = false;
    const EXAMPLES: &'static [Example] = &[Example { line: "pent locks", what: "who works on what" }];
}

impl Verb for Lock {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let lease = self.lease.as_deref().map_or(Ok(LEASE_MS), |text| {
            parse_duration(text).ok_or_else(|| {
                Failure::usage(format!("{} is no length of time", safe(text)))
                    .hint("a number and minutes, hours, days or weeks: --for \"2 days\"")
            })
        })?;
        let (reason, lease_ms) = (self.message.unwrap_or_default(), Some(lease));
        let which = if self.changed { Which::Changed } else { Which::Named };
        let options = |paths| Options { paths, reason, lease_ms, force: false };
        change(context, "lock", (&self.paths, which), options)
    }
}

impl Verb for Unlock {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let (reason, force) = (self.message.unwrap_or_default(), self.force);
        let options = |paths| Options { paths, reason, lease_ms: None, force };
        change(context, "unlock", (&self.paths, Which::Named), options)
    }
}

impl Verb for Locks {
    fn run(self, context: &mut Context) -> Result<ExitStatus, Failure> {
        let repository = context.repository_to_read()?;
        let person = context.person()?;
        let report = lock::list(&repository, person, context.clock(), context.monitor())?;
        context.print("locks", &report, show_list)?;
        Ok(ExitStatus::Done)
    }
}

/// Which assets at some paths are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// All of them.
    Named,
    /// Those that are changed here and should be locked.
    Changed,
}

fn change(
    context: &mut Context,
    verb: &str,
    (paths, which): (&[PathBuf], Which),
    options: impl FnOnce(Vec<crate::base::path::AssetPath>) -> Options,
) -> Result<ExitStatus, Failure> {
    let repository = context.repository()?;
    let identity = context.identity_or_ask()?;
    let options = options(context.asset_paths(&repository, paths)?);
    let report = {
        let (reach, signing) = (context.reach(), context.signing_when_needed(identity.as_ref()));
        let locking = Locking {
            repository: &repository,
            signing: &signing,
            reach: &reach,
            clock: context.clock(),
            monitor: context.monitor(),
        };
        match (verb, which, &identity) {
            ("lock", Which::Changed, Some(identity)) => {
                auto_lock::changed(&locking, options, identity.id)?.unwrap_or_default()
            }
            ("lock", ..) => locking.lock(&options)?,
            _ => locking.unlock(&options)?,
        }
    };
    if which == Which::Changed && report.locks.is_empty() && report.refused.is_empty() {
        context.hint("nothing of what you changed waits for a lock");
    }
    let ended = verb != "lock";
    context.print(verb, &report, |page, report| show(page, report, ended))?;
    Ok(if report.refused.is_empty() { ExitStatus::Done } else { ExitStatus::Refused })
}

fn show(page: &mut Page<'_>, report: &Report, ended: bool) -> io::Result<()> {
    for lock in &report.locks {
        let path = page.styles.paint(BOLD, &lock.path);
        match (&lock.until, ended) {
            (_, true) => page.line(format_args!("{path} is free again."))?,
            (Some(until), false) => {
                let until = page.dates.show(moment(until));
                page.line(format_args!("{path} is yours until {until}."))?;
            }
            (None, false) => page.line(format_args!("{path} is yours until you give it back."))?,
        }
    }
    for refused in &report.refused {
        let heading = page.styles.paint(ACCENT, "Refused:");
        page.line(format_args!("{heading} {}: {}.", refused.path, safe(&refused.why)))?;
    }
    if report.remote.is_none() && !report.locks.is_empty() {
        page.remark("There is no remote: nobody else can see it.")?;
    }
    Ok(())
}

fn show_list(page: &mut Page<'_>, report: &ListReport) -> io::Result<()> {
    if report.locks.is_empty() {
        return page.line("Nothing is locked.");
    }
    write_locks(page, &report.locks)?;
    page.line(format_args!("{}.", count(report.locks.len() as u64, "lock", "locks")))
}

/// Writes locks, one a line.
pub(super) fn write_locks(page: &mut Page<'_>, locks: &[LockLine]) -> io::Result<()> {
    let mut columns = Columns::default();
    for lock in locks {
        let who = if lock.mine { "you".to_owned() } else { safe(&lock.holder) };
        let until = lock.until.as_ref().map(|until| page.dates.show(moment(until)));
        let ends = match (until, lock.expired) {
            (Some(until), true) => format!("ended {until}"),
            (Some(until), false) => format!("until {until}"),
            (None, _) => String::new(),
        };
        let since = format!("since {}", page.dates.show(moment(&lock.since)));
        columns.row([
            Cell::new(lock.path.to_string()).styled(BOLD),
            Cell::new(who),
            Cell::new(since).styled(DIM),
            Cell::new(ends).styled(DIM),
            Cell::new(safe(&lock.reason)),
        ]);
    }
    columns.write(page)
}
