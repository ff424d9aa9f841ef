//! `restore`: brings any file or folder of any revision back into the worktree, or to another place.
//!
//! What it replaces and nobody has committed is set aside; `undo` brings that back.

use crate::app::common::claims::standing;
use crate::app::common::content::{CheckoutContent, StoredContent};
use crate::app::common::files_change::{FilesLine, prepare, told, written_by};
use crate::app::common::known_files::KnownFiles;
use crate::app::common::locate::{Located, locate};
use crate::app::common::on_demand::have_content;
use crate::app::common::removed::removed_below;
use crate::app::common::session::Session;
use crate::app::common::target::refuse_repository;
use crate::app::common::underway::{announce, finish_interrupted, perform};
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId};
use crate::base::local_path::LocalPath;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::size::count;
use crate::base::time::Clock;
use crate::object::source::ObjectSource;
use crate::object::tree::Content;
use crate::object::tree_edit::{EntryValue, TreeEdit, edit_tree};
use crate::object::tree_walk::{TreeWalk, entry_at, tree_order};
use crate::repo::at_hand::AtHand;
use crate::repo::edit::JournalNote;
use crate::repo::journal::{FilesChange, StateChange};
use crate::repo::state::{PendingEdits, Underway, WorktreeState};
use crate::repo::{RepoError, Repository, View};
use crate::worktree::checkout::{
    self, Action, CheckoutPlan, LinkPolicy, PlanInput, Replaces, Step, execute, plan,
};
use crate::worktree::displaced::Displacer;
use crate::worktree::root::Worktree;
use crate::worktree::stat::NodeKind;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;

/// What to bring back.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// From which revision; the newest commit of the branch when `None`.
    pub revision: Option<String>,
    /// Which files and folders; the top folder for everything. `logo.psd@12` means its version 12.
    pub paths: Vec<AssetPath>,
    /// Also remove committed files that the revision does not have.
    pub exact: bool,
    /// Into this folder instead of the worktree.
    pub to: Option<PathBuf>,
    /// Only say what would happen.
    pub preview: bool,
}

/// What was brought back.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The commits that the files came from, without repetition.
    pub commits: Vec<CommitId>,
    /// Where to; `None` for the worktree.
    pub to: Option<LocalPath>,
    /// Whether nothing was done and this is what would be.
    pub preview: bool,
    /// Paths that are or would be written.
    pub write: Vec<AssetPath>,
    /// Paths that are or would be removed.
    pub remove: Vec<AssetPath>,
    /// Bytes that are or would be written.
    pub bytes: u64,
    /// Files that were so already.
    pub unchanged: u64,
    /// Paths whose metadata, not committed, becomes or would become as it was.
    pub described: Vec<AssetPath>,
    /// What was done; empty for a preview, except for what would be set aside.
    pub files: FilesLine,
}

/// One file to bring back: where to, and what.
struct Wanted {
    path: AssetPath,
    value: Option<EntryValue>,
}

impl Wanted {
    fn target(&self) -> checkout::Wanted {
        let content = self.value.as_ref().map(|value| value.content.clone());
        checkout::Wanted { path: self.path.clone(), content }
    }
}

impl From<Wanted> for checkout::Wanted {
    fn from(wanted: Wanted) -> Self {
        Self { path: wanted.path, content: wanted.value.map(|value| value.content) }
    }
}

/// Restores.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let mut session = if options.preview || options.to.is_some() {
        Session::look(repository, monitor)?
    } else {
        Session::begin(repository, monitor)?
    };
    if !options.preview && options.to.is_none() {
        finish_interrupted(&mut session, clock, monitor)?;
    }
    let (wanted, commits) = collect(&session, options, clock)?;
    match &options.to {
        Some(folder) => elsewhere(&session, options, folder.clone(), wanted, commits, clock, monitor),
        None => here(session, options, wanted, commits, clock, monitor),
    }
}

