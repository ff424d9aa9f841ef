//! `status`: what changed since the last commit, and what waits for a decision.

use crate::app::common::locks::{LockLine, of_others};
use crate::app::common::not_here::NotHere;
use crate::app::common::probe::IngestProbe;
use crate::app::common::problem::ProblemLine;
use crate::app::common::session::Session;
use crate::app::common::upstream::{UpstreamLine, upstream_of};
use crate::app::diff::worktree::{UNREAD, overlay};
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId, FileId, PersonId};
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::diff::tree::{self, Aliases, MoveMatching, PathSet, TreeDiffOptions, match_differences};
use crate::object::tree_edit::EntryValue;
use crate::repo::erased::erasure_of;
use crate::repo::ingest::Ingester;
use crate::repo::{Repository, View};
use crate::worktree::stat::SpecialKind;
use crate::worktree::status::{Change, Measure, What};
use serde::Serialize;
use std::collections::HashMap;

/// Most bytes of new and changed files that are read without being asked to, to say exactly how many
/// of them are new: a fraction of a second.
const MEASURED_BYTES_MAX: u64 = 64_000_000;

/// What to look at.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only at or below these paths; everywhere when empty.
    pub paths: Vec<AssetPath>,
    /// Read all new and changed files, however large, to say how much of them the repository has already.
    pub measure: bool,
    /// Name every file whose content is not here.
    pub list_not_here: bool,
    /// Who asks, and when: to say which assets others have locked.
    pub asking: Option<(Option<PersonId>, Timestamp)>,
}

/// What changed.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The branch.
    pub branch: String,
    /// Its newest commit; `None` before the first.
    pub commit: Option<CommitId>,
    /// A merge that is not finished.
    pub merge: Option<MergeLine>,
    /// A change of files that was cut off: its verb. The next command that changes files goes on
    /// with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<String>,
    /// How the branch stands to that of a remote, as far as it was fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamLine>,
    /// Assets that others have locked, as far as that was fetched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<LockLine>,
    /// Folders and files that the worktree shows; `None` when it shows everything.
    pub sparse: Option<Vec<AssetPath>>,
    /// Whether content may be on a remote only, and is brought when it is asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// Of such a clone: files of the newest commit whose content is not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_here: Option<NotHere>,
    /// Files that are not here because their content is withheld from you.
    pub withheld: u64,
    /// How many paths changed, by what happened to them.
    pub counts: Counts,
    /// The paths, in order.
    pub changes: Vec<ChangeLine>,
    /// Files that are as committed.
    pub unchanged_files: u64,
    /// Files and folders that are left out by rules.
    pub ignored: u64,
    /// Bytes of new and changed files.
    pub bytes: u64,
    /// Of these, at most so many are new to the repository.
    pub bytes_new_at_most: u64,
    /// Whether that number is exact because everything was read.
    pub measured: bool,
    /// Paths that a commit could not take, each with its reason.
    pub problems: Vec<ProblemLine>,
    /// Folders that hold repositories of their own and are left alone.
    pub nested: Vec<AssetPath>,
    /// Pipes, sockets and devices: they hold no work and are left alone.
    pub special: Vec<SpecialLine>,
}

/// Something in the folder that is neither file, folder nor link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecialLine {
    /// Where.
    pub path: AssetPath,
    /// `fifo`, `socket`, `device` or `unknown`.
    pub kind: SpecialKind,
}

/// A merge that is not finished.
#[derive(Debug, Clone, Serialize)]
pub struct MergeLine {
    /// What is merged in, as it was called.
    pub name: String,
    /// Its commit; `None` for uncommitted work that came back to a branch which had moved on.
    pub commit: Option<CommitId>,
    /// Paths that wait for a decision.
    pub undecided: Vec<AssetPath>,
}

/// How many paths changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// New paths.
    pub new: u64,
    /// Paths with other content.
    pub changed: u64,
    /// Assets that stand elsewhere.
    pub moved: u64,
    /// Paths that are gone.
    pub removed: u64,
    /// Paths of which only the mode or metadata changed.
    pub described: u64,
}

