//! `sparse`: shows a part of the repository in the worktree. Works while there is uncommitted work,
//! which is never hidden.

use crate::app::common::drawn::DrawnTrees;
use crate::app::common::files_change::{FilesLine, prepare};
use crate::app::common::known_files::KnownFiles;
use crate::app::common::probe::IngestProbe;
use crate::app::common::session::Session;
use crate::app::common::underway::{announce, finish_interrupted, perform};
use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::size::count;
use crate::base::time::Clock;
use crate::object::tree_edit::TreeEdit;
use crate::object::tree_walk::{TreeWalk, entry_at, tree_order};
use crate::repo::at_hand::AtHand;
use crate::repo::edit::JournalNote;
use crate::repo::ingest::Ingester;
use crate::repo::journal::{FilesChange, StateChange};
use crate::repo::state::WorktreeState;
use crate::repo::{RepoError, Repository};
use crate::worktree::checkout::Wanted;
use crate::worktree::status::{Change, Measure, What};
use serde::Serialize;
use std::collections::BTreeSet;

/// What to do with the set of shown paths.
#[derive(Debug, Clone)]
pub enum Options {
    /// Say what is shown.
    List,
    /// Show these as well; the first time, only these.
    Add(Vec<AssetPath>),
    /// Show these no longer.
    Remove(Vec<AssetPath>),
    /// Show everything.
    All,
    /// Show nothing: for a repository that others push to.
    Nothing,
}

/// What is shown.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Folders and files that the worktree shows; `None` when it shows everything.
    pub shown: Option<Vec<AssetPath>>,
    /// What was done to the files.
    pub files: FilesLine,
    /// Paths that are no longer among the shown ones and stay in the files, because they have
    /// uncommitted work.
    pub still_here: Vec<AssetPath>,
}

/// Lists or changes what is shown.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    if matches!(options, Options::List) {
        let state = repository.view()?.state()?;
        let shown = state.sparse.map(|paths| paths.into_iter().collect());
        return Ok(Report { shown, files: FilesLine::default(), still_here: Vec::new() });
    }
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    let before = session.state.clone();
    let after = WorktreeState { sparse: changed_set(&session, options)?, ..before.clone() };
    let (targets, still_here) = differences(&session, &before, &after, monitor)?;
    // The plan is made against what was shown before: only that is known to be as committed.
    let plan = prepare(&session, &targets, &KnownFiles::default(), monitor)?;
    let view = repository.view()?;
    let mut trees = DrawnTrees::over(&view);
    let files = shown_change(&mut trees, session.base, &targets)?;
    let mut edit = repository.edit()?;
    session.state_in(&edit)?;
    trees.put(&mut edit)?;
    let summary = match &after.sparse {
        Some(paths) => format!("shows {}", count(paths.len() as u64, "folder or file", "folders and files")),
        None => "shows everything".to_owned(),
    };
    let state = (before != after).then(|| StateChange { before, after: after.clone() });
    let note = JournalNote { verb: "sparse", summary, state, files: Some(files), ..JournalNote::default() };
    let shown = after.sparse.as_ref().map(|paths| paths.iter().cloned().collect());
    let underway = announce(&mut edit, note, after, files, None, clock.now())?;
    edit.commit()?;
    let done = perform(&mut session, underway, &plan.into(), "sparse", clock, monitor)?;
    Ok(Report { shown, files: done.line, still_here })
}

/// The change as trees: the base without what appears, and without what goes.
fn shown_change(
    trees: &mut DrawnTrees<'_>,
    base: TreeId,
    targets: &[Wanted],
) -> Result<FilesChange, AppError> {
    let mut without = |appears: bool| {
        let gone = targets.iter().filter(|target| target.content.is_some() == appears);
        let mut edits: Vec<TreeEdit> =
            gone.map(|target| TreeEdit { path: target.path.clone(), value: None }).collect();
        edits.sort_by(|left, right| tree_order(&left.path, &right.path));
        trees.draw(base, edits)
    };
    let (before, after) = (without(true)?, without(false)?);
    Ok(FilesChange { before, after, beyond_shown: true })
}

