//! The journal: what this clone did, with before and after. Local, unsigned, the basis of `undo`.
//!
//! An entry holds what changed and nothing of what merely stood beside it. Whoever goes through the journal
//! reads [heads](JournalHead), from the newest or the oldest, and a whole entry only where it needs one.

use crate::base::id::{CommitId, PersonId, TreeId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::commit::Signature;
use crate::repo::error::RepoError;
use crate::repo::refs::{Annotation, RefName};
use crate::repo::state::{Shelf, WorktreeState};
use crate::repo::state_difference::StateDifference;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashSet;

/// How long entries protect what they name from gc, in days.
pub const WINDOW_DAYS: i64 = 90;
/// First byte of an entry that has differences of states; one of before, with whole states, begins with `{`.
const VERSION: u8 = 2;
/// What an entry of before begins with.
const WHOLE_STATES: u8 = b'{';

/// One name that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefMove {
    /// The name.
    pub name: RefName,
    /// Where it pointed; `None` when it did not exist.
    pub before: Option<CommitId>,
    /// Where it points now; `None` when it was removed.
    pub after: Option<CommitId>,
    /// The words that came with the tag before. Older records do not say them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words_before: Option<TagWords>,
    /// The words that come with the tag now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words_after: Option<TagWords>,
}

/// Who set a tag, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagWords {
    /// Who.
    pub person: PersonId,
    /// When.
    pub time: Timestamp,
    /// Why.
    pub message: String,
}

impl From<Annotation> for TagWords {
    fn from(annotation: Annotation) -> Self {
        let Signature { person, time } = annotation.signature;
        Self { person, time, message: annotation.message }
    }
}

impl From<TagWords> for Annotation {
    fn from(words: TagWords) -> Self {
        let TagWords { person, time, message } = words;
        Self { signature: Signature { person, time }, message }
    }
}

/// Work that was set aside with a branch, was taken up again or went with the branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShelfMove {
    /// The branch.
    pub branch: RefName,
    /// What waited there before.
    pub before: Option<Shelf>,
    /// What waits there now.
    pub after: Option<Shelf>,
}

/// One thing that this clone did; what it did to the state and to work set aside may be [left out](JournalHead).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry<S = StateDifference, W = ShelfMove> {
    /// Position in the journal, from 1.
    pub sequence: u64,
    /// When.
    pub time: Timestamp,
    /// The verb: `commit`, `switch`, `restore`...
    pub verb: String,
    /// What happened, as a sentence without its full stop.
    pub summary: String,
    /// Names that moved.
    #[serde(default)]
    pub refs: Vec<RefMove>,
    /// Work that was set aside or taken up.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub shelves: Vec<W>,
    /// What became of the worktree's state, where it changed.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub state: Option<S>,
    /// Under which name the files that it replaced are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub displaced: Option<String>,
    /// What the worktree held before and after, where files were replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesChange>,
    /// A file or folder that was given another place, from and to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed: Option<(AssetPath, AssetPath)>,
    /// The entry that this one took back or did again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<Reversal>,
}

const fn none<T>() -> Option<T> {
    None
}

/// An entry of which it is only known that it did something to the state or to work set aside, not what: all
/// that listing and searching need, whatever the entry weighs.
pub type JournalHead = JournalEntry<Passed, Passed>;

/// Something that was passed over in reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed;

impl<'de> Deserialize<'de> for Passed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// The worktree's state before and after: what a command knows. An entry keeps what differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    /// Before.
    pub before: WorktreeState,
    /// After.
    pub after: WorktreeState,
}

impl StateChange {
    /// What differs between the two.
    pub fn difference(&self) -> StateDifference {
        StateDifference::between(&self.before, &self.after)
    }
}

/// What the worktree held before and after, as trees that gc spares inside the window.
///
/// Files that were in no tree (edited, untracked) are in the entry's displaced set on top of `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesChange {
    /// What was there, as far as it was committed.
    pub before: TreeId,
    /// What was put there.
    pub after: TreeId,
    /// Whether paths count that the worktree is not to show. When it changes what it shows, the
    /// trees say what it showed, and every difference between them counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beyond_shown: bool,
}

