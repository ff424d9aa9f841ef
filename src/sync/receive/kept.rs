//! Commits that are kept back until all that they reach is here: in memory as long as they are few, and in
//! a file from then on. Whoever sends them decides how many and how long they are.

use crate::base::id::CommitId;
use crate::object::commit::Commit;
use crate::repo::RepoError;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::spill::{Spill, Spilled};
use std::collections::HashMap;
use std::path::Path;

/// Bytes of commits that are kept in memory.
const MEMORY_BYTES_MAX: usize = 32 << 20;

/// Commits that are kept back.
pub(in crate::sync) struct KeptCommits {
    places: HashMap<CommitId, Place>,
    memory_bytes: usize,
    spill: Spill,
}

#[derive(Debug)]
enum Place {
    Here(Vec<u8>),
    InFile(Spilled),
}

impl KeptCommits {
    /// None yet; those for which there is no room in memory go to a file in a folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self { places: HashMap::new(), memory_bytes: 0, spill: Spill::into_folder(folder) }
    }

    pub(super) fn contains(&self, id: &CommitId) -> bool {
        self.places.contains_key(id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = CommitId> + '_ {
        self.places.keys().copied()
    }

    /// Keeps the bytes of one.
    pub(super) fn insert(&mut self, id: CommitId, bytes: &[u8]) -> SyncResult<()> {
        let place = if self.memory_bytes + bytes.len() <= MEMORY_BYTES_MAX {
            self.memory_bytes += bytes.len();
            Place::Here(bytes.to_vec())
        } else {
            let path = || self.spill.folder().to_owned();
            let io = |source| SyncError::Io { action: "writing", path: path(), source };
            Place::InFile(self.spill.push(bytes).map_err(io)?)
        };
        self.places.insert(id, place);
        Ok(())
    }

    /// The bytes of one; `None` when it is not among them.
    pub(super) fn bytes(&self, id: CommitId) -> Result<Option<Vec<u8>>, RepoError> {
        match self.places.get(&id) {
            None => Ok(None),
            Some(Place::Here(bytes)) => Ok(Some(bytes.clone())),
            Some(Place::InFile(place)) => {
                let path = || self.spill.folder().to_owned();
                let io = |source| RepoError::Io { action: "reading", path: path(), source };
                self.spill.read(*place).map(Some).map_err(io)
            }
        }
    }

    /// One of them, read.
    pub(super) fn commit(&self, id: CommitId) -> Result<Option<Commit>, RepoError> {
        let damaged = |source| RepoError::Damaged { kind: "commit", id: id.to_string(), source };
        self.bytes(id)?.map(|bytes| Commit::decode(&bytes).map_err(damaged)).transpose()
    }

    /// Leaves out all others.
    pub(super) fn retain(&mut self, keep: impl Fn(CommitId) -> bool) {
        self.places.retain(|id, _| keep(*id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_in_memory_comes_back_from_a_file_that_nobody_sees() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut kept = KeptCommits::new(folder.path());
        let long: Vec<Vec<u8>> = (0..5u8).map(|number| vec![number; 9 << 20]).collect();
        for (number, bytes) in long.iter().enumerate() {
            kept.insert(CommitId::from_bytes([number as u8; 32]), bytes).expect("kept");
        }
        assert!(kept.memory_bytes <= MEMORY_BYTES_MAX && kept.spill.is_used());
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        for (number, bytes) in long.iter().enumerate() {
            assert!(
                kept.bytes(CommitId::from_bytes([number as u8; 32])).expect("readable").as_ref()
                    == Some(bytes)
            );
        }
        kept.retain(|id| id == CommitId::from_bytes([4; 32]));
        assert_eq!(kept.ids().count(), 1);
        assert_eq!(kept.bytes(CommitId::from_bytes([1; 32])).expect("an answer"), None);
    }
}
