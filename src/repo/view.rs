//! A consistent state of a repository, read as typed values.

use crate::base::codec::DecodeError;
use crate::base::id::{CommitId, FileId, ManifestNodeId, MetadataId, PersonId, TreeId};
use crate::base::time::Timestamp;
use crate::object::commit::Commit;
use crate::object::manifest::{Manifest, ManifestNode, verified_key};
use crate::object::manifest_read::ManifestSource;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::object::{ObjectKind, hash_object};
use crate::repo::error::RepoError;
use crate::repo::journal::{JournalEntry, JournalHead, UndoCursor, WINDOW_DAYS};
use crate::repo::people::Person;
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::resolve::Resolved;
use crate::repo::state::{Shelf, WorktreeState};
use crate::repo::state_rows::{self, SHELF_PREFIX, STATE_KEY};
use crate::repo::tombstone::Tombstone;
use crate::store::{Snapshot, Space};
use std::sync::{LazyLock, Mutex, OnceLock};

const DAY_MS: i64 = 86_400_000;

static EMPTY_TREE: LazyLock<TreeId> = LazyLock::new(TreeNode::empty_id);

/// A consistent state of everything; later changes do not show in it.
pub struct View {
    snapshot: Snapshot,
    /// The branch that the worktree is on, once it was asked for.
    branch: OnceLock<RefName>,
    /// What the last expression named, which may be asked for each of many paths.
    pub(super) resolved: Mutex<Option<(String, Resolved)>>,
}

/// How much of the journal there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalExtent {
    /// Entries that are protected from collection: all from [`first`](Self::first) on.
    pub protected: u64,
    /// Entries before these.
    pub older: u64,
    /// The number of the first protected entry; `None` where there is no entry at all.
    pub first: Option<u64>,
}

impl View {
    pub(crate) const fn over(snapshot: Snapshot) -> Self {
        Self { snapshot, branch: OnceLock::new(), resolved: Mutex::new(None) }
    }

    /// The state as bytes.
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Where a name points.
    pub fn reference(&self, name: &RefName) -> Result<Option<RefTarget>, RepoError> {
        self.snapshot
            .get(Space::Refs, name.as_str().as_bytes())?
            .map(|bytes| RefTarget::decode(&bytes).map_err(|source| damaged("ref", name.as_str(), source)))
            .transpose()
    }

    /// All names with where they point, in order.
    pub fn references(&self) -> Result<Vec<(RefName, RefTarget)>, RepoError> {
        let mut all = Vec::new();
        for item in self.snapshot.scan_prefix(Space::Refs, b"")? {
            let (key, bytes) = item?;
            let text = String::from_utf8_lossy(&key).into_owned();
            let target = RefTarget::decode(&bytes).map_err(|source| damaged("ref", &text, source))?;
            all.push((RefName::parse(&text)?, target));
        }
        Ok(all)
    }

    /// What the worktree stands on. Costs what waits to be committed; [`branch`](Self::branch) does not.
    pub fn state(&self) -> Result<WorktreeState, RepoError> {
        let rows = self.snapshot.scan_prefix(Space::WorktreeState, STATE_KEY)?;
        state_rows::read(rows.map(|row| Ok(row?)))
    }

    /// The branch that the worktree is on. Asked for a thousand paths, it is read once.
    pub fn branch(&self) -> Result<&RefName, RepoError> {
        if let Some(branch) = self.branch.get() {
            return Ok(branch);
        }
        let read = self.snapshot.with(Space::WorktreeState, STATE_KEY, state_rows::read_branch)?;
        let missing = || RepoError::Missing { kind: "record", id: "worktree state".into() };
        let branch = read.ok_or_else(missing)??;
        Ok(self.branch.get_or_init(|| branch))
    }

    /// The newest commit of the branch that the worktree is on; `None` before the first.
    pub fn head(&self) -> Result<Option<CommitId>, RepoError> {
        Ok(self.reference(self.branch()?)?.map(|target| target.commit))
    }

    /// The tree that the worktree's files are compared with when its state is `state`: what a merge
    /// under way has made, else that of the branch's newest commit, else the empty one.
    pub fn ground(&self, state: &WorktreeState) -> Result<TreeId, RepoError> {
        if let Some(tree) = state.ground() {
            return Ok(tree);
        }
        match self.reference(&state.branch)? {
            Some(target) => Ok(self.commit(target.commit)?.tree),
            None => Ok(*EMPTY_TREE),
        }
    }

    /// Work that `switch` set aside with a branch.
    pub fn shelf(&self, branch: &RefName) -> Result<Option<Shelf>, RepoError> {
        let key = format!("{SHELF_PREFIX}{}", branch.as_str());
        let bytes = self.snapshot.get(Space::WorktreeState, key.as_bytes())?;
        bytes.map(|bytes| parse_record("shelf", &bytes)).transpose()
    }

