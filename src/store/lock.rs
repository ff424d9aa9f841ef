//! Locks between processes. They are advisory, belong to an open file and die with the process.

use std::path::Path;
use std::time::Duration;

use crate::base::monitor::{Monitor, Phase};
use crate::store::disk::{Disk, DiskLock, LockKind};
use crate::store::error::{IoContext, Result, StoreError};

/// Held by whoever stores content. While one is held, nothing that lies in the store is swept.
#[derive(Debug)]
pub struct WritersLock {
    _lock: Box<dyn DiskLock>,
}

/// Held by the sweep of gc: nobody stores content meanwhile.
#[derive(Debug)]
pub struct SweepLock {
    _lock: Box<dyn DiskLock>,
}

/// Held by whoever changes the worktree: its files, what is remembered of them, what it stands on.
#[derive(Debug)]
pub struct WorktreeLock {
    _lock: Box<dyn DiskLock>,
}

/// How long a wait is kept to oneself.
const QUIET: Duration = Duration::from_secs(1);
const STEP_MIN: Duration = Duration::from_millis(1);
const STEP_MAX: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer; says so when it takes long, stops when told to.
pub(crate) fn wait_for<T>(
    monitor: &dyn Monitor,
    name: &'static str,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let (mut step, mut waited, mut reported) = (STEP_MIN, Duration::ZERO, false);
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if monitor.is_cancelled() {
            return Err(StoreError::Cancelled);
        }
        if waited >= QUIET && !reported {
            monitor.phase(Phase { name, files_total: None, bytes_total: None });
            reported = true;
        }
        std::thread::sleep(step);
        waited += step;
        step = (step * 2).min(STEP_MAX);
    }
}

pub(crate) fn lock_writers(disk: &dyn Disk, path: &Path, monitor: &dyn Monitor) -> Result<WritersLock> {
    let ask = || disk.try_lock(path, LockKind::Shared).during("locking", path);
    let lock = wait_for(monitor, "Waiting for clean-up by another process", ask)?;
    Ok(WritersLock { _lock: lock })
}

pub(crate) fn lock_worktree(disk: &dyn Disk, path: &Path, monitor: &dyn Monitor) -> Result<WorktreeLock> {
    let ask = || disk.try_lock(path, LockKind::Exclusive).during("locking", path);
    let lock = wait_for(monitor, "Waiting for another command in this folder", ask)?;
    Ok(WorktreeLock { _lock: lock })
}

pub(crate) fn lock_for_sweep(
    disk: &dyn Disk,
    worktree: &Path,
    writers: &Path,
    monitor: &dyn Monitor,
) -> Result<(WorktreeLock, SweepLock)> {
    let ask = || {
        let Some(outer) = disk.try_lock(worktree, LockKind::Exclusive).during("locking", worktree)? else {
            return Ok(None);
        };
        // Without the inner one the outer one is let go at once.
        let inner = disk.try_lock(writers, LockKind::Exclusive).during("locking", writers)?;
        Ok(inner.map(|inner| (WorktreeLock { _lock: outer }, SweepLock { _lock: inner })))
    };
    wait_for(monitor, "Waiting for other processes that store", ask)
}

pub(crate) fn lock_sweep(disk: &dyn Disk, path: &Path, monitor: &dyn Monitor) -> Result<SweepLock> {
    let ask = || disk.try_lock(path, LockKind::Exclusive).during("locking", path);
    let lock = wait_for(monitor, "Waiting for another process that stores", ask)?;
    Ok(SweepLock { _lock: lock })
}
