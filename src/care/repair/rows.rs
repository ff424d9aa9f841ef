//! What pages of a database file still say: rows that prove themselves, and the newest of those that
//! do not.

use crate::base::id::{CommitId, FileId, PersonId};
use crate::care::error::CareError;
use crate::object::manifest::Manifest;
use crate::object::{ObjectKind, hash_object};
use crate::repo::commit_signatures;
use crate::repo::journal::{JournalEntry, Reversal};
use crate::repo::people::Person;
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::state::{Shelf, WorktreeState};
use crate::repo::state_difference::{Side, StateDifference};
use crate::repo::state_rows::{self, ROW_PREFIX, SHELF_PREFIX, STATE_KEY};
use crate::repo::tombstone::{PAGE_CHUNKS, Tombstone, TombstoneRow};
use crate::store::disk::RealDisk;
use crate::store::{LogRecord, Snapshot, Space, Store, StoreError, StoreSettings, SurvivingLog, scan_pages};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Rows that are written at a time.
const BATCH: usize = 4 * 1024;
/// Keys, in the store's own table, of the settings and of what is recorded of the transaction log.
const SETTINGS_KEY: &[u8] = b"settings";
const LOG_KEY: &[u8] = b"log";

/// Rows that have no id to prove them, by key. Of several that pages hold, the last one seen stands
/// first until something says which is newest.
#[derive(Debug, Default)]
pub(super) struct LooseRows {
    /// The settings of the store.
    pub settings: Option<StoreSettings>,
    /// How far the transaction log went, at least.
    pub log: Option<LogRecord>,
    /// The journal.
    pub journal: BTreeMap<u64, JournalEntry>,
    /// Where names point: all that pages say.
    pub names: BTreeMap<RefName, Vec<RefTarget>>,
    /// The worktree's state without its rows: all that pages say.
    pub states: Vec<WorktreeState>,
    /// Rows of the worktree's state, by key.
    pub state_rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Work set aside, by key.
    pub shelves: BTreeMap<Vec<u8>, Vec<u8>>,
    /// People.
    pub people: BTreeMap<PersonId, Vec<u8>>,
}

impl LooseRows {
    pub(super) fn take(&mut self, key: &[u8], value: &[u8]) {
        if key == SETTINGS_KEY {
            self.settings = StoreSettings::decode(value).ok().or_else(|| self.settings.take());
        } else if key == LOG_KEY {
            self.log = self.log.max(LogRecord::decode(value));
        } else if key == STATE_KEY {
            self.states.extend(state_rows::read_head(value).ok());
        } else if key.starts_with(ROW_PREFIX) {
            self.state_rows.insert(key.to_vec(), value.to_vec());
        } else if key.starts_with(SHELF_PREFIX.as_bytes()) {
            if serde_json::from_slice::<Shelf>(value).is_ok() {
                self.shelves.insert(key.to_vec(), value.to_vec());
            }
        } else if let Ok(sequence) = key.try_into().map(u64::from_be_bytes) {
            self.take_entry(sequence, value);
        } else if let Some(name) = std::str::from_utf8(key).ok().and_then(|text| RefName::parse(text).ok()) {
            if let Ok(target) = RefTarget::decode(value) {
                self.names.entry(name).or_default().push(target);
            }
        } else if let Some(id) = PersonId::from_slice(key)
            && serde_json::from_slice::<Person>(value).is_ok()
        {
            self.people.insert(id, value.to_vec());
        }
    }

    /// An entry only ever gains something: where replaced files are kept.
    fn take_entry(&mut self, sequence: u64, value: &[u8]) {
        let Ok(entry) = JournalEntry::decode(value) else { return };
        let known = self.journal.get(&sequence);
        let gains = known.is_none_or(|known| known.displaced.is_none() && entry.displaced.is_some());
        if entry.sequence == sequence && gains {
            self.journal.insert(sequence, entry);
        }
    }

    /// Where a name points by the journal: `Some(None)` when it was removed.
    pub(super) fn by_journal(&self, name: &RefName) -> Option<Option<CommitId>> {
        let moves = self.journal.values().rev().flat_map(|entry| entry.refs.iter().rev());
        moves.into_iter().find(|moved| moved.name == *name).map(|moved| moved.after)
    }
}

/// What the journal tells of the worktree's state, entry after entry.
#[derive(Debug, Default)]
pub(super) struct StateTold {
    /// What entries did that a later one may have taken back or done again.
    done: BTreeMap<u64, StateDifference>,
}

impl StateTold {
    /// Does to a state what an entry did. Entries come in the order of their numbers.
    pub(super) fn follow(&mut self, entry: &JournalEntry, state: &mut WorktreeState) {
        let (changed, side) = match entry.reverses {
            Some(Reversal::Undo(sequence)) => (self.done.get(&sequence), Side::Before),
            Some(Reversal::Redo(sequence)) => (self.done.get(&sequence), Side::After),
            None => {
                self.done.extend(entry.state.clone().map(|changed| (entry.sequence, changed)));
                (entry.state.as_ref(), Side::After)
            }
        };
        if let Some(changed) = changed {
            changed.bring(state, side);
        }
    }
}

