//! `gc`: frees the space of what nothing needs any more.

use crate::app::error::AppError;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::care::gc::{self, Done, GRACE_DAYS, Plan};
use crate::repo::Repository;
use crate::worktree::displaced;
use serde::Serialize;
use std::collections::HashSet;

/// How to clean up.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// For how many days something stays after nothing needed it any more.
    pub grace_days: u32,
    /// Only say what would happen.
    pub dry_run: bool,
    /// Go on although records are missing and what only they reach will be lost.
    pub accept_losses: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { grace_days: GRACE_DAYS as u32, dry_run: false, accept_losses: false }
    }
}

/// What was, or would be, done.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether nothing was done and this is what would be.
    pub dry_run: bool,
    /// What was found and is to happen.
    pub plan: Plan,
    /// What was done; `None` when nothing was to be done.
    pub done: Option<Done>,
    /// Files that commands set aside longer than they are kept for.
    pub set_aside: SetAsideLine,
}

/// Sets of files that were set aside.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct SetAsideLine {
    /// How many sets.
    pub sets: u64,
    /// How many files in them.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Cleans up.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let now = clock.now();
    let mut how = gc::Options::at(now).with_grace_days(options.grace_days);
    how.accept_losses = options.accept_losses;
    if options.dry_run {
        let plan = gc::plan(repository, &how, monitor)?;
        let set_aside = set_aside(repository, clock, false)?;
        return Ok(Report { dry_run: true, plan, done: None, set_aside });
    }
    let (plan, done) = gc::execute(repository, &how, monitor)?;
    // Undo and restore look into these under the same lock.
    let lock = repository.store().lock_worktree(monitor)?;
    let set_aside = set_aside(repository, clock, true)?;
    drop(lock);
    Ok(Report { dry_run: false, plan, done: Some(done), set_aside })
}

/// Sets that a change of files under way goes on with or brings back, and those that an entry of the
/// journal names that is no older than sets are kept for: `undo` says that they are there.
fn spoken_for(repository: &Repository, clock: &dyn Clock) -> Result<HashSet<String>, AppError> {
    let (view, now) = (repository.view()?, clock.now());
    let mut names = HashSet::new();
    if let Some(underway) = view.state()?.underway {
        names.extend(underway.set_aside.into_iter().chain(underway.brings_back));
    }
    for entry in view.journal_heads()? {
        let entry = entry?;
        names.extend(entry.displaced.filter(|_| !displaced::is_long_ago(entry.time, now)));
    }
    Ok(names)
}

/// Counts, and removes when asked to, what was set aside longer than it is kept for.
fn set_aside(repository: &Repository, clock: &dyn Clock, remove: bool) -> Result<SetAsideLine, AppError> {
    let mut line = SetAsideLine::default();
    let (now, spoken_for) = (clock.now(), spoken_for(repository, clock)?);
    for set in displaced::old(repository.pent_dir(), now)? {
        if spoken_for.contains(&set.id) {
            continue;
        }
        line.sets += 1;
        line.files += set.items.len() as u64;
        line.bytes += set.items.iter().map(|item| item.size).sum::<u64>();
        if remove {
            displaced::remove(repository.pent_dir(), &set)?;
        }
    }
    Ok(line)
}
