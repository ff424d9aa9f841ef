//! What a file system says about a file, and when that can be trusted.
//!
//! A file is taken for unchanged when size, modification time, change time (in nanoseconds) and
//! inode are as they were when it was read. The change time cannot be set by a program, so an edit
//! that keeps size and modification time, as unpacking an archive does, is noticed by it.
//!
//! One gap remains: times move in steps of some milliseconds, so a file changed twice within a
//! step shows the same times. Therefore what is seen of a file is believed later only if its times
//! lie *before* the file system's clock at the moment when reading began: any later change then gets
//! a later time ([`FileStat::is_settled`]). The clock asked is that of the file system itself
//! ([`FsTime`]), which is the one that stamps files. Setting it back only makes files read again.
//! A margin covers kernels that stamp some files finely and others by the tick.

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use std::fs::File;
use std::io;
use std::path::Path;

/// Nanoseconds in a second.
const NS: i64 = 1_000_000_000;
/// By how much times must lie in the past: the longest tick of Linux is 10 ms.
const TICK_MARGIN_NS: i64 = 20_000_000;

/// What a file system says about one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FileStat {
    /// Length in bytes; of a symbolic link, of its target.
    pub size: u64,
    /// Time of the last change of its bytes, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Time of the last change of its bytes, name or permissions, in nanoseconds since 1970.
    pub ctime_ns: i64,
    /// Its number in the file system.
    pub inode: u64,
}

impl FileStat {
    /// Takes what matters from the system's own record.
    pub fn from_system(stat: &Stat) -> Self {
        let time = |seconds: i64, nanoseconds: i64| seconds.wrapping_mul(NS).wrapping_add(nanoseconds);
        #[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
        Self {
            size: stat.st_size as u64,
            mtime_ns: time(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctime_ns: time(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            inode: stat.st_ino as u64,
        }
    }

    /// What an open file's system says.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from_system(&rustix::fs::fstat(file)?))
    }

    /// Whether a change after `since` is bound to give the file another time.
    ///
    /// A modification time far in the future was set on purpose and is as good as one in the past:
    /// no change comes by it.
    pub fn is_settled(&self, since: FsTime) -> bool {
        let past = since.0.saturating_sub(TICK_MARGIN_NS);
        let future = since.0.saturating_add(10 * NS);
        self.ctime_ns < past && (self.mtime_ns < past || self.mtime_ns > future)
    }

    /// Whether it is the same file with the same bytes although it was renamed, which on most file
    /// systems changes the change time only.
    pub fn is_same_but_renamed(&self, other: &Self) -> bool {
        (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)
    }
}

/// A moment on the clock of a file system, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FsTime(pub i64);

impl FsTime {
    /// Before every file: nothing is settled.
    pub const NEVER: Self = Self(i64::MIN);

    /// Asks the file system that holds `folder` by writing to a small file there.
    pub fn now_in(folder: &Path) -> io::Result<Self> {
        let path = folder.join("clock");
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&path, flags, Mode::from_raw_mode(0o644))?);
        // Truncating an empty file may leave its times alone; setting them to "now" does not.
        let now = rustix::fs::Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
        rustix::fs::futimens(&file, &rustix::fs::Timestamps { last_access: now, last_modification: now })?;
        Ok(Self(FileStat::of(&file)?.mtime_ns))
    }
}

/// Kinds of files that hold no content: they are named and never opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpecialKind {
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
    /// Something this program does not know.
    Unknown,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// A regular file; executable when its owner may run it.
    File { executable: bool },
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Neither.
    Special(SpecialKind),
}

/// What stands at a path, with what its file system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// What the file system says.
    pub stat: FileStat,
}

impl Node {
    /// Takes what matters from the system's own record.
    pub fn from_system(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => NodeKind::File { executable: stat.st_mode & 0o100 != 0 },
            FileType::Directory => NodeKind::Directory,
            FileType::Symlink => NodeKind::Symlink,
            FileType::Fifo => NodeKind::Special(SpecialKind::Fifo),
            FileType::Socket => NodeKind::Special(SpecialKind::Socket),
            FileType::BlockDevice | FileType::CharacterDevice => NodeKind::Special(SpecialKind::Device),
            FileType::Unknown => NodeKind::Special(SpecialKind::Unknown),
        };
        Self { kind, stat: FileStat::from_system(stat) }
    }

    /// Looks at a name in an open folder without following a link.
    pub fn at(folder: impl rustix::fd::AsFd, name: impl rustix::path::Arg) -> rustix::io::Result<Self> {
        rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| Self::from_system(&stat))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_settled_only_once_the_clock_of_its_file_system_has_moved_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, b"x").expect("written");
        let stat = FileStat::of(&File::open(&path).expect("opened")).expect("seen");
        assert!(!stat.is_settled(FsTime(stat.ctime_ns)));
        std::thread::sleep(std::time::Duration::from_millis(60));
        let later = FsTime::now_in(folder.path()).expect("a clock");
        assert!(stat.is_settled(later));
        assert!(!stat.is_settled(FsTime::NEVER));
    }

    #[test]
    fn a_clock_that_was_set_back_settles_nothing() {
        let stat = FileStat { size: 1, mtime_ns: 5, ctime_ns: 900, inode: 1 };
        assert!(!stat.is_settled(FsTime(100)));
        assert!(stat.is_settled(FsTime(901 + TICK_MARGIN_NS)));
    }

    #[test]
    fn a_modification_time_set_far_ahead_does_not_unsettle_a_file() {
        let stat = FileStat { size: 1, mtime_ns: 3600 * NS, ctime_ns: 1, inode: 1 };
        assert!(stat.is_settled(FsTime(NS)));
        assert!(!FileStat { mtime_ns: 2 * NS, ..stat }.is_settled(FsTime(NS)));
    }
}