/// Everything that the paths name, in tree order.
fn collect(
    session: &Session<'_>,
    options: &Options,
    clock: &dyn Clock,
) -> Result<(Vec<Wanted>, Vec<CommitId>), AppError> {
    let view = &session.view;
    let mut wanted = Vec::new();
    let mut commits = Vec::new();
    for path in &options.paths {
        let found = find(view, options.revision.as_deref(), path, clock)?;
        commits.push(found.commit);
        let is_version = found.version_of.is_some();
        let target = found.version_of.unwrap_or_else(|| path.clone());
        match &found.content {
            Some(Content::Directory { id }) => {
                for item in TreeWalk::new(&AtHand(view), *id, target.clone()) {
                    let (path, entry) = item.map_err(RepoError::from)?;
                    if !entry.content.is_directory() {
                        wanted.push(Wanted { path, value: Some(entry.into()) });
                    }
                }
                if options.exact && !is_version {
                    add_removals(session, &target, &mut wanted)?;
                }
            }
            _ => wanted.push(Wanted { path: target, value: found.value }),
        }
    }
    wanted.sort_by(|left, right| tree_order(&left.path, &right.path));
    wanted.dedup_by(|later, kept| later.path == kept.path);
    commits.sort();
    commits.dedup();
    Ok((wanted, commits))
}

/// What a path names in a revision.
struct Found {
    commit: CommitId,
    content: Option<Content>,
    value: Option<EntryValue>,
    /// The path without its `@n`, when it had one.
    version_of: Option<AssetPath>,
}

fn find(view: &View, revision: Option<&str>, path: &AssetPath, clock: &dyn Clock) -> Result<Found, AppError> {
    if path.is_root() {
        let commit = view.resolve(revision.unwrap_or("@"), clock.now())?.commit;
        let content = Some(Content::Directory { id: view.commit(commit)?.tree });
        return Ok(Found { commit, content, value: None, version_of: None });
    }
    let Located { commit, tree, mut entry, .. } = locate(view, revision, path, clock.now())?;
    entry.content = view.at_hand(entry.content)?;
    let literal = entry_at(view, tree, path).map_err(RepoError::from)?.is_some();
    let version_of = if literal { None } else { without_version(path) };
    let content = Some(entry.content.clone());
    Ok(Found { commit, content, value: Some(entry.into()), version_of })
}

/// `brand/logo.psd@12` without its version.
fn without_version(path: &AssetPath) -> Option<AssetPath> {
    let at = path.as_bytes().iter().rposition(|byte| *byte == b'@')?;
    AssetPath::from_bytes(&path.as_bytes()[..at]).ok()
}

/// Committed files below `folder` that are not among what is wanted.
fn add_removals(session: &Session<'_>, folder: &AssetPath, wanted: &mut Vec<Wanted>) -> Result<(), AppError> {
    let kept: std::collections::HashSet<AssetPath> = wanted.iter().map(|item| item.path.clone()).collect();
    let below = if folder.is_root() {
        Some(session.base)
    } else {
        let found = entry_at(&session.view, session.base, folder).map_err(RepoError::from)?;
        found.and_then(|entry| match entry.content {
            Content::Directory { id } => Some(id),
            _ => None,
        })
    };
    let Some(below) = below else { return Ok(()) };
    for item in TreeWalk::new(&session.view, below, folder.clone()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        if !entry.content.is_directory() && !kept.contains(&path) {
            wanted.push(Wanted { path, value: None });
        }
    }
    Ok(())
}

