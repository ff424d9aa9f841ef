//! The seam between the store and the machine: every file operation of the store, the database's
//! included, goes through [`Disk`], so that a crash can be rehearsed at each of them.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::StorageBackend;
use redb::backends::FileBackend;

/// How strongly a lock excludes others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Together with other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

/// Space of a file system in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that this user may still write.
    pub available: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Held as long as the lock; dropping it lets go. The lock dies with the process.
pub trait DiskLock: Send + Sync + fmt::Debug {}

/// File operations of the store. Atomic where a file system is (`rename`), durable only after
/// `sync` of a file and `sync_dir` of its folder.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Creates a folder and the missing ones above it.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Names and lengths of the files in a folder, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>>;
    /// Whether something has this name.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Creates a new file for reading and writing; fails if the name is taken.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file that exists.
    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>>;
    /// Replaces whatever `to` names, atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Opens, or creates when `create`, the file of a database.
    fn database(&self, path: &Path, access: DatabaseAccess) -> io::Result<Box<dyn StorageBackend>>;
    /// Locks a file that is made for being locked. `None` when somebody else holds it.
    fn try_lock(&self, path: &Path, kind: LockKind) -> io::Result<Option<Box<dyn DiskLock>>>;
    /// Space of the file system that holds `path`.
    fn space(&self, path: &Path) -> io::Result<DiskSpace>;
    /// User id that owns `path`, with the user id that this process acts as, where there is such a thing.
    fn owner(&self, path: &Path) -> io::Result<Option<(u32, u32)>>;
}

/// Bytes that a disk gives back or refuses as one.
const SECTOR_BYTES: usize = 4096;

/// Whether the disk itself could not read, as a bad sector has it.
pub(crate) fn is_unreadable(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EIO)
}

/// Reads what can be read: where the disk refuses, zeros stand for the sectors that it refuses.
pub(crate) fn read_around(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    match file.read_exact_at(buffer, offset) {
        Err(error) if is_unreadable(&error) => {}
        read => return read,
    }
    let mut done = 0;
    while done < buffer.len() {
        let start = offset + done as u64;
        // Up to the end of the sector that the place lies in.
        let step = SECTOR_BYTES - (start % SECTOR_BYTES as u64) as usize;
        let end = (done + step).min(buffer.len());
        let piece = &mut buffer[done..end];
        match file.read_exact_at(piece, start) {
            Err(error) if is_unreadable(&error) => piece.fill(0),
            read => read?,
        }
        done = end;
    }
    Ok(())
}

/// How a database file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseAccess {
    /// For reading.
    Read,
    /// For reading and writing; it exists.
    Write,
    /// For reading and writing; made when missing.
    Create,
}

/// One open file. Reads and writes name their place, so that several threads may share it.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `buffer` from `offset`; `UnexpectedEof` when the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes the parts one after the other from `offset`.
    fn write_all_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()>;
    /// Cuts or lengthens the file.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Makes the bytes durable.
    fn sync(&self) -> io::Result<()>;
    /// Asks the system to begin writing these bytes to the disk, without waiting and without a
    /// promise. A hint: a later [`DiskFile::sync`] has less to do.
    fn start_writeback(&self, offset: u64, length: u64) {
        let _ = (offset, length);
    }
    /// Takes an exclusive lock on the file for as long as it is open, unless somebody else has it.
    fn try_lock_exclusive(&self) -> io::Result<bool>;
    /// Maps the first `length` bytes for reading, where the system can; the file must not be
    /// shortened below that while the mapping lives.
    fn map(&self, length: u64) -> io::Result<Option<Mapping>>;
}

/// Bytes of a file in memory.
#[derive(Debug)]
pub struct Mapping(memmap2::Mmap);

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// The machine's own disk.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(File);

#[derive(Debug)]
struct RealLock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl DiskLock for RealLock {}