fn changed_set(session: &Session<'_>, options: &Options) -> Result<Option<BTreeSet<AssetPath>>, AppError> {
    let current = session.state.sparse.clone();
    Ok(match options {
        Options::List => current,
        Options::All => None,
        Options::Nothing => Some(BTreeSet::new()),
        Options::Add(paths) => {
            for path in paths {
                if entry_at(&session.view, session.base, path).map_err(RepoError::from)?.is_none()
                    && !path.is_root()
                {
                    return Err(AppError::NotInRevision { path: path.clone() });
                }
            }
            if paths.iter().any(AssetPath::is_root) {
                return Ok(None);
            }
            let mut set = current.unwrap_or_default();
            set.extend(paths.iter().cloned());
            Some(set)
        }
        Options::Remove(paths) => Some(without(session, current, paths)?),
    })
}

/// The set without some paths. Removing a folder from "everything" leaves its neighbours.
fn without(
    session: &Session<'_>,
    current: Option<BTreeSet<AssetPath>>,
    paths: &[AssetPath],
) -> Result<BTreeSet<AssetPath>, AppError> {
    let mut set = match current {
        Some(set) => set,
        None => children(session, &AssetPath::root())?,
    };
    for path in paths {
        // A shown folder above the path is replaced by what lies in it, step by step down to the path.
        while let Some(above) = set.iter().find(|shown| path.is_within(shown) && *shown != path).cloned() {
            set.remove(&above);
            set.extend(children(session, &above)?);
        }
        set.retain(|shown| !shown.is_within(path));
    }
    Ok(set)
}

/// What lies right in a folder of the base.
fn children(session: &Session<'_>, folder: &AssetPath) -> Result<BTreeSet<AssetPath>, AppError> {
    let tree = if folder.is_root() {
        session.base
    } else {
        let entry = entry_at(&session.view, session.base, folder).map_err(RepoError::from)?;
        match entry.map(|entry| entry.content) {
            Some(crate::object::tree::Content::Directory { id }) => id,
            _ => return Ok(BTreeSet::new()),
        }
    };
    let mut set = BTreeSet::new();
    let mut walk = TreeWalk::new(&session.view, tree, folder.clone());
    while let Some(item) = walk.next() {
        let (path, entry) = item.map_err(RepoError::from)?;
        if entry.content.is_directory() {
            walk.skip_folder();
        }
        set.insert(path);
    }
    Ok(set)
}

/// What appears and what goes, and what would go but has uncommitted work.
fn differences(
    session: &Session<'_>,
    before: &WorktreeState,
    after: &WorktreeState,
    monitor: &dyn Monitor,
) -> Result<(Vec<Wanted>, Vec<AssetPath>), AppError> {
    let parameters = session.repository.store().settings().chunker;
    let measuring = Ingester::measuring(&session.view, &parameters, monitor);
    let probe = IngestProbe::looking(measuring, Ingester::hashing(monitor));
    let status = session.status(&[], &probe, Measure::Needed, monitor)?;
    // The place that something was moved away from is as little as committed as the one it came to.
    let both_ends = |change: Change| match change.what {
        What::Moved { from, .. } => vec![change.path, from],
        _ => vec![change.path],
    };
    let dirty: BTreeSet<AssetPath> = status.changes.into_iter().flat_map(both_ends).collect();
    let mut targets = Vec::new();
    let mut still_here = Vec::new();
    for item in TreeWalk::new(&AtHand(&session.view), session.base, AssetPath::root()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        if entry.content.is_directory() {
            continue;
        }
        match (before.shows(&path), after.shows(&path)) {
            (false, true) if !dirty.contains(&path) => {
                targets.push(Wanted { path, content: Some(entry.content) });
            }
            (true, false) if dirty.contains(&path) => still_here.push(path),
            (true, false) => targets.push(Wanted { path, content: None }),
            _ => {}
        }
    }
    still_here.extend(dirty.into_iter().filter(|path| before.shows(path) && !after.shows(path)));
    still_here.sort();
    still_here.dedup();
    Ok((targets, still_here))
}
