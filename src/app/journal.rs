//! `journal`: what this clone did, newest first.

use crate::app::common::describe::TimeLine;
use crate::app::error::AppError;
use crate::repo::journal::{JournalHead, RefMove, Reversal};
use crate::repo::{RepoError, Repository};
use serde::Serialize;

/// What to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// At most so many entries.
    pub limit: Option<usize>,
}

/// Entries, newest first.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The entries.
    pub entries: Vec<EntryLine>,
    /// The entry that `undo` would take back.
    pub undo: Option<u64>,
    /// The entry that `redo` would do again.
    pub redo: Option<u64>,
    /// Whether older entries were left out.
    pub more: bool,
}

/// One entry.
#[derive(Debug, Clone, Serialize)]
pub struct EntryLine {
    /// Its number.
    pub sequence: u64,
    /// When.
    pub time: TimeLine,
    /// The verb.
    pub verb: String,
    /// What happened.
    pub summary: String,
    /// Names that moved.
    pub refs: Vec<RefMove>,
    /// Under which name replaced files are kept.
    pub displaced: Option<String>,
    /// What it took back or did again.
    pub reverses: Option<Reversal>,
}

impl From<JournalHead> for EntryLine {
    fn from(entry: JournalHead) -> Self {
        Self {
            sequence: entry.sequence,
            time: entry.time.into(),
            verb: entry.verb,
            summary: entry.summary,
            refs: entry.refs,
            displaced: entry.displaced,
            reverses: entry.reverses,
        }
    }
}

/// Lists the journal.
pub fn run(repository: &Repository, options: Options) -> Result<Report, AppError> {
    let view = repository.view()?;
    let cursor = view.undo_cursor()?;
    let mut newest_first = view.journal_heads()?.rev();
    let limit = options.limit.unwrap_or(usize::MAX);
    let entries = newest_first.by_ref().take(limit).map(|head| Ok(EntryLine::from(head?)));
    let entries = entries.collect::<Result<_, RepoError>>()?;
    let more = newest_first.next().transpose()?.is_some();
    Ok(Report { entries, undo: cursor.undo, redo: cursor.redo, more })
}
