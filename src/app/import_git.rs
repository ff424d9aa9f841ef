//! `import git`: brings the history of a Git repository along, once or again and again.
//!
//! What comes in is made durable batch by batch; at the end one transaction moves the names. A branch
//! that has commits of its own here is never moved: what Git has for it then stands beside it, under
//! `git/`.

mod moves;
mod settings;

pub use settings::LFS_KEY;

use crate::app::common::files_change::{FilesLine, prepare, targets_between};
use crate::app::common::known_files::KnownFiles;
use crate::app::common::read_only;
use crate::app::common::session::Session;
use crate::app::common::underway::{self, Carried, carry_out, finish_interrupted, perform};
use crate::app::error::AppError;
use crate::base::escape::percent_encode;
use crate::base::id::CommitId;
use crate::base::local_path::LocalPath;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::import::git::blobs::MissingContent;
use crate::import::git::export::Ground;
use crate::import::git::run::{Category, Imported, Wish, category, run as import, settle};
use crate::import::git::settings::Translated;
use crate::import::git::source::Source;
use crate::object::source::ObjectSource;
use crate::object::tree::Content;
use crate::object::tree_walk::TreeWalk;
use crate::repo::edit::JournalNote;
use crate::repo::journal::{FilesChange, StateChange};
use crate::repo::refs::RefName;
use crate::repo::state::Underway;
use crate::repo::{RepoError, Repository};
use crate::worktree::checkout::Wanted;
use crate::worktree::probe::HashProbe;
use crate::worktree::status::Measure;
use moves::{Moves, name_here};
use serde::Serialize;
use std::path::PathBuf;

/// What to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// The repository or bundle.
    pub source: PathBuf,
    /// Which names and paths.
    pub wish: Wish,
    /// More folders in which Git LFS content may lie.
    pub lfs_storage: Vec<PathBuf>,
}

/// What became of one name.
#[derive(Debug, Clone, Serialize)]
pub struct NameLine {
    /// The full name in Git, percent-encoded.
    pub git_name: String,
    /// The object that it names there.
    pub git_id: String,
    /// The name here, when it has one.
    pub name: Option<RefName>,
    /// The commit here.
    pub commit: Option<CommitId>,
    /// What happened: `new`, `moved`, `rewritten` (it was set to other commits in the repository that it is
    /// imported from, and so here), `unchanged`, `ahead` (it has commits of its own here), `older` (what is
    /// here has all that this source has of it, and more that came from elsewhere: it stays), `beside`
    /// (Git's commits were put under another name), `protected` (the same, since the policy protects the
    /// name), `kept` (only for the way back), `unnamed` (the same, since no name here
    /// can be like it), `other` (the same, and what came from elsewhere stays),
    /// `removed-here`, `gone` (Git has it no longer, so it went here, too), `gone-kept` (Git has it no longer;
    /// it stays, since somebody has work on it here), `left-out` (it names a tree or a large blob and no
    /// commit).
    pub outcome: &'static str,
}

/// What was imported.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where from.
    pub source: LocalPath,
    /// Commits that are new here.
    pub commits: u64,
    /// The names that were looked at.
    pub names: Vec<NameLine>,
    /// Blobs taken in.
    pub files: u64,
    /// Their bytes, Git LFS content counted as content.
    pub bytes: u64,
    /// Of these, bytes of Git LFS content.
    pub bytes_lfs: u64,
    /// Of all bytes, those that the repository did not have.
    pub bytes_new: u64,
    /// Bytes by which the repository's packs grew.
    pub bytes_stored: u64,
    /// Content that was not at hand, with where it was expected.
    pub missing: Vec<MissingContent>,
    /// Content that earlier imports missed and that was found now.
    pub found_again: u64,
    /// Content that earlier imports missed and that this one did not find either.
    pub still_missing: Vec<MissingContent>,
    /// Parents of commits that a shallow clone left out and that no earlier import brought.
    pub absent_parents: u64,
    /// Whether history that an earlier import found cut off is whole now, so that its commits were made
    /// anew.
    pub regrown: bool,
    /// Entries that were left out.
    pub skipped: Vec<SkippedLine>,
    /// Names in Git that could not be read.
    pub broken_names: u64,
    /// Branches of other repositories that were left out because they were not asked for.
    pub remote_branches_left_out: u64,
    /// Names in Git that are neither branch nor tag, note nor replacement, percent-encoded: left alone.
    pub names_left_out: Vec<String>,
    /// Branches and tags in Git that stand for other names, percent-encoded: left out.
    pub names_for_names: Vec<String>,
    /// Branches that the worktree is on and that were not moved because of uncommitted work.
    pub waiting: Option<RefName>,
    /// What `.gitignore` and `.gitattributes` of the newest commit ask for, which holds here now.
    pub settings: Translated,
    /// The full name in Git, percent-encoded, of the branch that an earlier import took them from, when this
    /// one was narrowed to others and left them as they are.
    pub settings_kept_from: Option<String>,
    /// What was done to the worktree's files.
    pub worktree: Option<FilesLine>,
}

