//! Whether a repository really has a content: what must be known before a file that holds the same is
//! given up.

use crate::base::id::FileId;
use crate::object::chunker::CHUNK_BYTES_MAX;
use crate::object::manifest_read::ChunkCursor;
use crate::repo::Repository;
use crate::repo::error::RepoError;
use crate::repo::view::View;
use crate::store::{ChunkLocation, PackCheck};

/// What a repository has, as far as that can be said without reading content. Each pack is looked at
/// once. Callable from several threads.
pub struct Holdings<'a> {
    view: &'a View,
    packs: PackCheck,
    /// Whether what is not here at all is on a remote, which was told that this clone relies on it.
    is_lazy: bool,
}

impl<'a> Holdings<'a> {
    /// What `repository` has as of `view`.
    ///
    /// # Errors
    /// When its settings cannot be read.
    pub fn of(repository: &Repository, view: &'a View) -> Result<Self, RepoError> {
        Ok(Self { view, packs: PackCheck::of(repository.store()), is_lazy: view.is_lazy()? })
    }

    /// Whether the content of a file of `size` bytes can be given out again: it was not erased, all of
    /// its chunks are recorded, and the files of their packs are there and long enough. Content that a
    /// lazy clone left elsewhere counts as well.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn has(&self, file: FileId, size: u64) -> Result<bool, RepoError> {
        if size == 0 {
            return Ok(true);
        }
        if self.view.is_erased(file)? {
            return Ok(false);
        }
        let snapshot = self.view.snapshot();
        if size <= CHUNK_BYTES_MAX as u64
            && let Some(place) = snapshot.chunk_location(file.into())?
        {
            return self.is_whole(&place);
        }
        let Some(manifest) = self.view.manifest(file)? else { return Ok(self.is_lazy) };
        for span in ChunkCursor::new(&manifest, self.view) {
            // A list that cannot be read gives nothing out.
            let Ok(span) = span else { return Ok(false) };
            match snapshot.chunk_location(span.id)? {
                Some(place) if self.is_whole(&place)? => {}
                _ => return Ok(false),
            }
        }
        Ok(manifest.size == size)
    }

    fn is_whole(&self, place: &ChunkLocation) -> Result<bool, RepoError> {
        Ok(self.packs.is_whole(self.view.snapshot(), place.pack)?)
    }
}
