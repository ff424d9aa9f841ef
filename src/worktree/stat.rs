//! What the file system says of one entry without reading it.

use rustix::fs::{AtFlags, FileType, Mode, Stat, statat};
use std::os::fd::AsFd;

/// What an entry of the file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A folder.
    Directory,
    /// A pipe, socket or device: seen, never opened.
    Special,
}

/// Everything by which an unread change of a file shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// What it is.
    pub kind: FileKind,
    /// Whether its owner may run it.
    pub executable: bool,
    /// Size in bytes.
    pub size: u64,
    /// When its bytes were last written, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// When anything about it last changed, in nanoseconds since 1970; programs cannot set it.
    pub ctime_ns: i64,
    /// Which file of the file system it is.
    pub inode: u64,
    /// Which file system it lies on.
    pub device: u64,
}

impl FileStat {
    /// Takes what the system call returned.
    pub fn from_raw(raw: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(raw.st_mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Symlink => FileKind::Symlink,
            FileType::Directory => FileKind::Directory,
            _ => FileKind::Special,
        };
        Self {
            kind,
            executable: Mode::from_raw_mode(raw.st_mode).contains(Mode::XUSR),
            size: u64::try_from(raw.st_size).unwrap_or(0),
            mtime_ns: nanoseconds(raw.st_mtime, i64::try_from(raw.st_mtime_nsec).unwrap_or(0)),
            ctime_ns: nanoseconds(raw.st_ctime, i64::try_from(raw.st_ctime_nsec).unwrap_or(0)),
            inode: raw.st_ino,
            device: raw.st_dev,
        }
    }

    /// Looks at an entry of an open folder without following a link; `None` when nothing is there.
    pub fn at(folder: impl AsFd, name: &[u8]) -> std::io::Result<Option<Self>> {
        match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(raw) => Ok(Some(Self::from_raw(&raw))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at an open file.
    pub fn of(file: impl AsFd) -> std::io::Result<Self> {
        Ok(Self::from_raw(&rustix::fs::fstat(file)?))
    }
}

/// Seconds and nanoseconds as one number; times beyond the year 2262 stay at its end.
const fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}
