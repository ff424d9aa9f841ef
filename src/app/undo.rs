//! `undo` and `redo`: take back what a command did to names, files and pending edits, or do it again.

use crate::app::error::AppError;
use crate::app::export::ProblemLine;
use crate::app::mv::rename_in_worktree;
use crate::app::session::Session;
use crate::app::transition::{
    FilesLine, KnownFiles, carry_out, clean_content, finish_interrupted, prepare, settle_change,
    targets_between,
};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::repo::Repository;
use crate::repo::edit::JournalNote;
use crate::repo::journal::{
    FilesChange, JournalEntry, RefMove, Reversal, ShelfMove, StateChange, UndoCursor,
};
use crate::repo::refs::RefTarget;
use crate::worktree::WorktreeError;
use crate::worktree::checkout::Target;
use crate::worktree::displaced::{Displaced, DisplacedItem};
use crate::worktree::stat::Node;
use serde::Serialize;

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
        let displaced = Displaced::of(session.repository.pent_dir());
        let kept: Vec<DisplacedItem> = match (&self.kept, self.direction) {
            (Some(id), Direction::Undo) => displaced.read(id)?.items,
            _ => Vec::new(),
        };
        let mut targets = targets_between(session, &view, files.before, files.after, monitor)?;
        targets.retain(|target| !kept.iter().any(|item| comes_with(item, target)));
        // The place of what comes back is cleared like any other: what stands there may be new.
        for item in &kept {
            targets.push(Target { path: item.path.clone(), content: None });
        }
        let known = WrittenBefore { session, view: &view, tree: files.before };
        let plan_paths: Vec<AssetPath> = targets.iter().map(|target| target.path.clone()).collect();
        let plan = prepare(session, targets, &known.files(&plan_paths), monitor)?;
        let done = carry_out(session, &view, plan, report_verb(self.direction), clock, monitor)?;
        report.files = done.line;
        if let Some(id) = &self.kept {
            for item in &kept {
                match displaced.bring_back(id, item, &session.worktree) {
                    Ok(()) => report.brought_back.push(item.path.clone()),
                    // Something has taken its place since: it stays where it is kept.
                    Err(error @ (WorktreeError::Occupied { .. } | WorktreeError::Obstructed { .. })) => {
                        let path = item.path.clone();
                        let message = format!("{error}; what stood there stays set aside as {id}");
                        report.files.problems.push(ProblemLine { path, message });
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(done.fresh)
    }
}

/// Whether what was set aside settles what becomes of a target when it comes back: it is that path,
/// or a folder that brings all that was in it, or no folder, so that nothing can stand below it.
fn comes_with(item: &DisplacedItem, target: &Target) -> bool {
    let is_folder = item.kind == "directory";
    target.path == item.path || (target.path.is_within(&item.path) && (is_folder || target.content.is_some()))
}

const fn report_verb(direction: Direction) -> &'static str {
    match direction {
        Direction::Undo => "undo",
        Direction::Redo => "redo",
    }
}

/// Finds which files still are what the command being taken back had put there.
struct WrittenBefore<'a> {
    session: &'a Session<'a>,
    view: &'a crate::repo::View,
    tree: crate::base::id::TreeId,
}

impl WrittenBefore<'_> {
    /// Files at the given paths whose bytes are those of the tree: replacing them loses nothing.
    fn files(&self, paths: &[AssetPath]) -> KnownFiles {
        let mut known = KnownFiles::default();
        for path in paths {
            let entry = crate::object::tree_walk::entry_at(self.view, self.tree, path).ok().flatten();
            let id = entry.and_then(|entry| entry.content.file_id());
            if let (Some(id), Some(node)) = (id, self.look(path)) {
                let is_clean = clean_content(self.session, path).ok().flatten().is_some();
                if !is_clean && self.hash(path).is_some_and(|found| found == id) {
                    known.add(path.clone(), node.stat);
                }
            }
        }
        known
    }

    fn look(&self, path: &AssetPath) -> Option<Node> {
        self.session.worktree.look(path).ok().flatten()
    }

    fn hash(&self, path: &AssetPath) -> Option<crate::base::id::FileId> {
        let file = self.session.worktree.open_file(path).ok()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file).ok()?;
        Some(crate::base::id::FileId::from_bytes(*hasher.finalize().as_bytes()))
    }
}
