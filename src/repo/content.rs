//! Where the content of files is found, and what can go wrong with it.

use crate::base::id::{ChunkId, FileId};
use crate::base::time::Timestamp;
use crate::object::chunker::CHUNK_BYTES_MAX;
use crate::object::manifest_read::{ChunkCursor, ManifestError};
use crate::repo::erased::erasure_of;
use crate::repo::error::RepoError;
use crate::repo::tombstone::Tombstone;
use crate::repo::view::View;
use crate::store::StoreError;
use std::io;

/// Why content could not be taken in or given out.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The file being taken in could not be read.
    #[error("reading the file failed")]
    Read { source: io::Error },
    /// What is given out could not be written.
    #[error("writing the file failed")]
    Write { source: io::Error },
    /// The user asked to stop.
    #[error("stopped on request")]
    Cancelled,
    /// The store failed.
    #[error("the repository's store failed")]
    Store { source: StoreError },
    /// The repository has neither a manifest nor a chunk of this file.
    #[error("the content of file {file} is not in the repository")]
    Missing { file: FileId },
    /// The bytes were removed for good.
    #[error("the content was erased on {} by {by}: {reason}", &when.rfc3339()[..10])]
    Erased { file: FileId, when: Timestamp, by: String, reason: String },
    /// The bytes never came here, and a tombstone that did says why.
    #[error(
        "the content never came here: whoever sent its history says that it was erased on {} by {by}: {reason}",
        &when.rfc3339()[..10]
    )]
    Excused { file: FileId, when: Timestamp, by: String, reason: String },
    /// One chunk is missing or damaged.
    #[error("chunk {chunk}, at byte {offset} of file {file}, cannot be read")]
    Chunk { file: FileId, chunk: ChunkId, offset: u64, source: Box<StoreError> },
    /// The repository's records could not be read.
    #[error("the repository's records cannot be read")]
    Repository { source: Box<RepoError> },
    /// The lists of the manifest cannot be read or do not hold together.
    #[error("the chunk list of a file is damaged")]
    Manifest { source: Box<ManifestError<RepoError>> },
    /// The content has another length than expected.
    #[error("file {file} has {found} bytes, not {expected}")]
    Size { file: FileId, expected: u64, found: u64 },
    /// Every chunk is sound, but together they are another file: the manifest is wrong.
    #[error("the chunks of file {file} make another file, {found}")]
    Content { file: FileId, found: FileId },
}

impl From<StoreError> for ContentError {
    fn from(source: StoreError) -> Self {
        match source {
            StoreError::Cancelled => Self::Cancelled,
            source => Self::Store { source },
        }
    }
}

impl From<RepoError> for ContentError {
    fn from(source: RepoError) -> Self {
        match source {
            RepoError::Store(source) => source.into(),
            source => Self::Repository { source: Box::new(source) },
        }
    }
}

impl From<ManifestError<RepoError>> for ContentError {
    fn from(source: ManifestError<RepoError>) -> Self {
        Self::Manifest { source: Box::new(source) }
    }
}

/// The name of who wrote a tombstone.
pub(super) fn name_of(view: &View, tombstone: &Tombstone) -> Result<String, RepoError> {
    let person = view.person(tombstone.person)?;
    Ok(person.map_or_else(|| "somebody whose name was erased".to_owned(), |person| person.name))
}

/// The chunks of a file of `size` bytes, from its manifest or because it is one chunk.
///
/// Whether a single chunk is there shows when it is read.
pub fn file_chunks(view: &View, file: FileId, size: u64) -> Result<ChunkCursor<'_, View>, ContentError> {
    if let Some(erased) = erasure_of(view, file)? {
        return Err(erased);
    }
    if let Some(excuse) = view.excuse(file)? {
        let by = name_of(view, &excuse)?;
        return Err(ContentError::Excused { file, when: excuse.time, by, reason: excuse.reason });
    }
    match view.manifest(file)? {
        Some(manifest) if manifest.size != size => {
            Err(ContentError::Size { file, expected: size, found: manifest.size })
        }
        Some(manifest) => Ok(ChunkCursor::new(&manifest, view)),
        None if size > CHUNK_BYTES_MAX as u64 => Err(ContentError::Missing { file }),
        None => Ok(ChunkCursor::without_manifest(file, size, view)),
    }
}
