//! Moves files and folders between open folders without ever replacing anything, also from one file
//! system to another.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;

use super::root::open_file_at;
use super::scan::Listing;
use super::stat::{Node, NodeKind};

/// How often a file that changes while it is copied is copied anew.
const ATTEMPTS_MAX: u32 = 5;

/// Renames unless the new name is taken (`EXIST`). Atomic.
pub fn rename_new(from: impl AsFd, name: &[u8], to: impl AsFd, new_name: &[u8]) -> Result<(), Errno> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    match rustix::fs::renameat_with(&from, name, &to, new_name, rustix::fs::RenameFlags::NOREPLACE) {
        // The file system does not have it; the check below is as good as it gets there.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        outcome => return outcome,
    }
    match Node::at(&to, new_name) {
        Ok(_) => Err(Errno::EXIST),
        Err(Errno::NOENT) => rustix::fs::renameat(&from, name, &to, new_name),
        Err(error) => Err(error),
    }
}

/// Lets two names in one folder change places. Atomic; `INVAL` or `NOSYS` where it cannot be done.
pub fn exchange(folder: impl AsFd, one: &[u8], other: &[u8]) -> Result<(), Errno> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        rustix::fs::renameat_with(&folder, one, &folder, other, rustix::fs::RenameFlags::EXCHANGE)
    }
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    {
        let _ = (folder, one, other);
        Err(Errno::NOSYS)
    }
}

/// Moves a file, link or folder under a name that is free; copies when it lies on another file system.
///
/// A copy is complete and synced before anything of the original is removed.
pub fn move_new(from: &OwnedFd, name: &[u8], to: &OwnedFd, new_name: &[u8]) -> io::Result<()> {
    match rename_new(from, name, to, new_name) {
        Err(Errno::XDEV) => {}
        outcome => return outcome.map_err(io::Error::from),
    }
    let outcome = copy_tree(from, name, to, new_name).and_then(|()| Ok(rustix::fs::fsync(to)?));
    if outcome.is_err() {
        // The original is whole; the half copy is ours.
        let _ = remove_tree(to, new_name);
        return outcome;
    }
    remove_tree(from, name)
}

fn open_folder(at: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

fn copy_tree(from: &OwnedFd, name: &[u8], to: &OwnedFd, new_name: &[u8]) -> io::Result<()> {
    match Node::at(from, name)?.kind {
        NodeKind::File { .. } => copy_file(from, name, to, new_name),
        NodeKind::Symlink => {
            let target = rustix::fs::readlinkat(from, name, Vec::new())?;
            Ok(rustix::fs::symlinkat(target.as_c_str(), to, new_name)?)
        }
        NodeKind::Directory => {
            rustix::fs::mkdirat(to, new_name, Mode::RWXU)?;
            let (inner, new_inner) = (open_folder(from, name)?, open_folder(to, new_name)?);
            let listing = Listing::read(&inner)?;
            for (entry, _) in listing.names() {
                copy_tree(&inner, entry, &new_inner, entry)?;
            }
            Ok(rustix::fs::fsync(&new_inner)?)
        }
        NodeKind::Special(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a pipe, socket or device cannot be moved to another file system",
        )),
    }
}

fn copy_file(from: &OwnedFd, name: &[u8], to: &OwnedFd, new_name: &[u8]) -> io::Result<()> {
    for _ in 0..ATTEMPTS_MAX {
        let mut source = open_file_at(from, name)?;
        let before = Node::from_system(&rustix::fs::fstat(&source)?);
        let mode = source.metadata()?.permissions().mode() & 0o777;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut copy = File::from(rustix::fs::openat(to, new_name, flags, Mode::RUSR | Mode::WUSR)?);
        io::copy(&mut source, &mut copy)?;
        copy.set_permissions(Permissions::from_mode(mode))?;
        copy.set_modified(source.metadata()?.modified()?)?;
        copy.sync_all()?;
        if Node::from_system(&rustix::fs::fstat(&source)?) == before {
            return Ok(());
        }
        rustix::fs::unlinkat(to, new_name, AtFlags::empty())?;
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "it is being written to"))
}

/// Removes a file, or a folder with all that is in it.
fn remove_tree(at: &OwnedFd, name: &[u8]) -> io::Result<()> {
    if Node::at(at, name)?.kind != NodeKind::Directory {
        return Ok(rustix::fs::unlinkat(at, name, AtFlags::empty())?);
    }
    let folder = open_folder(at, name)?;
    let listing = Listing::read(&folder)?;
    for (entry, _) in listing.names() {
        remove_tree(&folder, entry)?;
    }
    Ok(rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use std::fs;
    use std::path::Path;

    fn folder(path: &Path) -> OwnedFd {
        open_folder(CWD, path.as_os_str().as_encoded_bytes()).expect("opened")
    }

    fn studio() -> tempfile::TempDir {
        let place = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(place.path().join("from/work/deep")).expect("made");
        fs::create_dir(place.path().join("to")).expect("made");
        fs::write(place.path().join("from/work/deep/a"), b"alpha").expect("written");
        std::os::unix::fs::symlink("/etc", place.path().join("from/work/link")).expect("linked");
        place
    }

    #[test]
    fn a_taken_name_is_never_replaced() {
        let place = studio();
        fs::write(place.path().join("to/x"), b"mine").expect("written");
        let (from, to) = (folder(&place.path().join("from")), folder(&place.path().join("to")));
        assert_eq!(rename_new(&from, b"work", &to, b"x"), Err(Errno::EXIST));
        assert_eq!(fs::read(place.path().join("to/x")).expect("read"), b"mine");
    }

    #[test]
    fn a_folder_is_copied_whole_with_its_links_and_times() {
        let place = studio();
        let (from, to) = (folder(&place.path().join("from")), folder(&place.path().join("to")));
        let modified =
            |at: &str| fs::metadata(place.path().join(at)).and_then(|data| data.modified()).expect("a time");
        let before = modified("from/work/deep/a");
        copy_tree(&from, b"work", &to, b"kept").expect("copied");
        assert_eq!(fs::read(place.path().join("to/kept/deep/a")).expect("read"), b"alpha");
        assert_eq!(fs::read_link(place.path().join("to/kept/link")).expect("read"), Path::new("/etc"));
        assert_eq!(modified("to/kept/deep/a"), before);
        remove_tree(&from, b"work").expect("removed");
        assert!(!place.path().join("from/work").exists());
    }
}