/// Restores into another folder. Nothing there is overwritten either.
fn elsewhere(
    session: &Session<'_>,
    options: &Options,
    folder: PathBuf,
    wanted: Vec<Wanted>,
    commits: Vec<CommitId>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    refuse_repository(&folder)?;
    if !options.preview {
        std::fs::create_dir_all(&folder).map_err(|source| AppError::Io {
            action: "making",
            path: folder.clone(),
            source,
        })?;
    }
    let write: Vec<AssetPath> = wanted.iter().map(|item| item.path.clone()).collect();
    let mut report = Report {
        commits,
        to: Some(folder.clone().into()),
        preview: options.preview,
        write,
        remove: Vec::new(),
        bytes: 0,
        unchanged: 0,
        described: Vec::new(),
        files: FilesLine::default(),
    };
    if options.preview && !folder.is_dir() {
        report.bytes = wanted.iter().filter_map(|item| item.value.as_ref()?.content.size()).sum();
        return Ok(report);
    }
    let root = Worktree::open(&folder)?;
    // Lists of everything that is restored do not stay longer than they are needed.
    let targets: Vec<checkout::Wanted> =
        wanted.into_iter().filter(|item| item.value.is_some()).map(checkout::Wanted::from).collect();
    let input = PlanInput {
        worktree: &root,
        index: None,
        seen: None,
        stored: &|_, _| None,
        is_held: &|_, _| false,
        wanted: &targets,
    };
    let plan = plan(&input, monitor)?;
    drop(targets);
    report.bytes = plan.bytes_to_write;
    if options.preview {
        report.files.set_aside = paths(plan.kept());
        return Ok(report);
    }
    plan.check_space(&root)?;
    have_content(session.repository, &session.view, written_by(&plan), monitor)?;
    let view = session.repository.view()?;
    let stored = StoredContent::new(session.repository, &view, monitor)?;
    let source = CheckoutContent(stored.extractor());
    let pent_dir = session.repository.pent_dir();
    let displacer = Displacer::new(pent_dir, "restore", clock.now());
    let done = execute(&plan, &root, &source, &displacer, LinkPolicy::Any, None, monitor)?;
    report.files = told(&plan, &done, pent_dir, monitor)?;
    report.files.set_aside_as = displacer.id();
    Ok(report)
}

/// Restores into the worktree.
fn here(
    mut session: Session<'_>,
    options: &Options,
    wanted: Vec<Wanted>,
    commits: Vec<CommitId>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let targets: Vec<checkout::Wanted> = wanted.iter().map(Wanted::target).collect();
    let committed = |path: &AssetPath| entry_at(&session.view, session.base, path).ok().flatten();
    let known = KnownFiles::by_reading(&session, &targets, &|target| {
        vec![target.content.clone(), committed(&target.path).map(|entry| entry.content)]
    });
    let plan = prepare(&session, &targets, &known, monitor)?;
    drop((targets, known));
    let after = pending_after(&session, &wanted)?;
    let mut report = Report {
        commits,
        to: None,
        preview: options.preview,
        write: paths(plan.writes()),
        remove: paths(plan.removals()),
        bytes: plan.bytes_to_write,
        unchanged: plan.unchanged,
        described: described(&session.state, &after),
        files: FilesLine::default(),
    };
    if options.preview {
        report.files.set_aside = paths(plan.kept());
        return Ok(report);
    }
    if plan.is_empty() && plan.problems().is_empty() && after == session.state {
        return Ok(report);
    }
    let underway = announce_restore(&session, &plan, &wanted, after, &report, clock)?;
    report.files = perform(&mut session, underway, &plan.into(), "restore", clock, monitor)?.line;
    Ok(report)
}

/// The state after the restore: metadata comes back with its file, and a file that was gone goes on
/// as the asset that it was.
fn pending_after(session: &Session<'_>, wanted: &[Wanted]) -> Result<WorktreeState, AppError> {
    let mut state = session.state.clone();
    let moves = session.state.pending.moves.iter();
    let away: HashMap<&AssetPath, &AssetPath> = moves.map(|(to, from)| (from, to)).collect();
    let mut continued = BTreeMap::new();
    for Wanted { path, value } in wanted {
        let Some(value) = value else { continue };
        let committed = settle_moves(session, &mut state.pending, &away, path, value)?;
        // A file in the place of a folder is not what was said to be there.
        let is_folder = value.content.is_directory();
        let committed = committed.filter(|entry| entry.content.is_directory() == is_folder);
        let committed_metadata = committed.as_ref().and_then(|entry| entry.metadata);
        if value.metadata == committed_metadata {
            state.pending.metadata.remove(path);
        } else {
            state.pending.metadata.insert(path.clone(), value.metadata);
        }
        if let (None, Some(asset)) = (&committed, value.asset) {
            state.pending.assets.insert(path.clone(), asset);
            continued.insert(path.clone(), asset);
        }
    }
    // An asset that goes on from where it is by now would else bring what is said of it there.
    if !continued.is_empty() {
        let standing = standing(session.index.as_ref(), &continued)?;
        for Wanted { path, value } in wanted {
            let Some(at) = continued.get(path).and_then(|asset| standing.get(asset)) else { continue };
            let said = value.as_ref().and_then(|value| value.metadata);
            if session.base_entry(at)?.is_some_and(|entry| entry.metadata != said) {
                state.pending.metadata.insert(path.clone(), said);
            }
        }
    }
    Ok(state)
}