    /// All work set aside, by branch.
    pub fn shelves(&self) -> Result<Vec<(RefName, Shelf)>, RepoError> {
        let mut all = Vec::new();
        for item in self.snapshot.scan_prefix(Space::WorktreeState, SHELF_PREFIX.as_bytes())? {
            let (key, bytes) = item?;
            let text = String::from_utf8_lossy(&key[SHELF_PREFIX.len()..]).into_owned();
            all.push((RefName::parse(&text)?, parse_record("shelf", &bytes)?));
        }
        Ok(all)
    }

    /// The journal, oldest first, entry by entry; or from the newest back, when it is turned round.
    pub fn journal_entries(
        &self,
    ) -> Result<impl DoubleEndedIterator<Item = Result<JournalEntry, RepoError>> + use<>, RepoError> {
        self.journal_from(0)
    }

    /// The journal from an entry on.
    pub fn journal_from(
        &self,
        sequence: u64,
    ) -> Result<impl DoubleEndedIterator<Item = Result<JournalEntry, RepoError>> + use<>, RepoError> {
        let rows = self.snapshot.scan(Space::Journal, &JournalEntry::key(sequence)[..]..)?;
        Ok(rows.map(|row| JournalEntry::decode(&row?.1)))
    }

    /// The heads of the journal's entries, oldest first, or from the newest back.
    pub fn journal_heads(
        &self,
    ) -> Result<impl DoubleEndedIterator<Item = Result<JournalHead, RepoError>> + use<>, RepoError> {
        let rows = self.snapshot.scan_prefix(Space::Journal, b"")?;
        Ok(rows.map(|row| JournalHead::read(&row?.1)))
    }

    /// All of the journal at once, oldest first. Commands go through it entry by entry.
    pub fn journal(&self) -> Result<Vec<JournalEntry>, RepoError> {
        self.journal_entries()?.collect()
    }

    /// One entry of the journal.
    pub fn journal_entry(&self, sequence: u64) -> Result<Option<JournalEntry>, RepoError> {
        let entry = self.snapshot.with(Space::Journal, &JournalEntry::key(sequence), JournalEntry::decode)?;
        entry.transpose()
    }

    /// What `undo` would take back and `redo` would do again.
    pub fn undo_cursor(&self) -> Result<UndoCursor, RepoError> {
        UndoCursor::from_newest(self.journal_heads()?.rev())
    }

    /// How much of the journal is protected at `now`, and how much is older.
    ///
    /// The newest entry always is protected, however old: it is what `undo` would take back, and the numbers
    /// of later entries follow from it. An entry from the future is one of a clock that was wrong: it stays.
    pub fn journal_extent(&self, now: Timestamp) -> Result<JournalExtent, RepoError> {
        let oldest_ms = now.unix_ms - WINDOW_DAYS * DAY_MS;
        let all = self.snapshot.count(Space::Journal)?;
        let (mut older, mut first) = (0, None);
        for head in self.journal_heads()? {
            let head = head?;
            first = Some(head.sequence);
            if head.time.unix_ms >= oldest_ms || older + 1 == all {
                break;
            }
            older += 1;
        }
        Ok(JournalExtent { protected: all - older, older, first })
    }

    /// A person's record; `None` when it was erased or never came along.
    pub fn person(&self, id: PersonId) -> Result<Option<Person>, RepoError> {
        let bytes = self.snapshot.get(Space::People, id.as_bytes())?;
        bytes.map(|bytes| parse_record("person", &bytes)).transpose()
    }

    /// All people whose records are here, by id.
    pub fn people(&self) -> Result<Vec<(PersonId, Person)>, RepoError> {
        let mut all = Vec::new();
        for item in self.snapshot.scan_prefix(Space::People, b"")? {
            let (key, bytes) = item?;
            let missing = || RepoError::Missing { kind: "person", id: "with such a key".into() };
            let id = PersonId::from_slice(&key).ok_or_else(missing)?;
            all.push((id, parse_record("person", &bytes)?));
        }
        Ok(all)
    }

    /// How a file is put together; `None` for a file of one chunk or none, and for what is not here.
    ///
    /// Gives the manifest that the file's content has confirmed, never a claim.
    pub fn manifest(&self, file: FileId) -> Result<Option<Manifest>, RepoError> {
        let bytes = self.snapshot.get(Space::Manifests, &verified_key(file))?;
        let manifest = bytes
            .map(|bytes: Vec<u8>| Manifest::decode(&bytes))
            .transpose()
            .map_err(|source| damaged("manifest", &file.to_string(), source))?;
        match manifest {
            Some(manifest) if manifest.file != file => {
                Err(RepoError::Altered { kind: "manifest", id: file.to_string() })
            }
            other => Ok(other),
        }
    }

