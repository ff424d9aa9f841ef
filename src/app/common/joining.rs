//! Joins two states into one, without touching a worktree: what `merge`, `land` and coming back to
//! uncommitted work have in common.

use crate::app::common::content::StoredContent;
use crate::app::common::on_demand::have_content;
use crate::app::error::AppError;
use crate::base::id::{CommitId, FileId};
use crate::base::monitor::{Monitor, SilentMonitor};
use crate::diff::DiffError;
use crate::diff::merge::{MergeContent, MergeTrees, TreeMerge, merge_trees};
use crate::diff::tree::Aliases;
use crate::object::commit::{AssetNote, Commit};
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::repo::content::ContentError;
use crate::repo::extract::Extractor;
use crate::repo::history::{Walk, common_ancestors};
use crate::repo::ingest::Ingester;
use crate::repo::{RepoError, Repository, View};
use crate::store::{GroupHint, Staged};
use std::collections::HashSet;

/// Two states joined.
pub struct Joined {
    /// What to change on our side, and what could not be decided.
    pub merge: TreeMerge,
    /// Texts that came together: their content is in what is staged.
    pub made: HashSet<FileId>,
    /// Content of texts that came together, to be published with it.
    pub staged: Staged,
}

/// Merges the state of `theirs` into that of `ours`.
pub fn join_commits(
    repository: &Repository,
    view: &View,
    ours: CommitId,
    theirs: CommitId,
    monitor: &dyn Monitor,
) -> Result<Joined, AppError> {
    let mut youngest: Option<Commit> = None;
    for id in common_ancestors(view, ours, theirs)? {
        let commit = view.commit(id)?;
        if youngest.as_ref().is_none_or(|other| other.committer.time < commit.committer.time) {
            youngest = Some(commit);
        }
    }
    let aliases = collect_aliases(view, [ours, theirs])?;
    let trees = MergeTrees {
        base: youngest.map_or_else(TreeNode::empty_id, |commit| commit.tree),
        ours: view.commit(ours)?.tree,
        theirs: view.commit(theirs)?.tree,
        aliases: &aliases,
    };
    join_trees(repository, view, view, trees, monitor)
}

/// Merges one tree into another. `source` has the trees, of which some may not be stored yet.
pub fn join_trees<S: ObjectSource>(
    repository: &Repository,
    view: &View,
    source: &S,
    trees: MergeTrees<'_>,
    monitor: &dyn Monitor,
) -> Result<Joined, AppError> {
    let writer = repository.store().chunk_writer(monitor)?;
    let parameters = repository.store().settings().chunker;
    let (merge, made) = {
        let stored = StoredContent::new(repository, view, monitor)?;
        let mut content = Texts {
            repository,
            view,
            extractor: stored.extractor(),
            ingester: Ingester::storing(&writer, &parameters, &SilentMonitor),
            made: HashSet::new(),
        };
        let merge = merge_trees(source, trees, &mut content, monitor)?;
        (merge, content.made)
    };
    Ok(Joined { merge, made, staged: writer.finish()? })
}

/// Other names of assets, from the notes of all commits.
pub fn collect_aliases(view: &View, tips: impl IntoIterator<Item = CommitId>) -> Result<Aliases, AppError> {
    let mut pairs = Vec::new();
    for item in Walk::from(view, tips)? {
        let (_, commit) = item?;
        for note in commit.notes {
            if let AssetNote::AliasOf { asset, other } = note {
                pairs.push((other, asset));
            }
        }
    }
    Ok(Aliases::new(pairs))
}

/// Content of text files for the merge, and a place for what it makes of them.
struct Texts<'a> {
    repository: &'a Repository,
    view: &'a View,
    extractor: Extractor<'a>,
    ingester: Ingester<'a>,
    made: HashSet<FileId>,
}

impl Texts<'_> {
    /// Reads a file whose content has to be brought first.
    fn read_elsewhere(&self, id: FileId, size: u64) -> Result<Option<Vec<u8>>, DiffError> {
        let read = || -> Result<Vec<u8>, AppError> {
            have_content(self.repository, self.view, [(id, size)], &SilentMonitor)?;
            let view = self.repository.view()?;
            let stored = StoredContent::new(self.repository, &view, &SilentMonitor)?;
            let mut bytes = Vec::new();
            stored.extractor().write_file(id, size, &mut bytes)?;
            Ok(bytes)
        };
        read().map(Some).map_err(|error| DiffError::Elsewhere { file: id, source: Some(Box::new(error)) })
    }
}

fn of_view(error: RepoError) -> DiffError {
    DiffError::Content(Box::new(error))
}

impl MergeContent for Texts<'_> {
    fn read(&mut self, id: FileId, size: u64) -> Result<Option<Vec<u8>>, DiffError> {
        let mut bytes = Vec::new();
        match self.extractor.write_file(id, size, &mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            Err(error) if error.is_absent() && self.view.is_partial().map_err(of_view)? => {
                self.read_elsewhere(id, size)
            }
            Err(
                ContentError::Missing { .. } | ContentError::Erased { .. } | ContentError::Excused { .. },
            ) => Ok(None),
            Err(error) => Err(DiffError::Content(Box::new(error))),
        }
    }

    fn keep(&mut self, mut bytes: &[u8]) -> Result<FileId, DiffError> {
        let ingested = self.ingester.ingest_file(&mut bytes, GroupHint::NONE);
        let file = ingested.map_err(|error| DiffError::Content(Box::new(error)))?.file;
        self.made.insert(file);
        Ok(file)
    }
}
