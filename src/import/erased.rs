//! What was erased for good does not come back because another system still has it.

use crate::base::id::{ChunkId, FileId};
use crate::import::error::ImportError;
use crate::repo::tombstone::Tombstone;
use crate::repo::{RepoError, View};
use crate::store::Space;
use std::collections::HashSet;
use std::io::Read;

/// The files that were erased here.
#[derive(Debug, Default)]
pub struct Erased {
    files: HashSet<FileId>,
    /// Their lengths: content of another length need not be looked at.
    sizes: HashSet<u64>,
}

impl Erased {
    /// Those that a view knows.
    pub fn read(view: &View) -> Result<Self, ImportError> {
        let mut erased = Self::default();
        for row in view.snapshot().scan_prefix(Space::Tombstones, b"")? {
            let (key, bytes) = row?;
            // Longer keys are pages of a tombstone.
            if key.len() != FileId::SIZE {
                continue;
            }
            let damaged = |source| RepoError::Damaged { kind: "tombstone", id: "of a file".into(), source };
            let tombstone = Tombstone::decode(&bytes).map_err(damaged)?;
            erased.files.insert(tombstone.file);
            erased.sizes.insert(tombstone.size);
        }
        Ok(erased)
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether a file was erased.
    pub fn has(&self, file: FileId) -> bool {
        self.files.contains(&file)
    }

    /// Whether content of a length may have been: only then is it worth hashing.
    pub fn may_have(&self, size: u64) -> bool {
        self.sizes.contains(&size)
    }

    /// The file that bytes are, if it was erased.
    pub fn find(&self, bytes: &[u8]) -> Option<FileId> {
        let of = || FileId::from(ChunkId::of(bytes));
        self.may_have(bytes.len() as u64).then(of).filter(|file| self.has(*file))
    }

    /// The file that content is, if it was erased.
    pub fn find_in(&self, content: &mut dyn Read) -> std::io::Result<Option<FileId>> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(content)?;
        let file = FileId::from_bytes(*hasher.finalize().as_bytes());
        Ok(self.has(file).then_some(file))
    }
}
