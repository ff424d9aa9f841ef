//! `undo` and `redo`: take back what a command did to names, files and pending edits, or do it again.

use crate::app::common::files_change::FilesLine;
use crate::app::common::problem::ProblemLine;
use crate::app::common::renaming::{announce_renaming, rename_announced};
use crate::app::common::session::Session;
use crate::app::common::underway::{Performed, Task, announce, finish_interrupted, perform, plan_return};
use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::repo::edit::JournalNote;
use crate::repo::journal::{FilesChange, JournalEntry, JournalHead, RefMove, Reversal, ShelfMove};
use crate::repo::refs::{Annotation, RefTarget};
use crate::repo::state::{Renaming, Underway, WorktreeState};
use crate::repo::state_difference::Side;
use crate::repo::{RepoError, Repository, View};
use crate::worktree::displaced;
use serde::Serialize;

const DAY_MS: i64 = 24 * 3600 * 1000;

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
    let cursor = session.view.undo_cursor()?;
    let (next, verb) = match direction {
        Direction::Undo => (cursor.undo, "undo"),
        Direction::Redo => (cursor.redo, "redo"),
    };
    let entry = next.map(|sequence| session.view.journal_entry(sequence)).transpose()?.flatten();
    let entry = entry.ok_or(AppError::NothingTo { verb })?;
    let kept = kept_set(&session.view, entry.sequence, direction)?;
    let reversal = Reverse { direction, entry: &entry, kept };
    reversal.run(session, clock, monitor)
}

/// Under which name lie the files that come back: those that the entry, or its last repetition, replaced,
/// when it is taken back; those that taking it back replaced, when it is done again.
fn kept_set(view: &View, sequence: u64, direction: Direction) -> Result<Option<String>, RepoError> {
    let mut newest_first = view.journal_heads()?.rev();
    let replaced_them = |entry: &JournalHead| match direction {
        Direction::Undo => entry.sequence == sequence || entry.reverses == Some(Reversal::Redo(sequence)),
        Direction::Redo => entry.reverses == Some(Reversal::Undo(sequence)),
    };
    let found = newest_first.find(|entry| entry.as_ref().map_or(true, replaced_them)).transpose()?;
    Ok(found.and_then(|entry| entry.displaced))
}

struct Reverse<'e> {
    direction: Direction,
    entry: &'e JournalEntry,
    /// Under which name lies what comes back.
    kept: Option<String>,
}

