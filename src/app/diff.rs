//! `diff`: what differs between two revisions, a revision and the worktree, or two versions of one
//! asset - asset by asset, and inside each in the language of its medium.
//!
//! Memory is bounded whatever is compared: content is looked at one file at a time, text up to a
//! limit, anything larger through its list of chunks; and what the report may repeat of the content
//! has a limit over all files together. Where a limit was met the report says so.

pub(crate) mod access;
mod changes;
mod compare;
mod documents;
mod sides;
pub(crate) mod worktree;

pub use documents::add_texts;
pub use sides::{Point, Side};

use crate::app::common::content::StoredContent;
use crate::app::common::describe::EntryLine;
use crate::app::common::lineage::CopyLine;
use crate::app::common::on_demand::{file_of, have_content};
use crate::app::common::problem::ProblemLine;
use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId};
use crate::base::monitor::{Monitor, Phase, Problem};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::diff::bytes::{ByteDiff, diff_bytes};
use crate::diff::metadata::FieldChange;
use crate::diff::model::ContentDiff;
use crate::diff::text::TextDiff;
use crate::diff::tree::{Change, ChangeKinds};
use crate::object::tree::Content;
use crate::repo::extract::Extractor;
use crate::repo::{Repository, View};
use access::StoredAccess;
use changes::Changes;
use compare::{Comparer, Room};
use rayon::prelude::*;
use serde::Serialize;
use sides::Sides;

/// Most assets of one commit whose content is looked at for a summary of the commit.
const SUMMARISED_MAX: usize = 5000;

/// Most content that a clone which does not have everything brings for a comparison, in bytes.
const BROUGHT_BYTES_MAX: u64 = 1 << 30;

/// How many files are compared side by side before the next are begun.
const BATCH_FILES: usize = 64;

/// What to compare, and how closely.
#[derive(Debug, Clone)]
pub struct Options {
    /// The older side; the current branch's newest commit when `None`.
    pub before: Option<Point>,
    /// The newer side; the worktree when `None`.
    pub after: Option<Point>,
    /// Only what lies at or below these paths on either side; everything when empty.
    pub paths: Vec<AssetPath>,
    /// How much to say about each file.
    pub detail: Detail,
    /// Unchanged lines shown around a change of text.
    pub context_lines: u32,
}

impl Default for Options {
    /// The newest commit against the worktree, in full, with three lines of context.
    fn default() -> Self {
        Self { before: None, after: None, paths: Vec::new(), detail: Detail::Content, context_lines: 3 }
    }
}

/// How much is said about each file. Less is also faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Which files, and what happened to them. No content is read.
    Names,
    /// How much of each changed, in numbers.
    Summary,
    /// What changed.
    Content,
}

/// What differs. Serialised, it is what `pent diff --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The older side.
    pub before: Side,
    /// The newer side.
    pub after: Side,
    /// One entry for each asset that differs, in the order of their paths.
    pub files: Vec<FileDiff>,
    /// Sums over all of them.
    pub totals: Totals,
    /// Paths that could not be compared, each with its reason. The rest was.
    pub problems: Vec<ProblemLine>,
}

