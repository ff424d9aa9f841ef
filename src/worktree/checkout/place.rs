//! Puts one finished file in its place, and takes what was there away, without a moment in which
//! something could be lost.

use super::Replaces;
use crate::base::path::AssetPath;
use crate::worktree::displaced::{Displacer, Slot};
use crate::worktree::error::WorktreeError;
use crate::worktree::moving::{exchange, rename_new, temporary_name};
use crate::worktree::stat::Node;
use rustix::fd::OwnedFd;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::collections::HashMap;
use std::io;

/// How often a name that others keep taking is tried.
const ATTEMPTS_MAX: u32 = 8;

/// Takes away and puts in place, putting aside what would be lost.
pub struct Placer<'a> {
    pub displacer: &'a Displacer,
    /// Where things planned to be put aside go.
    pub slots: &'a HashMap<AssetPath, Slot>,
}

impl Placer<'_> {
    /// Gives a finished file its name.
    ///
    /// What the plan keeps is put aside under its own name first, so that a crash at any moment
    /// leaves it either in place or listed. What the plan drops changes places with the new file and
    /// is looked at again before it is dropped.
    pub fn put(
        &self,
        folder: &OwnedFd,
        temporary: &[u8],
        path: &AssetPath,
        replaces: Replaces,
    ) -> io::Result<()> {
        if let Replaces::Committed(expected) = replaces
            && self.swap(folder, temporary, path, &expected)?
        {
            return Ok(());
        }
        for _ in 0..ATTEMPTS_MAX {
            match rename_new(folder, temporary, folder, path.name()) {
                Err(Errno::EXIST) => self.keep(folder, path.name(), path)?,
                outcome => return outcome.map_err(io::Error::from),
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "another program keeps writing to this name"))
    }

    /// Takes away what is at a path.
    pub fn remove(&self, folder: &OwnedFd, path: &AssetPath, replaces: Replaces) -> io::Result<()> {
        let Replaces::Committed(expected) = replaces else {
            return self.keep(folder, path.name(), path);
        };
        match is_unchanged(folder, path.name(), &expected)? {
            None => return Ok(()),
            Some(false) => return self.keep(folder, path.name(), path),
            Some(true) => {}
        }
        let aside = temporary_name();
        match rename_new(folder, path.name(), folder, &aside) {
            Ok(()) => self.drop_or_keep(folder, &aside, path, &expected).inspect_err(|_| {
                // Back to its name. Should that fail too, it stays under the temporary one, where the
                // next scan finds it among the leftovers.
                let _ = rename_new(folder, &aside, folder, path.name());
            }),
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Exchanges the new file for the one that is to be dropped. `false` when that cannot be done here.
    fn swap(
        &self,
        folder: &OwnedFd,
        temporary: &[u8],
        path: &AssetPath,
        expected: &Node,
    ) -> io::Result<bool> {
        if is_unchanged(folder, path.name(), expected)? != Some(true) {
            return Ok(false);
        }
        match exchange(folder, temporary, path.name()) {
            Ok(()) => match self.drop_or_keep(folder, temporary, path, expected) {
                Ok(()) => Ok(true),
                Err(error) => {
                    // Back as it was. Should that fail too, what was replaced stays under the
                    // temporary name, where the next scan finds it among the leftovers.
                    let _ = exchange(folder, temporary, path.name());
                    Err(error)
                }
            },
            Err(Errno::NOENT) => Ok(false),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                self.remove(folder, path, Replaces::Committed(*expected))?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn drop_or_keep(
        &self,
        folder: &OwnedFd,
        aside: &[u8],
        path: &AssetPath,
        expected: &Node,
    ) -> io::Result<()> {
        let node = Node::at(folder, aside)?;
        if node.kind == expected.kind && node.stat.is_same_but_renamed(&expected.stat) {
            return Ok(rustix::fs::unlinkat(folder, aside, AtFlags::empty())?);
        }
        self.keep(folder, aside, path)
    }

    /// Puts aside what is called `name` in a folder and belongs at `path`. Fine when it is gone.
    pub fn keep(&self, folder: &OwnedFd, name: &[u8], path: &AssetPath) -> io::Result<()> {
        let slot = match self.slots.get(path) {
            Some(slot) => Some(*slot),
            None => self.announce(path)?,
        };
        let Some(slot) = slot else { return Ok(()) };
        match self.displacer.take(slot, folder, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // The planned place was used for this path before: another thing came since.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.announce(path)?.map_or(Ok(()), |slot| self.displacer.take(slot, folder, name))
            }
            outcome => outcome,
        }
    }

    fn announce(&self, path: &AssetPath) -> io::Result<Option<Slot>> {
        match self.displacer.announce(std::slice::from_ref(path)) {
            Ok(slots) => Ok(slots.first().copied()),
            Err(WorktreeError::Io { source, .. }) => Err(source),
            Err(other) => Err(io::Error::other(other)),
        }
    }
}

/// Whether a name still means what it meant when the plan was made, in everything that its file system
/// says; `None` when nothing has that name. Asked right before the name is taken away, while the time
/// of change still tells of an edit that kept size and modification time: renaming sets it anew.
fn is_unchanged(folder: &OwnedFd, name: &[u8], expected: &Node) -> io::Result<Option<bool>> {
    match Node::at(folder, name) {
        Ok(node) => Ok(Some(node == *expected)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