/// Asks the kernel to write a part of a file to the disk now, without waiting: a later sync has less to do.
#[cfg(target_os = "linux")]
pub(crate) fn start_writeback(file: &File, offset: u64, length: u64) {
    use std::os::fd::AsRawFd;
    let (Ok(offset), Ok(length)) = (i64::try_from(offset), i64::try_from(length)) else { return };
    // SAFETY: the call takes no pointers, and the descriptor is open as long as `file`.
    // A failure means only that the sync has more to do, so its answer does not matter.
    unsafe {
        libc::sync_file_range(file.as_raw_fd(), offset, length, libc::SYNC_FILE_RANGE_WRITE);
    }
}

/// Elsewhere the sync does it all.
#[cfg(not(target_os = "linux"))]
pub(crate) fn start_writeback(_: &File, _: u64, _: u64) {}

/// Tries a whole-file lock that belongs to this open file.
fn try_flock(file: &File, kind: LockKind) -> io::Result<bool> {
    let taken = match kind {
        LockKind::Shared => file.try_lock_shared(),
        LockKind::Exclusive => file.try_lock(),
    };
    match taken {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

impl Disk for RealDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Removed between listing and looking.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if metadata.is_file() {
                found.push((entry.path(), metadata.len()));
            }
        }
        Ok(found)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(writable).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if cfg!(unix) {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }

    fn database(&self, path: &Path, access: DatabaseAccess) -> io::Result<Box<dyn StorageBackend>> {
        let file = OpenOptions::new()
            .read(true)
            .write(access != DatabaseAccess::Read)
            .create(access == DatabaseAccess::Create)
            .truncate(false)
            .open(path)?;
        let backend = FileBackend::new(file).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Box::new(backend))
    }

    fn try_lock(&self, path: &Path, kind: LockKind) -> io::Result<Option<Box<dyn DiskLock>>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(try_flock(&file, kind)?.then(|| Box::new(RealLock(file)) as Box<dyn DiskLock>))
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        #[cfg(unix)]
        {
            let found = rustix::fs::statvfs(path)?;
            Ok(DiskSpace {
                available: found.f_bavail.saturating_mul(found.f_frsize),
                total: found.f_blocks.saturating_mul(found.f_frsize),
            })
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            Ok(DiskSpace { available: u64::MAX, total: u64::MAX })
        }
    }

    fn owner(&self, path: &Path) -> io::Result<Option<(u32, u32)>> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let owner = fs::symlink_metadata(path)?.uid();
            Ok(Some((owner, rustix::process::geteuid().as_raw())))
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            Ok(None)
        }
    }
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, offset)
    }

    fn write_all_at(&self, parts: &[&[u8]], offset: u64) -> io::Result<()> {
        let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut written = rustix::io::pwritev(&self.0, &slices, offset)?;
        // A short write is rare: the rest goes out part by part.
        let mut start = 0;
        for part in parts {
            let end = start + part.len();
            if written < end {
                let rest = &part[written - start..];
                std::os::unix::fs::FileExt::write_all_at(&self.0, rest, offset + written as u64)?;
                written = end;
            }
            start = end;
        }
        debug_assert!(written == total);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    #[cfg(target_os = "linux")]
    fn start_writeback(&self, offset: u64, length: u64) {
        start_writeback(&self.0, offset, length);
    }

    fn try_lock_exclusive(&self) -> io::Result<bool> {
        try_flock(&self.0, LockKind::Exclusive)
    }

    fn map(&self, length: u64) -> io::Result<Option<Mapping>> {
        let Ok(length) = usize::try_from(length) else { return Ok(None) };
        // SAFETY: the caller vouches that nobody shortens the file below `length` while it is
        // mapped: packs only grow, what the database records of them is never written again, and
        // a pack that is given up is unlinked, which leaves its pages to the mapping.
        let map = unsafe { memmap2::MmapOptions::new().len(length).map(&self.0) }?;
        Ok(Some(Mapping(map)))
    }
}
