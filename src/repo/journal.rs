//! The journal: what this clone did, with before and after. Local, unsigned, the basis of `undo`.

use crate::base::id::{CommitId, PersonId, TreeId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::commit::Signature;
use crate::repo::refs::{Annotation, RefName};
use crate::repo::state::{Shelf, WorktreeState};
use serde::{Deserialize, Serialize};

/// How long entries protect what they name from gc, in days.
pub const WINDOW_DAYS: i64 = 90;

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

/// One thing that this clone did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shelves: Vec<ShelfMove>,
    /// The worktree's state before and after, where it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateChange>,
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

/// The worktree's state before and after, apart from how far its files have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    /// Before.
    pub before: WorktreeState,
    /// After.
    pub after: WorktreeState,
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

impl JournalEntry {
    /// Whether there is something to take back. Where a remote has its names is not ours to change: such an
    /// entry only keeps what they led to.
    pub fn can_be_undone(&self) -> bool {
        if self.verb == FETCH_VERB {
            return false;
        }
        let moves_names = !self.refs.is_empty() || !self.shelves.is_empty();
        moves_names || self.state.is_some() || self.files.is_some() || self.renamed.is_some()
    }

    /// The key under which it is stored: big-endian, so that scans run in order.
    pub fn key(sequence: u64) -> [u8; 8] {
        sequence.to_be_bytes()
    }
}

/// Finds what `undo` would take back and `redo` would do again, given the entries newest first.
///
/// An `undo` marks its entry as taken back; a `redo` unmarks it; any other undoable entry after an
/// `undo` ends what could be redone.
#[derive(Debug, Default)]
pub struct UndoCursor {
    /// The entry that `undo` would take back.
    pub undo: Option<u64>,
    /// The entry that `redo` would do again.
    pub redo: Option<u64>,
}

impl UndoCursor {
    /// Looks at entries in order from the oldest.
    pub fn over<'a>(entries: impl Iterator<Item = &'a JournalEntry>) -> Self {
        let mut done: Vec<u64> = Vec::new();
        let mut undone: Vec<u64> = Vec::new();
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
        Self { undo: done.last().copied(), redo: undone.last().copied() }
    }
}
