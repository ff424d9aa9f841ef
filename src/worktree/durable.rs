//! Brings written files to the disk, and tells whether the system went down since.

use super::error::{During, Result};
use super::root::{Worktree, open_file_at};
use super::stat::{Node, NodeKind};
use crate::base::path::AssetPath;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;

/// Up to so many files are synced one by one; for more the whole file system is.
const SINGLE_FILES_MAX: usize = 256;

/// Names the present run of the system; `None` where that cannot be told.
pub fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let name = text.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Sees to it that what stands at some paths, and that nothing does, survives a power loss.
pub fn sync(worktree: &Worktree, paths: &[AssetPath]) -> Result<()> {
    if paths.len() > SINGLE_FILES_MAX {
        return sync_all(worktree);
    }
    paths.par_iter().try_for_each(|path| sync_file(worktree, path)).during("syncing", worktree.root())?;
    let folders: BTreeSet<AssetPath> =
        paths.iter().flat_map(|path| std::iter::successors(path.parent(), AssetPath::parent)).collect();
    let folders: Vec<AssetPath> = folders.into_iter().collect();
    let sync_folder = |folder: &AssetPath| match worktree.open_dir(folder.as_bytes()) {
        Ok(folder) => Ok(rustix::fs::fsync(&folder)?),
        // It went with the last thing in it; the folder above tells of that.
        Err(error) if is_gone(&error) => Ok(()),
        Err(error) => Err(error),
    };
    folders.par_iter().try_for_each(sync_folder).during("syncing", worktree.root())
}

fn sync_file(worktree: &Worktree, path: &AssetPath) -> io::Result<()> {
    let parent = match worktree.open_parent(path) {
        Ok(Some(parent)) => parent,
        Ok(None) => return Ok(()),
        Err(error) if is_gone(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    match Node::at(&parent, path.name()) {
        Ok(Node { kind: NodeKind::File { .. }, .. }) => match open_file_at(&parent, path.name()) {
            Ok(file) => file.sync_all(),
            // Whoever took it away or the right to read it did so after it was written.
            Err(error) if is_gone(&error) || error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(error) => Err(error),
        },
        _ => Ok(()),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Brings everything to the disk that was written to the worktree's file system.
fn sync_all(worktree: &Worktree) -> Result<()> {
    let folder = File::open(worktree.root()).during("opening", worktree.root())?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&folder).during("syncing", worktree.root())?;
    #[cfg(not(target_os = "linux"))]
    {
        drop(folder);
        rustix::fs::sync();
    }
    Ok(())
}
