//! What changed, in a person's terms.

use super::read::{Answer, Reading};
use crate::base::id::FileId;
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::rules::portable::NameHazard;
use crate::worktree::index::Fresh;
use crate::worktree::scan::{Found, ScanItem, Tallies, Tracked};
use crate::worktree::stat::{Node, NodeKind, SpecialKind};
use std::io;

/// What happened to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The commit does not have it.
    New,
    /// Its content changed.
    Changed,
    /// Its content is the same, but whether it may be run changed.
    ModeChanged,
    /// A file became a link or the other way round, or foreign content was replaced.
    KindChanged,
    /// It is a tracked asset that was elsewhere; `edited` when its content changed on the way.
    Moved { from: AssetPath, edited: bool },
    /// It is not there any more.
    Removed,
    /// It could not be read.
    Unreadable { error: io::ErrorKind },
    /// It changed again and again while it was read.
    Busy,
    /// A pipe, socket or device: left alone.
    Special { kind: SpecialKind },
    /// A command could not bring it to its state, and it is as that left it.
    Unwritten,
    /// Its content was erased from the repository, which does not take it again. Told by whoever knows
    /// of erasures.
    Erased,
    /// A name that may not be taken into a repository.
    Refused { hazard: NameHazard },
}

/// One path that is not as committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path; of a moved asset, the new one.
    pub path: AssetPath,
    /// What happened.
    pub what: What,
    /// What the commit has there; of a moved asset, at the old path.
    pub base: Option<Box<Tracked>>,
    /// What is on disk.
    pub node: Option<Node>,
    /// Its content, when it had to be read.
    pub file_id: Option<FileId>,
    /// Bytes that are new to the repository, when measured.
    pub new_bytes: Option<u64>,
    /// Whether what the system said of it when it was read can be trusted later.
    pub settled: bool,
}

impl Change {
    /// Size on disk in bytes; of something removed, as committed.
    pub fn size(&self) -> u64 {
        let on_disk = self.node.map(|node| node.stat.size);
        on_disk.or_else(|| self.base.as_ref().and_then(|base| size_of(&base.content))).unwrap_or(0)
    }

    /// Whether it brings content to its path that the path, or the asset that moved there, did not have.
    pub fn brings_content(&self) -> bool {
        match self.what {
            What::New | What::Changed | What::KindChanged => true,
            What::Moved { edited, .. } => edited,
            _ => false,
        }
    }

    /// Whether a commit would take it over: it is neither a problem nor left alone.
    pub fn is_committable(&self) -> bool {
        matches!(
            self.what,
            What::New
                | What::Changed
                | What::ModeChanged
                | What::KindChanged
                | What::Moved { .. }
                | What::Removed
        )
    }
}

/// Everything that is not as committed.
#[derive(Debug, Default)]
pub struct Status {
    /// The changes, in tree order.
    pub changes: Vec<Change>,
    /// Files that looked changed and are not: what to tell the index when it is built next, in tree order.
    pub refreshed: Vec<Fresh>,
    /// What was counted.
    pub tallies: Tallies,
    /// Folders that hold repositories of their own.
    pub nested: Vec<AssetPath>,
    /// Whether every new and changed file was read, so that it is known how much of them is new.
    pub measured: bool,
    /// Half-written files of a checkout that was cut off.
    pub leftovers: Vec<AssetPath>,
    /// Paths whose content is withheld, and at which nobody has changed anything. Counted by whoever
    /// knows of them.
    pub withheld: u64,
}

/// Size of the content of a file or link, in bytes.
pub fn size_of(content: &Content) -> Option<u64> {
    match content {
        Content::File { size, .. } | Content::Symlink { size, .. } | Content::Foreign { size, .. } => {
            Some(*size)
        }
        Content::Directory { .. } => None,
    }
}

/// What becomes of an item.
pub enum Outcome {
    Change(Box<Change>),
    Unchanged(Reading),
    /// It is as committed, yet stands where an asset was moved away from: something else when the asset is where it
    /// was moved, else unchanged.
    Standing(Box<Change>),
    /// It came and went while we looked.
    Nothing,
}

/// Says what became of an item, given what reading it told.
///
/// `is_left`: whether an asset was moved away from there by command.
pub fn change(item: ScanItem, answer: Option<Answer>, is_left: bool) -> Outcome {
    let mut change = Change {
        path: item.path,
        what: What::New,
        base: None,
        node: None,
        file_id: None,
        new_bytes: None,
        settled: false,
    };
    match item.found {
        Found::New { node } => {
            if matches!(answer, Some(Answer::Gone)) {
                return Outcome::Nothing;
            }
            change.node = Some(node);
        }
        Found::Suspect { node, base } => {
            if let Some(Answer::Read(reading)) = answer
                && is_unchanged(&base.content, &reading)
            {
                if !is_left {
                    return Outcome::Unchanged(reading);
                }
                (change.what, change.base) = (What::Changed, Some(base));
                apply(&mut change, answer);
                return Outcome::Standing(Box::new(change));
            }
            change.what = suspect(&base.content, &node, answer);
            change.node = Some(node);
            change.base = Some(base);
        }
        Found::Removed { base } => {
            change.what = What::Removed;
            change.base = Some(base);
        }
        Found::Special { kind, base } => {
            change.what = What::Special { kind };
            change.base = base;
        }
        Found::Unwritten { base } => {
            change.what = What::Unwritten;
            change.base = base;
        }
        Found::Unreadable { error } => change.what = What::Unreadable { error },
        Found::Refused { hazard } => change.what = What::Refused { hazard },
    }
    apply(&mut change, answer);
    Outcome::Change(Box::new(change))
}

/// Takes over what reading told.
fn apply(change: &mut Change, answer: Option<Answer>) {
    match answer {
        Some(Answer::Read(reading)) => {
            change.node = Some(reading.node);
            change.file_id = Some(reading.id);
            change.new_bytes = reading.new_bytes;
            change.settled = reading.settled;
        }
        Some(Answer::Busy) => change.what = What::Busy,
        Some(Answer::Failed(error)) => change.what = What::Unreadable { error },
        Some(Answer::Gone) | None => {}
    }
}

fn is_unchanged(base: &Content, reading: &Reading) -> bool {
    match (base, reading.node.kind) {
        (Content::File { id, executable, .. }, NodeKind::File { executable: now }) => {
            *id == reading.id && *executable == now
        }
        (Content::Symlink { id, .. }, NodeKind::Symlink) => *id == reading.id,
        _ => false,
    }
}

fn suspect(base: &Content, node: &Node, answer: Option<Answer>) -> What {
    let id = match answer {
        Some(Answer::Gone) => return What::Removed,
        Some(Answer::Read(reading)) => Some(reading.id),
        _ => None,
    };
    match (base, node.kind) {
        (Content::File { id: committed, .. }, NodeKind::File { .. }) if id == Some(*committed) => {
            What::ModeChanged
        }
        (Content::File { .. }, NodeKind::File { .. }) | (Content::Symlink { .. }, NodeKind::Symlink) => {
            What::Changed
        }
        _ => What::KindChanged,
    }
}
