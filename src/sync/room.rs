//! Room on the disk, while things come that nobody here has asked for one by one.
//!
//! Of history a remote may send more than is wanted, and what it sends is stored before anybody can say what of it
//! is. So that no remote can fill a disk with that, some room stays free whatever comes.

use crate::base::size::human_bytes;
use crate::sync::error::{SyncError, SyncResult};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes after which is looked again.
const STEP_BYTES: u64 = 1 << 20;
/// Most room that stays free, in bytes; a twentieth of a smaller disk.
const RESERVE_BYTES_MAX: u64 = 1 << 30;
const RESERVE_PARTS: u64 = 20;
/// Most bytes of people, ties, originals and tombstones that one fetch keeps in memory: millions of them.
const HELD_BYTES_MAX: usize = 2 << 30;
/// What each of them takes beside its bytes, about.
const HELD_OVERHEAD_BYTES: usize = 100;

/// How much room is left where a folder is, and how much there is in all; plenty where nobody can say.
pub(super) fn bytes_free(folder: &Path) -> (u64, u64) {
    let space = rustix::fs::statvfs(folder);
    space.map_or((u64::MAX, u64::MAX), |space| {
        let blocks = |count: u64| count.saturating_mul(space.f_frsize);
        (blocks(space.f_bavail), blocks(space.f_blocks))
    })
}

/// Watches the room that is left while things come.
#[derive(Debug)]
pub(super) struct Room {
    folder: PathBuf,
    come: AtomicU64,
}

impl Room {
    /// Watches the disk that a folder is on.
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), come: AtomicU64::new(0) }
    }

    /// Counts bytes that are about to be stored, and refuses them when too little would stay free.
    pub(super) fn insist(&self, bytes: u64) -> SyncResult<()> {
        let before = self.come.fetch_add(bytes, Ordering::Relaxed);
        if before != 0 && before / STEP_BYTES == (before + bytes) / STEP_BYTES {
            return Ok(());
        }
        let (free, all) = bytes_free(&self.folder);
        // What others were let through with since somebody looked is not on the disk yet.
        let under_way = bytes.saturating_add(STEP_BYTES);
        if free >= (all / RESERVE_PARTS).min(RESERVE_BYTES_MAX).saturating_add(under_way) {
            return Ok(());
        }
        Err(SyncError::NoRoomHere { come_bytes: before, detail: format!("{} are free", human_bytes(free)) })
    }
}

/// Counts what is kept in memory until it is known to be wanted.
#[derive(Debug, Default)]
pub(super) struct Held(usize);

impl Held {
    /// Counts one thing more, and refuses more than any history has.
    pub(super) fn add(&mut self, bytes: &[u8]) -> SyncResult<()> {
        self.0 += bytes.len() + HELD_OVERHEAD_BYTES;
        if self.0 <= HELD_BYTES_MAX {
            return Ok(());
        }
        let detail = format!("it has more than {} of records", human_bytes(HELD_BYTES_MAX as u64));
        Err(SyncError::Invalid { what: "a history", detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_in_memory_is_bounded_also_when_it_is_nothing_but_small() {
        let (mut held, large) = (Held::default(), vec![0; 64 << 20]);
        assert!((0..31).all(|_| held.add(&large).is_ok()));
        assert!((0..1000).all(|_| held.add(b"").is_ok()));
        let refused = (0..2).find_map(|_| held.add(&large).err()).expect("a refusal");
        assert!(refused.to_string().contains("of records"), "{refused}");
    }

    #[test]
    fn a_disk_with_room_takes_everything_and_one_without_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (free, all) = bytes_free(folder.path());
        let room = Room::of(folder.path());
        let has_room = free >= (all / RESERVE_PARTS).min(RESERVE_BYTES_MAX) + STEP_BYTES + 10;
        assert_eq!(room.insist(10).is_ok(), has_room);
        assert!(room.insist(u64::MAX / 2).is_err(), "what is about to be stored counts");
        // No more than once for each step is the disk asked: a folder that is nowhere has plenty of room.
        let nowhere = Room::of(Path::new("/nowhere/at/all"));
        assert!((0..100).all(|_| nowhere.insist(STEP_BYTES / 3).is_ok()));
    }
}
