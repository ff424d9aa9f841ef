//! Makes files read-only, and writable again.

use crate::base::path::AssetPath;
use crate::worktree::root::Worktree;
use crate::worktree::stat::{FileStat, Node, NodeKind};
use rustix::fs::{Mode, RawMode, fchmod, fstat};
use std::io;

/// Bits that let somebody write.
const WRITE_BITS: RawMode = 0o222;
/// The one of the owner.
const OWNER_WRITES: RawMode = 0o200;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// What its file system said of it right before.
    pub before: FileStat,
    /// And what it says now.
    pub after: FileStat,
}

/// Makes a file read-only, or writable by those who may write in its folder. `None` when it is so already, or
/// is no file.
pub fn set_writable(worktree: &Worktree, path: &AssetPath, writable: bool) -> io::Result<Option<Made>> {
    let Some(folder) = worktree.open_parent(path)? else { return Ok(None) };
    match worktree.look(path)? {
        Some(Node { kind: NodeKind::File { .. }, .. }) => {}
        _ => return Ok(None),
    }
    let file = worktree.open_file(path)?;
    let (system, in_folder) = (fstat(&file)?, fstat(&folder)?);
    let before = FileStat::from_system(&system);
    let mode = system.st_mode & 0o7777;
    let wanted =
        if writable { mode | OWNER_WRITES | (in_folder.st_mode & WRITE_BITS) } else { mode & !WRITE_BITS };
    let is_so = if writable { mode & OWNER_WRITES != 0 } else { mode & WRITE_BITS == 0 };
    if is_so {
        return Ok(None);
    }
    fchmod(&file, Mode::from_raw_mode(wanted))?;
    Ok(Some(Made { before, after: FileStat::of(&file)? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_keeps_all_other_rights_and_a_link_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let worktree = Worktree::open(folder.path()).expect("a worktree");
        let (name, at) = (AssetPath::from_bytes("a.psd").expect("a path"), folder.path().join("a.psd"));
        std::fs::write(&at, "pixels").expect("a file");
        std::fs::set_permissions(&at, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        let mode = || std::fs::metadata(&at).expect("a file").permissions().mode() & 0o777;
        let made = set_writable(&worktree, &name, false).expect("a change").expect("one");
        assert!(made.after.is_same_but_renamed(&made.before));
        assert_eq!(mode(), 0o555);
        assert_eq!(set_writable(&worktree, &name, false).expect("no change"), None);
        set_writable(&worktree, &name, true).expect("a change").expect("one");
        assert_eq!(mode() & 0o700, 0o700);
        std::os::unix::fs::symlink("a.psd", folder.path().join("link")).expect("a link");
        let link = AssetPath::from_bytes("link").expect("a path");
        assert_eq!(set_writable(&worktree, &link, false).expect("no change"), None);
        let nothing = AssetPath::from_bytes("no/such.psd").expect("a path");
        assert_eq!(set_writable(&worktree, &nothing, false).expect("no change"), None);
    }
}