/// Lets moves that wait end where a restored file ends them, and says what the commit has of the asset
/// at its path. An asset that is brought back to where it was moved away from is at home again; what
/// stands where it was moved to keeps what is said of it, as a file of its own.
fn settle_moves(
    session: &Session<'_>,
    pending: &mut PendingEdits,
    away: &HashMap<&AssetPath, &AssetPath>,
    path: &AssetPath,
    value: &EntryValue,
) -> Result<Option<EntryValue>, AppError> {
    let base = session.base_entry(path)?;
    let mut is_away = false;
    if let Some(to) = away.get(path).copied().filter(|to| pending.moves.contains_key(*to)) {
        let asset = base.as_ref().and_then(|entry| entry.asset);
        is_away = asset != value.asset;
        if !is_away {
            end_move(pending, to, asset);
            let said = base.as_ref().and_then(|entry| entry.metadata);
            if said.is_some() {
                pending.metadata.entry(to.clone()).or_insert(said);
            }
        }
    }
    if let Some(origin) = pending.moves.get(path) {
        let moved = session.base_entry(origin)?;
        let asset = moved.as_ref().and_then(|entry| entry.asset);
        if asset == value.asset {
            return Ok(moved);
        }
        end_move(pending, path, asset);
    }
    Ok(base.filter(|_| !is_away))
}

/// Forgets that something was moved to a path.
fn end_move(pending: &mut PendingEdits, to: &AssetPath, asset: Option<AssetId>) {
    pending.moves.remove(to);
    if pending.assets.get(to).copied() == asset {
        pending.assets.remove(to);
    }
}

/// Paths of which something was said that nobody has committed, and that is not said any more.
fn described(before: &WorktreeState, after: &WorktreeState) -> Vec<AssetPath> {
    let said = before.pending.metadata.iter();
    said.filter(|(path, said)| after.pending.metadata.get(*path) != Some(*said))
        .map(|(path, _)| path.clone())
        .collect()
}

/// Writes the journal entry with the trees that undo needs, and the note that files are about to change.
fn announce_restore(
    session: &Session<'_>,
    plan: &CheckoutPlan,
    wanted: &[Wanted],
    after: WorktreeState,
    report: &Report,
    clock: &dyn Clock,
) -> Result<Underway, AppError> {
    let mut edit = session.repository.edit()?;
    let earlier = before_edits(session, plan, wanted)?;
    let restored = wanted.iter().filter(|item| item.value.is_some()).map(|item| &item.path);
    let in_the_way = in_the_way(session, restored, wanted)?;
    let put = wanted.iter().map(|item| TreeEdit { path: item.path.clone(), value: item.value.clone() });
    let put = sorted(put.chain(in_the_way).collect());
    let mut emit = |id, bytes: Vec<u8>| edit.put_tree_node(id, &bytes);
    let before = edit_tree(&session.view, session.base, earlier, &mut emit).map_err(AppError::from_edit)?;
    let after_tree = edit_tree(&session.view, session.base, put, &mut emit).map_err(AppError::from_edit)?;
    // The trees say what was there and what comes, hidden or not: restore brings what is asked for.
    let files = FilesChange { before, after: after_tree, beyond_shown: true };
    let state = StateChange { before: session.state_in(&edit)?, after: after.clone() };
    let from: Vec<String> = report.commits.iter().map(super::super::base::id::CommitId::short).collect();
    let restored = count((report.write.len() + report.remove.len()) as u64, "file", "files");
    let note = JournalNote {
        verb: "restore",
        summary: format!("restored {restored} from {}", from.join(", ")),
        state: (state.before != state.after).then_some(state),
        files: Some(files),
        ..JournalNote::default()
    };
    let underway = announce(&mut edit, note, after, files, None, clock.now())?;
    edit.commit()?;
    Ok(underway)
}

