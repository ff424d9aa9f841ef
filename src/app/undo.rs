//! `undo` and `redo`: take back what a command did to names, files and pending edits, or do it again.

use crate::app::error::AppError;
use crate::app::export::ProblemLine;
use crate::app::mv::rename_in_worktree;
use crate::app::session::Session;
use crate::app::transition::{
    FilesLine, KnownFiles, carry_out, finish_interrupted, prepare, settle_change, targets_between,
};
use crate::base::id::{FileId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::tree::Content;
use crate::object::tree_walk::entry_at;
use crate::repo::edit::JournalNote;
use crate::repo::journal::{
    FilesChange, JournalEntry, RefMove, Reversal, ShelfMove, StateChange, UndoCursor,
};
use crate::repo::refs::RefTarget;
use crate::repo::{Repository, View};
use crate::worktree::checkout::Wanted;
use crate::worktree::clock::{FsClock, read_stably};
use crate::worktree::displaced::{self, DisplacedSet};
use crate::worktree::probe::{ContentProbe as _, HashProbe};
use crate::worktree::root::Worktree;
use crate::worktree::seen::Seen;
use crate::worktree::stat::{FileStat, NodeKind};
use crate::worktree::status::SEEN_FILE;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Take back.
    Undo,
    /// Do again.
    Redo,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The journal entry that was taken back or done again.
    pub sequence: u64,
    /// Its verb.
    pub verb: String,
    /// What it had done, as a sentence without its full stop.
    pub summary: String,
    /// Names that moved.
    pub refs: Vec<RefMove>,
    /// Files that were set aside then and stand in their place again.
    pub brought_back: Vec<AssetPath>,
    /// What was done to the files.
    pub files: FilesLine,
}

/// Takes back or does again what the journal says is next.
pub fn run(
    repository: &Repository,
    direction: Direction,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    let entries = session.view.journal()?;
    let cursor = UndoCursor::over(entries.iter());
    let (next, verb) = match direction {
        Direction::Undo => (cursor.undo, "undo"),
        Direction::Redo => (cursor.redo, "redo"),
    };
    let entry = next.and_then(|sequence| entries.iter().find(|entry| entry.sequence == sequence));
    let entry = entry.ok_or(AppError::NothingTo { verb })?.clone();
    let kept = kept_set(&entries, entry.sequence);
    let reversal = Reverse { direction, entry: &entry, kept };
    reversal.run(session, clock, monitor)
}

/// Under which name lie the files that the entry, or its last repetition, replaced.
fn kept_set(entries: &[JournalEntry], sequence: u64) -> Option<String> {
    let repeats = |entry: &&JournalEntry| {
        entry.sequence == sequence || entry.reverses == Some(Reversal::Redo(sequence))
    };
    entries.iter().rev().find(repeats)?.displaced.clone()
}

struct Reverse<'e> {
    direction: Direction,
    entry: &'e JournalEntry,
    kept: Option<String>,
}

impl Reverse<'_> {
    fn run(
        &self,
        mut session: Session<'_>,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<Report, AppError> {
        let files = self.entry.files.map(|files| self.turned(files.before, files.after));
        let files = files.map(|(before, after)| FilesChange { before, after });
        if let Some((from, to)) = &self.entry.renamed {
            let (from, to) = self.turned(to, from);
            rename_in_worktree(&session, to, from)?;
        }
        let (refs, sequence) = self.announce(&session, files, clock)?;
        let mut report = Report {
            sequence: self.entry.sequence,
            verb: self.entry.verb.clone(),
            summary: self.entry.summary.clone(),
            refs,
            brought_back: Vec::new(),
            files: FilesLine::default(),
        };
        let mut fresh = Vec::new();
        if let Some(files) = files {
            let done = self.change_files(&session, files, &mut report, clock, monitor)?;
            fresh = done;
            settle_change(&session, Some(sequence), &report.files)?;
        }
        session.remember(fresh, monitor)?;
        Ok(report)
    }

    /// What was before and after, seen in the direction of travel.
    fn turned<T>(&self, before: T, after: T) -> (T, T) {
        match self.direction {
            Direction::Undo => (after, before),
            Direction::Redo => (before, after),
        }
    }

    /// Moves names and state, writes the journal entry, and notes that the files are to follow.
    fn announce(
        &self,
        session: &Session<'_>,
        files: Option<FilesChange>,
        clock: &dyn Clock,
    ) -> Result<(Vec<RefMove>, u64), AppError> {
        let mut edit = session.repository.edit()?;
        let mut moved = Vec::new();
        for RefMove { name, before, after } in &self.entry.refs {
            let (expected, wanted) = self.turned(*before, *after);
            edit.set_reference(name, expected, wanted.map(RefTarget::plain))?;
            moved.push(RefMove { name: name.clone(), before: expected, after: wanted });
        }
        let present = edit.state()?;
        let mut state = present.clone();
        if let Some(StateChange { before, after }) = &self.entry.state {
            let (_, wanted) = self.turned(before.clone(), after.clone());
            state = wanted;
        }
        for ShelfMove { branch, before, after } in &self.entry.shelves {
            let (_, wanted) = self.turned(before, after);
            edit.put_shelf(branch, wanted.as_ref())?;
        }
        let reverses = match self.direction {
            Direction::Undo => Reversal::Undo(self.entry.sequence),
            Direction::Redo => Reversal::Redo(self.entry.sequence),
        };
        let word = if self.direction == Direction::Undo { "took back" } else { "did again" };
        let note = JournalNote {
            verb: if self.direction == Direction::Undo { "undo" } else { "redo" },
            summary: format!("{word}: {}", self.entry.summary),
            reverses: Some(reverses),
            ..JournalNote::default()
        };
        let sequence = edit.record(note, clock.now())?;
        state.underway = files;
        if state != present {
            edit.put_state(&state)?;
        }
        edit.commit()?;
        Ok((moved, sequence))
    }

    /// Brings the files over, and what had been set aside back to its place.
    fn change_files(
        &self,
        session: &Session<'_>,
        files: FilesChange,
        report: &mut Report,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<Vec<crate::worktree::index::Fresh>, AppError> {
        let view = session.repository.view()?;
        let pent_dir = session.repository.pent_dir();
        let kept = match (&self.kept, self.direction) {
            (Some(id), Direction::Undo) => Some(displaced::find(pent_dir, id)?),
            _ => None,
        };
        let coming = ComingBack::of(kept.as_ref());
        let mut targets = targets_between(session, &view, files.before, files.after, monitor)?;
        targets.retain(|target| !coming.settles(target));
        // The place of what comes back is cleared like any other: what stands there may be new.
        targets.extend(coming.places.keys().map(|path| Wanted { path: (*path).clone(), content: None }));
        let (worktree, state_dir) = (&session.worktree, &session.state_dir());
        let known = WrittenBefore { worktree, state_dir, view: &view, tree: files.before };
        let plan = prepare(session, &targets, &known.files(&targets), monitor)?;
        let done = carry_out(session, &view, &plan, report_verb(self.direction), clock, monitor)?;
        report.files = done.line;
        if let Some(set) = &kept {
            let back = displaced::restore_all(pent_dir, set, &session.worktree)?;
            report.brought_back = back.paths;
            for (path, error) in back.failed {
                // Something has taken its place since: it stays where it is kept.
                let message = format!("{error}; what stood there stays set aside as {}", set.id);
                report.files.problems.push(ProblemLine { path, message });
            }
        }
        Ok(done.fresh)
    }
}

