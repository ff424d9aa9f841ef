//! What one caller may read of a repository, where the policy withholds some paths: the content of
//! every file that ever stood at a path that is not withheld.
//!
//! It is worked out once and then kept up with new commits. A file that is only known here as part
//! of what is withheld is answered as if it were not there.

use crate::base::id::{ChunkId, CommitId, FileId, ManifestNodeId};
use crate::object::manifest::{ChunkEntry, Manifest};
use crate::repo::refs::RefKind;
use crate::repo::{RepoError, View};
use crate::rules::pattern::Pattern;
use crate::sync::content::{Parts, new_parts};
use crate::sync::error::SyncResult;
use crate::sync::paths::{each_file, is_hidden};
use crate::sync::receive::manifest_nodes;
use crate::sync::walk::commits_between;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Files that callers may read from whom these paths are withheld.
#[derive(Debug)]
pub struct Readable {
    hidden: Vec<Pattern>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    tips: Vec<CommitId>,
    files: HashSet<FileId>,
}

impl Readable {
    /// For callers from whom these paths are withheld.
    pub fn new(hidden: Vec<Pattern>) -> Self {
        Self { hidden, known: Mutex::new(Known::default()) }
    }

    /// The paths that are withheld.
    pub fn hidden(&self) -> &[Pattern] {
        &self.hidden
    }

    /// Which of these files may be read.
    pub fn of(&self, view: &View, files: impl IntoIterator<Item = FileId>) -> SyncResult<HashSet<FileId>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.catch_up(view, &mut known)?;
        Ok(files.into_iter().filter(|file| known.files.contains(file)).collect())
    }

    /// Takes in the commits that came since.
    fn catch_up(&self, view: &View, known: &mut Known) -> SyncResult<()> {
        let names = view.references()?.into_iter().filter(|(name, _)| name.kind() != RefKind::Remote);
        let tips: Vec<CommitId> = names.map(|(_, target)| target.commit).collect();
        if tips == known.tips {
            return Ok(());
        }
        let (commits, _) = commits_between(view, &tips, &known.tips)?;
        for id in commits {
            each_file(view, id, &mut || Ok(()), &mut |placed| {
                if !is_hidden(&self.hidden, &placed.path) {
                    known.files.insert(placed.file);
                }
                Ok(())
            })?;
        }
        known.tips = tips;
        Ok(())
    }
}

/// Of these chunks, those that a file is made of which is here.
pub fn chunks_of(view: &View, file: FileId, asked: &HashSet<ChunkId>) -> SyncResult<HashSet<ChunkId>> {
    let Some(manifest) = view.manifest(file)? else {
        let only = ChunkId::from(file);
        return Ok(asked.get(&only).copied().into_iter().collect());
    };
    let mut among = Among { asked: Some(asked), found: HashSet::new() };
    new_parts(&manifest_nodes(view), &manifest, None, &mut among)?;
    Ok(among.found)
}

/// All chunks that a manifest lists.
pub fn manifest_chunks(view: &View, manifest: &Manifest) -> SyncResult<HashSet<ChunkId>> {
    let mut all = Among { asked: None, found: HashSet::new() };
    new_parts(&manifest_nodes(view), manifest, None, &mut all)?;
    Ok(all.found)
}

struct Among<'a> {
    asked: Option<&'a HashSet<ChunkId>>,
    found: HashSet<ChunkId>,
}

impl Parts<RepoError> for Among<'_> {
    fn node(&mut self, _: ManifestNodeId) -> Result<(), RepoError> {
        Ok(())
    }

    fn chunk(&mut self, entry: ChunkEntry) -> Result<(), RepoError> {
        if self.asked.is_none_or(|asked| asked.contains(&entry.id)) {
            self.found.insert(entry.id);
        }
        Ok(())
    }

    fn absent(&mut self, _: ManifestNodeId) -> Result<(), RepoError> {
        Ok(())
    }
}