/// Which space a row belongs to that proves itself by its key.
pub(super) fn proven_space(key: &[u8], value: &[u8]) -> Option<Space> {
    if state_rows::is_key(key) {
        return None;
    }
    if key.len() == FileId::SIZE {
        let kinds = [
            (ObjectKind::Tree, Space::Trees),
            (ObjectKind::Commit, Space::Commits),
            (ObjectKind::Metadata, Space::Metadata),
            (ObjectKind::ManifestNode, Space::ManifestNodes),
        ];
        if let Some((_, space)) = kinds.into_iter().find(|(kind, _)| hash_object(*kind, value) == *key) {
            return Some(space);
        }
        if Tombstone::decode(value).is_ok_and(|tombstone| tombstone.file.as_bytes() == key) {
            return Some(Space::Tombstones);
        }
        return Manifest::decode(value)
            .is_ok_and(|manifest| manifest.file.as_bytes() == key)
            .then_some(Space::Manifests);
    }
    if Tombstone::row_of(key) == TombstoneRow::Excuse
        && Tombstone::decode(value).is_ok_and(|tombstone| key.starts_with(tombstone.file.as_bytes()))
    {
        return Some(Space::Tombstones);
    }
    if commit_signatures::fault(key, value).is_none() {
        return Some(Space::CommitSignatures);
    }
    let is_page = key.len() == FileId::SIZE + 4
        && !value.is_empty()
        && value.len().is_multiple_of(FileId::SIZE)
        && value.len() <= PAGE_CHUNKS * FileId::SIZE;
    is_page.then_some(Space::Tombstones)
}

/// Puts every row into the store that pages of the file hold, that proves itself and is not there;
/// gives their number and the rows that prove nothing.
pub(super) fn bring_back(store: &Store, file: &Path, logged: Logged) -> Result<(u64, LooseRows), CareError> {
    let mut loose = LooseRows::default();
    let mut finds = Finds::new(store, logged)?;
    scan_pages(&RealDisk, file, &mut |key, value| match proven_space(key, value) {
        Some(space) => finds.take(space, key, value),
        None => loose.take(key, value),
    })?;
    Ok((finds.finish()?, loose))
}

/// The same from what the transaction log ever said, for a database that is otherwise sound.
pub(super) fn bring_back_logged(store: &Store) -> Result<u64, CareError> {
    let mut finds = Finds::new(store, Logged::Yes)?;
    for log in SurvivingLog::all(&RealDisk, store.dir())? {
        log.each_record(|space, key, value| {
            if proven_space(key, value) == Some(space) {
                finds.take(space, key, value);
            }
        })?;
    }
    finds.finish()
}

/// Whether what is found goes into the transaction log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logged {
    Yes,
    /// No: the database is new, and its log is written when it is complete.
    NotYet,
}

/// Rows on their way into the store.
struct Finds<'a> {
    store: &'a Store,
    snapshot: Snapshot,
    logged: Logged,
    seen: HashSet<(Space, Vec<u8>)>,
    batch: Vec<(Space, Vec<u8>, Vec<u8>)>,
    failed: Option<StoreError>,
    brought: u64,
}

impl<'a> Finds<'a> {
    fn new(store: &'a Store, logged: Logged) -> Result<Self, CareError> {
        let (seen, batch) = (HashSet::new(), Vec::new());
        Ok(Self { store, snapshot: store.snapshot()?, logged, seen, batch, failed: None, brought: 0 })
    }

    fn take(&mut self, space: Space, key: &[u8], value: &[u8]) {
        let is_known = self.seen.contains(&(space, key.to_vec())) || is_there(&self.snapshot, space, key);
        if is_known || self.failed.is_some() {
            return;
        }
        self.seen.insert((space, key.to_vec()));
        self.batch.push((space, key.to_vec(), value.to_vec()));
        self.brought += 1;
        if self.batch.len() >= BATCH {
            self.failed = self.put().err();
        }
    }

    fn put(&mut self) -> Result<(), StoreError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut transaction = self.store.begin()?;
        if self.logged == Logged::NotYet {
            transaction.leave_log();
        }
        for (space, key, value) in self.batch.drain(..) {
            transaction.put(space, &key, &value)?;
        }
        transaction.commit()
    }

    fn finish(mut self) -> Result<u64, CareError> {
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        self.put()?;
        Ok(self.brought)
    }
}

fn is_there(snapshot: &Snapshot, space: Space, key: &[u8]) -> bool {
    snapshot.contains(space, key).unwrap_or(false)
}

/// Reads what pages say that proves nothing by itself.
pub(super) fn look(file: &Path) -> Result<LooseRows, CareError> {
    let mut loose = LooseRows::default();
    scan_pages(&RealDisk, file, &mut |key, value| {
        if proven_space(key, value).is_none() {
            loose.take(key, value);
        }
    })?;
    Ok(loose)
}
