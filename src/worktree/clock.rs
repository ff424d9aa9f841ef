//! The clock of the file system, asked as seldom as possible, and reading that cannot be torn.

use super::stat::{FileStat, FsTime, Node};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// How long to wait for the clock to move past a file's times, in milliseconds: some ticks.
const WAIT_MS: u64 = 5;
const WAITS_MAX: u32 = 12;
/// How often a file that changes while it is read is read anew.
const ATTEMPTS_MAX: u32 = 3;

/// The clock that stamps the files of the worktree.
#[derive(Debug)]
pub struct FsClock {
    folder: PathBuf,
    latest: AtomicI64,
}

impl FsClock {
    /// Reads the clock through `folder`, which must be on the worktree's file system: `.pent/worktree`.
    /// Where it cannot be written nothing ever counts as settled.
    pub fn new(folder: &Path) -> Self {
        let clock = Self { folder: folder.to_owned(), latest: AtomicI64::new(FsTime::NEVER.0) };
        clock.ask();
        clock
    }

    /// The moment asked for last: no later than now.
    pub fn latest(&self) -> FsTime {
        FsTime(self.latest.load(Ordering::Relaxed))
    }

    /// Asks the file system.
    pub fn ask(&self) -> FsTime {
        let now = FsTime::now_in(&self.folder).unwrap_or(FsTime::NEVER);
        self.latest.store(now.0, Ordering::Relaxed);
        now
    }

    /// Whether any change from now on is bound to give the file other times. Waits some ticks for a
    /// file that was changed just now, so that a program that writes and commits at once is not
    /// left with files that have to be read again.
    pub fn settle(&self, stat: &FileStat) -> bool {
        if stat.is_settled(self.latest()) {
            return true;
        }
        for _ in 0..WAITS_MAX {
            let now = self.ask();
            if stat.is_settled(now) {
                return true;
            }
            // Times far ahead of the clock will not be reached by waiting.
            let ahead_ns = stat.ctime_ns.saturating_sub(now.0);
            if ahead_ns > 1_000_000_000 {
                return false;
            }
            std::thread::sleep(Duration::from_millis(WAIT_MS));
        }
        false
    }
}

/// What was read of a file that did not change meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stable<T> {
    /// What reading gave.
    pub value: T,
    /// The file as it was before and after.
    pub node: Node,
    /// Whether what the system says of it can be trusted later: see [`FileStat::is_settled`].
    pub settled: bool,
}

/// Why a file could not be read whole.
#[derive(Debug, thiserror::Error)]
pub enum StableError<E: std::error::Error + 'static> {
    /// It could not be opened or looked at.
    #[error("it cannot be opened")]
    Open(#[source] io::Error),
    /// It changed again and again while it was read.
    #[error("it is being written to")]
    Busy,
    /// Reading failed.
    #[error(transparent)]
    Read(E),
}

/// Opens and reads a file so that what was read is what the file held at one moment: when it changed
/// meanwhile, it is read again, a few times at most.
pub fn read_stably<T, E: std::error::Error>(
    clock: &FsClock,
    open: impl Fn() -> io::Result<File>,
    mut read: impl FnMut(&File, &Node) -> Result<T, E>,
) -> Result<Stable<T>, StableError<E>> {
    let look = |file: &File| rustix::fs::fstat(file).map(|stat| Node::from_system(&stat));
    for _ in 0..ATTEMPTS_MAX {
        let file = open().map_err(StableError::Open)?;
        let node = look(&file).map_err(|error| StableError::Open(error.into()))?;
        // Before reading: only then does every change during it show.
        let settled = clock.settle(&node.stat);
        let outcome = read(&file, &node);
        if look(&file).is_ok_and(|after| after == node) {
            return outcome.map(|value| Stable { value, node, settled }).map_err(StableError::Read);
        }
    }
    Err(StableError::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::fs;
    use std::io::Read;

    fn read_all(mut file: &File, _: &Node) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn a_file_just_written_is_waited_for_and_then_trusted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let clock = FsClock::new(folder.path());
        fs::write(&path, b"new").expect("written");
        let read = read_stably(&clock, || File::open(&path), read_all).expect("read");
        assert_eq!(read.value, b"new");
        assert!(read.settled);
    }

    #[test]
    fn a_file_that_changes_once_is_read_again_and_one_that_always_does_is_given_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let clock = FsClock::new(folder.path());
        fs::write(&path, b"one").expect("written");
        let changes = Cell::new(1);
        let reading = |file: &File, node: &Node| {
            let bytes = read_all(file, node)?;
            if changes.get() > 0 {
                changes.set(changes.get() - 1);
                fs::write(&path, b"two")?;
            }
            Ok::<_, io::Error>(bytes)
        };
        assert_eq!(read_stably(&clock, || File::open(&path), reading).expect("read").value, b"two");
        changes.set(1000);
        assert!(matches!(read_stably(&clock, || File::open(&path), reading), Err(StableError::Busy)));
    }

    #[test]
    fn where_the_clock_cannot_be_asked_nothing_is_settled() {
        let clock = FsClock::new(Path::new("/proc/no-such-folder"));
        assert!(!clock.settle(&FileStat::default()));
    }
}