/// One path.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeLine {
    /// Where it stands; of something removed, where it stood.
    pub path: AssetPath,
    /// `new`, `changed`, `mode`, `kind`, `moved`, `moved-and-changed`, `removed` or `metadata`.
    pub what: &'static str,
    /// Where it stood before it was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<AssetPath>,
    /// Size in bytes; of something removed, as it was.
    pub size: u64,
    /// Size before, when that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_before: Option<u64>,
    /// Its file id, when it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileId>,
    /// Which asset it is, when it was committed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetId>,
    /// Bytes that are new to the repository, when they were measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_new: Option<u64>,
    /// Whether its metadata has edits that are not committed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub metadata_pending: bool,
}

/// Describes a change that can be committed.
impl From<Change> for ChangeLine {
    fn from(change: Change) -> Self {
        let (what, from) = match &change.what {
            What::New => ("new", None),
            What::ModeChanged => ("mode", None),
            What::KindChanged => ("kind", None),
            What::Moved { from, edited: false } => ("moved", Some(from.clone())),
            What::Moved { from, edited: true } => ("moved-and-changed", Some(from.clone())),
            What::Removed => ("removed", None),
            _ => ("changed", None),
        };
        let size = change.size();
        let before = change.base.as_ref().and_then(|base| base.content.size());
        Self {
            path: change.path,
            what,
            from,
            size,
            size_before: before.filter(|before| *before != size),
            file: change.file_id,
            asset: change.base.as_ref().and_then(|base| base.asset),
            bytes_new: change.new_bytes,
            metadata_pending: false,
        }
    }
}

impl ChangeLine {
    /// Describes what differs between two trees. `None` for a folder, and for what only became another
    /// asset.
    pub fn between(change: &tree::Change) -> Option<Self> {
        let is_file = |side: &&tree::Located| !side.value.content.is_directory();
        let before = change.before.as_deref().filter(is_file);
        let after = change.after.as_deref().filter(is_file);
        let shown = after.or(before)?;
        let kinds = change.kinds;
        let what = match (before, after) {
            (None, _) => "new",
            (_, None) => "removed",
            (Some(_), Some(_)) if kinds.moved && kinds.content => "moved-and-changed",
            (Some(_), Some(_)) if kinds.moved => "moved",
            (Some(_), Some(_)) if kinds.kind => "kind",
            (Some(_), Some(_)) if kinds.content => "changed",
            (Some(_), Some(_)) if kinds.mode => "mode",
            (Some(_), Some(_)) if kinds.metadata => "metadata",
            (Some(_), Some(_)) => return None,
        };
        let size = shown.value.content.size().unwrap_or(0);
        let size_before = before.and_then(|before| before.value.content.size());
        Some(Self {
            path: shown.path.clone(),
            what,
            from: before.filter(|_| kinds.moved && after.is_some()).map(|before| before.path.clone()),
            size,
            size_before: size_before.filter(|before| *before != size),
            file: after.and_then(|after| after.value.content.file_id()),
            asset: before.and_then(|before| before.value.asset),
            bytes_new: None,
            metadata_pending: what == "metadata",
        })
    }

    /// Describes a path of which only metadata or identity is edited.
    pub fn metadata(path: &AssetPath, value: Option<&EntryValue>) -> Self {
        Self {
            path: path.clone(),
            what: "metadata",
            from: None,
            size: value.and_then(|value| value.content.size()).unwrap_or(0),
            size_before: None,
            file: value.and_then(|value| value.content.file_id()),
            asset: value.and_then(|value| value.asset),
            bytes_new: None,
            metadata_pending: true,
        }
    }
}

impl Counts {
    /// Counts lines by what happened.
    pub fn of(lines: &[ChangeLine]) -> Self {
        let mut counts = Self::default();
        for line in lines {
            *match line.what {
                "new" => &mut counts.new,
                "moved" | "moved-and-changed" => &mut counts.moved,
                "removed" => &mut counts.removed,
                "mode" | "metadata" => &mut counts.described,
                _ => &mut counts.changed,
            } += 1;
        }
        counts
    }