impl FilesChange {
    /// From one tree to another, as far as the worktree shows it.
    pub const fn between(before: TreeId, after: TreeId) -> Self {
        Self { before, after, beyond_shown: false }
    }

    /// The same the other way round.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { before: self.after, after: self.before, ..self }
    }
}

/// Whether an entry takes another back or does it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "sequence", rename_all = "kebab-case")]
pub enum Reversal {
    /// Takes that entry back.
    Undo(u64),
    /// Does that entry again.
    Redo(u64),
}

/// The verb of entries about names of remotes.
pub const FETCH_VERB: &str = "fetch";

impl<S, W> JournalEntry<S, W> {
    /// Whether there is something to take back. Where a remote has its names is not ours to change: such an
    /// entry only keeps what they led to.
    pub fn can_be_undone(&self) -> bool {
        if self.verb == FETCH_VERB {
            return false;
        }
        let moves_names = !self.refs.is_empty() || !self.shelves.is_empty();
        moves_names || self.state.is_some() || self.files.is_some() || self.renamed.is_some()
    }

    fn parse(json: &[u8]) -> Result<Self, RepoError>
    where
        S: DeserializeOwned,
        W: DeserializeOwned,
    {
        serde_json::from_slice(json).map_err(unreadable)
    }
}

impl JournalEntry {
    /// The key under which it is stored: big-endian, so that scans run in order.
    pub fn key(sequence: u64) -> [u8; 8] {
        sequence.to_be_bytes()
    }

    /// Its bytes.
    ///
    /// # Errors
    /// [`RepoError::Record`]; does not happen with what can be decoded.
    pub fn encode(&self) -> Result<Vec<u8>, RepoError> {
        let mut bytes = vec![VERSION];
        serde_json::to_writer(&mut bytes, self).map_err(unreadable)?;
        Ok(bytes)
    }

    /// Reads an entry, or one of before: of its two states it keeps what differs.
    ///
    /// # Errors
    /// [`RepoError::Record`] for what is no entry, or one of a later version.
    pub fn decode(bytes: &[u8]) -> Result<Self, RepoError> {
        if bytes.first() != Some(&WHOLE_STATES) {
            return Self::parse(versioned(bytes)?);
        }
        let whole = JournalEntry::<StateChange>::parse(bytes)?;
        let state = whole.state.as_ref().map(StateChange::difference);
        let JournalEntry { sequence, time, verb, summary, refs, shelves, displaced, .. } = whole;
        let (files, renamed, reverses) = (whole.files, whole.renamed, whole.reverses);
        Ok(Self { sequence, time, verb, summary, refs, shelves, state, displaced, files, renamed, reverses })
    }
}

impl JournalHead {
    /// Reads the head of an entry, or of one of before.
    ///
    /// # Errors
    /// As for [`JournalEntry::decode`].
    pub fn read(bytes: &[u8]) -> Result<Self, RepoError> {
        Self::parse(if bytes.first() == Some(&WHOLE_STATES) { bytes } else { versioned(bytes)? })
    }
}

fn versioned(bytes: &[u8]) -> Result<&[u8], RepoError> {
    match bytes.split_first() {
        Some((&VERSION, json)) => Ok(json),
        _ => Err(unreadable(serde_json::Error::custom("it is of a version that this program does not know"))),
    }
}

const fn unreadable(source: serde_json::Error) -> RepoError {
    RepoError::Record { what: "journal", source }
}

/// What `undo` would take back and `redo` would do again.
///
/// An `undo` marks its entry as taken back; a `redo` unmarks it; any other undoable entry after an
/// `undo` ends what could be redone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UndoCursor {
    /// The entry that `undo` would take back.
    pub undo: Option<u64>,
    /// The entry that `redo` would do again.
    pub redo: Option<u64>,
}

