//! Makes commits of what was read: one after the other, since the ids of new assets follow from those
//! of the commits before.

use crate::base::id::{CommitId, GitId, PersonId, TreeId};
use crate::base::path::AssetPath;
use crate::import::error::ImportError;
use crate::import::git::blobs::Blobs;
use crate::import::git::changes::{Changes, SeenTree, Skipped};
use crate::import::git::merges::join;
use crate::import::git::parse::{self, Actor, EntryKind};
use crate::import::nodes::Nodes;
use crate::import::recent::Recent;
use crate::object::commit::{AssetNote, Commit, PARENTS_MAX, Signature};
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, ForeignAlgorithm, TreeNode};
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::entry_at;
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
    /// Git trees that have a form of their own.
    formed: HashSet<GitId>,
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
        formed: HashSet<GitId>,
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

    /// Makes one commit of what was read; its blobs must have been taken in and its parents made.
    pub fn make(&mut self, read: ReadCommit) -> Result<CommitId, ImportError> {
        let mut parents = Vec::with_capacity(read.parents.len());
        for parent in read.parents.iter().take(PARENTS_MAX) {
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
        for change in &changes.changes {
            let was = match (change.was_there, parents.is_empty()) {
                (true, false) => self.entry(base, &change.path)?,
                _ => None,
            };
            let now = match change.now {
                Some((kind, id)) => self.content(&change.path, kind, id)?,
                None => None,
            };
            let path = change.path.clone();
            match (was, now) {
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
        if self.formed.contains(&seen.id) {
            return Ok(());
        }
        let form = match seen.verbatim {
            Some(bytes) => TreeForm::Verbatim(bytes),
            None => match self.marks(&seen)? {
                Some(form) => form,
                None => return Ok(()),
            },
        };
        self.writer.put_object(Space::Imports, &key::tree(seen.id), &form.encode())?;
        self.formed.insert(seen.id);
        Ok(())
    }

    fn marks(&self, seen: &SeenTree) -> Result<Option<TreeForm>, ImportError> {
        let (mut pointers, mut ids) = (Vec::new(), Vec::new());
        let mut whole = true;
        for (position, entry) in seen.kept.iter().enumerate() {
            let position = position as u64;
            match entry.kind {
                EntryKind::Directory if self.formed.contains(&entry.id) => ids.push((position, entry.id)),
                EntryKind::Directory | EntryKind::Submodule => {}
                EntryKind::Symlink => {
                    let record = self.blobs.known(entry.id)?;
                    whole &= record.as_ref().and_then(link_content).is_some();
                }
                EntryKind::File | EntryKind::Executable => match self.blobs.known(entry.id)? {
                    Some(BlobRecord::Lfs { plain: true, .. }) => pointers.push(position),
                    Some(BlobRecord::Lfs { .. } | BlobRecord::Foreign { plain: false, .. }) => {
                        ids.push((position, entry.id));
                    }
                    _ => {}
                },
            }
        }
        if !whole {
            return Ok(Some(TreeForm::Verbatim(encode_tree(seen))));
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

fn link_content(record: &BlobRecord) -> Option<Content> {
    match record {
        BlobRecord::File { file, size } if (1..=LINK_BYTES_MAX).contains(size) => {
            Some(Content::Symlink { id: *file, size: *size })
        }
        _ => None,
    }
}

/// The bytes of a tree all of whose entries are usual.
fn encode_tree(seen: &SeenTree) -> Vec<u8> {
    let mut entries: Vec<_> = seen.kept.iter().collect();
    let is_directory = |kind: EntryKind| kind == EntryKind::Directory;
    entries.sort_by(|left, right| {
        parse::git_order((&left.name, is_directory(left.kind)), (&right.name, is_directory(right.kind)))
    });
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(entry.kind.mode());
        bytes.push(b' ');
        bytes.extend_from_slice(&entry.name);
        bytes.push(0);
        bytes.extend_from_slice(entry.id.as_bytes());
    }
    bytes
}