/// Places to which something comes back, and whether that is a folder.
struct ComingBack<'a> {
    places: HashMap<&'a AssetPath, bool>,
}

impl<'a> ComingBack<'a> {
    fn of(set: Option<&'a DisplacedSet>) -> Self {
        let items = set.into_iter().flat_map(|set| &set.items);
        Self { places: items.filter_map(|item| Some((item.path.as_ref()?, item.is_folder))).collect() }
    }

    /// Whether what comes back settles what becomes of a target: it is that path, or a folder that
    /// brings all that was in it, or no folder, so that nothing can stand below it.
    fn settles(&self, target: &Wanted) -> bool {
        let mut above = std::iter::successors(target.path.parent(), AssetPath::parent);
        self.places.contains_key(&target.path)
            || above.any(|folder| {
                let is_folder = self.places.get(&folder);
                is_folder.is_some_and(|is_folder| *is_folder || target.content.is_some())
            })
    }
}

const fn report_verb(direction: Direction) -> &'static str {
    match direction {
        Direction::Undo => "undo",
        Direction::Redo => "redo",
    }
}

/// Finds which files still are what the command being taken back had put there.
struct WrittenBefore<'a> {
    worktree: &'a Worktree,
    state_dir: &'a Path,
    view: &'a View,
    tree: TreeId,
}

impl WrittenBefore<'_> {
    /// Files at the given paths whose bytes are those of the tree: replacing them loses nothing.
    fn files(&self, targets: &[Wanted]) -> KnownFiles {
        let seen = Seen::open(&self.state_dir.join(SEEN_FILE));
        let clock = FsClock::new(self.state_dir);
        let known: Vec<_> =
            targets.par_iter().filter_map(|target| self.known(&target.path, seen.as_ref(), &clock)).collect();
        known.into_iter().collect()
    }

    fn known(
        &self,
        path: &AssetPath,
        seen: Option<&Seen>,
        clock: &FsClock,
    ) -> Option<(AssetPath, FileStat, FileId)> {
        let entry = entry_at(self.view, self.tree, path).ok().flatten()?;
        let id = entry.content.file_id()?;
        let node = self.worktree.look(path).ok().flatten()?;
        // One that was made executable since, or no longer is, differs from what the command put there.
        let is_same_kind = match (&entry.content, node.kind) {
            (Content::File { executable, .. }, NodeKind::File { executable: now }) => *executable == now,
            (Content::Symlink { .. }, NodeKind::Symlink) => true,
            _ => false,
        };
        if !is_same_kind {
            return None;
        }
        if seen.and_then(|seen| seen.find(path, &node.stat)).is_some_and(|seen| seen.id == id) {
            return Some((path.clone(), node.stat, id));
        }
        if node.kind == NodeKind::Symlink {
            let is_settled = clock.settle(&node.stat);
            let target = self.worktree.read_link(path).ok()?;
            let is_same = HashProbe.probe_link(&target, path).is_ok_and(|probed| probed.id == id);
            return (is_settled && is_same).then(|| (path.clone(), node.stat, id));
        }
        if entry.content.size() != Some(node.stat.size) {
            return None;
        }
        let open = || self.worktree.open_file(path);
        let read = read_stably(clock, open, |file, _| HashProbe.probe(file, path, false)).ok()?;
        (read.settled && read.value.id == id).then(|| (path.clone(), read.node.stat, id))
    }
}
