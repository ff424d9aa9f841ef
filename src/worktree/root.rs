//! The user's folder, and the only way into it.
//!
//! Everything is reached from a handle of the top folder, and never through a symbolic link: on
//! Linux the kernel itself refuses links and `..` on the way (`openat2`), elsewhere each folder is
//! opened from the one above with `O_NOFOLLOW`. So a folder that is swapped for a link at any moment
//! leads to an error, and never out of the worktree.

use super::error::{During, Result, WorktreeError};
use super::stat::{Node, NodeKind};
use crate::base::path::AssetPath;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Longest path handed to the system at once, in bytes, below the limit of 4,096 of Linux.
const SYSTEM_PATH_MAX: usize = 4000;

/// The user's folder, held open.
#[derive(Debug)]
pub struct Worktree {
    root: PathBuf,
    top: OwnedFd,
}

impl Worktree {
    /// Opens the folder that holds the user's files. The path to it may lead through links; what is
    /// below it may not.
    pub fn open(root: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = rustix::fs::openat(CWD, root, flags, Mode::empty()).during("opening", root)?;
        Ok(Self { root: root.to_owned(), top })
    }

    /// The folder's own path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a path lies in the file system, for messages.
    pub fn full_path(&self, path: &AssetPath) -> PathBuf {
        self.root.join(OsStr::from_bytes(path.as_bytes()))
    }

    /// Opens a folder. A link or a file in the way is `NotADirectory`.
    pub fn open_dir(&self, path: &[u8]) -> io::Result<OwnedFd> {
        self.open_below(path, FOLDER).map_err(|error| plain(error).into())
    }

