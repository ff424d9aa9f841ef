//! Finds what a set of commits brings that another side does not have yet.
//!
//! Trees are compared with those of the parents, node by node, so that the cost follows the change:
//! what stands unchanged in a parent is not looked into.

use crate::base::id::{CommitId, FileId, MetadataId, TreeId};
use crate::object::commit::Commit;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, ForeignAlgorithm, TreeEntry};
use crate::object::tree_walk::{CursorItem, DirectoryCursor, WalkError};
use crate::repo::RepoError;
use crate::sync::error::{SyncError, SyncResult};
use crate::sync::listed::Listed;
use crate::sync::remote::{Kind, ObjectKey};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::hash::Hash;
use std::path::Path;

/// Files, and metadata objects, that are kept in mind so that each is found once. Of more of them some are found again,
/// which costs a question.
const SEEN_MAX: usize = 1 << 20;

/// A file that a commit brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewFile {
    /// The file.
    pub id: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// The file that stood at its place before, if any.
    pub before: Option<FileId>,
}

/// What was found. Tree nodes are there once, and so are files and metadata objects unless they are a great many. What
/// is long lies in files, so that memory does not grow with what is new.
#[derive(Debug)]
pub struct Found {
    /// Commits, parents before children as far as clocks tell.
    pub commits: Vec<CommitId>,
    /// People who made them.
    pub people: HashSet<crate::base::id::PersonId>,
    /// Tree nodes.
    pub trees: Listed<TreeId>,
    /// Metadata objects.
    pub metadata: Listed<MetadataId>,
    /// Files.
    pub files: Listed<NewFile>,
    /// Their bytes.
    pub file_bytes: u64,
    /// Content that is known only by another system's hash, each once.
    pub foreign: Vec<(ForeignAlgorithm, Vec<u8>)>,
    /// Objects that are not here; what they reach was not looked at. Of very many, only some.
    pub missing: Vec<ObjectKey>,
}

/// Missing objects that are told at a time.
const MISSING_MAX: usize = 1 << 20;

impl Found {
    fn new(missing: Vec<ObjectKey>, folder: Option<&Path>) -> Self {
        Self {
            commits: Vec::new(),
            people: HashSet::new(),
            trees: Listed::new(folder),
            metadata: Listed::new(folder),
            files: Listed::new(folder),
            file_bytes: 0,
            foreign: Vec::new(),
            missing,
        }
    }

    /// Takes note of something that is missing.
    pub fn lacks(&mut self, key: ObjectKey) {
        if self.missing.len() < MISSING_MAX {
            self.missing.push(key);
        }
    }

    /// Whether more may be missing than is told.
    pub fn is_cut_short(&self) -> bool {
        self.missing.len() >= MISSING_MAX
    }
}

/// Takes note of something; tells whether it was not met before, as far as that is kept in mind.
pub(super) fn is_first<T: Eq + Hash>(seen: &mut HashSet<T>, met: T) -> bool {
    if seen.len() >= SEEN_MAX {
        seen.clear();
    }
    seen.insert(met)
}

/// The commits that `wants` reach and `haves` do not, parents first as far as clocks tell. Of `haves`,
/// those that are not here are left out of account; what clocks hide may be found although it is had.
pub fn commits_between<S: ObjectSource<Error = RepoError>>(
    source: &S,
    wants: &[CommitId],
    haves: &[CommitId],
) -> SyncResult<(Vec<CommitId>, Vec<ObjectKey>)> {
    let mut walk = Painting { source, queue: BinaryHeap::new(), had: HashMap::new(), missing: Vec::new() };
    for id in haves {
        walk.push(*id, true)?;
    }
    walk.missing.clear();
    for id in wants {
        walk.push(*id, false)?;
    }
    let (mut order, mut oldest) = (Vec::new(), None);
    // What is had is followed as far back as what was found, so that commits of one moment are told
    // apart too.
    while walk.queue.iter().any(|(_, id)| !walk.had[id])
        || walk.queue.peek().is_some_and(|(time, _)| oldest.is_some_and(|oldest| *time >= oldest))
    {
        let Some((time, id)) = walk.queue.pop() else { break };
        let had = walk.had[&id];
        if !had {
            order.push(id);
            oldest = Some(oldest.map_or(time, |oldest: crate::base::time::Timestamp| oldest.min(time)));
        }
        for parent in source.commit(id)?.parents {
            walk.push(parent, had)?;
        }
    }
    order.retain(|id| !walk.had[id]);
    let mut seen = HashSet::new();
    order.retain(|id| seen.insert(*id));
    order.reverse();
    Ok((order, walk.missing))
}