impl UndoCursor {
    /// Looks at entries from the newest back, as far as it has to: to the first that can be undone and was
    /// not taken back since, which is the newest entry as a rule.
    ///
    /// # Errors
    /// Those of the entries.
    pub fn from_newest<E>(entries: impl IntoIterator<Item = Result<JournalHead, E>>) -> Result<Self, E> {
        let (mut undo, mut redo) = (None, None);
        // What became of these is known from later entries.
        let mut decided = HashSet::new();
        let mut ends_redo = false;
        for entry in entries {
            let entry = entry?;
            match entry.reverses {
                Some(Reversal::Undo(sequence)) if decided.insert(sequence) && !ends_redo => {
                    redo = redo.or(Some(sequence));
                }
                Some(Reversal::Redo(sequence)) if decided.insert(sequence) => {
                    undo = undo.or(Some(sequence));
                }
                None if entry.can_be_undone() => {
                    ends_redo = true;
                    undo = undo.or(Some(entry.sequence).filter(|sequence| !decided.contains(sequence)));
                }
                _ => {}
            }
            if undo.is_some() && (ends_redo || redo.is_some()) {
                break;
            }
        }
        Ok(Self { undo, redo })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(sequence: u64, verb: &str, reverses: Option<Reversal>) -> JournalHead {
        JournalEntry {
            sequence,
            time: Timestamp::utc(0),
            verb: verb.to_owned(),
            summary: String::new(),
            refs: Vec::new(),
            shelves: vec![Passed; usize::from(verb == "switch")],
            state: None,
            displaced: None,
            files: None,
            renamed: None,
            reverses,
        }
    }

    /// The same from the oldest on: what is said of an entry last counts.
    fn from_oldest(entries: &[JournalHead]) -> UndoCursor {
        let (mut done, mut undone) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.reverses {
                Some(Reversal::Undo(sequence)) => {
                    done.retain(|other| *other != sequence);
                    undone.push(sequence);
                }
                Some(Reversal::Redo(sequence)) => {
                    undone.retain(|other| *other != sequence);
                    done.push(sequence);
                }
                None if entry.can_be_undone() => {
                    done.push(entry.sequence);
                    undone.clear();
                }
                None => {}
            }
        }
        UndoCursor { undo: done.last().copied(), redo: undone.last().copied() }
    }

    proptest! {
        #[test]
        fn from_the_newest_back_the_same_is_next_as_from_the_oldest_on(
            deeds in prop::collection::vec(0..6u8, 0..60),
        ) {
            let mut entries: Vec<JournalHead> = Vec::new();
            for deed in deeds {
                let (sequence, next) = (entries.len() as u64 + 1, from_oldest(&entries));
                entries.push(match (deed, next) {
                    (0 | 1, UndoCursor { undo: Some(undo), .. }) => {
                        entry(sequence, "undo", Some(Reversal::Undo(undo)))
                    }
                    (2, UndoCursor { redo: Some(redo), .. }) => {
                        entry(sequence, "redo", Some(Reversal::Redo(redo)))
                    }
                    (3, _) => entry(sequence, FETCH_VERB, None),
                    (4, _) => entry(sequence, "gc", None),
                    _ => entry(sequence, "switch", None),
                });
            }
            let newest_first = entries.iter().rev().cloned().map(Ok::<_, ()>);
            prop_assert_eq!(UndoCursor::from_newest(newest_first), Ok(from_oldest(&entries)));
        }
    }

    #[test]
    fn no_more_of_a_journal_is_read_than_has_to_be() {
        let read = std::cell::Cell::new(0);
        let newest_first = (1..=1000u64).rev().map(|sequence| {
            read.set(read.get() + 1);
            Ok::<_, ()>(entry(sequence, "switch", None))
        });
        let cursor = UndoCursor::from_newest(newest_first).expect("a cursor");
        assert_eq!((cursor, read.get()), (UndoCursor { undo: Some(1000), redo: None }, 1));
    }
}