    /// Looks at what stands at a path, without following links; `None` when nothing does.
    pub fn look(&self, path: &AssetPath) -> io::Result<Option<Node>> {
        if path.is_root() {
            return Ok(Some(Node::from_system(&rustix::fs::fstat(&self.top)?)));
        }
        let Some(folder) = self.open_parent(path)? else { return Ok(None) };
        match Node::at(&folder, path.name()) {
            Ok(node) => Ok(Some(node)),
            Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the folder in which a path lies; `None` when there is no such folder.
    pub fn open_parent(&self, path: &AssetPath) -> io::Result<Option<OwnedFd>> {
        let parent = path.parent().unwrap_or_default();
        match self.open_below(parent.as_bytes(), FOLDER).map_err(plain) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a folder, making it and those above it where they are missing.
    pub fn make_folders(&self, path: &AssetPath) -> io::Result<OwnedFd> {
        match self.open_dir(path.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            outcome => return outcome,
        }
        let above = self.make_folders(&path.parent().unwrap_or_default())?;
        match rustix::fs::mkdirat(&above, path.name(), Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        rustix::fs::openat(&above, path.name(), FOLDER, Mode::empty()).map_err(|error| plain(error).into())
    }

    /// Opens a regular file for reading. Anything else is refused, and a pipe put in its place does
    /// not block.
    pub fn open_file(&self, path: &AssetPath) -> io::Result<File> {
        let folder = self.open_dir(path.parent().unwrap_or_default().as_bytes())?;
        open_file_at(&folder, path.name())
    }

    /// Reads where a symbolic link points to.
    pub fn read_link(&self, path: &AssetPath) -> io::Result<Vec<u8>> {
        let folder = self.open_dir(path.parent().unwrap_or_default().as_bytes())?;
        Ok(rustix::fs::readlinkat(&folder, path.name(), Vec::new())?.into_bytes())
    }

    /// Bytes that this user may still write here.
    pub fn bytes_available(&self) -> io::Result<u64> {
        let space = rustix::fs::fstatvfs(&self.top)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    /// Opens the folder at `path` and makes what is missing on the way, following no link.
    ///
    /// Fails with [`WorktreeError::Obstructed`] where something that is no folder stands in the way.
    pub fn make_dir(&self, path: &AssetPath) -> Result<OwnedFd> {
        match self.make_folders(path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => match self.obstacle(path)? {
                Some(obstacle) => Err(WorktreeError::Obstructed { path: path.clone(), obstacle }),
                None => Err(error).during("making", &self.full_path(path)),
            },
            outcome => outcome.during("making", &self.full_path(path)),
        }
    }

    /// What stands in the way of a folder at `path`: the first of its names that is no folder.
    fn obstacle(&self, path: &AssetPath) -> Result<Option<AssetPath>> {
        let mut so_far = AssetPath::root();
        for name in path.names() {
            so_far = so_far.join(name).unwrap_or_default();
            match self.look(&so_far).during("looking at", &self.full_path(&so_far))? {
                None => return Ok(None),
                Some(Node { kind: NodeKind::Directory, .. }) => {}
                Some(_) => return Ok(Some(so_far)),
            }
        }
        Ok(None)
    }

    /// Removes the folder at `path` and those above it as far as they are empty.
    pub fn remove_empty(&self, path: &AssetPath) {
        let mut current = Some(path.clone());
        while let Some(folder) = current.filter(|folder| !folder.is_root()) {
            // A folder that cannot be removed is not empty or not ours to remove; either is fine.
            let Ok(Some(above)) = self.open_parent(&folder) else { return };
            if rustix::fs::unlinkat(&above, folder.name(), rustix::fs::AtFlags::REMOVEDIR).is_err() {
                return;
            }
            current = folder.parent();
        }
    }

    fn open_below(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        if path.is_empty() {
            return rustix::fs::openat(&self.top, c".", flags, Mode::empty());
        }
        #[cfg(target_os = "linux")]
        if path.len() < SYSTEM_PATH_MAX {
            match open_beneath(&self.top, path, flags) {
                // Old kernels and some sandboxes do not have the call.
                Err(Errno::NOSYS | Errno::PERM) => {}
                outcome => return outcome,
            }
        }
        open_step_by_step(&self.top, path, flags)
    }
}

/// A link in the way shows as ELOOP or ENOTDIR, depending on the system and the call: here as the latter.
fn plain(error: Errno) -> Errno {
    if error == Errno::LOOP { Errno::NOTDIR } else { error }
}

#[cfg(target_os = "linux")]
fn open_beneath(top: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    loop {
        match rustix::fs::openat2(&top, path, flags, Mode::empty(), resolve) {
            // The kernel asks to try again when something was renamed meanwhile.
            Err(Errno::AGAIN | Errno::INTR) => {}
            outcome => return outcome,
        }
    }
}

fn open_step_by_step(top: impl AsFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut folder = None::<OwnedFd>;
    for name in path.split(|byte| *byte == b'/') {
        let from = folder.as_ref().map_or(top.as_fd(), AsFd::as_fd);
        folder = Some(rustix::fs::openat(from, name, flags, Mode::empty())?);
    }
    folder.ok_or(Errno::INVAL)
}

/// Opens a regular file in an open folder for reading.
pub(crate) fn open_file_at(folder: impl AsFd, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(folder, name, flags, Mode::empty())?);
    match Node::from_system(&rustix::fs::fstat(&file)?).kind {
        NodeKind::File { .. } => Ok(file),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file any more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn path(text: &str) -> AssetPath {
        AssetPath::from_bytes(text).expect("a valid path")
    }

    #[test]
    fn nothing_is_reached_through_a_link() {
        let outside = tempfile::tempdir().expect("a folder");
        fs::write(outside.path().join("secret"), b"x").expect("written");
        let inside = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(outside.path(), inside.path().join("way")).expect("linked");
        let worktree = Worktree::open(inside.path()).expect("opened");
        assert!(worktree.open_file(&path("way/secret")).is_err());
        assert_eq!(worktree.look(&path("way/secret")).expect("looked"), None);
        assert!(open_step_by_step(&worktree.top, b"way", FOLDER).is_err());
        let link = worktree.look(&path("way")).expect("looked").expect("there");
        assert_eq!(link.kind, NodeKind::Symlink);
        assert_eq!(worktree.read_link(&path("way")).expect("read"), outside.path().as_os_str().as_bytes());
    }

    #[test]
    fn folders_far_below_the_limit_of_the_system_are_reached() {
        let top = tempfile::tempdir().expect("a folder");
        let worktree = Worktree::open(top.path()).expect("opened");
        let name = "n".repeat(200);
        let mut folder = worktree.open_dir(b"").expect("opened");
        for _ in 0..30 {
            rustix::fs::mkdirat(&folder, name.as_str(), Mode::RWXU).expect("made");
            folder = rustix::fs::openat(&folder, name.as_str(), FOLDER, Mode::empty()).expect("opened");
        }
        let deep = vec![name; 30].join("/");
        assert!(worktree.open_dir(deep.as_bytes()).is_ok());
        assert!(matches!(worktree.look(&path(&deep)), Ok(Some(Node { kind: NodeKind::Directory, .. }))));
    }

    #[test]
    fn a_pipe_is_not_opened_as_a_file() {
        let top = tempfile::tempdir().expect("a folder");
        let worktree = Worktree::open(top.path()).expect("opened");
        rustix::fs::mknodat(CWD, top.path().join("pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0)
            .expect("made");
        assert!(worktree.open_file(&path("pipe")).is_err());
    }
}