/// How one asset differs.
#[derive(Debug, Clone, Serialize)]
pub struct FileDiff {
    /// Where it stands; where it stood when it is gone.
    pub path: AssetPath,
    /// What happened, of `added`, `removed`, `moved`, `replaced` (another asset took the path),
    /// `content`, `metadata`, `mode` and `kind`; several may hold.
    pub kinds: ChangeKinds,
    /// Which asset it is; `None` when it was never committed.
    pub asset: Option<AssetId>,
    /// What it was copied from, when it is new in the commit that is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copied_from: Option<CopyLine>,
    /// As it was; `None` when it is new.
    pub before: Option<EntryLine>,
    /// As it is; `None` when it is gone. The file id of a file on disk is there only when it had
    /// to be found out.
    pub after: Option<EntryLine>,
    /// Number of its version before, when it was asked for by that, or a commit is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_before: Option<u64>,
    /// Number of its version after, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_after: Option<u64>,
    /// The change of content in numbers, when content was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The change of content itself, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentDiff>,
    /// The text that people read in it, line by line, of a document that is no text itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextDiff>,
    /// The metadata fields that differ, by name.
    pub fields: Vec<FieldChange>,
    /// Limits that were met, so that not everything is told.
    pub limits: Vec<Limit>,
    /// Why its content could not be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A change of content in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "medium", rename_all = "kebab-case")]
pub enum Summary {
    /// Text.
    Text {
        /// Lines that are new.
        lines_added: u64,
        /// Lines that are gone.
        lines_removed: u64,
    },
    /// Anything else.
    Bytes {
        /// Bytes after, in chunks that the side before has too: stored once.
        bytes_shared: u64,
        /// Bytes after, in chunks of its own.
        bytes_new: u64,
        /// Bytes inside the ranges that differ, on the longer side of each; finer than chunks where
        /// only a few ranges differ.
        bytes_changed: u64,
        /// How many ranges differ, also when `content` lists fewer.
        ranges: u64,
    },
}

/// A limit on what is told about one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// It reads as text and is too large to be compared by line, so its bytes were compared.
    TooLargeForText,
    /// Lines that changed are counted and not shown.
    LinesOmitted,
    /// Ranges of bytes that changed are counted and not listed.
    RangesOmitted,
}

/// Sums over all files that differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Assets that are new.
    pub added: u64,
    /// Assets that are gone.
    pub removed: u64,
    /// Assets whose content changed where they stand.
    pub changed: u64,
    /// Assets that stand elsewhere, whether changed or not.
    pub moved: u64,
    /// Assets of which only metadata or mode changed.
    pub described: u64,
    /// Lines that are new, over all files compared as text.
    pub lines_added: u64,
    /// Lines that are gone, likewise.
    pub lines_removed: u64,
    /// Length after of all files compared as bytes.
    pub bytes_compared: u64,
    /// Of these, bytes in chunks that the side before does not have.
    pub bytes_new: u64,
}

impl Totals {
    fn add(&mut self, file: &FileDiff) {
        let kinds = file.kinds;
        *match kinds {
            ChangeKinds { added: true, .. } => &mut self.added,
            ChangeKinds { removed: true, .. } => &mut self.removed,
            ChangeKinds { moved: true, .. } => &mut self.moved,
            ChangeKinds { content: true, .. }
            | ChangeKinds { replaced: true, .. }
            | ChangeKinds { kind: true, .. } => &mut self.changed,
            _ => &mut self.described,
        } += 1;
        match file.summary {
            Some(Summary::Text { lines_added, lines_removed }) => {
                self.lines_added += lines_added;
                self.lines_removed += lines_removed;
            }
            Some(Summary::Bytes { bytes_shared, bytes_new, .. }) => {
                self.bytes_compared += bytes_shared + bytes_new;
                self.bytes_new += bytes_new;
            }
            None => {}
        }
    }
}

/// Compares.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let (before, paths) = (options.before.as_ref(), options.paths.clone());
    match &options.after {
        Some(after) => {
            let view = repository.view()?;
            let sides = Sides::find(&view, before, after, paths, clock.now())?;
            let changes = changes::between(&view, sides.pair, monitor)?;
            let report = Report::new(sides.before, sides.after);
            compare(repository, &view, changes, options, report, monitor)
        }
        None => {
            let session = Session::look(repository, monitor)?;
            let sides = Sides::with_worktree(&session.view, before, paths, clock.now())?;
            let changes = changes::with_worktree(&session, sides.pair, monitor)?;
            let report = Report::new(sides.before, sides.after);
            compare(repository, &session.view, changes, options, report, monitor)
        }
    }
}

