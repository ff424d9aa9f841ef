//! Locks of the disk in memory: whole-file locks by path, and the byte-range locks by which several
//! handles share a database.

use std::collections::HashMap;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use redb::{BackendError, StorageBackend};

use crate::store::disk::{DiskFile, DiskLock, LockKind};

use super::file::FaultFile;
use super::{World, machine_stopped};

/// How long a wait for a lock lasts before the machine is looked at again.
const WAIT: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy)]
struct RangeLock {
    owner: u64,
    /// First and last byte.
    range: (u64, u64),
    kind: LockKind,
}

#[derive(Debug, Default)]
pub(super) struct Locks {
    files: HashMap<PathBuf, Vec<(u64, LockKind)>>,
    ranges: HashMap<u64, Vec<RangeLock>>,
}

fn excludes(a: LockKind, b: LockKind) -> bool {
    a == LockKind::Exclusive || b == LockKind::Exclusive
}

impl Locks {
    /// Locks a whole file unless somebody else's lock excludes it.
    pub(super) fn try_file(&mut self, path: &Path, owner: u64, kind: LockKind) -> bool {
        let holders = self.files.entry(path.to_owned()).or_default();
        if holders.iter().any(|(other, held)| *other != owner && excludes(*held, kind)) {
            return false;
        }
        holders.retain(|(other, _)| *other != owner);
        holders.push((owner, kind));
        true
    }

    /// Lets go of everything that an open file holds.
    pub(super) fn release(&mut self, owner: u64) {
        self.files.retain(|_, holders| {
            holders.retain(|(other, _)| *other != owner);
            !holders.is_empty()
        });
        for locks in self.ranges.values_mut() {
            locks.retain(|lock| lock.owner != owner);
        }
    }

    fn is_excluded(&self, inode: u64, wanted: &RangeLock) -> bool {
        self.ranges.get(&inode).is_some_and(|locks| {
            locks.iter().any(|held| {
                held.owner != wanted.owner
                    && held.range.0 <= wanted.range.1
                    && wanted.range.0 <= held.range.1
                    && excludes(held.kind, wanted.kind)
            })
        })
    }

    fn try_range(&mut self, inode: u64, wanted: RangeLock) -> bool {
        let free = !self.is_excluded(inode, &wanted);
        if free {
            self.ranges.entry(inode).or_default().push(wanted);
        }
        free
    }
}

/// A lock on a path, held as long as this lives.
#[derive(Debug)]
pub(super) struct FaultLock {
    pub world: Arc<World>,
    pub owner: u64,
}

impl DiskLock for FaultLock {}

impl Drop for FaultLock {
    fn drop(&mut self) {
        self.world.state().locks.release(self.owner);
        self.world.changed.notify_all();
    }
}

/// A database file.
#[derive(Debug)]
pub(super) struct FaultBackend {
    pub file: FaultFile,
}

impl FaultBackend {
    fn wanted(&self, start: Bound<u64>, end: Bound<u64>, kind: LockKind) -> RangeLock {
        let first = match start {
            Bound::Included(at) => at,
            Bound::Excluded(at) => at + 1,
            Bound::Unbounded => 0,
        };
        let last = match end {
            Bound::Included(at) => at,
            Bound::Excluded(at) => at - 1,
            Bound::Unbounded => u64::MAX,
        };
        RangeLock { owner: self.file.owner, range: (first, last), kind }
    }

    fn try_take(&self, wanted: RangeLock) -> Result<bool, BackendError> {
        let mut state = self.file.world.running().map_err(BackendError::from)?;
        Ok(state.locks.try_range(self.file.inode, wanted))
    }

    fn take(&self, wanted: RangeLock) -> Result<(), BackendError> {
        let mut state = self.file.world.running().map_err(BackendError::from)?;
        while !state.locks.try_range(self.file.inode, wanted) {
            // Wakes by itself now and then, since nobody tells when the machine stops.
            let woken = self.file.world.changed.wait_timeout(state, WAIT);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
            if state.stopped {
                return Err(machine_stopped().into());
            }
        }
        Ok(())
    }
}

impl StorageBackend for FaultBackend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(&[data], offset)
    }

    fn close(&self) -> io::Result<()> {
        self.file.world.state().locks.release(self.file.owner);
        self.file.world.changed.notify_all();
        Ok(())
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.try_take(self.wanted(start, end, LockKind::Exclusive))
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.try_take(self.wanted(start, end, LockKind::Shared))
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.take(self.wanted(start, end, LockKind::Exclusive))
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.take(self.wanted(start, end, LockKind::Shared))
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        let held = self.wanted(start, end, LockKind::Shared);
        let mut state = self.file.world.state();
        if let Some(locks) = state.locks.ranges.get_mut(&self.file.inode)
            && let Some(position) =
                locks.iter().position(|lock| lock.owner == held.owner && lock.range == held.range)
        {
            locks.swap_remove(position);
        }
        drop(state);
        self.file.world.changed.notify_all();
        Ok(())
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        let state = self.file.world.running().map_err(BackendError::from)?;
        Ok(state.locks.is_excluded(self.file.inode, &self.wanted(start, end, LockKind::Exclusive)))
    }
}
