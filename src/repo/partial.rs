//! Repositories that do not hold all content: clones that were made lazily, and those that gave content
//! away which a remote was seen to hold.
//!
//! History, folders, metadata and the lists of chunks are here all the same. A confirmed manifest stands
//! only where all of its chunks are; of content that is not here there are claims at most.

use crate::base::id::{CommitId, FileId, PackId};
use crate::base::monitor::Monitor;
use crate::base::time::Timestamp;
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
pub const KEEP_PREFIX: &str = "keep/";

/// What a remote was told that this clone relies on there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepRecord {
    /// Names this clone there: 32 hexadecimal digits.
    pub clone: String,
    /// Tells the folder that said so from a copy of it: a hash of its path and of what the file system calls it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// The commits.
    pub commits: BTreeSet<CommitId>,
}

/// How long a clone's word counts after it was given last, in milliseconds.
pub const KEPT_FOR_MS: i64 = 90 * 86_400_000;
/// Most clones for which one caller has something kept, and most commits of all of them.
const CLONES_MAX: usize = 4096;
const COMMITS_MAX: usize = 1 << 18;
/// Prefix of what clones elsewhere rely on here, in the same settings.
const KEPT_PREFIX: &str = "kept/";

/// What a clone elsewhere relies on here, and when it said so last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRecord {
    /// The commits.
    pub commits: BTreeSet<CommitId>,
    /// When, in milliseconds since 1970 by the clock of this repository's side.
    pub told_ms: i64,
}

impl KeptRecord {
    /// Whether it still counts.
    pub const fn counts(&self, now: Timestamp) -> bool {
        now.unix_ms - self.told_ms <= KEPT_FOR_MS
    }
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
    /// Whether content may be elsewhere: left there until it is asked for, or withheld.
    pub fn is_partial(&self) -> Result<bool, RepoError> {
        Ok(self.is_lazy()? || !self.withheld()?.is_empty())
    }

    /// Whether content is left elsewhere until it is asked for.
    pub fn is_lazy(&self) -> Result<bool, RepoError> {
        Ok(self.snapshot().contains(Space::Settings, PARTIAL_KEY)?)
    }

    /// Whether nothing of a file's content has to be brought, as far as is known without reading it: it is
    /// here, or was erased here. A file whose absence is only excused may still come.
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

    /// The commits that clones elsewhere rely on here, as they said not too long ago.
    pub fn kept_for_clones(&self, now: Timestamp) -> Result<BTreeSet<CommitId>, RepoError> {
        let mut commits = BTreeSet::new();
        for row in self.snapshot().scan_prefix(Space::Settings, KEPT_PREFIX.as_bytes())? {
            let (_, bytes) = row?;
            let record = read_kept(&bytes)?;
            if record.counts(now) {
                commits.extend(record.commits);
            }
        }
        Ok(commits)
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

fn read_kept(bytes: &[u8]) -> Result<KeptRecord, RepoError> {
    serde_json::from_slice(bytes).map_err(|source| RepoError::Record { what: "clone", source })
}

fn kept_key(caller: &str, clone: &[u8; 16]) -> String {
    format!("{KEPT_PREFIX}{caller}/{}", PackId::from_bytes(*clone))
}

impl Edit {
    /// Notes what a clone elsewhere relies on here, in place of what it said before; drops words that
    /// count no longer. Gives whether there was room: one caller may have so much kept and no more.
    pub fn keep_for_clone(
        &mut self,
        caller: &str,
        clone: &[u8; 16],
        record: &KeptRecord,
    ) -> Result<bool, RepoError> {
        let now = Timestamp::utc(record.told_ms);
        let (own, key) = (format!("{KEPT_PREFIX}{caller}/"), kept_key(caller, clone));
        let (mut clones, mut commits) = (1, record.commits.len());
        for (other, bytes) in self.transaction().scan_prefix(Space::Settings, KEPT_PREFIX.as_bytes())? {
            let kept = read_kept(&bytes)?;
            if !kept.counts(now) {
                self.transaction().delete(Space::Settings, &other)?;
            } else if other.starts_with(own.as_bytes()) && other != key.as_bytes() {
                clones += 1;
                commits += kept.commits.len();
            }
        }
        if clones > CLONES_MAX || commits > COMMITS_MAX {
            return Ok(false);
        }
        let bytes =
            serde_json::to_vec(record).map_err(|source| RepoError::Record { what: "clone", source })?;
        self.transaction().put(Space::Settings, key.as_bytes(), &bytes)?;
        Ok(true)
    }

    /// Notes whether content is left elsewhere until it is asked for.
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
