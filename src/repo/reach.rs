//! What can be reached, and so must stay: from names, the journal inside its window, work set
//! aside, the worktree's own state.
//!
//! Objects are remembered by their whole ids. Chunks, of which there may be many millions, are
//! remembered by eight bytes of their ids: two chunks that share these are both kept, which costs a
//! little space and never loses anything.

use crate::base::id::{ChunkId, CommitId, FileId, ManifestNodeId, MetadataId, TreeId};
use crate::base::monitor::{Advance, Monitor};
use crate::base::time::Timestamp;
use crate::object::manifest::{ChunkList, Manifest, ManifestNode, ValueList};
use crate::object::manifest_read::ManifestSource;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeNode};
use crate::repo::error::RepoError;
use crate::repo::journal::JournalEntry;
use crate::repo::state::{ConflictSide, MergeState, Shelf, WorktreeState};
use crate::repo::view::View;
use crate::store::{Space, StoreError};
use std::collections::HashSet;

/// Where reaching begins.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Roots {
    /// Commits.
    pub commits: Vec<CommitId>,
    /// Trees that no commit has: files before and after a restore, work set aside.
    pub trees: Vec<TreeId>,
    /// Metadata that no commit has.
    pub metadata: Vec<MetadataId>,
    /// Content that no tree has.
    pub content: Vec<Content>,
}

impl Roots {
    /// All roots of a repository as it is at `now`.
    pub fn of(view: &View, now: Timestamp) -> Result<Self, RepoError> {
        let mut roots = Self::default();
        for (_, target) in view.references()? {
            roots.commits.push(target.commit);
        }
        roots.commits.extend(view.review_commits()?);
        roots.commits.extend(view.log_commits()?);
        roots.commits.extend(view.unfinished_imports()?);
        for commit in view.kept_for_clones(now)? {
            // One that was gone before it was asked for cannot be kept.
            if view.snapshot().contains(Space::Commits, commit.as_bytes())? {
                roots.commits.push(commit);
            }
        }
        roots.commits.extend(view.kept_git_references()?.iter().filter_map(|(_, record)| record.commit));
        roots.add_state(&view.state()?);
        for (_, shelf) in view.shelves()? {
            roots.add_shelf(&shelf);
        }
        if let Some(first) = view.journal_extent(now)?.first {
            for entry in view.journal_from(first)? {
                roots.add_journal_entry(&entry?);
            }
        }
        Ok(roots)
    }

    /// The roots in an order of their own, each once, so that two sets of them can be compared.
    pub fn normalised(mut self) -> Self {
        self.commits.sort_unstable();
        self.commits.dedup();
        self.trees.sort_unstable();
        self.trees.dedup();
        self.metadata.sort_unstable();
        self.metadata.dedup();
        self.content.sort_unstable();
        self.content.dedup();
        self
    }

    fn add_state(&mut self, state: &WorktreeState) {
        self.metadata.extend(state.pending.metadata.values().flatten());
        if let Some(merge) = &state.merge {
            self.add_merge(merge);
        }
        let underway = state.underway.iter().map(|underway| underway.files);
        let unsynced = state.unsynced.iter().map(|unsynced| unsynced.files);
        self.trees.extend(underway.chain(unsynced).flat_map(|files| [files.before, files.after]));
    }

    fn add_shelf(&mut self, shelf: &Shelf) {
        self.trees.push(shelf.tree);
        self.commits.extend(shelf.base);
        self.metadata.extend(shelf.pending.metadata.values().flatten());
        if let Some(merge) = &shelf.merge {
            self.add_merge(merge);
        }
    }

    fn add_merge(&mut self, merge: &MergeState) {
        self.commits.extend(merge.theirs);
        self.trees.extend(merge.merged);
        for conflict in &merge.conflicts {
            for ConflictSide { metadata, content, .. } in
                [&conflict.base, &conflict.ours, &conflict.theirs].into_iter().flatten()
            {
                self.metadata.extend(*metadata);
                self.content.push(content.clone());
            }
        }
    }

    fn add_journal_entry(&mut self, entry: &JournalEntry) {
        for moved in &entry.refs {
            self.commits.extend(moved.before);
            self.commits.extend(moved.after);
        }
        for shelf in entry.shelves.iter().flat_map(|moved| [&moved.before, &moved.after]).flatten() {
            self.add_shelf(shelf);
        }
        if let Some(changed) = &entry.state {
            // What did not change is what the state has now, or what another entry names.
            self.metadata.extend(changed.named_metadata());
            self.content.extend(changed.named_content().cloned());
            for merge in changed.named_merges() {
                self.commits.extend(merge.theirs);
                self.trees.extend(merge.merged);
            }
        }
        if let Some(files) = &entry.files {
            self.trees.extend([files.before, files.after]);
        }
    }
}