/// What a commit changed since its first parent. Of a commit that changed very much, a summary says
/// no more than names.
pub(super) fn of_commit(
    repository: &Repository,
    view: &View,
    id: CommitId,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let sides = Sides::of_commit(view, id, options.paths.clone())?;
    let changes = changes::between(view, sides.pair, monitor)?;
    let mut options = options.clone();
    if options.detail == Detail::Summary && changes.list.len() > SUMMARISED_MAX {
        options.detail = Detail::Names;
    }
    compare(repository, view, changes, &options, Report::new(sides.before, sides.after), monitor)
}

impl Report {
    fn new(before: Side, after: Side) -> Self {
        Self { before, after, files: Vec::new(), totals: Totals::default(), problems: Vec::new() }
    }

    fn add(&mut self, file: FileDiff, monitor: &dyn Monitor) {
        if let Some(message) = &file.problem {
            let problem = Problem { path: file.path.clone(), message: message.clone() };
            self.problems.push(problem.clone().into());
            monitor.problem(problem);
        }
        self.totals.add(&file);
        self.files.push(file);
    }
}

/// Compares what differs, asset by asset, and completes the report.
fn compare(
    repository: &Repository,
    view: &View,
    changes: Changes,
    options: &Options,
    mut report: Report,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let brought = bring(repository, view, &changes, options.detail, monitor)?;
    let view = brought.as_ref().unwrap_or(view);
    report.problems = changes.problems;
    let stored = StoredContent::new(repository, view, monitor)?;
    let closeness = (options.detail, options.context_lines);
    let parameters = repository.store().settings().chunker;
    let disk = changes.disk.as_ref();
    let comparer = Comparer::new(view, stored.extractor(), disk, parameters, closeness, monitor);
    let files_total = Some(changes.list.len() as u64);
    monitor.phase(Phase { name: "Comparing", files_total, bytes_total: None });
    let mut room = Room::default();
    let mut list = changes.list.into_iter();
    loop {
        let batch: Vec<Change> = list.by_ref().take(BATCH_FILES).collect();
        if batch.is_empty() {
            break;
        }
        let compared: Vec<_> = batch.into_par_iter().map(|change| comparer.compare(change)).collect();
        for compared in compared {
            let Some(mut compared) = compared? else { continue };
            room.fit(&mut compared, options.detail);
            report.add(compared, monitor);
        }
    }
    if let [file] = report.files.as_mut_slice() {
        file.version_before = report.before.version();
        file.version_after = report.after.version();
    }
    Ok(report)
}

/// Brings what is compared and not here, unless that is more than whoever looks has asked for. Of what stays
/// away, each file says so.
fn bring(
    repository: &Repository,
    view: &View,
    changes: &Changes,
    detail: Detail,
    monitor: &dyn Monitor,
) -> Result<Option<View>, AppError> {
    if detail == Detail::Names || !view.is_partial()? {
        return Ok(None);
    }
    let mut wanted = Vec::new();
    for change in &changes.list {
        // The newer side may stand on disk.
        let after = change.after.as_ref().filter(|_| changes.disk.is_none());
        for located in change.before.as_ref().into_iter().chain(after) {
            if let Some((id, size)) = file_of(&view.at_hand(located.value.content.clone())?)
                && !view.has_content(id, size)?
            {
                wanted.push((id, size));
            }
        }
    }
    if wanted.iter().map(|(_, size)| size).sum::<u64>() > BROUGHT_BYTES_MAX {
        return Ok(None);
    }
    match have_content(repository, view, wanted, monitor) {
        Ok(true) | Err(AppError::NotHere { .. }) => Ok(Some(repository.view()?)),
        Ok(false) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Compares two stored contents as bytes; `None` when the repository can hold one of them only by name.
pub(super) fn bytes_between(
    view: &View,
    extractor: &Extractor<'_>,
    before: &Content,
    after: &Content,
) -> Result<Option<ByteDiff>, AppError> {
    let access = |content: &Content| {
        let (file, size) = (content.file_id()?, content.size()?);
        Some(StoredAccess::new(view, extractor, file, size))
    };
    let Some((before, after)) = access(before).zip(access(after)) else { return Ok(None) };
    Ok(Some(diff_bytes(&before, &after)?))
}
