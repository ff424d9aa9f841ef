//! What is said of files that may not be here: how long they are, and that they were erased before anybody
//! else had them.

use super::Receiver;
use crate::base::id::FileId;
use crate::repo::tombstone::Tombstone;
use crate::store::Space;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::walk::NewFile;
use std::collections::HashMap;

/// Tombstones that are kept until it shows whether they are needed.
const TOMBSTONES_MAX: usize = 1 << 14;

/// Tombstones that came.
#[derive(Debug, Default)]
pub(super) struct Tombstones(HashMap<FileId, Tombstone>);

impl Tombstones {
    /// Keeps one. One with a statement is for the shared log to bring.
    pub(super) fn put(&mut self, tombstone: Tombstone) {
        if self.0.len() < TOMBSTONES_MAX && tombstone.statement.is_empty() {
            self.0.insert(tombstone.file, tombstone);
        }
    }
}

impl Receiver<'_> {
    /// Insists that files are as long as is said of them, where that is known here.
    pub fn check_sizes(&self, files: &[NewFile]) -> SyncResult<()> {
        for file in files {
            let known = self.known_size(file.id)?;
            if known.is_some_and(|known| known != file.size) || known.is_none() && file.size == 0 {
                let known = known.map_or_else(|| "more".to_owned(), |known| known.to_string());
                let detail = format!("it says that file {} has {} bytes; it has {known}", file.id, file.size);
                return Err(SyncError::Invalid { what: "a folder", detail });
            }
        }
        Ok(())
    }

    fn known_size(&self, id: FileId) -> SyncResult<Option<u64>> {
        if id == FileId::of(b"") {
            return Ok(Some(0));
        }
        if let Some(manifest) = self.view.manifest(id)? {
            return Ok(Some(manifest.size));
        }
        let place = self.view.snapshot().chunk_location(id.into())?;
        Ok(place.map(|place| u64::from(place.length)))
    }

    /// Of files that could not be had, takes note of those that were erased before anybody had them: their
    /// tombstones came. Such a tombstone explains and removes nothing. Gives the others.
    pub fn excuse(&mut self, lacking: Vec<NewFile>) -> SyncResult<Vec<NewFile>> {
        let Tombstones(tombstones) = std::mem::take(&mut self.tombstones);
        let erased = |file: &NewFile| tombstones.get(&file.id).filter(|found| found.size == file.size);
        let (excused, open): (Vec<NewFile>, Vec<NewFile>) =
            lacking.into_iter().partition(|file| erased(file).is_some());
        if excused.is_empty() {
            return Ok(open);
        }
        let mut edit = self.repository.edit()?;
        for tombstone in excused.iter().filter_map(erased) {
            let key = tombstone.file.as_bytes();
            edit.transaction().put(Space::Tombstones, key, &tombstone.encode())?;
        }
        edit.commit()?;
        self.view = self.repository.view()?;
        Ok(open)
    }

    /// Files whose tombstones came and whose content is not here.
    pub fn erased_elsewhere(&self, files: &[NewFile]) -> SyncResult<Vec<NewFile>> {
        let mut erased = Vec::new();
        for file in files.iter().filter(|file| self.tombstones.0.contains_key(&file.id)) {
            if !self.view.has_content(file.id, file.size)? && self.fitting_claims(file)?.is_empty() {
                erased.push(*file);
            }
        }
        Ok(erased)
    }
}