/// Everything that was reached.
#[derive(Debug, Default)]
pub struct Reached {
    /// Commits.
    pub commits: HashSet<CommitId>,
    /// Tree nodes.
    pub trees: HashSet<TreeId>,
    /// Metadata objects.
    pub metadata: HashSet<MetadataId>,
    /// Files that have a manifest.
    pub manifests: HashSet<FileId>,
    /// Nodes of manifests.
    pub manifest_nodes: HashSet<ManifestNodeId>,
    /// Files that something names and that have neither a manifest nor a chunk here.
    pub missing_files: HashSet<FileId>,
    /// Files whose bytes were removed on purpose, here or before they came here.
    pub erased: HashSet<FileId>,
    chunks: HashSet<u64>,
    /// Nodes of manifests whose chunks were passed over, since nothing but claims needs them.
    without_chunks: HashSet<ManifestNodeId>,
    /// Objects that something names and that are not here. What they reach is unknown.
    pub missing: Vec<MissingObject>,
    /// Objects that are here and cannot be read, when they were walked around.
    pub damaged: Vec<MissingObject>,
}

/// An object that something names and that is not here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MissingObject {
    /// `commit`, `tree` or `manifest node`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
}

impl Reached {
    /// Whether a chunk was reached. May say yes for a chunk that was not; never no for one that was.
    pub fn has_chunk(&self, id: ChunkId) -> bool {
        self.chunks.contains(&fingerprint(id))
    }

    /// How many chunks were reached, give or take collisions.
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }
}

