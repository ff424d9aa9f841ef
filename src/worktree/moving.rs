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
use crate::rules::portable::TEMPORARY_PREFIX;

/// How often a file that changes while it is copied is copied anew.
const ATTEMPTS_MAX: u32 = 5;
/// The bits of a mode that say who may do what.
const MODE_BITS: u32 = 0o7777;

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

/// A name for a half-written or half-moved thing that nobody else has.
pub fn temporary_name() -> Vec<u8> {
    let number = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
    [TEMPORARY_PREFIX, format!("{number:016x}").as_bytes()].concat()
}

/// Moves a file, link or folder under a name that is free; copies when it lies on another file system.
///
/// A copy is complete and synced before anything of the original is removed, and of the original only
/// that is removed which was copied and did not change since.
pub fn move_new(from: &OwnedFd, name: &[u8], to: &OwnedFd, new_name: &[u8]) -> io::Result<()> {
    match rename_new(from, name, to, new_name) {
        Err(Errno::XDEV) => move_by_copy(from, name, to, new_name),
        outcome => outcome.map_err(io::Error::from),
    }
}

/// Moves from one file system to another.
fn move_by_copy(from: &OwnedFd, name: &[u8], to: &OwnedFd, new_name: &[u8]) -> io::Result<()> {
    // Under another name nobody who goes by the old one adds to it while it is copied. Some file systems
    // cannot rename what they took over from another one: then it is copied where it is.
    let aside = temporary_name();
    let is_aside = rename_new(from, name, from, &aside).is_ok();
    let at: &[u8] = if is_aside { &aside } else { name };
    let back = || {
        if is_aside {
            // Should that fail, it stays among the leftovers, which are kept.
            let _ = rename_new(from, &aside, from, name);
        }
    };
    let copied = copy_tree(from, at, to, new_name).and_then(|copied| {
        rustix::fs::fsync(to)?;
        Ok(copied)
    });
    let copied = copied.inspect_err(|_| {
        // The original is whole; the half copy is ours.
        let _ = remove_tree(to, new_name);
        back();
    })?;
    match remove_copied(from, at, &copied) {
        Ok(true) => Ok(()),
        outcome => {
            // What is left of it came or changed since it was copied. The copy stays: it may be all that
            // there is of the rest.
            back();
            let changed = "it was changed while it was moved to another file system; what is new stays here";
            Err(outcome.err().unwrap_or_else(|| io::Error::new(io::ErrorKind::ResourceBusy, changed)))
        }
    }
}

/// What was copied, as it was then.
enum Copied {
    Leaf(Node),
    Folder(Vec<(Vec<u8>, Copied)>),
}

/// Removes what was copied, unless it changed since; `false` when anything is left.
fn remove_copied(at: &OwnedFd, name: &[u8], copied: &Copied) -> io::Result<bool> {
    let entries = match copied {
        Copied::Leaf(node) => {
            return match Node::at(at, name) {
                Ok(now) if now == *node => {
                    rustix::fs::unlinkat(at, name, AtFlags::empty())?;
                    Ok(true)
                }
                Ok(_) => Ok(false),
                Err(Errno::NOENT) => Ok(true),
                Err(error) => Err(error.into()),
            };
        }
        Copied::Folder(entries) => entries,
    };
    let folder = open_folder(at, name)?;
    let mut is_gone = true;
    for (entry, copied) in entries {
        is_gone &= remove_copied(&folder, entry, copied)?;
    }
    if !is_gone {
        return Ok(false);
    }
    match rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn open_folder(at: impl AsFd, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

/// Copies a file, link or folder with its times and modes, and says as what it was copied. Extended
/// attributes stay behind, and of several names of one file each becomes a file.
fn copy_tree(from: &OwnedFd, name: &[u8], to: &OwnedFd, new_name: &[u8]) -> io::Result<Copied> {
    let node = Node::at(from, name)?;
    match node.kind {
        NodeKind::File { .. } => copy_file(from, name, to, new_name).map(Copied::Leaf),
        NodeKind::Symlink => {
            let target = rustix::fs::readlinkat(from, name, Vec::new())?;
            rustix::fs::symlinkat(target.as_c_str(), to, new_name)?;
            Ok(Copied::Leaf(node))
        }
        NodeKind::Directory => {
            rustix::fs::mkdirat(to, new_name, Mode::RWXU)?;
            let (inner, new_inner) = (open_folder(from, name)?, open_folder(to, new_name)?);
            let listing = Listing::read(&inner)?;
            let mut entries = Vec::new();
            for (entry, _) in listing.names() {
                entries.push((entry.to_vec(), copy_tree(&inner, entry, &new_inner, entry)?));
            }
            let mode = Mode::from_raw_mode(rustix::fs::fstat(&inner)?.st_mode & MODE_BITS);
            rustix::fs::fchmod(&new_inner, mode)?;
            rustix::fs::fsync(&new_inner)?;
            Ok(Copied::Folder(entries))
        }
        NodeKind::Special(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a pipe, socket or device cannot be moved to another file system",
        )),
    }
}

fn copy_file(from: &OwnedFd, name: &[u8], to: &OwnedFd, new_name: &[u8]) -> io::Result<Node> {
    for _ in 0..ATTEMPTS_MAX {
        let mut source = open_file_at(from, name)?;
        let before = Node::from_system(&rustix::fs::fstat(&source)?);
        let mode = source.metadata()?.permissions().mode() & MODE_BITS;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut copy = File::from(rustix::fs::openat(to, new_name, flags, Mode::RUSR | Mode::WUSR)?);
        io::copy(&mut source, &mut copy)?;
        copy.set_permissions(Permissions::from_mode(mode))?;
        copy.set_modified(source.metadata()?.modified()?)?;
        copy.sync_all()?;
        if Node::from_system(&rustix::fs::fstat(&source)?) == before {
            return Ok(before);
        }
        rustix::fs::unlinkat(to, new_name, AtFlags::empty())?;
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "it is being written to"))
}

