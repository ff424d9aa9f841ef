//! What is said of files that may not be here: how long they are, and that they were erased before anybody
//! else had them.

use super::Receiver;
use crate::base::id::{ChunkId, FileId};
use crate::repo::content::file_chunks;
use crate::repo::tombstone::Tombstone;
use crate::store::Space;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::walk::NewFile;
use std::collections::{HashMap, HashSet};

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

    /// Insists that nobody sends the bytes of files that were erased here: they would be dropped again, and
    /// whoever sent them would think that they are there. `sent` gives the chunks that were sent.
    pub fn insist_on_unerased(
        &self,
        files: &[NewFile],
        sent: &dyn Fn() -> HashSet<ChunkId>,
    ) -> SyncResult<()> {
        let mut chunks = None;
        for file in files.iter().filter(|file| file.size > 0) {
            if !self.view.is_erased(file.id)? {
                continue;
            }
            let chunks = chunks.get_or_insert_with(sent);
            if self.unwelcome.contains(&file.id) || chunks.contains(&file.id.into()) {
                let why = file_chunks(&self.view, file.id, file.size).err();
                let why = why.map_or_else(|| "it was erased".to_owned(), |error| error.to_string());
                let detail = format!(
                    "there, {why}; send its commit without it, or erase it in your clone too (`pent erase`) and push \
                     again"
                );
                return Err(SyncError::TurnedDown { what: format!("file {}", file.id), detail });
            }
        }
        Ok(())
    }

    /// Of files that could not be had, takes note of those that were erased before anybody had them: their
    /// tombstones came. Such a tombstone excuses that they are not here, and nothing more: content that comes
    /// later takes its place. Gives the others.
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
            let key = Tombstone::excuse_key(tombstone.file);
            edit.transaction().put(Space::Tombstones, &key, &tombstone.encode())?;
        }
        edit.commit()?;
        self.view = self.repository.view()?;
        Ok(open)
    }

    /// Files whose tombstones came, and of whose content nothing is here and nothing came.
    pub fn erased_elsewhere(&self, files: &[NewFile]) -> SyncResult<Vec<NewFile>> {
        let mut erased = Vec::new();
        for file in files.iter().filter(|file| self.tombstones.0.contains_key(&file.id)) {
            if !self.view.has_content(file.id, file.size)? && !self.claims.contains(&file.id) {
                erased.push(*file);
            }
        }
        Ok(erased)
    }

    /// Leaves out files whose absence is excused, unless their content came now.
    pub fn leave_out_excused(&self, files: &mut Vec<NewFile>) -> SyncResult<()> {
        let mut kept = Vec::with_capacity(files.len());
        for file in files.drain(..) {
            if self.claims.contains(&file.id) || !self.view.is_excused(file.id)? {
                kept.push(file);
            }
        }
        *files = kept;
        Ok(())
    }
}