/// The first eight bytes of a chunk id.
fn fingerprint(id: ChunkId) -> u64 {
    let mut bytes = [0u8; 8];
    bytes.copy_from_slice(&id.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// Walks everything that the roots reach.
///
/// Missing objects are noted and walked around; damaged ones are errors, since what they would
/// reach is unknown.
pub fn reach(view: &View, roots: &Roots, monitor: &dyn Monitor) -> Result<Reached, RepoError> {
    reach_further(view, roots, Reached::default(), monitor)
}

/// Adds what the roots reach to what was reached before, in an earlier state of the repository.
///
/// What was missing there is not looked for again, nor what only that would reach: begin anew when
/// something was missing.
pub fn reach_further(
    view: &View,
    roots: &Roots,
    before: Reached,
    monitor: &dyn Monitor,
) -> Result<Reached, RepoError> {
    let mut walker = Walker::new(view, monitor, before, false)?;
    walker.walk(roots)?;
    Ok(walker.reached)
}

/// Walks everything that can be walked: damaged objects are noted like missing ones.
pub fn reach_around_damage(view: &View, roots: &Roots, monitor: &dyn Monitor) -> Result<Reached, RepoError> {
    let mut walker = Walker::new(view, monitor, Reached::default(), true)?;
    walker.walk(roots)?;
    Ok(walker.reached)
}

struct Walker<'a> {
    view: &'a View,
    monitor: &'a dyn Monitor,
    reached: Reached,
    tolerant: bool,
    /// Whether content may be elsewhere.
    is_partial: bool,
}

impl<'a> Walker<'a> {
    fn new(
        view: &'a View,
        monitor: &'a dyn Monitor,
        reached: Reached,
        tolerant: bool,
    ) -> Result<Self, RepoError> {
        Ok(Self { view, monitor, reached, tolerant, is_partial: view.is_partial()? })
    }
}

impl Walker<'_> {
    fn walk(&mut self, roots: &Roots) -> Result<(), RepoError> {
        self.commits(roots.commits.clone())?;
        for tree in &roots.trees {
            self.tree(*tree)?;
        }
        self.reached.metadata.extend(roots.metadata.iter().copied());
        for content in &roots.content {
            self.content(content)?;
        }
        Ok(())
    }

    fn commits(&mut self, mut waiting: Vec<CommitId>) -> Result<(), RepoError> {
        while let Some(id) = waiting.pop() {
            if !self.reached.commits.insert(id) {
                continue;
            }
            if let Some(commit) = self.note_missing(self.view.commit(id))? {
                self.tree(commit.tree)?;
                waiting.extend(commit.parents);
            }
        }
        Ok(())
    }

    fn tree(&mut self, root: TreeId) -> Result<(), RepoError> {
        let mut waiting = vec![root];
        while let Some(id) = waiting.pop() {
            if !self.reached.trees.insert(id) {
                continue;
            }
            if self.monitor.is_cancelled() {
                return Err(StoreError::Cancelled.into());
            }
            match self.note_missing(self.view.tree_node(id))? {
                Some(TreeNode::Inner { children, .. }) => {
                    waiting.extend(children.iter().map(|child| child.id));
                }
                Some(TreeNode::Leaf(entries)) => {
                    self.monitor.advance(Advance { files: entries.len() as u64, ..Advance::default() });
                    for entry in entries {
                        self.reached.metadata.extend(entry.metadata);
                        match entry.content {
                            Content::Directory { id } => waiting.push(id),
                            content => self.content(&content)?,
                        }
                    }
                }
                None => {}
            }
        }
        Ok(())
    }

    fn content(&mut self, content: &Content) -> Result<(), RepoError> {
        match content {
            Content::Directory { id } => self.tree(*id),
            Content::Foreign { algorithm, digest, .. } => match self.view.tie(*algorithm, digest)? {
                Some((id, size)) => self.file(id, size),
                None => Ok(()),
            },
            Content::File { id, size, .. } | Content::Symlink { id, size } => self.file(*id, *size),
        }
    }

    /// A file is its one chunk, or has a manifest. Both are marked, since the size in a tree that
    /// came from elsewhere is only what it says.
    ///
    /// A file that was erased reaches nothing: what it shares with others, these reach.
    fn file(&mut self, id: FileId, size: u64) -> Result<(), RepoError> {
        let reached = &mut self.reached;
        if size == 0 || reached.manifests.contains(&id) || reached.erased.contains(&id) {
            return Ok(());
        }
        if self.view.is_erased(id)? {
            self.reached.erased.insert(id);
            return Ok(());
        }
        self.reached.chunks.insert(fingerprint(id.into()));
        match self.note_missing(self.view.manifest(id))?.flatten() {
            Some(manifest) => self.manifest(id, &manifest),
            None if self.view.snapshot().has_chunk(id.into())? => Ok(()),
            None if self.view.is_excused(id)? => {
                self.reached.erased.insert(id);
                Ok(())
            }
            None => self.claims(id),
        }
    }

    /// Whatever claims to put a file together stays as long as nothing better is known, and so does what
    /// there is of its content. Where content may be elsewhere, parts of files are not held on to.
    fn claims(&mut self, id: FileId) -> Result<(), RepoError> {
        if !self.reached.missing_files.insert(id) {
            return Ok(());
        }
        for claim in self.view.claims(id)? {
            self.lists(&claim, !self.is_partial)?;
        }
        Ok(())
    }

    fn manifest(&mut self, id: FileId, manifest: &Manifest) -> Result<(), RepoError> {
        self.reached.manifests.insert(id);
        self.lists(manifest, true)
    }

    fn lists(&mut self, manifest: &Manifest, with_chunks: bool) -> Result<(), RepoError> {
        match &manifest.chunks {
            ChunkList::Here(entries) if with_chunks => {
                self.reached.chunks.extend(entries.iter().map(|entry| fingerprint(entry.id)));
            }
            ChunkList::Here(_) => {}
            ChunkList::InNodes { root, .. } => self.manifest_nodes(*root, with_chunks)?,
        }
        if let ValueList::InNodes { root } = &manifest.values {
            self.manifest_nodes(*root, with_chunks)?;
        }
        Ok(())
    }

    fn manifest_nodes(&mut self, root: ManifestNodeId, with_chunks: bool) -> Result<(), RepoError> {
        let mut waiting = vec![root];
        while let Some(id) = waiting.pop() {
            // What only a claim had led to may be part of a confirmed manifest too.
            let is_new = self.reached.manifest_nodes.insert(id);
            if !(is_new || with_chunks && self.reached.without_chunks.remove(&id)) {
                continue;
            }
            if !with_chunks {
                self.reached.without_chunks.insert(id);
            }
            let found = self.view.manifest_node(id);
            if matches!(found, Err(RepoError::Missing { .. })) && !with_chunks {
                // A claim may lead nowhere: its nodes come with its content.
                continue;
            }
            match self.note_missing(found)? {
                Some(ManifestNode::Chunks(_)) if !with_chunks => {}
                Some(ManifestNode::Chunks(entries)) => {
                    self.reached.chunks.extend(entries.iter().map(|entry| fingerprint(entry.id)));
                }
                Some(ManifestNode::ChunkNodes { children, .. }) => {
                    waiting.extend(children.iter().map(|child| child.id));
                }
                Some(ManifestNode::ValueNodes { children, .. }) => {
                    waiting.extend(children.iter().map(|child| child.id));
                }
                Some(ManifestNode::Values(_)) | None => {}
            }
        }
        Ok(())
    }

    /// Turns a missing object into a note.
    fn note_missing<T>(&mut self, found: Result<T, RepoError>) -> Result<Option<T>, RepoError> {
        match found {
            Ok(value) => Ok(Some(value)),
            Err(RepoError::Missing { kind, id }) => {
                self.reached.missing.push(MissingObject { kind, id });
                Ok(None)
            }
            Err(RepoError::Damaged { kind, id, .. } | RepoError::Altered { kind, id }) if self.tolerant => {
                self.reached.damaged.push(MissingObject { kind, id });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
