//! Commits that are kept back until all that they reach is here: in memory as long as they are few, and in
//! a file from then on. Whoever sends them decides how many and how long they are.

use crate::base::id::CommitId;
use crate::object::commit::Commit;
use crate::repo::RepoError;
use crate::sync::error::{SyncError, SyncResult};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Bytes of commits that are kept in memory.
const MEMORY_BYTES_MAX: usize = 32 << 20;

/// Commits that are kept back.
pub(in crate::sync) struct KeptCommits {
    places: HashMap<CommitId, Place>,
    memory_bytes: usize,
    folder: PathBuf,
    spilled: Mutex<Option<Spilled>>,
}

#[derive(Debug)]
enum Place {
    Here(Vec<u8>),
    InFile { offset: u64, length: usize },
}

/// The file is gone from its folder as soon as it is open, so that no crash leaves one.
struct Spilled {
    file: File,
    length: u64,
}

impl KeptCommits {
    /// None yet; those for which there is no room in memory go to a file in a folder.
    pub(super) fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { places: HashMap::new(), memory_bytes: 0, folder, spilled: Mutex::new(None) }
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
            let io = |source| SyncError::Io { action: "writing", path: self.folder.clone(), source };
            Place::InFile { offset: self.spill(bytes).map_err(io)?, length: bytes.len() }
        };
        self.places.insert(id, place);
        Ok(())
    }

    fn spill(&self, bytes: &[u8]) -> std::io::Result<u64> {
        let mut spilled = self.spilled.lock().unwrap_or_else(PoisonError::into_inner);
        if spilled.is_none() {
            *spilled = Some(Spilled { file: unnamed_file(&self.folder)?, length: 0 });
        }
        let Some(Spilled { file, length }) = spilled.as_mut() else { return Ok(0) };
        let offset = *length;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        *length += bytes.len() as u64;
        Ok(offset)
    }

    /// The bytes of one; `None` when it is not among them.
    pub(super) fn bytes(&self, id: CommitId) -> Result<Option<Vec<u8>>, RepoError> {
        match self.places.get(&id) {
            None => Ok(None),
            Some(Place::Here(bytes)) => Ok(Some(bytes.clone())),
            Some(Place::InFile { offset, length }) => {
                let io = |source| RepoError::Io { action: "reading", path: self.folder.clone(), source };
                self.read(*offset, *length).map(Some).map_err(io)
            }
        }
    }

    fn read(&self, offset: u64, length: usize) -> std::io::Result<Vec<u8>> {
        let mut spilled = self.spilled.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Spilled { file, .. }) = spilled.as_mut() else {
            return Err(std::io::ErrorKind::NotFound.into());
        };
        let mut bytes = vec![0; length];
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
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

fn unnamed_file(folder: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(folder)?;
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    let path = folder.join(format!("commits-{}", u128::from_le_bytes(random)));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
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
        assert!(kept.memory_bytes <= MEMORY_BYTES_MAX && kept.spilled.lock().expect("a lock").is_some());
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
