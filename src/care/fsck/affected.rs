//! Which paths of which commits need what is damaged.
//!
//! Each folder is looked into once to find out whether it holds anything damaged at all; then each
//! commit is walked only where it does.

use crate::base::id::{CommitId, FileId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::{AssetPath, PATH_DEPTH_MAX};
use crate::base::time::Timestamp;
use crate::care::error::CareError;
use crate::care::fsck::findings::Findings;
use crate::object::manifest_read::ChunkCursor;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeEntry, TreeNode};
use crate::repo::reach::{Roots, reach_around_damage};
use crate::repo::{RepoError, View};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Paths that are listed.
const PATHS_MAX: usize = 10_000;
/// Folders and their nodes that are followed downwards: more than any path has, and fewer than a
/// thread's stack holds.
const DEPTH_MAX: usize = 2 * PATH_DEPTH_MAX;

/// One path that needs something damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AffectedLine {
    /// The path.
    pub path: AssetPath,
    /// `content`, `folder`, `metadata` or `everything`, for a commit whose top folder is concerned.
    pub what: &'static str,
    /// The file whose bytes cannot be had; `None` for the rest.
    pub file: Option<FileId>,
    /// Its size in bytes.
    pub size: u64,
    /// How many commits have it so.
    pub commits: u64,
    /// The youngest of these; `None` when it is only in work that is not committed.
    pub newest: Option<CommitId>,
    /// The oldest.
    pub oldest: Option<CommitId>,
}

/// Finds the paths that need what the findings say is damaged, in the order of their names.
pub fn affected(
    view: &View,
    findings: &Findings,
    now: Timestamp,
    monitor: &dyn Monitor,
) -> Result<Vec<AffectedLine>, CareError> {
    let Ok(roots) = Roots::of(view, now) else { return Ok(Vec::new()) };
    let reached = reach_around_damage(view, &roots, monitor)?;
    let mut commits = Vec::new();
    for id in &reached.commits {
        if let Ok(commit) = view.commit(*id) {
            commits.push((commit.committer.time, *id, commit.tree));
        }
    }
    // Youngest first, so that the first commit that has a path is the newest.
    commits.sort_unstable_by(|a, b| b.cmp(a));
    let mut search =
        Search { view, findings, files: HashMap::new(), trees: HashMap::new(), found: BTreeMap::new() };
    for (_, id, tree) in commits {
        if monitor.is_cancelled() {
            return Err(CareError::Cancelled);
        }
        search.walk(Some(id), tree, &AssetPath::root())?;
    }
    for tree in &roots.trees {
        search.walk(None, *tree, &AssetPath::root())?;
    }
    Ok(search.found.into_values().collect())
}

struct Search<'a> {
    view: &'a View,
    findings: &'a Findings,
    files: HashMap<FileId, bool>,
    trees: HashMap<TreeId, bool>,
    found: BTreeMap<(AssetPath, &'static str, Option<FileId>), AffectedLine>,
}

impl Search<'_> {
    /// Whether a file's bytes cannot be had.
    fn is_file_bad(&mut self, file: FileId, size: u64) -> Result<bool, CareError> {
        if self.findings.has_file(file) {
            return Ok(true);
        }
        if size == 0 || self.view.is_erased(file)? || self.view.is_excused(file)? {
            return Ok(false);
        }
        if let Some(known) = self.files.get(&file) {
            return Ok(*known);
        }
        let chunks = self.findings.chunks();
        let bad = match self.view.manifest(file) {
            Ok(None) => chunks.contains(&file.into()) || !self.view.snapshot().has_chunk(file.into())?,
            Ok(Some(manifest)) => ChunkCursor::new(&manifest, self.view)
                .any(|span| span.map_or(true, |span| chunks.contains(&span.id))),
            Err(RepoError::Store(error)) => return Err(error.into()),
            Err(_) => true,
        };
        self.files.insert(file, bad);
        Ok(bad)
    }

    /// Whether a folder, or anything below it, is concerned.
    fn is_tree_bad(&mut self, tree: TreeId, depth: usize) -> Result<bool, CareError> {
        if let Some(known) = self.trees.get(&tree) {
            return Ok(*known);
        }
        // No path leads deeper, whatever nodes say of each other.
        if depth > DEPTH_MAX {
            return Ok(true);
        }
        let mut bad = false;
        match self.view.tree_node(tree) {
            Ok(TreeNode::Inner { children, .. }) => {
                for child in children {
                    bad |= self.is_tree_bad(child.id, depth + 1)?;
                }
            }
            Ok(TreeNode::Leaf(entries)) => {
                for entry in &entries {
                    bad |= self.is_entry_bad(entry, depth)?;
                }
            }
            Err(RepoError::Store(error)) => return Err(error.into()),
            Err(_) => bad = true,
        }
        self.trees.insert(tree, bad);
        Ok(bad)
    }

    fn is_entry_bad(&mut self, entry: &TreeEntry, depth: usize) -> Result<bool, CareError> {
        if entry.metadata.is_some_and(|id| self.findings.has_metadata(id)) {
            return Ok(true);
        }
        match &entry.content {
            Content::Directory { id } => self.is_tree_bad(*id, depth + 1),
            Content::File { id, size, .. } | Content::Symlink { id, size } => self.is_file_bad(*id, *size),
            Content::Foreign { .. } => Ok(false),
        }
    }

    /// Takes note of everything concerned in a folder of a commit.
    fn walk(&mut self, commit: Option<CommitId>, tree: TreeId, path: &AssetPath) -> Result<(), CareError> {
        if path.names().count() > PATH_DEPTH_MAX || !self.is_tree_bad(tree, 0)? {
            return Ok(());
        }
        match self.view.tree_node(tree) {
            Ok(TreeNode::Inner { children, .. }) => {
                for child in children {
                    self.walk(commit, child.id, path)?;
                }
            }
            Ok(TreeNode::Leaf(entries)) => {
                for entry in entries {
                    self.walk_entry(commit, &entry, path)?;
                }
            }
            Err(_) => {
                let what = if path.is_root() { "everything" } else { "folder" };
                self.note(commit, path, what, None, 0);
            }
        }
        Ok(())
    }

    fn walk_entry(
        &mut self,
        commit: Option<CommitId>,
        entry: &TreeEntry,
        folder: &AssetPath,
    ) -> Result<(), CareError> {
        let Ok(path) = folder.join(&entry.name) else { return Ok(()) };
        if entry.metadata.is_some_and(|id| self.findings.has_metadata(id)) {
            self.note(commit, &path, "metadata", None, 0);
        }
        match &entry.content {
            Content::Directory { id } => self.walk(commit, *id, &path)?,
            Content::File { id, size, .. } | Content::Symlink { id, size } => {
                if self.is_file_bad(*id, *size)? {
                    self.note(commit, &path, "content", Some(*id), *size);
                }
            }
            Content::Foreign { .. } => {}
        }
        Ok(())
    }

    fn note(
        &mut self,
        commit: Option<CommitId>,
        path: &AssetPath,
        what: &'static str,
        file: Option<FileId>,
        size: u64,
    ) {
        let key = (path.clone(), what, file);
        if self.found.len() >= PATHS_MAX && !self.found.contains_key(&key) {
            return;
        }
        let line = self.found.entry(key).or_insert_with(|| AffectedLine {
            path: path.clone(),
            what,
            file,
            size,
            commits: 0,
            newest: None,
            oldest: None,
        });
        if let Some(commit) = commit {
            line.commits += 1;
            line.newest.get_or_insert(commit);
            line.oldest = Some(commit);
        }
    }
}
