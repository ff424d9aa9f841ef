//! The folder that versions are read from. What a plan names lies in it: no link on the way, and no link in
//! the end, leads out of it.

use crate::base::path::AssetPath;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A pipe must not make whoever opens it wait.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The folder.
pub(super) struct Inside {
    folder: PathBuf,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
}

impl Inside {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where a path lies on disk.
    pub fn on_disk(&self, path: &AssetPath) -> PathBuf {
        self.folder.join(OsStr::from_bytes(path.as_bytes()))
    }

    /// Whether a folder or an ordinary file stands at a path, as an error that says why when it does not.
    pub fn kind(&self, path: &AssetPath) -> io::Result<Kind> {
        let above = self.above(path)?;
        let found = rustix::fs::statat(&above, path.name(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => Ok(Kind::Folder),
            FileType::RegularFile => Ok(Kind::File),
            FileType::Symlink => Err(io::Error::other("it is a link, and links are not followed")),
            _ => Err(not_ordinary()),
        }
    }

    /// Opens an ordinary file.
    pub fn open(&self, path: &AssetPath) -> io::Result<(File, Metadata)> {
        let above = self.above(path)?;
        let opened = rustix::fs::openat(&above, path.name(), FILE, Mode::empty());
        let file = File::from(opened.map_err(|error| match error {
            rustix::io::Errno::LOOP => io::Error::other("it is a link, and links are not followed"),
            rustix::io::Errno::NXIO => not_ordinary(),
            error => error.into(),
        })?);
        let found = file.metadata()?;
        if found.is_file() { Ok((file, found)) } else { Err(not_ordinary()) }
    }

    /// The folder in which a path lies, reached through no link.
    fn above(&self, path: &AssetPath) -> io::Result<OwnedFd> {
        let top = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folder = rustix::fs::openat(CWD, &self.folder, top, Mode::empty())?;
        for name in path.parent().unwrap_or_default().names() {
            folder =
                rustix::fs::openat(&folder, name, FOLDER, Mode::empty()).map_err(|error| match error {
                    rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => {
                        io::Error::other("a link or a file stands where a folder above it should be")
                    }
                    error => error.into(),
                })?;
        }
        Ok(folder)
    }
}

fn not_ordinary() -> io::Error {
    io::Error::other("it is no ordinary file")
}
