//! Which contents were erased: asked of each file that comes in, so it must cost next to nothing where
//! nothing was erased.

use crate::base::id::FileId;
use crate::repo::content::{ContentError, name_of};
use crate::repo::error::RepoError;
use crate::repo::tombstone::Tombstone;
use crate::repo::view::View;
use crate::store::Space;
use std::collections::HashSet;
use std::ops::Bound;
use std::sync::OnceLock;

/// Greater than every page number behind a file id.
const AFTER_PAGES: [u8; 5] = [0xff; 5];

/// The erased contents of a repository. Sizes are looked up once, and only when first asked for;
/// a content whose size no erased one had needs no look at all. Callable from several threads.
pub struct ErasedFiles<'a> {
    view: &'a View,
    sizes: OnceLock<HashSet<u64>>,
}

impl<'a> ErasedFiles<'a> {
    /// Those that `view` knows of.
    pub const fn of(view: &'a View) -> Self {
        Self { view, sizes: OnceLock::new() }
    }

    /// Whether a content of `size` bytes may be an erased one.
    ///
    /// # Errors
    /// When the tombstones cannot be read.
    pub fn may_have(&self, size: u64) -> Result<bool, RepoError> {
        if let Some(sizes) = self.sizes.get() {
            return Ok(sizes.contains(&size));
        }
        let sizes = self.view.erased_sizes()?;
        Ok(self.sizes.get_or_init(|| sizes).contains(&size))
    }

    /// Whether this content, of `size` bytes, was erased.
    ///
    /// # Errors
    /// When the tombstones cannot be read.
    pub fn has(&self, file: FileId, size: u64) -> Result<bool, RepoError> {
        Ok(self.may_have(size)? && self.view.is_erased(file)?)
    }
}

impl View {
    /// Sizes of all contents that were erased, in bytes. Reads one row for each, not the lists of
    /// chunks beside it.
    fn erased_sizes(&self) -> Result<HashSet<u64>, RepoError> {
        let mut sizes = HashSet::new();
        let mut from: Vec<u8> = Vec::new();
        while let Some(row) =
            self.snapshot().scan(Space::Tombstones, (Bound::Included(&*from), Bound::Unbounded))?.next()
        {
            let (key, value) = row?;
            let file = &key[..key.len().min(FileId::SIZE)];
            if key.len() == FileId::SIZE {
                let damaged = |source| RepoError::Damaged {
                    kind: "tombstone",
                    id: FileId::from_slice(file).map(|id| id.to_string()).unwrap_or_default(),
                    source,
                };
                sizes.insert(Tombstone::decode(&value).map_err(damaged)?.size);
            }
            from = [file, &AFTER_PAGES].concat();
        }
        Ok(sizes)
    }
}

/// Says when, by whom and why a content was erased, if it was.
///
/// # Errors
/// When the tombstone or the person's record cannot be read.
pub fn erasure_of(view: &View, file: FileId) -> Result<Option<ContentError>, RepoError> {
    let Some(tombstone) = view.tombstone(file)? else { return Ok(None) };
    let by = name_of(view, &tombstone)?;
    Ok(Some(ContentError::Erased { file, when: tombstone.time, by, reason: tombstone.reason }))
}
