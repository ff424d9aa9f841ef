//! Makes commits of what was read: one after the other, since the ids of new assets follow from those
//! of the commits before.

use crate::base::id::{CommitId, GitId, PersonId, TreeId};
use crate::base::path::AssetPath;
use crate::import::error::ImportError;
use crate::import::git::blobs::{Blobs, Mark};
use crate::import::git::changes::{Changes, EMPTY_TREE, SeenTree, Skipped};
use crate::import::git::formed::Formed;
use crate::import::git::merges::join;
use crate::import::git::objects::Kind;
use crate::import::git::parse::{self, Actor, EntryKind, GitEntry};
use crate::import::git::run::NAMED_BLOB_BYTES_MAX;
use crate::import::nodes::Nodes;
use crate::import::recent::Recent;
use crate::object::commit::{AssetNote, Commit, PARENTS_MAX, Signature};
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, ForeignAlgorithm, TreeNode};
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::{TreeWalk, entry_at};
use crate::repo::RepoError;
use crate::repo::assign::{Differences, assign};
use crate::repo::imports::{BlobRecord, GIT_COMMIT, GIT_PATHS, Scope, TreeForm, key};
use crate::repo::people::Person;
use crate::repo::state::PendingEdits;
use crate::store::{ChunkWriter, Space};
use std::collections::{HashMap, HashSet};

/// Commits whose ids are kept at hand.
const COMMITS_KEPT: usize = 200_000;
/// Most people whose ids are kept at hand.
const PEOPLE_KEPT: usize = 50_000;
/// Longest target of a link that is taken over, in bytes.
const LINK_BYTES_MAX: u64 = 64 << 10;

/// A commit as it was read.
pub struct ReadCommit {
    /// Its Git id.
    pub id: GitId,
    /// Its bytes.
    pub original: Vec<u8>,
    /// Its parents as far as they are there.
    pub parents: Vec<GitId>,
    /// Whether others are not.
    pub cut: bool,
    /// What it changed against the first of them.
    pub changes: Changes,
}

/// Makes commits.
pub struct Builder<'a> {
    writer: &'a ChunkWriter<'a>,
    blobs: &'a Blobs<'a>,
    nodes: Nodes<'a>,
    scope: Scope,
    /// The field that says to which paths the import is narrowed.
    narrowed: Option<Vec<u8>>,
    made: Recent<GitId, (CommitId, TreeId)>,
    people: Recent<(String, String), PersonId>,
    formed: Formed,
    /// What has no place here and was kept for the way back.
    aside: HashSet<GitId>,
    /// Commits that no other commit stands on yet.
    newest: HashSet<CommitId>,
    /// Entries that could not be taken over.
    pub skipped: Vec<Skipped>,
}

impl<'a> Builder<'a> {
    /// Begins. `formed` are the Git trees known to have a form of their own, `unfinished` the newest
    /// commits of an import that was cut off.
    pub fn new(
        writer: &'a ChunkWriter<'a>,
        blobs: &'a Blobs<'a>,
        paths: &[AssetPath],
        formed: Formed,
        unfinished: Vec<CommitId>,
    ) -> Self {
        let paths: Vec<Vec<u8>> = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        Self {
            writer,
            blobs,
            nodes: Nodes::new(writer),
            scope: Scope::of(&paths),
            narrowed: (!paths.is_empty()).then(|| paths.join(&b'\n')),
            made: Recent::new(COMMITS_KEPT),
            people: Recent::new(PEOPLE_KEPT),
            formed,
            aside: HashSet::new(),
            newest: unfinished.into_iter().collect(),
            skipped: Vec::new(),
        }
    }