/// How the files differed from the base at the paths concerned: those that were gone; those that were
/// edited, which come back from where they are set aside; and those that were as wanted already.
fn before_edits(
    session: &Session<'_>,
    plan: &CheckoutPlan,
    wanted: &[Wanted],
) -> Result<Vec<TreeEdit>, AppError> {
    let steps: HashMap<&AssetPath, &Step> = plan.steps.iter().map(|step| (&step.path, step)).collect();
    let problems = plan.problems();
    let troubled: HashSet<&AssetPath> = problems.iter().map(|problem| &problem.path).collect();
    let mut gone = Vec::new();
    let mut edits = Vec::new();
    for Wanted { path, value } in wanted {
        let was_there = match (steps.get(path), value) {
            (Some(step), Some(value)) => match (&step.action, step.replaces) {
                (Action::SetMode { id, executable }, Replaces::Committed(node)) => {
                    let content = Content::File { id: *id, size: node.stat.size, executable: !executable };
                    edits.push(TreeEdit {
                        path: path.clone(),
                        value: Some(EntryValue { content, ..value.clone() }),
                    });
                    true
                }
                (_, Replaces::Committed(_)) => true,
                _ => false,
            },
            (Some(_), None) => true,
            (None, Some(_)) if !troubled.contains(path) => {
                edits.push(TreeEdit { path: path.clone(), value: value.clone() });
                true
            }
            (None, _) => stands_as_file(session, path),
        };
        if !was_there {
            gone.push(path.clone());
        }
    }
    let restored = wanted.iter().filter(|item| item.value.is_some()).map(|item| &item.path);
    // What a folder had taken the place of was gone before.
    let mut in_the_way = in_the_way(session, restored, wanted)?;
    in_the_way.retain(|edit| !stands_as_file(session, &edit.path));
    edits.extend(in_the_way);
    // What stands there as a folder is no file of that name; folders of the base stay.
    for path in gone {
        match session.base_entry(&path)?.map(|entry| entry.content) {
            Some(Content::Directory { id }) => edits.extend(removed_below(session, id, &path)?),
            Some(_) => edits.push(TreeEdit { path, value: None }),
            None => {}
        }
    }
    let mut edits = sorted(edits);
    edits.dedup();
    Ok(edits)
}

fn stands_as_file(session: &Session<'_>, path: &AssetPath) -> bool {
    let found = session.worktree.look(path).ok().flatten();
    found.is_some_and(|node| node.kind != NodeKind::Directory)
}

/// Files of the base that stand where the given files need a folder.
fn in_the_way<'a>(
    session: &Session<'_>,
    files: impl Iterator<Item = &'a AssetPath>,
    wanted: &[Wanted],
) -> Result<Vec<TreeEdit>, AppError> {
    let mut folders = BTreeSet::new();
    for path in files {
        let mut above = path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            above = folder.parent();
            if !folders.insert(folder) {
                break;
            }
        }
    }
    let mut edits = Vec::new();
    for path in folders {
        let base = session.base_entry(&path)?;
        // What is wanted comes in tree order.
        let is_wanted = wanted.binary_search_by(|item| tree_order(&item.path, &path)).is_ok();
        if base.is_some_and(|entry| !entry.content.is_directory()) && !is_wanted {
            edits.push(TreeEdit { path, value: None });
        }
    }
    Ok(edits)
}

fn paths<'a>(steps: impl Iterator<Item = &'a Step>) -> Vec<AssetPath> {
    steps.map(|step| step.path.clone()).collect()
}

fn sorted(mut edits: Vec<TreeEdit>) -> Vec<TreeEdit> {
    edits.sort_by(|left, right| tree_order(&left.path, &right.path));
    edits
}
