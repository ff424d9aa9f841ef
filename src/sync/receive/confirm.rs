//! Confirming files: whether the chunks that have come are, put together, the file whose id was asked for.

use super::Receiver;
use crate::base::id::{ChunkId, FileId};
use crate::base::monitor::{Advance, Monitor};
use crate::object::file_hash::FileHasher;
use crate::object::manifest::{Manifest, verified_key};
use crate::object::manifest_read::{ChunkCursor, ManifestError, check};
use crate::repo::tombstone::Tombstone;
use crate::repo::{RepoError, View};
use crate::store::{ChunkReader, Space, StoreError};
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::walk::NewFile;
use rayon::prelude::*;

impl Receiver<'_> {
    /// Hashes files whose content is here and makes their manifests count. Gives those of which no
    /// claim holds.
    pub fn confirm(&self, files: &[NewFile]) -> SyncResult<Vec<NewFile>> {
        let reader = self.repository.store().chunk_reader()?;
        let judged: Vec<SyncResult<Option<Confirmed>>> =
            files.par_iter().map(|file| self.confirm_one(file, &reader)).collect();
        let mut wrong = Vec::new();
        let (mut confirmed, mut excused) = (Vec::new(), Vec::new());
        for (file, outcome) in files.iter().zip(judged) {
            let Some(manifest) = outcome? else {
                wrong.push(*file);
                continue;
            };
            if self.view.snapshot().contains(Space::Tombstones, &Tombstone::excuse_key(file.id))? {
                excused.push(file.id);
            }
            confirmed.push((file.id, manifest));
        }
        let mut edit = self.repository.edit()?;
        edit.drop_excuses(&excused)?;
        for (file, manifest) in confirmed {
            let Confirmed::By(manifest) = manifest else { continue };
            let bytes = manifest.encode();
            edit.transaction().put(Space::Manifests, &verified_key(file), &bytes)?;
            let claims = edit.transaction().scan_prefix(Space::Manifests, file.as_bytes())?;
            for (key, _) in claims.into_iter().filter(|(key, _)| key.len() > FileId::SIZE) {
                edit.transaction().delete(Space::Manifests, &key)?;
            }
        }
        edit.commit()?;
        Ok(wrong)
    }

    fn confirm_one(&self, file: &NewFile, reader: &ChunkReader) -> SyncResult<Option<Confirmed>> {
        if file.size == 0 || self.view.is_erased(file.id)? || self.view.manifest(file.id)?.is_some() {
            return Ok(Some(Confirmed::Already));
        }
        if let Some(place) = self.view.snapshot().chunk_location(file.id.into())? {
            return Ok((u64::from(place.length) == file.size).then_some(Confirmed::Already));
        }
        for claim in self.fitting_claims(file)? {
            if is_true(&self.view, reader, &claim, self.monitor)? {
                return Ok(Some(Confirmed::By(Box::new(claim))));
            }
        }
        Ok(None)
    }
}

/// How a file was confirmed.
enum Confirmed {
    /// It is its one chunk, or was confirmed before.
    Already,
    /// By this manifest.
    By(Box<Manifest>),
}

/// Whether a manifest is that of its file: everything about it fits, and the chunks that it lists
/// hash to the file's id.
///
/// The file's own hash answers for every byte, so those of the chunks are looked at only when it does
/// not fit: then a damaged chunk is told from a wrong manifest.
fn is_true(
    view: &View,
    reader: &ChunkReader,
    manifest: &Manifest,
    monitor: &dyn Monitor,
) -> SyncResult<bool> {
    match check(manifest, view) {
        Ok(()) => {}
        Err(ManifestError::Source { source, .. }) if !matches!(source, RepoError::Missing { .. }) => {
            return Err(source.into());
        }
        Err(_) => return Ok(false),
    }
    let advance = |bytes| monitor.advance(Advance { bytes, ..Advance::default() });
    let unverified = |id, look: &mut Look<'_>| reader.with_unverified(id, look);
    if hashes_to(view, manifest, &unverified, monitor, &advance)? {
        return Ok(true);
    }
    hashes_to(view, manifest, &|id, look| reader.with(id, look), monitor, &|_| {})
}

/// Takes the bytes of a chunk.
type Look<'a> = dyn FnMut(&[u8]) + 'a;
/// Shows the bytes of a chunk.
type Show<'a> = dyn Fn(ChunkId, &mut Look<'_>) -> Result<(), StoreError> + 'a;

/// Whether the chunks that a manifest lists are here, as long as it says, and hash to its file's id.
fn hashes_to(
    view: &View,
    manifest: &Manifest,
    show: &Show<'_>,
    monitor: &dyn Monitor,
    advance: &dyn Fn(u64),
) -> SyncResult<bool> {
    let mut hasher = FileHasher::new();
    for span in ChunkCursor::new(manifest, view) {
        let Ok(span) = span else { return Ok(false) };
        if monitor.is_cancelled() {
            return Err(SyncError::Cancelled);
        }
        let mut fits = false;
        let shown = show(span.id, &mut |bytes| {
            hasher.update(bytes, |_| {});
            fits = bytes.len() == span.length as usize;
        });
        match shown {
            Ok(()) if fits => {}
            Ok(()) | Err(StoreError::MissingChunk { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        advance(u64::from(span.length));
    }
    Ok(hasher.finish(|_| {}) == manifest.file)
}
