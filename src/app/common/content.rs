//! Stored content for checkouts, exports and differences.

use crate::app::error::AppError;
use crate::base::id::FileId;
use crate::base::monitor::Monitor;
use crate::repo::content::ContentError;
use crate::repo::extract::Extractor;
use crate::repo::{Repository, View};
use crate::store::ChunkReader;
use crate::worktree::checkout::ContentSource;
use std::fs::File;

/// Longest content that is read whole, in bytes; a link's target is never longer.
const SMALL_BYTES_MAX: u64 = 1 << 20;

/// A reader of stored content that lives as long as its view.
pub struct StoredContent<'a> {
    view: &'a View,
    reader: ChunkReader,
    monitor: &'a dyn Monitor,
}

impl<'a> StoredContent<'a> {
    /// Prepares to read content of one state of the repository.
    pub fn new(repository: &Repository, view: &'a View, monitor: &'a dyn Monitor) -> Result<Self, AppError> {
        Ok(Self { view, reader: repository.store().chunk_reader()?, monitor })
    }

    /// What gives the bytes out.
    pub fn extractor(&self) -> Extractor<'_> {
        Extractor::new(&self.reader, self.view, self.monitor)
    }
}

/// The bytes of a small file, verified. Nothing is written anywhere.
pub fn small_file(
    repository: &Repository,
    view: &View,
    (id, size): (FileId, u64),
    monitor: &dyn Monitor,
) -> Result<Vec<u8>, AppError> {
    if size > SMALL_BYTES_MAX {
        return Err(ContentError::Size { file: id, expected: SMALL_BYTES_MAX, found: size }.into());
    }
    let mut bytes = Vec::new();
    StoredContent::new(repository, view, monitor)?.extractor().write_file(id, size, &mut bytes)?;
    Ok(bytes)
}

/// Content for checkouts: one extractor for all files, so that large ones wait for each other.
pub struct CheckoutContent<'a>(pub Extractor<'a>);

impl ContentSource for CheckoutContent<'_> {
    type Error = ContentError;

    fn write_to(&self, id: FileId, size: u64, out: &mut File) -> Result<(), ContentError> {
        self.0.write_file(id, size, out)
    }

    fn read(&self, id: FileId, size: u64) -> Result<Vec<u8>, ContentError> {
        if size > SMALL_BYTES_MAX {
            return Err(ContentError::Size { file: id, expected: SMALL_BYTES_MAX, found: size });
        }
        let mut bytes = Vec::new();
        self.0.write_file(id, size, &mut bytes)?;
        Ok(bytes)
    }
}