    /// Which commits the scope of this import tells apart.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The newest commits so far.
    pub fn newest(&self) -> impl Iterator<Item = CommitId> + '_ {
        self.newest.iter().copied()
    }

    /// Takes note that everything put so far is published.
    pub fn published(&self) {
        self.nodes.published();
    }

    /// The commit here that a Git commit became.
    pub fn made(&mut self, id: GitId) -> Result<Option<(CommitId, TreeId)>, ImportError> {
        if let Some(made) = self.made.get(&id) {
            return Ok(Some(*made));
        }
        let Some(commit) = imported(self.writer, self.scope, id)? else { return Ok(None) };
        let tree = self.nodes.commit(commit)?.tree;
        self.made.put(id, (commit, tree));
        Ok(Some((commit, tree)))
    }

    /// How many parents the commit here has that a Git commit became.
    pub fn parents_of(&mut self, id: GitId) -> Result<Option<usize>, ImportError> {
        let Some((commit, _)) = self.made(id)? else { return Ok(None) };
        Ok(Some(self.nodes.commit(commit)?.parents.len()))
    }

    /// Makes one commit of what was read; its blobs must have been taken in and its parents made.
    pub fn make(&mut self, read: ReadCommit) -> Result<CommitId, ImportError> {
        if read.parents.len() > PARENTS_MAX {
            let (commit, parents) = (read.id, read.parents.len());
            return Err(ImportError::TooManyParents { commit, parents, limit: PARENTS_MAX });
        }
        let mut parents = Vec::with_capacity(read.parents.len());
        for parent in &read.parents {
            parents.push(self.made(*parent)?.ok_or(ImportError::Missing { id: *parent })?);
        }
        let parsed = parse::commit(&read.original);
        let (tree, notes) = self.tree(&parents, &read.changes)?;
        self.skipped.extend(read.changes.skipped);
        for seen in read.changes.trees {
            self.form(seen)?;
        }
        let mut extensions = vec![(GIT_COMMIT.to_owned(), read.id.as_bytes().to_vec())];
        extensions.extend(self.narrowed.clone().map(|paths| (GIT_PATHS.to_owned(), paths)));
        let commit = Commit {
            tree,
            parents: parents.iter().map(|(id, _)| *id).collect(),
            author: self.signature(&parsed.author)?,
            committer: self.signature(&parsed.committer)?,
            message: parsed.message,
            notes,
            extensions,
        };
        let id = commit.id();
        self.nodes.put_commit(id, &commit.encode())?;
        self.writer.put_object(Space::Origins, id.as_bytes(), &read.original)?;
        self.writer.put_object(Space::Imports, &key::commit(self.scope, read.id), id.as_bytes())?;
        if read.cut {
            self.writer.put_object(Space::Imports, &key::cut(self.scope, read.id), &[])?;
        }
        for (parent, _) in &parents {
            self.newest.remove(parent);
        }
        self.newest.insert(id);
        self.made.put(read.id, (id, tree));
        Ok(id)
    }

    /// The tree of a commit: that of its first parent with the changes applied.
    fn tree(
        &mut self,
        parents: &[(CommitId, TreeId)],
        changes: &Changes,
    ) -> Result<(TreeId, Vec<AssetNote>), ImportError> {
        let base = parents.first().map_or_else(TreeNode::empty_id, |(_, tree)| *tree);
        let mut differences = Differences::default();
        let mut pending = PendingEdits::default();
        if changes.whole {
            differences.removed = self.gone(base, changes)?;
        }
        for change in &changes.changes {
            let was = match (change.was_there || changes.whole, parents.is_empty()) {
                (true, false) => self.entry(base, &change.path)?,
                _ => None,
            };
            let now = match change.now {
                Some((kind, id)) => self.content(&change.path, kind, id)?,
                None => None,
            };
            let path = change.path.clone();
            match (was, now) {
                (Some(was), Some(now)) if changes.whole && was.content == now => {}
                (Some(was), Some(now)) => differences.changed.push((path, was, now)),
                (Some(was), None) => differences.removed.push((path, was)),
                (None, Some(now)) => differences.added.push((path, now)),
                (None, None) => {}
            }
        }
        let mut notes = join(&self.nodes, parents, &mut differences, &mut pending)?;
        let ids: Vec<CommitId> = parents.iter().map(|(id, _)| *id).collect();
        let assignment = assign(&ids, differences, &pending, &HashMap::new());
        notes.extend(assignment.notes);
        notes.sort_unstable();
        notes.dedup();
        let tree = self.nodes.edit(base, assignment.edits)?;
        Ok((tree, notes))
    }

    /// What stands in a tree and is not among all that stands now.
    fn gone(&self, base: TreeId, changes: &Changes) -> Result<Vec<(AssetPath, EntryValue)>, ImportError> {
        let now: HashSet<&AssetPath> = changes.changes.iter().map(|change| &change.path).collect();
        let mut gone = Vec::new();
        for item in TreeWalk::new(&self.nodes, base, AssetPath::root()) {
            let (path, entry) = item.map_err(RepoError::from)?;
            if !entry.content.is_directory() && !now.contains(&path) {
                gone.push((path, entry.into()));
            }
        }
        Ok(gone)
    }

    fn entry(&self, tree: TreeId, path: &AssetPath) -> Result<Option<EntryValue>, ImportError> {
        let found = entry_at(&self.nodes, tree, path).map_err(RepoError::from)?;
        Ok(found.map(Into::into).filter(|value: &EntryValue| !value.content.is_directory()))
    }

    /// What stands at a path; `None` for what cannot be taken over.
    fn content(
        &mut self,
        path: &AssetPath,
        kind: EntryKind,
        id: GitId,
    ) -> Result<Option<Content>, ImportError> {
        if kind == EntryKind::Submodule {
            let (algorithm, digest) = (ForeignAlgorithm::GitCommitSha1, id.as_bytes().to_vec());
            return Ok(Some(Content::Foreign { algorithm, digest, size: 0, executable: false }));
        }
        let record = self.blobs.known(id)?.ok_or(ImportError::Missing { id })?;
        if kind != EntryKind::Symlink {
            return Ok(Some(record.content(kind == EntryKind::Executable)));
        }
        if let Some(content) = link_content(&record) {
            return Ok(Some(content));
        }
        let reason = "the target of the link is not at hand or no path";
        self.skipped.push(Skipped { path: path.as_bytes().to_vec(), reason });
        Ok(None)
    }

    /// Keeps of a Git tree what does not follow from the tree here.
    fn form(&mut self, seen: SeenTree) -> Result<(), ImportError> {
        let id = seen.id;
        // Elsewhere a path may be too long for an entry that stands here, so the bytes win over marks.
        if self.formed.is_verbatim(id) || (self.formed.has(id) && seen.verbatim.is_none()) {
            return Ok(());
        }
        let is_hollow =
            |(kind, id): &(EntryKind, GitId)| *kind == EntryKind::Directory && self.formed.is_hollow(*id);
        let (hollow, standing): (Vec<_>, Vec<_>) = seen.kept.iter().copied().partition(is_hollow);
        let form = match seen.verbatim {
            Some(bytes) => Some(TreeForm::Verbatim(bytes)),
            None if !hollow.is_empty() => Some(self.verbatim(id)?),
            None => self.marks(id, &standing)?,
        };
        if standing.is_empty() {
            self.formed.note_hollow(id);
        }
        if let Some(TreeForm::Verbatim(bytes)) = &form {
            self.keep_aside(bytes, &standing)?;
        }
        if let Some(form) = form {
            self.writer.put_object(Space::Imports, &key::tree(id), &form.encode())?;
            self.formed.note(id, &form);
        }
        Ok(())
    }

    /// Keeps what the entries of a tree name that have no place here, so that an export has it.
    fn keep_aside(&mut self, tree: &[u8], standing: &[(EntryKind, GitId)]) -> Result<(), ImportError> {
        let mut there = HashSet::with_capacity(standing.len());
        for (kind, id) in standing {
            let is_there = match kind {
                EntryKind::Symlink => self.blobs.known(*id)?.as_ref().and_then(link_content).is_some(),
                _ => true,
            };
            if is_there {
                there.insert(*id);
            }
        }
        let entries = parse::tree(tree).unwrap_or_default().into_iter();
        let mut waiting: Vec<GitId> = left_out(entries).filter(|id| !there.contains(id)).collect();
        while let Some(id) = waiting.pop() {
            if !self.aside.insert(id) || self.formed.has(id) {
                continue;
            }
            let mut bytes = Vec::new();
            let found = self.blobs.objects.with_reader(|reader| -> Result<_, ImportError> {
                let Some((kind, size)) = reader.header(id)? else { return Ok(None) };
                let is_kept = kind == Kind::Tree || kind == Kind::Blob && size <= NAMED_BLOB_BYTES_MAX;
                Ok((is_kept && reader.find_kind(id, kind, &mut bytes)?).then_some(kind))
            });
            match found {
                Ok(Some(Kind::Tree)) => {
                    waiting.extend(left_out(parse::tree(&bytes).unwrap_or_default().into_iter()));
                    let form = TreeForm::Verbatim(bytes);
                    self.writer.put_object(Space::Imports, &key::tree(id), &form.encode())?;
                    self.formed.note(id, &form);
                }
                Ok(Some(_)) => self.writer.put_object(Space::Origins, &key::original(id), &bytes)?,
                // What is large, damaged or missing is not kept: an export says that it lacks it.
                Ok(None) | Err(ImportError::Object { .. } | ImportError::TooLarge { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The bytes of a tree as Git has them.
    fn verbatim(&self, id: GitId) -> Result<TreeForm, ImportError> {
        let mut bytes = Vec::new();
        let is_here =
            self.blobs.objects.with_reader(|reader| reader.find_kind(id, Kind::Tree, &mut bytes))?;
        if is_here { Ok(TreeForm::Verbatim(bytes)) } else { Err(ImportError::Missing { id }) }
    }

    fn marks(&self, tree: GitId, kept: &[(EntryKind, GitId)]) -> Result<Option<TreeForm>, ImportError> {
        let (mut pointers, mut ids) = (Vec::new(), Vec::new());
        let marks = self.blobs.marks();
        for (position, (kind, id)) in kept.iter().enumerate() {
            let position = position as u64;
            match kind {
                EntryKind::Directory if self.formed.has(*id) => ids.push((position, *id)),
                EntryKind::Directory | EntryKind::Submodule => {}
                EntryKind::Symlink => {
                    let record = self.blobs.known(*id)?;
                    if record.as_ref().and_then(link_content).is_none() {
                        drop(marks);
                        return Ok(Some(self.verbatim(tree)?));
                    }
                }
                EntryKind::File | EntryKind::Executable => match marks.get(id) {
                    Some(Mark::Pointer) => pointers.push(position),
                    Some(Mark::Id) => ids.push((position, *id)),
                    None => {}
                },
            }
        }
        let follows = pointers.is_empty() && ids.is_empty();
        Ok((!follows).then_some(TreeForm::Marked { pointers, ids }))
    }

    fn signature(&mut self, actor: &Actor) -> Result<Signature, ImportError> {
        let known = (actor.name.clone(), actor.email.clone());
        if let Some(person) = self.people.get(&known) {
            return Ok(Signature { person: *person, time: actor.time });
        }
        let person = person_id(&actor.name, &actor.email);
        let record = Person { name: actor.name.clone(), email: actor.email.clone() };
        let bytes =
            serde_json::to_vec(&record).map_err(|source| RepoError::Record { what: "person", source })?;
        self.writer.put_object(Space::People, person.as_bytes(), &bytes)?;
        self.people.put(known, person);
        Ok(Signature { person, time: actor.time })
    }
}

/// The id of a person whom another system knows by name and address only: it follows from them, so
/// that importing the same history again gives the same commits.
pub fn person_id(name: &str, email: &str) -> PersonId {
    let mut hasher = blake3::Hasher::new_derive_key("pentimento git person v1");
    hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(email.as_bytes());
    let mut id = [0; PersonId::SIZE];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..PersonId::SIZE]);
    PersonId::from_bytes(id)
}

/// The commit that a Git commit became in an earlier import, if it is still here.
pub fn imported(writer: &ChunkWriter<'_>, scope: Scope, id: GitId) -> Result<Option<CommitId>, ImportError> {
    let found = writer.stored_object(Space::Imports, &key::commit(scope, id))?;
    let Some(commit) = found.as_deref().and_then(CommitId::from_slice) else { return Ok(None) };
    let is_here = writer.stored_object(Space::Commits, commit.as_bytes())?.is_some();
    Ok(is_here.then_some(commit))
}

/// What entries name that is part of the same repository.
fn left_out(entries: impl Iterator<Item = GitEntry>) -> impl Iterator<Item = GitId> {
    let empty = GitId::from_bytes(EMPTY_TREE);
    entries
        .filter(move |entry| entry.kind != Some(EntryKind::Submodule) && entry.id != empty)
        .map(|entry| entry.id)
}

fn link_content(record: &BlobRecord) -> Option<Content> {
    match record {
        BlobRecord::File { file, size } if (1..=LINK_BYTES_MAX).contains(size) => {
            Some(Content::Symlink { id: *file, size: *size })
        }
        _ => None,
    }
}
