//! Folders of the worktree, opened in a way that no symbolic link can lead astray.
//!
//! A path is opened one name at a time, each relative to the folder before and never through a
//! link. So a folder that somebody replaces by a link between a check and its use leads to an
//! error, not out of the worktree.

use crate::base::path::AssetPath;
use crate::worktree::error::WorktreeError;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

const OPEN_FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const NEW_FOLDER_MODE: Mode = Mode::from_raw_mode(0o777);

/// An open folder of the worktree.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
}

impl Folder {
    /// Opens the worktree's top folder. The way to it may lead through links; from there on none is followed.
    pub fn root(path: &Path) -> Result<Self, WorktreeError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = openat(CWD, path, flags, Mode::empty()).map_err(|errno| WorktreeError::OwnIo {
            action: "opening",
            path: path.to_owned(),
            source: errno.into(),
        })?;
        Ok(Self { handle })
    }

    /// Opens the folder at `path`; `None` when it is not there.
    pub fn open(&self, path: &AssetPath) -> Result<Option<Self>, WorktreeError> {
        self.descend(path, false)
    }

    /// Opens the folder at `path` and makes what is missing on the way.
    pub fn open_or_make(&self, path: &AssetPath) -> Result<Self, WorktreeError> {
        self.descend(path, true)?.ok_or_else(|| WorktreeError::Io {
            action: "making",
            path: path.clone(),
            source: std::io::ErrorKind::NotFound.into(),
        })
    }

    fn descend(&self, path: &AssetPath, make: bool) -> Result<Option<Self>, WorktreeError> {
        let io =
            |action, errno: Errno| WorktreeError::Io { action, path: path.clone(), source: errno.into() };
        let mut handle = self.handle.try_clone().map_err(|source| WorktreeError::Io {
            action: "opening",
            path: path.clone(),
            source,
        })?;
        let mut so_far = AssetPath::root();
        for name in path.names() {
            // The parts of a checked path join to a checked path.
            so_far = so_far.join(name).unwrap_or_default();
            let opened = match openat(&handle, name, OPEN_FOLDER, Mode::empty()) {
                Err(Errno::NOENT) if make => {
                    match mkdirat(&handle, name, NEW_FOLDER_MODE) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(errno) => return Err(io("making", errno)),
                    }
                    openat(&handle, name, OPEN_FOLDER, Mode::empty())
                }
                other => other,
            };
            handle = match opened {
                Ok(folder) => folder,
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    return Err(WorktreeError::Obstructed { path: path.clone(), obstacle: so_far });
                }
                Err(errno) => return Err(io("opening", errno)),
            };
        }
        Ok(Some(Self { handle }))
    }

    /// Removes the folder at `path` and those above it as far as they are empty.
    pub fn remove_empty(&self, path: &AssetPath) {
        let mut current = Some(path.clone());
        while let Some(folder) = current.filter(|folder| !folder.is_root()) {
            let Some(parent) = folder.parent() else { return };
            // A folder that cannot be removed is not empty or not ours to remove; either is fine.
            let Ok(Some(above)) = self.open(&parent) else { return };
            if unlinkat(&above.handle, folder.name(), AtFlags::REMOVEDIR).is_err() {
                return;
            }
            current = Some(parent);
        }
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}