/// An entry that was left out.
#[derive(Debug, Clone, Serialize)]
pub struct SkippedLine {
    /// Its path in Git, percent-encoded: it may be none here.
    pub path: String,
    /// Why, as a sentence without its full stop.
    pub reason: &'static str,
}

/// Imports.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let scratch = repository.pent_dir().join("tmp");
    let ground = Ground::new(repository, monitor)?;
    let source = Source::open(&options.source, &scratch, &options.lfs_storage, &ground, monitor)?;
    drop(ground);
    let imported = import(repository, &source, &options.wish, monitor)?;
    let mut report = describe(options, &source, &imported);
    let settings = settings::take_over(repository, &source, &options.wish, &imported, monitor)?;
    (report.settings, report.settings_kept_from) = settings;
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    let mut moves = Moves::decide(&session, &source, &options.wish, &imported)?;
    let placing = place(&session, &mut moves, &source, &mut report, monitor)?;
    report.names.clone_from(&moves.lines);
    if imported.tied > 0 {
        report.worktree = fetch_tied(&mut session, clock, monitor)?;
    }
    // What cannot be done is refused while no name has moved.
    let plan = match &placing {
        Some(Placing { files, .. }) => {
            let targets = targets_between(&session, &session.view, *files, files.after, monitor)?;
            Some(prepare(&session, &targets, &KnownFiles::default(), monitor)?)
        }
        None => None,
    };
    let underway = announce(&session, &moves, placing.as_ref(), &report, clock)?;
    if let (Some(plan), Some(underway)) = (plan, underway) {
        monitor.phase(Phase { name: "Writing files", files_total: None, bytes_total: None });
        let done = perform(&mut session, underway, &plan.into(), "import", clock, monitor)?;
        report.worktree = Some(done.line);
    }
    drop(session);
    read_only::follow(repository, monitor)?;
    Ok(report)
}

fn describe(options: &Options, source: &Source, imported: &Imported) -> Report {
    let is_remote = |name: &[u8]| category(name).0 == Category::Remote;
    let left_out = source.refs.iter().filter(|entry| !options.wish.remotes && is_remote(&entry.name)).count();
    let others = source.refs.iter().filter(|entry| category(&entry.name).0 == Category::Other);
    let skipped = imported.skipped.iter();
    Report {
        source: options.source.canonicalize().unwrap_or_else(|_| options.source.clone()).into(),
        commits: imported.commits,
        names: Vec::new(),
        files: imported.blobs,
        bytes: imported.bytes,
        bytes_lfs: imported.lfs_bytes,
        bytes_new: imported.new_bytes,
        bytes_stored: imported.stored_bytes,
        missing: imported.missing.clone(),
        found_again: imported.tied,
        still_missing: imported.still_missing.clone(),
        absent_parents: imported.absent_parents,
        regrown: imported.regrown,
        skipped: skipped
            .map(|entry| SkippedLine { path: percent_encode(&entry.path), reason: entry.reason })
            .collect(),
        broken_names: source.broken_refs,
        remote_branches_left_out: left_out as u64,
        names_left_out: others.map(|entry| percent_encode(&entry.name)).collect(),
        names_for_names: source.symbolic.iter().map(|name| percent_encode(name)).collect(),
        waiting: None,
        settings: Translated::default(),
        settings_kept_from: None,
        worktree: None,
    }
}