impl Reverse<'_> {
    fn run(
        &self,
        mut session: Session<'_>,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<Report, AppError> {
        // Before anything else, since the worktree is changed first: what is protected only goes forward.
        let protected = session.view.protected_names()?;
        if let Some(moved) = self.entry.refs.iter().find(|moved| protected.covers(&moved.name)) {
            return Err(RepoError::Protected { name: moved.name.clone() }.into());
        }
        let files = self.entry.files.map(|files| match self.direction {
            Direction::Undo => files.reversed(),
            Direction::Redo => files,
        });
        let ground = self.ground_after(&session)?;
        let task = files.map(|files| plan_return(&session, (files, ground), self.kept.as_deref(), monitor));
        let task = task.transpose()?;
        let (refs, underway) = self.announce(&session, files, clock)?;
        let mut done = Performed::default();
        match (underway, task) {
            (Some(underway), _) if underway.renaming.is_some() => {
                rename_announced(&session, &underway)?;
                session.remember(Vec::new(), monitor)?;
            }
            (Some(underway), Some(task)) => {
                done = perform(&mut session, underway, &task, self.verb(), clock, monitor)?;
                done.line.problems.extend(self.missed(&task, clock));
            }
            _ => session.remember(Vec::new(), monitor)?,
        }
        Ok(Report {
            sequence: self.entry.sequence,
            verb: self.entry.verb.clone(),
            summary: self.entry.summary.clone(),
            refs,
            brought_back: done.brought_back,
            files: done.line,
        })
    }

    /// Tells of what cannot come back because it was kept for its time and went. One that is younger
    /// and not there has been brought back before, or nothing had to be set aside.
    fn missed(&self, task: &Task, clock: &dyn Clock) -> Option<ProblemLine> {
        let id = self.kept.as_ref().filter(|_| task.back.is_none())?;
        let age_ms = clock.now().unix_ms.saturating_sub(self.entry.time.unix_ms);
        let message = format!(
            "what was set aside as {id} is no longer there: such things are kept for {} days",
            displaced::KEPT_DAYS
        );
        (age_ms > displaced::KEPT_DAYS * DAY_MS).then(|| ProblemLine { path: AssetPath::root(), message })
    }

    const fn verb(&self) -> &'static str {
        match self.direction {
            Direction::Undo => "undo",
            Direction::Redo => "redo",
        }
    }

    /// What was before and after, seen in the direction of travel.
    fn turned<T>(&self, before: T, after: T) -> (T, T) {
        match self.direction {
            Direction::Undo => (after, before),
            Direction::Redo => (before, after),
        }
    }

    /// The state that the worktree will have. How far its files have come is no part of what is taken back.
    fn state_after(&self, present: &WorktreeState) -> WorktreeState {
        let mut state = present.clone();
        if let Some(changed) = &self.entry.state {
            changed.bring(&mut state, self.turned(Side::Before, Side::After).1);
        }
        state
    }

    /// What the files will be compared with.
    fn ground_after(&self, session: &Session<'_>) -> Result<TreeId, AppError> {
        let state = &self.state_after(&session.state);
        let moved = self.entry.refs.iter().find(|moved| moved.name == state.branch);
        match (state.ground(), moved) {
            (Some(merged), _) => Ok(merged),
            (None, Some(RefMove { before, after, .. })) => Ok(match self.turned(*before, *after).1 {
                Some(commit) => session.view.commit(commit)?.tree,
                None => TreeNode::empty_id(),
            }),
            (None, None) => Ok(session.view.ground(state)?),
        }
    }

    /// The way back of what was moved, or the same way again.
    fn renaming(&self, present: &WorktreeState) -> Option<Renaming> {
        let (from, to) = self.entry.renamed.as_ref()?;
        let (from, to) = self.turned(from.clone(), to.clone());
        Some(Renaming { from, to, before: present.pending.clone() })
    }

    /// Moves names and state, writes the journal entry, and notes that the files are to follow.
    fn announce(
        &self,
        session: &Session<'_>,
        files: Option<FilesChange>,
        clock: &dyn Clock,
    ) -> Result<(Vec<RefMove>, Option<Underway>), AppError> {
        let mut edit = session.repository.edit()?;
        let mut moved = Vec::new();
        for RefMove { name, before, after, words_before, words_after } in &self.entry.refs {
            let (expected, wanted) = self.turned(*before, *after);
            let (words, words_wanted) = self.turned(words_before.clone(), words_after.clone());
            let annotation = words_wanted.clone().map(Annotation::from);
            edit.set_reference(name, expected, wanted.map(|commit| RefTarget { commit, annotation }))?;
            moved.push(RefMove {
                name: name.clone(),
                before: expected,
                after: wanted,
                words_before: words,
                words_after: words_wanted,
            });
        }
        let present = edit.state()?;
        let state = self.state_after(&present);
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
            verb: self.verb(),
            summary: format!("{word}: {}", self.entry.summary),
            reverses: Some(reverses),
            ..JournalNote::default()
        };
        let underway = match files {
            Some(files) => Some(announce(&mut edit, note, state, files, self.kept.clone(), clock.now())?),
            None => match self.renaming(&present) {
                Some(renaming) => {
                    Some(announce_renaming(session, &mut edit, note, state, renaming, clock.now())?)
                }
                None => {
                    edit.record(note, clock.now())?;
                    if state != present {
                        edit.put_state(&state)?;
                    }
                    None
                }
            },
        };
        edit.commit()?;
        Ok((moved, underway))
    }
}