    /// What claims to put a file together: manifests that no content has confirmed yet.
    pub fn claims(&self, file: FileId) -> Result<Vec<Manifest>, RepoError> {
        let mut claims = Vec::new();
        for row in self.snapshot.scan_prefix(Space::Manifests, file.as_bytes())? {
            let (key, bytes) = row?;
            if key.len() > FileId::SIZE {
                // A claim comes from elsewhere: one that cannot be read claims nothing.
                claims.extend(Manifest::decode(&bytes));
            }
        }
        Ok(claims)
    }

    /// The permission by which a file's bytes were removed from here for good, if there is one.
    pub fn tombstone(&self, file: FileId) -> Result<Option<Tombstone>, RepoError> {
        self.read_tombstone(file, file.as_bytes())
    }

    /// Whether a file's bytes were removed from here for good. What others say of a file never makes this true.
    pub fn is_erased(&self, file: FileId) -> Result<bool, RepoError> {
        Ok(self.snapshot.contains(Space::Tombstones, file.as_bytes())?)
    }

    /// What a tombstone that came from elsewhere says of a file whose content never came here. It is
    /// believed only as long as there is no content, and forbids none to come.
    pub fn excuse(&self, file: FileId) -> Result<Option<Tombstone>, RepoError> {
        if !self.is_excused(file)? {
            return Ok(None);
        }
        self.read_tombstone(file, &Tombstone::excuse_key(file))
    }

    /// Whether there is such an excuse for the absence of a file.
    pub fn is_excused(&self, file: FileId) -> Result<bool, RepoError> {
        Ok(self.snapshot.contains(Space::Tombstones, &Tombstone::excuse_key(file))?
            && !self.is_erased(file)?
            && !self.snapshot.has_chunk(file.into())?
            && self.manifest(file)?.is_none())
    }

    /// The tombstone of a file as it is handed on: one's own, or the excuse that came.
    pub fn tombstone_or_excuse(&self, file: FileId) -> Result<Option<Tombstone>, RepoError> {
        match self.tombstone(file)? {
            None => self.excuse(file),
            own => Ok(own),
        }
    }

    fn read_tombstone(&self, file: FileId, key: &[u8]) -> Result<Option<Tombstone>, RepoError> {
        let bytes: Option<Vec<u8>> = self.snapshot.get(Space::Tombstones, key)?;
        let found = bytes.map(|bytes| Tombstone::decode(&bytes)).transpose();
        found.map_err(|source| damaged("tombstone", &file.to_string(), source))
    }

    /// Reads an object, insists that its bytes hash to its id, and decodes it.
    fn object<T>(
        &self,
        space: Space,
        kind: (&'static str, ObjectKind),
        id: &[u8; 32],
        decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, RepoError> {
        let name = || crate::base::id::TreeId::from_bytes(*id).to_string();
        let bytes =
            self.snapshot.get(space, id)?.ok_or_else(|| RepoError::Missing { kind: kind.0, id: name() })?;
        if hash_object(kind.1, &bytes) != *id {
            return Err(RepoError::Altered { kind: kind.0, id: name() });
        }
        decode(&bytes).map_err(|source| RepoError::Damaged { kind: kind.0, id: name(), source })
    }
}

impl ObjectSource for View {
    type Error = RepoError;

    fn tree_node(&self, id: TreeId) -> Result<TreeNode, RepoError> {
        // Before the first commit the empty tree is talked about without having been stored.
        if id == *EMPTY_TREE {
            return Ok(TreeNode::Leaf(Vec::new()));
        }
        self.object(Space::Trees, ("tree", ObjectKind::Tree), id.as_bytes(), TreeNode::decode)
    }

    fn metadata(&self, id: MetadataId) -> Result<Metadata, RepoError> {
        self.object(Space::Metadata, ("metadata", ObjectKind::Metadata), id.as_bytes(), Metadata::decode)
    }

    fn commit(&self, id: CommitId) -> Result<Commit, RepoError> {
        self.object(Space::Commits, ("commit", ObjectKind::Commit), id.as_bytes(), Commit::decode)
    }
}

impl ManifestSource for View {
    type Error = RepoError;

    fn manifest_node(&self, id: ManifestNodeId) -> Result<ManifestNode, RepoError> {
        let kind = ("manifest node", ObjectKind::ManifestNode);
        self.object(Space::ManifestNodes, kind, id.as_bytes(), ManifestNode::decode)
    }
}

fn damaged(kind: &'static str, id: &str, source: DecodeError) -> RepoError {
    RepoError::Damaged { kind, id: id.to_owned(), source }
}

fn parse_record<T: serde::de::DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, RepoError> {
    serde_json::from_slice(bytes).map_err(|source| RepoError::Record { what, source })
}