/// Writes files of the worktree whose content was missing until now. What the index remembers of them no
/// longer holds.
fn fetch_tied(
    session: &mut Session<'_>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Option<FilesLine>, AppError> {
    let mut targets = Vec::new();
    for item in TreeWalk::new(&session.view, session.base, AssetPath::root()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        if !matches!(entry.content, Content::Foreign { .. }) || !session.state.shows(&path) {
            continue;
        }
        let content = session.view.at_hand(entry.content)?;
        let is_free = session.worktree.look(&path).is_ok_and(|found| found.is_none());
        if is_free && content.file_id().is_some() {
            targets.push(Wanted { path, content: Some(content) });
        }
    }
    let path = session.index_path();
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(AppError::Io { action: "removing", path, source });
        }
        _ => session.index = None,
    }
    let plan = prepare(session, &targets, &KnownFiles::default(), monitor)?;
    let Carried { line, fresh, .. } = carry_out(session, None, &plan, "import", clock, monitor)?;
    session.remember(fresh, monitor)?;
    Ok((!targets.is_empty()).then_some(line))
}

/// Where the worktree goes.
struct Placing {
    branch: RefName,
    files: FilesChange,
}

/// What becomes of the worktree: where it stands on a branch that moves, its files follow if nothing is
/// uncommitted; where it stands on nothing yet, it goes to the branch that Git has checked out.
fn place(
    session: &Session<'_>,
    moves: &mut Moves,
    source: &Source,
    report: &mut Report,
    monitor: &dyn Monitor,
) -> Result<Option<Placing>, AppError> {
    let branch = &session.state.branch;
    let goal = if session.head.is_none() { goal_of(source, moves, branch) } else { Some(branch.clone()) };
    let Some(goal) = goal else { return Ok(None) };
    let moved = moves.moves.iter().find(|moved| moved.name == goal);
    let Some(target) = moved.and_then(|moved| moved.after.as_ref()) else { return Ok(None) };
    let after = session.view.commit(target.commit)?.tree;
    let is_clean = is_clean(session, monitor)?;
    if session.head.is_none() {
        // Files that stand there already are the user's: they are compared, never replaced.
        let files = FilesChange::between(if is_clean { session.base } else { after }, after);
        return Ok(Some(Placing { branch: goal, files }));
    }
    if !is_clean {
        moves.put_beside(&session.view, &goal)?;
        report.waiting = Some(goal);
        return Ok(None);
    }
    Ok(Some(Placing { branch: goal, files: FilesChange::between(session.base, after) }))
}

/// The branch that a worktree without commits goes to.
fn goal_of(source: &Source, moves: &Moves, present: &RefName) -> Option<RefName> {
    let comes = |name: &RefName| moves.moves.iter().any(|moved| moved.name == *name);
    let head = source.head.as_deref().and_then(name_here).filter(|name| comes(name));
    head.or_else(|| comes(present).then(|| present.clone()))
}

fn is_clean(session: &Session<'_>, monitor: &dyn Monitor) -> Result<bool, AppError> {
    if !session.state.pending.is_empty() || session.state.merge.is_some() {
        return Ok(false);
    }
    let status = session.status(&[], &HashProbe, Measure::Needed, monitor)?;
    Ok(status.changes.is_empty())
}

/// Moves the names in one transaction and says that the files are to follow.
fn announce(
    session: &Session<'_>,
    moves: &Moves,
    placing: Option<&Placing>,
    report: &Report,
    clock: &dyn Clock,
) -> Result<Option<Underway>, AppError> {
    let mut edit = session.repository.edit()?;
    moves.apply(&mut edit)?;
    settle(&mut edit)?;
    let before = edit.state()?;
    let mut after = before.clone();
    if let Some(placing) = placing {
        after.branch = placing.branch.clone();
    }
    let files = placing.map(|placing| placing.files);
    let note = JournalNote {
        verb: "import git",
        summary: format!("imported {} commits from {}", report.commits, report.source.display()),
        state: (before != after).then(|| StateChange { before, after: after.clone() }),
        files,
        ..JournalNote::default()
    };
    let underway = match files {
        Some(files) => Some(underway::announce(&mut edit, note, after, files, None, clock.now())?),
        None => {
            edit.record(note, clock.now())?;
            edit.put_state(&after)?;
            None
        }
    };
    edit.commit()?;
    Ok(underway)
}

/// A path as the user may have meant it, for narrowing an import.
pub fn parse_path(text: &str) -> Result<AssetPath, AppError> {
    let trimmed = text.trim_matches('/');
    AssetPath::from_bytes(trimmed.as_bytes().to_vec())
        .map_err(|error| AppError::Path { text: text.to_owned(), reason: error.to_string() })
}
