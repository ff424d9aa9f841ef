//! Reads files of the worktree for status and commit, through the same code that takes content in.

use crate::base::id::FileId;
use crate::base::path::AssetPath;
use crate::repo::RepoError;
use crate::repo::content::ContentError;
use crate::repo::erased::ErasedFiles;
use crate::repo::ingest::{Ingested, Ingester};
use crate::store::{GroupHint, StoreError};
use crate::worktree::error::WorktreeError;
use crate::worktree::probe::{ContentProbe, ProbeError, Probed};
use std::fs::File;
use std::io::Seek as _;

/// Asks an [`Ingester`]: one that stores, one that measures, or one that only hashes.
pub struct IngestProbe<'a> {
    full: Ingester<'a>,
    hashing: Option<Ingester<'a>>,
    /// What is not to be stored again, and what finds out whether a file is that.
    erased: Option<(ErasedFiles<'a>, Ingester<'a>)>,
    /// How many bytes may be read; `None` for any number.
    room: Option<u64>,
    /// What is only to be identified, though everything else is stored.
    spared: Option<&'a (dyn Fn(&AssetPath) -> bool + Sync)>,
}

impl<'a> IngestProbe<'a> {
    /// Everything goes to `full`, unless there is more of it than `room`. What may be erased content,
    /// by its size, is hashed first, and goes no further if it is.
    pub const fn storing(
        full: Ingester<'a>,
        erased: (ErasedFiles<'a>, Ingester<'a>),
        room: Option<u64>,
    ) -> Self {
        Self { full, hashing: None, erased: Some(erased), room, spared: None }
    }

    /// Stores nothing of the paths that `is_spared` names: they were seen and not asked for.
    pub const fn sparing(mut self, is_spared: &'a (dyn Fn(&AssetPath) -> bool + Sync)) -> Self {
        self.spared = Some(is_spared);
        self
    }

    fn is_spared(&self, path: &AssetPath) -> bool {
        self.spared.is_some_and(|is_spared| is_spared(path))
    }

    /// What is to be measured goes to `measuring`, what is only to be identified to `hashing`.
    pub const fn looking(measuring: Ingester<'a>, hashing: Ingester<'a>) -> Self {
        Self { full: measuring, hashing: Some(hashing), erased: None, room: None, spared: None }
    }

    /// What the content of a file is, if it was erased. The file stands at its start afterwards.
    fn erased(&self, mut file: &File) -> Result<Option<Probed>, ProbeError> {
        let Some((erased, hashing)) = &self.erased else { return Ok(None) };
        if !erased.may_have(file.metadata()?.len()).map_err(unanswered)? {
            return Ok(None);
        }
        let found = hashing.ingest_file(&mut file, GroupHint::NONE).map_err(problem)?;
        file.rewind()?;
        Ok(erased.has(found.file, found.size).map_err(unanswered)?.then(|| nothing_stored(&found)))
    }
}

impl ContentProbe for IngestProbe<'_> {
    fn probe(&self, mut file: &File, path: &AssetPath, measure: bool) -> Result<Probed, ProbeError> {
        let hint = GroupHint::of_name(path.name());
        if let (Some((_, hashing)), true) = (&self.erased, self.is_spared(path)) {
            return Ok(nothing_stored(&hashing.ingest_file(&mut file, hint).map_err(problem)?));
        }
        if let Some(erased) = self.erased(file)? {
            return Ok(erased);
        }
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

    fn probe_link(&self, mut target: &[u8], path: &AssetPath) -> Result<Probed, ProbeError> {
        let id = FileId::from_bytes(*blake3::hash(target).as_bytes());
        let size = target.len() as u64;
        if self.is_spared(path) {
            return Ok(Probed { id, size, new_bytes: Some(0) });
        }
        if let Some((erased, _)) = &self.erased
            && erased.has(id, size).map_err(unanswered)?
        {
            return Ok(Probed { id, size, new_bytes: Some(0) });
        }
        let ingested = self.full.ingest_file(&mut target, GroupHint::NONE).map_err(problem)?;
        Ok(Probed { id: ingested.file, size: ingested.size, new_bytes: Some(ingested.new_bytes) })
    }
}

/// Nothing is new of what is not stored.
const fn nothing_stored(found: &Ingested) -> Probed {
    Probed { id: found.file, size: found.size, new_bytes: Some(0) }
}

fn unanswered(error: RepoError) -> ProbeError {
    ProbeError::Repository(Box::new(error))
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