    /// All of them.
    pub const fn total(&self) -> u64 {
        self.new + self.changed + self.moved + self.removed + self.described
    }
}

/// The paths that a commit cannot take, with reasons.
pub fn problems_of(view: &View, changes: &[Change]) -> Result<Vec<ProblemLine>, AppError> {
    let mut problems = Vec::new();
    for change in changes {
        let message = match &change.what {
            What::Unreadable { error } => format!("it cannot be read: {error}"),
            What::Busy => "a program is writing to it; commit again when it is done".to_owned(),
            // Where nothing was committed it is no problem: it holds no work.
            What::Special { .. } if change.base.is_some() => {
                "a pipe, socket or device is in its place".to_owned()
            }
            What::Unwritten if change.base.is_some() => {
                "it could not be written here and stays as committed; `pent restore` tries again".to_owned()
            }
            What::Unwritten => "it could not be removed here and is in no commit of this branch".to_owned(),
            What::Refused { hazard } => hazard.to_string(),
            What::Erased => not_taken(view, change)?,
            _ => continue,
        };
        problems.push(ProblemLine { path: change.path.clone(), message });
    }
    Ok(problems)
}

/// Says of a file with erased content when, by whom and why it was erased.
fn not_taken(view: &View, change: &Change) -> Result<String, AppError> {
    let erased = change.file_id.map(|id| erasure_of(view, id)).transpose()?.flatten();
    let why = erased.map_or_else(|| "the content was erased".to_owned(), |erased| erased.to_string());
    Ok(format!("it is not kept: {why}"))
}

fn special_of(changes: &[Change]) -> Vec<SpecialLine> {
    let special = |change: &Change| match change.what {
        What::Special { kind } if change.base.is_none() => {
            Some(SpecialLine { path: change.path.clone(), kind })
        }
        _ => None,
    };
    changes.iter().filter_map(special).collect()
}

/// Looks.
pub fn run(repository: &Repository, options: &Options, monitor: &dyn Monitor) -> Result<Report, AppError> {
    monitor.phase(Phase { name: "Looking for changes", files_total: None, bytes_total: None });
    let session = Session::look(repository, monitor)?;
    let parameters = repository.store().settings().chunker;
    let measuring = Ingester::measuring(&session.view, &parameters, monitor);
    let probe = IngestProbe::looking(measuring, Ingester::hashing(monitor));
    let measure = if options.measure { Measure::All } else { Measure::UpTo(MEASURED_BYTES_MAX) };
    let status = session.status(&options.paths, &probe, measure, monitor)?;
    let problems = problems_of(&session.view, &status.changes)?;
    let special = special_of(&status.changes);
    let mut changes = lines(&session, &options.paths, status.changes, monitor)?;
    changes.sort_unstable_by(|left, right| left.path.cmp(&right.path));
    let is_file = |line: &&ChangeLine| !matches!(line.what, "removed" | "metadata" | "mode");
    let bytes = changes.iter().filter(is_file).map(|line| line.size).sum();
    let at_most = |line: &ChangeLine| match line.what {
        // The very content is in the repository, at the place where it was before.
        "moved" => 0,
        _ => line.bytes_new.unwrap_or(line.size),
    };
    Ok(Report {
        branch: session.state.branch.name().to_owned(),
        commit: session.head,
        merge: session.state.merge.as_ref().map(|merge| MergeLine {
            name: merge.name.clone(),
            commit: merge.theirs,
            undecided: merge.conflicts.iter().map(|conflict| conflict.path.clone()).collect(),
        }),
        unfinished: unfinished(&session)?,
        upstream: upstream_of(&session, &changes)?,
        partial: session.view.is_lazy()?,
        not_here: not_here(&session, options)?,
        withheld: status.withheld,
        locks: match options.asking {
            Some((person, now)) => of_others(&session.view, person, now)?,
            None => Vec::new(),
        },
        sparse: session.state.sparse.as_ref().map(|paths| paths.iter().cloned().collect()),
        counts: Counts::of(&changes),
        bytes_new_at_most: changes.iter().filter(is_file).map(at_most).sum(),
        changes,
        unchanged_files: status.tallies.unchanged_files,
        ignored: status.tallies.ignored,
        bytes,
        measured: status.measured,
        problems,
        nested: status.nested,
        special,
    })
}