/// Removes a folder in which there are only folders; `false` when there is anything else in it, or it is none.
pub fn remove_bare_folder(at: &OwnedFd, name: &[u8]) -> io::Result<bool> {
    if !is_bare_folder(at, name)? {
        return Ok(false);
    }
    remove_folders(at, name)?;
    Ok(true)
}

fn is_bare_folder(at: &OwnedFd, name: &[u8]) -> io::Result<bool> {
    if Node::at(at, name)?.kind != NodeKind::Directory {
        return Ok(false);
    }
    let folder = open_folder(at, name)?;
    let listing = Listing::read(&folder)?;
    for (entry, _) in listing.names() {
        if !is_bare_folder(&folder, entry)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes folders only: what came there in the meantime makes it fail.
fn remove_folders(at: &OwnedFd, name: &[u8]) -> io::Result<()> {
    let folder = open_folder(at, name)?;
    let listing = Listing::read(&folder)?;
    for (entry, _) in listing.names() {
        remove_folders(&folder, entry)?;
    }
    Ok(rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR)?)
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
        fs::create_dir_all(place.path().join("from/bundle/deep")).expect("made");
        fs::create_dir(place.path().join("to")).expect("made");
        fs::write(place.path().join("from/bundle/deep/a"), b"alpha").expect("written");
        std::os::unix::fs::symlink("/etc", place.path().join("from/bundle/link")).expect("linked");
        place
    }

    #[test]
    fn a_taken_name_is_never_replaced() {
        let place = studio();
        fs::write(place.path().join("to/x"), b"mine").expect("written");
        let (from, to) = (folder(&place.path().join("from")), folder(&place.path().join("to")));
        assert_eq!(rename_new(&from, b"bundle", &to, b"x"), Err(Errno::EXIST));
        assert_eq!(fs::read(place.path().join("to/x")).expect("read"), b"mine");
    }

    #[test]
    fn a_folder_is_copied_whole_with_its_links_and_times() {
        let place = studio();
        let (from, to) = (folder(&place.path().join("from")), folder(&place.path().join("to")));
        let modified =
            |at: &str| fs::metadata(place.path().join(at)).and_then(|data| data.modified()).expect("a time");
        let before = modified("from/bundle/deep/a");
        fs::set_permissions(place.path().join("from/bundle/deep"), Permissions::from_mode(0o750))
            .expect("a mode");
        let copied = copy_tree(&from, b"bundle", &to, b"kept").expect("copied");
        assert_eq!(fs::read(place.path().join("to/kept/deep/a")).expect("read"), b"alpha");
        assert_eq!(fs::read_link(place.path().join("to/kept/link")).expect("read"), Path::new("/etc"));
        assert_eq!(modified("to/kept/deep/a"), before);
        let mode = fs::metadata(place.path().join("to/kept/deep")).expect("a folder").permissions().mode();
        assert_eq!(mode & MODE_BITS, 0o750);
        assert!(remove_copied(&from, b"bundle", &copied).expect("removed"));
        assert!(!place.path().join("from/bundle").exists());
    }

    #[test]
    fn what_comes_or_changes_while_a_folder_is_copied_is_never_removed() {
        let place = studio();
        let at = |name: &str| place.path().join("from/bundle").join(name);
        fs::write(at("b"), b"beta").expect("written");
        let (from, to) = (folder(&place.path().join("from")), folder(&place.path().join("to")));
        let copied = copy_tree(&from, b"bundle", &to, b"kept").expect("copied");
        fs::write(at("deep/new"), b"saved meanwhile").expect("written");
        fs::write(at("b"), b"BETA").expect("written");
        assert!(!remove_copied(&from, b"bundle", &copied).expect("looked at"));
        assert_eq!(fs::read(at("deep/new")).expect("read"), b"saved meanwhile");
        assert_eq!(fs::read(at("b")).expect("read"), b"BETA");
        assert!(!at("deep/a").exists() && !at("link").exists());
    }

    #[test]
    fn a_folder_moves_to_another_file_system_and_back() {
        let place = studio();
        let other = tempfile::tempdir_in("/dev/shm").expect("a second file system");
        let (from, to) = (folder(&place.path().join("from")), folder(other.path()));
        move_new(&from, b"bundle", &to, b"1").expect("moved");
        assert!(fs::read_dir(place.path().join("from")).expect("a folder").next().is_none());
        assert_eq!(fs::read(other.path().join("1/deep/a")).expect("read"), b"alpha");
        move_new(&to, b"1", &from, b"bundle").expect("moved back");
        assert_eq!(fs::read(place.path().join("from/bundle/deep/a")).expect("read"), b"alpha");
        assert!(fs::read_dir(other.path()).expect("a folder").next().is_none());
    }
}
