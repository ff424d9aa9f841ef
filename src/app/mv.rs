//! `mv`: gives a file or folder another name or place; its history comes along whatever happens to
//! its bytes.

use crate::app::common::renaming::{announce_renaming, is_recased, is_same_file, rename_announced};
use crate::app::common::session::Session;
use crate::app::common::underway::finish_interrupted;
use crate::app::error::AppError;
use crate::base::id::MetadataId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::repo::Repository;
use crate::repo::edit::JournalNote;
use crate::repo::journal::StateChange;
use crate::repo::state::{PendingEdits, Renaming};
use crate::rules::portable::check_entry_name;
use crate::worktree::WorktreeError;
use crate::worktree::index::{Folder, Index};
use crate::worktree::stat::{Node, NodeKind};
use serde::Serialize;

/// What moved.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where it was.
    pub from: AssetPath,
    /// Where it is.
    pub to: AssetPath,
    /// How many committed assets moved with it.
    pub assets: u64,
}

/// Moves `from` to `to`, or into `to` when that is a folder. Never replaces anything.
pub fn run(
    repository: &Repository,
    from: &AssetPath,
    to: &AssetPath,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    let to = destination(&session, from, to)?;
    let before = session.state.clone();
    let mut after = before.clone();
    let assets = follow(&session, &before.pending, &mut after.pending, from, &to)?;
    let renaming = Renaming { from: from.clone(), to: to.clone(), before: before.pending.clone() };
    let mut edit = repository.edit()?;
    session.state_in(&edit)?;
    let note = JournalNote {
        verb: "mv",
        summary: format!("moved {from} to {to}"),
        state: Some(StateChange { before, after: after.clone() }),
        renamed: Some((from.clone(), to.clone())),
        ..JournalNote::default()
    };
    let underway = announce_renaming(&session, &mut edit, note, after, renaming, clock.now())?;
    edit.commit()?;
    rename_announced(&session, &underway)?;
    Ok(Report { from: from.clone(), to, assets })
}

/// The path that it will have.
fn destination(session: &Session<'_>, from: &AssetPath, to: &AssetPath) -> Result<AssetPath, AppError> {
    let look = |path: &AssetPath| {
        session.worktree.look(path).map_err(|source| AppError::Io {
            action: "looking at",
            path: session.worktree.full_path(path),
            source,
        })
    };
    check_names(from)?;
    let Some(moved) = look(from)?.filter(|_| !from.is_root()) else {
        return Err(AppError::NotInRevision { path: from.clone() });
    };
    let is_itself = |there: &Node| is_recased(from, to) && is_same_file(there, &moved);
    let to = match look(to)? {
        Some(node) if node.kind == NodeKind::Directory && !is_itself(&node) => to
            .join(from.name())
            .map_err(|error| AppError::Path { text: to.to_string(), reason: error.to_string() })?,
        _ => to.clone(),
    };
    if to.is_within(from) {
        return Err(AppError::Path { text: to.to_string(), reason: "it lies in what is moved".to_owned() });
    }
    check_names(&to)?;
    match look(&to)? {
        Some(there) if !(is_recased(from, &to) && is_same_file(&there, &moved)) => {
            Err(AppError::PathTaken { path: to })
        }
        _ => Ok(to),
    }
}

/// Refuses names that nothing in a worktree may have: the repository itself stays where it is.
fn check_names(path: &AssetPath) -> Result<(), AppError> {
    for name in path.names() {
        check_entry_name(name).map_err(|hazard| WorktreeError::Refused { path: path.clone(), hazard })?;
    }
    Ok(())
}