/// What of the newest commit is not here, in a clone that leaves content elsewhere.
fn not_here(session: &Session<'_>, options: &Options) -> Result<Option<NotHere>, AppError> {
    if !session.view.is_lazy()? {
        return Ok(None);
    }
    NotHere::of(&session.view, session.head_tree()?, &options.paths, options.list_not_here).map(Some)
}

/// The verb of a change of files that was cut off.
fn unfinished(session: &Session<'_>) -> Result<Option<String>, AppError> {
    let Some(underway) = &session.state.underway else { return Ok(None) };
    let entry = session.view.journal_entry(underway.sequence)?;
    Ok(Some(entry.map_or_else(|| "change of files".to_owned(), |entry| entry.verb)))
}

/// The lines of what a commit would change of the branch: what differs from what the files are
/// compared with, and what a merge under way brings.
fn lines(
    session: &Session<'_>,
    within: &[AssetPath],
    changes: Vec<Change>,
    monitor: &dyn Monitor,
) -> Result<Vec<ChangeLine>, AppError> {
    let head = session.head_tree()?;
    if head == session.base {
        let mut lines = changes.into_iter().filter(Change::is_committable).map(ChangeLine::from).collect();
        add_pending(session, within, &mut lines)?;
        return Ok(lines);
    }
    // What waits to be said of an asset is looked at like all else: it may be what the branch says already.
    let (view, pending) = (&session.view, &session.state.pending);
    let overlay = overlay(view, (head, session.base), &changes, pending, monitor)?;
    let measured: HashMap<&AssetPath, Option<u64>> =
        changes.iter().map(|change| (&change.path, change.new_bytes)).collect();
    let paths = PathSet::new(within.to_vec());
    let options = TreeDiffOptions { paths: &paths, moves: MoveMatching::Asset, aliases: &Aliases::default() };
    let found = match_differences(overlay.differences, options);
    let mut lines: Vec<ChangeLine> = found.iter().filter_map(ChangeLine::between).collect();
    for line in &mut lines {
        // What the merge brings is stored.
        line.bytes_new = measured.get(&line.path).copied().unwrap_or(Some(0));
        line.file = line.file.filter(|file| *file != UNREAD);
        line.metadata_pending |= pending.metadata.contains_key(&line.path);
    }
    Ok(lines)
}

/// Marks paths whose metadata or identity is edited, and adds those that have no other change.
fn add_pending(
    session: &Session<'_>,
    within: &[AssetPath],
    changes: &mut Vec<ChangeLine>,
) -> Result<(), AppError> {
    let pending = &session.state.pending;
    let asked = PathSet::new(within.iter().cloned());
    let mut lines = HashMap::new();
    if !pending.metadata.is_empty() {
        // What waits to be said of the old place of a moved asset goes with it, unless something else stands there.
        let left = |(at, line): (usize, &ChangeLine)| Some((line.from.clone()?, at));
        lines.extend(changes.iter().enumerate().filter_map(left));
        lines.extend(changes.iter().enumerate().rev().map(|(at, line)| (line.path.clone(), at)));
    }
    for path in pending.metadata.keys().filter(|path| asked.includes(path)) {
        if let Some(line) = lines.get(path).and_then(|&at| changes.get_mut(at)) {
            line.metadata_pending = true;
            continue;
        }
        let found = match &session.index {
            Some(index) => index.find(path)?,
            None => None,
        };
        if let Some(record) = found {
            let content = record.content()?;
            let value = EntryValue { asset: record.asset(), metadata: record.metadata(), content };
            changes.push(ChangeLine::metadata(path, Some(&value)));
        }
    }
    Ok(())
}
