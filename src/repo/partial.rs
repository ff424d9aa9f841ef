//! Repositories that do not hold all content: clones that were made lazily, and those that gave content
//! away which a remote was seen to hold.
//!
//! History, folders, metadata and the lists of chunks are here all the same. A confirmed manifest stands
//! only where all of its chunks are; of content that is not here there are claims at most.

use crate::base::id::{CommitId, FileId};
use crate::base::monitor::Monitor;
use crate::repo::edit::Edit;
use crate::repo::error::RepoError;
use crate::repo::view::View;
use crate::repo::{Repository, content::ContentError};
use crate::store::{Space, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::error::Error;

/// Key in the settings kept by the repository: there when content may be elsewhere.
const PARTIAL_KEY: &[u8] = b"partial";
/// Prefix of the records of what was told to each remote, in the same settings.
const KEEP_PREFIX: &str = "keep/";

/// What a remote was told that this clone relies on there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepRecord {
    /// Names this clone there: 32 hexadecimal digits.
    pub clone: String,
    /// The commits.
    pub commits: BTreeSet<CommitId>,
}

/// Why content could not be brought.
pub type SupplyError = Box<dyn Error + Send + Sync>;

/// Brings content that is not here, when a command needs it.
pub trait ContentSupplier: Send + Sync {
    /// Brings the content of files, each with its size in bytes, as far as it can be had: checked, and
    /// durable when this returns.
    fn supply(
        &self,
        repository: &Repository,
        files: &[(FileId, u64)],
        monitor: &dyn Monitor,
    ) -> Result<(), SupplyError>;
}

impl View {
    /// Whether content may be elsewhere.
    pub fn is_partial(&self) -> Result<bool, RepoError> {
        Ok(self.snapshot().contains(Space::Settings, PARTIAL_KEY)?)
    }

    /// Whether the content of a file can be given out, as far as is known without reading it.
    pub fn has_content(&self, file: FileId, size: u64) -> Result<bool, RepoError> {
        Ok(size == 0
            || self.snapshot().has_chunk(file.into())?
            || self.manifest(file)?.is_some()
            || self.is_erased(file)?)
    }

    /// What a remote was told that this clone relies on there.
    pub fn keep_record(&self, remote: &str) -> Result<KeepRecord, RepoError> {
        let bytes = self.snapshot().get(Space::Settings, format!("{KEEP_PREFIX}{remote}").as_bytes())?;
        bytes.map_or_else(|| Ok(KeepRecord::default()), |bytes| read_keep(&bytes))
    }

    /// The commits whose content is on remotes, as these were told.
    pub fn kept_elsewhere(&self) -> Result<BTreeSet<CommitId>, RepoError> {
        let mut commits = BTreeSet::new();
        for row in self.snapshot().scan_prefix(Space::Settings, KEEP_PREFIX.as_bytes())? {
            let (_, bytes) = row?;
            commits.extend(read_keep(&bytes)?.commits);
        }
        Ok(commits)
    }
}

fn read_keep(bytes: &[u8]) -> Result<KeepRecord, RepoError> {
    serde_json::from_slice(bytes).map_err(|source| RepoError::Record { what: "clone", source })
}

impl Edit {
    /// Notes whether content may be elsewhere.
    pub fn set_partial(&mut self, is_partial: bool) -> Result<(), RepoError> {
        if is_partial {
            self.transaction().put(Space::Settings, PARTIAL_KEY, b"1")?;
        } else {
            self.transaction().delete(Space::Settings, PARTIAL_KEY)?;
        }
        Ok(())
    }

    /// Notes what a remote was told.
    pub fn put_keep_record(&mut self, remote: &str, record: &KeepRecord) -> Result<(), RepoError> {
        let bytes =
            serde_json::to_vec(record).map_err(|source| RepoError::Record { what: "clone", source })?;
        let key = format!("{KEEP_PREFIX}{remote}");
        Ok(self.transaction().put(Space::Settings, key.as_bytes(), &bytes)?)
    }
}

impl ContentError {
    /// Whether content is just not here, so that it may be elsewhere.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Missing { .. } => true,
            Self::Chunk { source, .. } => matches!(**source, StoreError::MissingChunk { .. }),
            _ => false,
        }
    }
}
