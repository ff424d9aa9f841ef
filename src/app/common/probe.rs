//! Reads files of the worktree for status and commit, through the same code that takes content in.

use crate::base::path::AssetPath;
use crate::repo::content::ContentError;
use crate::repo::ingest::Ingester;
use crate::store::{GroupHint, StoreError};
use crate::worktree::error::WorktreeError;
use crate::worktree::probe::{ContentProbe, ProbeError, Probed};
use std::fs::File;

/// Asks an [`Ingester`]: one that stores, one that measures, or one that only hashes.
pub struct IngestProbe<'a> {
    full: Ingester<'a>,
    hashing: Option<Ingester<'a>>,
    /// How many bytes may be read; `None` for any number.
    room: Option<u64>,
}

impl<'a> IngestProbe<'a> {
    /// Everything goes to `full`, unless there is more of it than `room`.
    pub const fn storing(full: Ingester<'a>, room: Option<u64>) -> Self {
        Self { full, hashing: None, room }
    }

    /// What is to be measured goes to `measuring`, what is only to be identified to `hashing`.
    pub const fn looking(measuring: Ingester<'a>, hashing: Ingester<'a>) -> Self {
        Self { full: measuring, hashing: Some(hashing), room: None }
    }
}

impl ContentProbe for IngestProbe<'_> {
    fn probe(&self, mut file: &File, path: &AssetPath, measure: bool) -> Result<Probed, ProbeError> {
        let hint = GroupHint::of_name(path.name());
        if let (Some(hashing), false) = (&self.hashing, measure) {
            let ingested = hashing.ingest_file(&mut file, hint).map_err(problem)?;
            return Ok(Probed { id: ingested.file, size: ingested.size, new_bytes: None });
        }
        let ingested = self.full.ingest_file(&mut file, hint).map_err(problem)?;
        Ok(Probed { id: ingested.file, size: ingested.size, new_bytes: Some(ingested.new_bytes) })
    }

    fn expect(&self, needed: u64) -> Result<(), WorktreeError> {
        match self.room {
            Some(available) if needed > available => Err(WorktreeError::DiskFull { needed, available }),
            _ => Ok(()),
        }
    }

    fn probe_link(&self, mut target: &[u8], _: &AssetPath) -> Result<Probed, ProbeError> {
        let ingested = self.full.ingest_file(&mut target, GroupHint::NONE).map_err(problem)?;
        Ok(Probed { id: ingested.file, size: ingested.size, new_bytes: Some(ingested.new_bytes) })
    }
}

fn problem(error: ContentError) -> ProbeError {
    match error {
        ContentError::Read { source } => ProbeError::Io(source),
        ContentError::Cancelled | ContentError::Store { source: StoreError::Cancelled } => {
            ProbeError::Cancelled
        }
        other => ProbeError::Repository(Box::new(other)),
    }
}