/// Lets pending edits and asset ids follow everything at or below `from`.
fn follow(
    session: &Session<'_>,
    before: &PendingEdits,
    after: &mut PendingEdits,
    from: &AssetPath,
    to: &AssetPath,
) -> Result<u64, AppError> {
    let moved = |path: &AssetPath| -> Option<AssetPath> {
        let below = path.below(from)?;
        if below.is_root() { Some(to.clone()) } else { rebase(to, &below) }
    };
    leave(after, to);
    for (path, metadata) in &before.metadata {
        if let Some(target) = moved(path) {
            after.metadata.remove(path);
            after.metadata.insert(target, *metadata);
        }
    }
    for (path, asset) in &before.assets {
        if let Some(target) = moved(path) {
            after.assets.remove(path);
            after.assets.insert(target.clone(), *asset);
            if let Some(origin) = after.moves.remove(path) {
                after.moves.insert(target, origin);
            }
        }
    }
    keep_said(session, before, after, &moved)?;
    let mut tracked = Vec::new();
    if let Some(index) = &session.index {
        collect(index, from, &mut tracked)?;
    }
    // What is committed there and does not stand there any more does not come along.
    tracked.retain(|(path, _)| stands(session, path));
    let count = tracked.len() as u64;
    for (path, asset) in tracked {
        let is_other = before.assets.get(&path).is_some_and(|claimed| *claimed != asset);
        let spoken_for = is_other || before.moves.values().any(|origin| *origin == path);
        if let (Some(target), false) = (moved(&path), spoken_for)
            && after.moves.get(&target) != Some(&path)
        {
            after.assets.insert(target.clone(), asset);
            after.moves.insert(target, path);
        }
    }
    // What came back to where the commit has it has not moved at all.
    let home: Vec<AssetPath> =
        after.moves.iter().filter(|(to, origin)| to == origin).map(|(to, _)| to.clone()).collect();
    for path in home {
        after.moves.remove(&path);
        after.assets.remove(&path);
    }
    Ok(count)
}

/// Forgets which assets had come to a place that nothing stands at any more: what is moved there is none of them.
fn leave(after: &mut PendingEdits, to: &AssetPath) {
    after.moves.retain(|path, _| !path.is_within(to));
    after.assets.retain(|path, _| !path.is_within(to));
}

/// Says outright what is said of restored assets that were moved to where the commit has another one: its labels are
/// not theirs.
fn keep_said(
    session: &Session<'_>,
    before: &PendingEdits,
    after: &mut PendingEdits,
    moved: &dyn Fn(&AssetPath) -> Option<AssetPath>,
) -> Result<(), AppError> {
    for path in before.assets.keys().filter(|path| !before.metadata.contains_key(*path)) {
        let Some(target) = moved(path).filter(|target| !after.moves.contains_key(target)) else { continue };
        let said_at = |path: &AssetPath| -> Result<Option<MetadataId>, AppError> {
            let is_away = before.moves.values().any(|left| left == path);
            Ok(session.base_entry(path)?.filter(|_| !is_away).and_then(|entry| entry.metadata))
        };
        let said = said_at(path)?;
        if !before.metadata.contains_key(&target) && said != said_at(&target)? {
            after.metadata.insert(target, said);
        }
    }
    Ok(())
}

fn rebase(folder: &AssetPath, below: &AssetPath) -> Option<AssetPath> {
    below.names().try_fold(folder.clone(), |path, name| path.join(name).ok())
}

fn stands(session: &Session<'_>, path: &AssetPath) -> bool {
    let found = session.worktree.look(path).ok().flatten();
    found.is_some_and(|node| node.kind != NodeKind::Directory)
}

/// Committed files at or below a path, with their assets.
fn collect(
    index: &Index,
    path: &AssetPath,
    into: &mut Vec<(AssetPath, crate::base::id::AssetId)>,
) -> Result<(), AppError> {
    if let Some(folder) = index.find_folder(path)? {
        return collect_folder(folder, path, into);
    }
    if let Some(record) = index.find(path)? {
        into.extend(record.asset().map(|asset| (path.clone(), asset)));
    }
    Ok(())
}

fn collect_folder(
    folder: Folder<'_>,
    path: &AssetPath,
    into: &mut Vec<(AssetPath, crate::base::id::AssetId)>,
) -> Result<(), AppError> {
    for position in 0..folder.len() {
        let Some(record) = folder.record(position) else { continue };
        // Names in an index come from a checked tree.
        let Ok(at) = path.join(record.name()) else { continue };
        if record.is_directory() {
            collect_folder(folder.child(&record)?, &at, into)?;
        } else {
            into.extend(record.asset().map(|asset| (at, asset)));
        }
    }
    Ok(())
}
