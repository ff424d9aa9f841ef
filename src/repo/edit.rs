//! A change of a repository: objects, names, state and journal entry together, all or nothing.

use crate::base::id::{CommitId, FileId, MetadataId, PersonId, TreeId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::commit::Commit;
use crate::object::metadata::Metadata;
use crate::repo::error::RepoError;
use crate::repo::journal::{FilesChange, JournalEntry, RefMove, Reversal, ShelfMove, StateChange, TagWords};
use crate::repo::people::Person;
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::sets::{self, MemberChanges};
use crate::repo::state::{Shelf, WorktreeState};
use crate::repo::state_rows::{self, ROW_PREFIX, RowChanges, SHELF_PREFIX, STATE_KEY};
use crate::repo::tombstone::Tombstone;
use crate::store::{Space, Staged, Transaction};
use std::cell::OnceCell;

/// A change under way. Dropped without [`Edit::commit`], nothing happened.
pub struct Edit {
    transaction: Transaction,
    moves: Vec<RefMove>,
    shelves: Vec<ShelfMove>,
    /// The worktree's state, once it was asked for.
    state: OnceCell<WorktreeState>,
    pub(super) members: MemberChanges,
}

/// What a journal entry says beyond the names that moved.
#[derive(Debug, Default)]
pub struct JournalNote {
    /// The verb: `commit`, `switch`...
    pub verb: &'static str,
    /// What happened, as a sentence without its full stop.
    pub summary: String,
    /// The worktree's state before and after, where it changed.
    pub state: Option<StateChange>,
    /// Under which name replaced files are kept.
    pub displaced: Option<String>,
    /// What the worktree held before and after.
    pub files: Option<FilesChange>,
    /// A file or folder that was given another place, from and to.
    pub renamed: Option<(AssetPath, AssetPath)>,
    /// The entry that this one reverses.
    pub reverses: Option<Reversal>,
}

impl Edit {
    pub(crate) const fn over(transaction: Transaction) -> Self {
        Self {
            transaction,
            moves: Vec::new(),
            shelves: Vec::new(),
            state: OnceCell::new(),
            members: MemberChanges::new(),
        }
    }

    /// The change as bytes, for records that have no typed form here.
    pub fn transaction(&mut self) -> &mut Transaction {
        // Whoever writes bytes may write some of the state.
        self.state.take();
        &mut self.transaction
    }

    /// Makes content that was written before part of the repository.
    pub fn publish(&mut self, staged: Staged) -> Result<(), RepoError> {
        Ok(self.transaction.publish(staged)?)
    }

    /// Drops what excused the absence of files whose content is part of this change or was before.
    pub fn drop_excuses(&mut self, files: &[FileId]) -> Result<(), RepoError> {
        if self.transaction.last_key(Space::Tombstones)?.is_none() {
            return Ok(());
        }
        let keys: Vec<[u8; FileId::SIZE + 1]> =
            files.iter().map(|file| Tombstone::excuse_key(*file)).collect();
        self.transaction.delete_all(Space::Tombstones, keys.iter().map(<[u8; 33]>::as_slice))?;
        Ok(())
    }

    /// Stores one node of a directory.
    pub fn put_tree_node(&mut self, id: TreeId, bytes: &[u8]) -> Result<(), RepoError> {
        Ok(self.transaction.put(Space::Trees, id.as_bytes(), bytes)?)
    }

    /// Stores metadata and says its id.
    pub fn put_metadata(&mut self, metadata: &Metadata) -> Result<MetadataId, RepoError> {
        let id = metadata.id();
        self.transaction.put(Space::Metadata, id.as_bytes(), &metadata.encode())?;
        Ok(id)
    }

    /// Stores a commit and says its id.
    pub fn put_commit(&mut self, commit: &Commit) -> Result<CommitId, RepoError> {
        let id = commit.id();
        self.transaction.put(Space::Commits, id.as_bytes(), &commit.encode())?;
        Ok(id)
    }

    /// Records how a person is shown.
    pub fn put_person(&mut self, id: PersonId, person: &Person) -> Result<(), RepoError> {
        self.put_record(Space::People, id.as_bytes(), "person", person)
    }

    /// Where a name points, changes of this edit included.
    pub fn reference(&self, name: &RefName) -> Result<Option<RefTarget>, RepoError> {
        let bytes = self.transaction.get(Space::Refs, name.as_str().as_bytes())?;
        bytes
            .map(|bytes: Vec<u8>| RefTarget::decode(&bytes))
            .transpose()
            .map_err(|source| RepoError::Damaged { kind: "ref", id: name.as_str().into(), source })
    }

    /// Points a name at a commit that is here, or removes it, if it still points where the caller
    /// believes. Refuses a name that the policy protects: that one moves by
    /// [`move_protected`](Self::move_protected), with an authorisation, or not at all.
    pub fn set_reference(
        &mut self,
        name: &RefName,
        expected: Option<CommitId>,
        target: Option<RefTarget>,
    ) -> Result<(), RepoError> {
        if self.protected_names()?.covers(name) {
            return Err(RepoError::Protected { name: name.clone() });
        }
        self.put_reference(name, expected, target)
    }

    /// Points a name where it points already by other records of this repository: for repair alone.
    /// What it says of a protected name is held against the shared log like anything else.
    pub(crate) fn mend_reference(
        &mut self,
        name: &RefName,
        expected: Option<CommitId>,
        target: Option<RefTarget>,
    ) -> Result<(), RepoError> {
        self.put_reference(name, expected, target)
    }

    pub(super) fn put_reference(
        &mut self,
        name: &RefName,
        expected: Option<CommitId>,
        target: Option<RefTarget>,
    ) -> Result<(), RepoError> {
        let found = self.reference(name)?;
        let actual = found.as_ref().map(|found| found.commit);
        if actual != expected {
            return Err(RepoError::RefMoved { name: name.clone(), expected, actual });
        }
        let key = name.as_str().as_bytes();
        let after = target.as_ref().map(|target| target.commit);
        if let Some(commit) = after.filter(|after| expected != Some(*after)) {
            // A commit that was seen a moment ago may have been swept since. While it stands, all
            // that it reaches does, since they go in one transaction.
            if self.transaction.get(Space::Commits, commit.as_bytes())?.is_none() {
                return Err(RepoError::Missing { kind: "commit", id: commit.to_string() });
            }
        }
        let words = |target: Option<&RefTarget>| target?.annotation.clone().map(TagWords::from);
        let (words_before, words_after) = (words(found.as_ref()), words(target.as_ref()));
        match target {
            Some(target) => self.transaction.put(Space::Refs, key, &target.encode())?,
            None => {
                self.transaction.delete(Space::Refs, key)?;
            }
        }
        if expected != after {
            let name = name.clone();
            self.moves.push(RefMove { name, before: expected, after, words_before, words_after });
        }
        Ok(())
    }

    /// The worktree's state as this edit sees it.
    pub fn state(&self) -> Result<WorktreeState, RepoError> {
        Ok(self.known_state()?.clone())
    }

    fn known_state(&self) -> Result<&WorktreeState, RepoError> {
        if let Some(state) = self.state.get() {
            return Ok(state);
        }
        let rows = self.transaction.scan_prefix(Space::WorktreeState, STATE_KEY)?;
        let state = state_rows::read(rows.into_iter().map(Ok))?;
        Ok(self.state.get_or_init(|| state))
    }

    /// Makes the worktree's state another one: writes what differs.
    pub fn put_state(&mut self, state: &WorktreeState) -> Result<(), RepoError> {
        let head = self.transaction.get(Space::WorktreeState, STATE_KEY)?;
        let is_in_rows = head.is_some_and(|bytes| !state_rows::is_whole(&bytes));
        let present = if is_in_rows { self.known_state().ok() } else { None };
        let RowChanges { put, mut delete } = RowChanges::between(present, state)?;
        if present.is_none() {
            // Rows of a state that cannot be read are none of this one.
            let rows = self.transaction.scan_prefix(Space::WorktreeState, ROW_PREFIX)?;
            delete.extend(rows.into_iter().map(|(key, _)| key).filter(|key| !put.contains_key(key)));
        }
        let put = put.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
        self.transaction.put_all(Space::WorktreeState, put)?;
        self.transaction.delete_all(Space::WorktreeState, delete.iter().map(Vec::as_slice))?;
        self.state = OnceCell::from(state.clone());
        Ok(())
    }

    /// Sets work aside with a branch, or takes note that it was taken up again.
    pub fn put_shelf(&mut self, branch: &RefName, shelf: Option<&Shelf>) -> Result<(), RepoError> {
        let key = format!("{SHELF_PREFIX}{}", branch.as_str());
        let before = self.shelf(&key)?;
        match shelf {
            Some(shelf) => self.put_record(Space::WorktreeState, key.as_bytes(), "shelf", shelf)?,
            None => {
                self.transaction.delete(Space::WorktreeState, key.as_bytes())?;
            }
        }
        if before.as_ref() != shelf {
            self.shelves.push(ShelfMove { branch: branch.clone(), before, after: shelf.cloned() });
        }
        Ok(())
    }

    fn shelf(&self, key: &str) -> Result<Option<Shelf>, RepoError> {
        let bytes: Option<Vec<u8>> = self.transaction.get(Space::WorktreeState, key.as_bytes())?;
        bytes
            .map(|bytes| serde_json::from_slice(&bytes))
            .transpose()
            .map_err(|source| RepoError::Record { what: "shelf", source })
    }

    /// Writes the journal entry of this change, with all names and shelved work that it moved.
    pub fn record(&mut self, note: JournalNote, time: Timestamp) -> Result<u64, RepoError> {
        let last = self.transaction.last_key(Space::Journal)?;
        let sequence = last.and_then(|key| key.try_into().ok()).map_or(1, |key| u64::from_be_bytes(key) + 1);
        let entry = JournalEntry {
            sequence,
            time,
            verb: note.verb.to_owned(),
            summary: note.summary,
            refs: std::mem::take(&mut self.moves),
            shelves: std::mem::take(&mut self.shelves),
            state: note.state.as_ref().map(StateChange::difference).filter(|changed| !changed.is_empty()),
            displaced: note.displaced,
            files: note.files,
            renamed: note.renamed,
            reverses: note.reverses,
        };
        self.transaction.put(Space::Journal, &JournalEntry::key(sequence), &entry.encode()?)?;
        Ok(sequence)
    }

    /// Corrects under which name a journal entry says the files are kept that its command replaced:
    /// the name is chosen before it is known whether there will be any.
    pub fn correct_displaced(&mut self, sequence: u64, displaced: Option<&str>) -> Result<(), RepoError> {
        let key = JournalEntry::key(sequence);
        let Some(bytes) = self.transaction.get(Space::Journal, &key)? else { return Ok(()) };
        let mut entry = JournalEntry::decode(&bytes)?;
        if entry.displaced.as_deref() == displaced {
            return Ok(());
        }
        entry.displaced = displaced.map(str::to_owned);
        Ok(self.transaction.put(Space::Journal, &key, &entry.encode()?)?)
    }

    /// Makes the change real. When this returns, it survives power loss.
    pub fn commit(mut self) -> Result<(), RepoError> {
        sets::apply(&mut self.transaction, self.members)?;
        Ok(self.transaction.commit()?)
    }

    fn put_record<T: serde::Serialize>(
        &mut self,
        space: Space,
        key: &[u8],
        what: &'static str,
        record: &T,
    ) -> Result<(), RepoError> {
        let bytes = serde_json::to_vec(record).map_err(|source| RepoError::Record { what, source })?;
        Ok(self.transaction.put(space, key, &bytes)?)
    }
}