struct Painting<'a, S> {
    source: &'a S,
    queue: BinaryHeap<(crate::base::time::Timestamp, CommitId)>,
    /// Whether the other side has it.
    had: HashMap<CommitId, bool>,
    missing: Vec<ObjectKey>,
}

impl<S: ObjectSource<Error = RepoError>> Painting<'_, S> {
    fn push(&mut self, id: CommitId, had: bool) -> SyncResult<()> {
        match self.had.get(&id) {
            Some(known) if *known || !had => return Ok(()),
            _ => {}
        }
        match self.source.commit(id) {
            Ok(commit) => {
                self.had.insert(id, had);
                self.queue.push((commit.committer.time, id));
            }
            Err(RepoError::Missing { .. }) if had => {}
            Err(RepoError::Missing { .. }) => {
                self.missing.push(ObjectKey::new(Kind::Commit, *id.as_bytes()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Finds everything that `wants` bring beyond `haves`.
///
/// Long lists go to files in `folder`. `is_cancelled` is asked now and then.
pub fn find_new<S: ObjectSource<Error = RepoError>>(
    source: &S,
    wants: &[CommitId],
    haves: &[CommitId],
    folder: Option<&Path>,
    is_cancelled: &dyn Fn() -> bool,
) -> SyncResult<Found> {
    let (commits, missing) = commits_between(source, wants, haves)?;
    let mut finder = Finder {
        source,
        is_cancelled,
        found: Found::new(missing, folder),
        trees: HashSet::new(),
        metadata: HashSet::new(),
        files: HashSet::new(),
        foreign: HashSet::new(),
        absent: HashSet::new(),
    };
    for id in &commits {
        finder.commit(&source.commit(*id)?)?;
    }
    finder.found.commits = commits;
    Ok(finder.found)
}

struct Finder<'a, S> {
    source: &'a S,
    is_cancelled: &'a dyn Fn() -> bool,
    found: Found,
    trees: HashSet<TreeId>,
    metadata: HashSet<MetadataId>,
    files: HashSet<(FileId, u64)>,
    foreign: HashSet<(ForeignAlgorithm, Vec<u8>)>,
    absent: HashSet<TreeId>,
}

impl<S: ObjectSource<Error = RepoError>> Finder<'_, S> {
    fn commit(&mut self, commit: &Commit) -> SyncResult<()> {
        self.found.people.extend([commit.author.person, commit.committer.person]);
        let parent = commit.parents.first().and_then(|parent| self.source.commit(*parent).ok());
        let mut waiting = vec![(commit.tree, parent.map(|parent| parent.tree))];
        while let Some((after, before)) = waiting.pop() {
            if (self.is_cancelled)() {
                return Err(SyncError::Cancelled);
            }
            if before != Some(after) && !self.trees.contains(&after) {
                self.directory(after, before, &mut waiting)?;
            }
        }
        Ok(())
    }

    /// Compares one directory with what it was, folders in it apart: those are left `waiting`.
    fn directory(
        &mut self,
        after: TreeId,
        before: Option<TreeId>,
        waiting: &mut Vec<(TreeId, Option<TreeId>)>,
    ) -> SyncResult<()> {
        let source = self.source;
        let mut new = DirectoryCursor::new(source, after);
        let mut old = before.map(|before| DirectoryCursor::new(source, before));
        loop {
            let step = match (new.peek(), old.as_ref().and_then(DirectoryCursor::peek)) {
                (None, _) => return Ok(()),
                (Some(item), other) => step(item, other),
            };
            match step {
                Step::PassBoth => {
                    new.take_item();
                    old.as_mut().and_then(DirectoryCursor::take_item);
                }
                Step::OpenNew => self.open_new(&mut new)?,
                Step::OpenOld => open_old(&mut old),
                Step::OpenBoth => {
                    self.open_new(&mut new)?;
                    open_old(&mut old);
                }
                Step::PassOld => drop(old.as_mut().and_then(DirectoryCursor::take_item)),
                Step::TakeNew => {
                    if let Some(CursorItem::Entry(entry)) = new.take_item() {
                        self.entry(&entry, None, waiting);
                    }
                }
                Step::Compare => {
                    let before = old.as_mut().and_then(DirectoryCursor::take_item);
                    if let (Some(CursorItem::Entry(entry)), Some(CursorItem::Entry(before))) =
                        (new.take_item(), before)
                    {
                        self.entry(&entry, Some(&before), waiting);
                    }
                }
            }
        }
    }

    /// Opens a node of the new side, unless it was met before.
    fn open_new(&mut self, cursor: &mut DirectoryCursor<'_, S>) -> SyncResult<()> {
        let Some(CursorItem::Node(node)) = cursor.peek() else { return Ok(()) };
        let id = node.child.id;
        if self.trees.contains(&id) || self.absent.contains(&id) {
            cursor.take_item();
            return Ok(());
        }
        match cursor.open() {
            Ok(()) => {
                self.trees.insert(id);
                self.found.trees.push(id);
                Ok(())
            }
            Err(WalkError::Source(RepoError::Missing { .. })) => {
                cursor.take_item();
                if !self.found.is_cut_short() {
                    self.absent.insert(id);
                }
                self.found.lacks(ObjectKey::new(Kind::Tree, *id.as_bytes()));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn entry(
        &mut self,
        entry: &TreeEntry,
        before: Option<&TreeEntry>,
        waiting: &mut Vec<(TreeId, Option<TreeId>)>,
    ) {
        let old_metadata = before.and_then(|before| before.metadata);
        if let Some(id) = entry.metadata
            && old_metadata != Some(id)
            && is_first(&mut self.metadata, id)
        {
            self.found.metadata.push(id);
        }
        let old = before.map(|before| &before.content);
        match (&entry.content, old) {
            (Content::Directory { id }, Some(Content::Directory { id: before })) => {
                waiting.push((*id, Some(*before)));
            }
            (Content::Directory { id }, _) => waiting.push((*id, None)),
            (Content::File { id, size, .. } | Content::Symlink { id, size }, old) => {
                let before = old.and_then(file_and_size);
                // What is said of the length is looked at with every length that is said.
                if before != Some((*id, *size)) && is_first(&mut self.files, (*id, *size)) {
                    let before = before.map(|(before, _)| before).filter(|before| before != id);
                    self.found.file_bytes = self.found.file_bytes.saturating_add(*size);
                    self.found.files.push(NewFile { id: *id, size: *size, before });
                }
            }
            (Content::Foreign { algorithm, digest, .. }, old) => {
                if Some(&entry.content) != old && self.foreign.insert((*algorithm, digest.clone())) {
                    self.found.foreign.push((*algorithm, digest.clone()));
                }
            }
        }
    }
}

fn file_and_size(content: &Content) -> Option<(FileId, u64)> {
    match content {
        Content::File { id, size, .. } | Content::Symlink { id, size } => Some((*id, *size)),
        Content::Directory { .. } | Content::Foreign { .. } => None,
    }
}

/// What to do next with two directories.
pub(super) enum Step {
    PassBoth,
    PassOld,
    OpenNew,
    OpenOld,
    OpenBoth,
    TakeNew,
    Compare,
}

/// What to do next.
pub(super) fn step(new: &CursorItem, old: Option<&CursorItem>) -> Step {
    match (new, old) {
        (CursorItem::Node(_), None) => Step::OpenNew,
        (CursorItem::Entry(_), None) => Step::TakeNew,
        (CursorItem::Node(after), Some(CursorItem::Node(before))) => {
            if after.child.id == before.child.id {
                return Step::PassBoth;
            }
            match after.level.cmp(&before.level) {
                Ordering::Less => Step::OpenOld,
                Ordering::Greater => Step::OpenNew,
                Ordering::Equal => match after.child.first_name.cmp(&before.child.first_name) {
                    Ordering::Less => Step::OpenNew,
                    Ordering::Greater => Step::OpenOld,
                    Ordering::Equal => Step::OpenBoth,
                },
            }
        }
        (CursorItem::Node(_), Some(old @ CursorItem::Entry(_))) => {
            if new.first_name() <= old.first_name() {
                Step::OpenNew
            } else {
                Step::PassOld
            }
        }
        (CursorItem::Entry(_), Some(old @ CursorItem::Node(_))) => {
            if old.first_name() <= new.first_name() {
                Step::OpenOld
            } else {
                Step::TakeNew
            }
        }
        (CursorItem::Entry(after), Some(CursorItem::Entry(before))) => match after.name.cmp(&before.name) {
            Ordering::Less => Step::TakeNew,
            Ordering::Greater => Step::PassOld,
            Ordering::Equal => Step::Compare,
        },
    }
}

/// Opens a node of the old side. One that cannot be read only means that more counts as new.
pub(super) fn open_old<S: ObjectSource>(cursor: &mut Option<DirectoryCursor<'_, S>>) {
    if cursor.as_mut().is_some_and(|cursor| cursor.open().is_err()) {
        *cursor = None;
    }
}
