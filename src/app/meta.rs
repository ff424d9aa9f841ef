//! `meta` and `label`: what is said about an asset beside its bytes.
//!
//! Edits are worktree state until they are committed; they cost bytes whatever the size of the
//! asset, and `undo` takes them back.

use crate::app::common::{field_value, schema};
use crate::app::error::AppError;
use crate::app::schema::{read_value, show_value};
use crate::base::id::{AssetId, MetadataId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::size::count;
use crate::base::time::Clock;
use crate::object::metadata::{FieldName, FieldValue, Metadata, MetadataError};
use crate::object::source::ObjectSource;
use crate::object::tree::TreeEntry;
use crate::object::tree_walk::entry_at;
use crate::repo::edit::JournalNote;
use crate::repo::journal::StateChange;
use crate::repo::state::WorktreeState;
use crate::repo::versions::find_asset;
use crate::repo::{RepoError, Repository, View};
use crate::rules::schema::Schema;
use crate::worktree::root::Worktree;
use crate::worktree::stat::NodeKind;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Metadata of some paths as it stands in the worktree.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The paths, in the order in which they were named.
    pub assets: Vec<AssetLine>,
}

/// One asset's metadata.
#[derive(Debug, Clone, Serialize)]
pub struct AssetLine {
    /// Where it stands.
    pub path: AssetPath,
    /// Which asset it is; `None` before its first commit.
    pub asset: Option<AssetId>,
    /// Whether there are edits that are not committed.
    pub pending: bool,
    /// Its fields.
    pub fields: BTreeMap<FieldName, FieldLine>,
}

/// One field.
#[derive(Debug, Clone, Serialize)]
pub struct FieldLine {
    /// Type and value.
    #[serde(flatten)]
    pub value: FieldValue,
    /// The value as people read it.
    pub text: String,
}

/// A change of metadata.
#[derive(Debug, Clone)]
pub enum Change {
    /// Sets a field; the text is read as `kind`, or as the type that the field has already.
    Set { field: String, text: String, kind: Option<String> },
    /// Sets a field to a value that was read already.
    Put { name: FieldName, value: FieldValue },
    /// Removes a field.
    Unset { field: String },
    /// Adds and removes labels.
    Labels { add: Vec<String>, remove: Vec<String> },
}

/// Shows the metadata of some paths.
pub fn get(repository: &Repository, paths: &[AssetPath]) -> Result<Report, AppError> {
    let view = repository.view()?;
    let state = view.state()?;
    let base = view.ground(&state)?;
    let schema = schema::in_worktree(repository).ok().flatten();
    refuse_unknown(repository, &view, &state, base, paths)?;
    let worktree = Worktree::open(repository.root())?;
    let commits = Committed { view: &view, state: &state, base, worktree: &worktree };
    let line = |path| line(&commits, path, schema.as_ref());
    let assets = paths.iter().map(line).collect::<Result<_, _>>()?;
    Ok(Report { assets })
}

/// Refuses paths that are in no state: neither on disk, nor committed, nor waiting to be.
fn refuse_unknown(
    repository: &Repository,
    view: &View,
    state: &WorktreeState,
    base: TreeId,
    paths: &[AssetPath],
) -> Result<(), AppError> {
    let head = view.head()?.map(|id| view.commit(id)).transpose()?.map(|commit| commit.tree);
    let worktree = Worktree::open(repository.root())?;
    for path in paths.iter().filter(|path| !path.is_root()) {
        let mut is_known = state.pending.metadata.contains_key(path)
            || state.pending.moves.contains_key(path)
            || worktree.look(path).is_ok_and(|found| found.is_some());
        for tree in [Some(base), head].into_iter().flatten() {
            is_known = is_known || entry_at(view, tree, path).map_err(RepoError::from)?.is_some();
        }
        if !is_known {
            return Err(AppError::NotInRevision { path: path.clone() });
        }
    }
    Ok(())
}

/// Changes the metadata of some paths; all or none.
///
/// `exists` says whether a path that no commit has stands in the worktree. Waits for commands that
/// change the worktree: they write its state back when they end.
pub fn change(
    repository: &Repository,
    paths: &[AssetPath],
    changes: &[Change],
    exists: &dyn Fn(&AssetPath) -> bool,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let _lock = repository.store().lock_worktree(monitor)?;
    let view = repository.view()?;
    let mut edit = repository.edit()?;
    let before = edit.state()?;
    let base = view.ground(&before)?;
    let mut after = before.clone();
    let worktree = Worktree::open(repository.root())?;
    let commits = Committed { view: &view, state: &before, base, worktree: &worktree };
    // A schema that cannot be read says nothing about values; `pent schema check` tells what is wrong.
    let schema = schema::in_worktree(repository).ok().flatten();
    for path in paths {
        let committed = commits.entry(path)?;
        if committed.is_none() && !exists(path) {
            return Err(AppError::NotInRevision { path: path.clone() });
        }
        let committed_id = committed.and_then(|entry| entry.metadata);
        let current = after.pending.metadata.get(path).copied().unwrap_or(committed_id);
        let mut metadata = current.map(|id| view.metadata(id)).transpose()?.unwrap_or_default();
        for change in changes {
            apply(&mut metadata, change, schema.as_ref())?;
        }
        let id = if metadata.is_empty() { None } else { Some(edit.put_metadata(&metadata)?) };
        // What is said of a file that goes on as an asset of another place holds against what is said there.
        let is_elsewhere = !after.pending.moves.contains_key(path) && after.pending.assets.contains_key(path);
        if id == committed_id && !is_elsewhere {
            after.pending.metadata.remove(path);
        } else {
            after.pending.metadata.insert(path.clone(), id);
        }
    }
    if before != after {
        edit.put_state(&after)?;
        let summary = describe(paths, changes);
        let state = Some(StateChange { before, after });
        edit.record(JournalNote { verb: "meta", summary, state, ..JournalNote::default() }, clock.now())?;
    }
    edit.commit()?;
    get(repository, paths)
}

fn describe(paths: &[AssetPath], changes: &[Change]) -> String {
    let what: Vec<String> = changes
        .iter()
        .map(|change| match change {
            Change::Set { field, .. } => format!("set {field}"),
            Change::Put { name, .. } => format!("set {name}"),
            Change::Unset { field } => format!("removed {field}"),
            Change::Labels { .. } => "changed labels".to_owned(),
        })
        .collect();
    let on = match paths {
        [one] => one.to_string(),
        many => count(many.len() as u64, "asset", "assets"),
    };
    format!("{} of {on}", what.join(", "))
}

fn apply(metadata: &mut Metadata, change: &Change, schema: Option<&Schema>) -> Result<(), AppError> {
    match change {
        Change::Set { field, text, kind } => {
            let name = field_name(field)?;
            let value = match kind {
                Some(kind) => field_value::parse(kind, text)?,
                None => match schema.map(|schema| read_value(schema, &name, text)).transpose()?.flatten() {
                    Some(value) => value,
                    None => field_value::parse_like(metadata.fields.get(&name), text)?,
                },
            };
            metadata.fields.insert(name, value);
        }
        Change::Put { name, value } => {
            metadata.fields.insert(name.clone(), value.clone());
        }
        Change::Unset { field } => {
            metadata.fields.remove(&field_name(field)?);
        }
        Change::Labels { add, remove } => {
            let mut labels = metadata.labels();
            for label in remove {
                labels.remove(label.trim());
            }
            labels.extend(add.iter().map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()));
            metadata.set_labels(labels);
        }
    }
    Ok(())
}

fn field_name(text: &str) -> Result<FieldName, AppError> {
    FieldName::new(text).map_err(|error| match error {
        MetadataError::FieldName(text) => AppError::FieldValue {
            kind: "name of a field (lower-case letters, digits, '-', '_', groups parted by '.')",
            text,
        },
        MetadataError::Value { kind, text } => AppError::FieldValue { kind, text },
    })
}

/// The commit that the worktree stands on, seen from the paths where its assets are by now.
struct Committed<'a> {
    view: &'a View,
    state: &'a WorktreeState,
    base: TreeId,
    worktree: &'a Worktree,
}

impl Committed<'_> {
    /// What the commit has of the asset at a path: a moved asset is found where it was.
    fn entry(&self, path: &AssetPath) -> Result<Option<TreeEntry>, AppError> {
        let moves = &self.state.pending.moves;
        let origin = match moves.get(path) {
            Some(origin) => origin,
            // It is elsewhere now: nothing that is said there is about what stands here.
            None if moves.iter().any(|(to, left)| left == path && self.stands(to)) => return Ok(None),
            // It is still here, or was put back by hand.
            None => path,
        };
        Ok(entry_at(self.view, self.base, origin).map_err(RepoError::from)?)
    }

    fn stands(&self, path: &AssetPath) -> bool {
        let found = self.worktree.look(path).ok().flatten();
        found.is_some_and(|node| node.kind != NodeKind::Directory)
    }
}

/// The metadata that a path has in the worktree.
pub fn current_metadata(
    state: &WorktreeState,
    path: &AssetPath,
    committed: Option<&TreeEntry>,
) -> Option<MetadataId> {
    let committed = committed.and_then(|entry| entry.metadata);
    state.pending.metadata.get(path).copied().unwrap_or(committed)
}

fn line(commits: &Committed<'_>, path: &AssetPath, schema: Option<&Schema>) -> Result<AssetLine, AppError> {
    let Committed { view, state, .. } = commits;
    let committed = commits.entry(path)?;
    let pending = state.pending.metadata.contains_key(path);
    let metadata = current_metadata(state, path, committed.as_ref());
    let metadata = metadata.map(|id| view.metadata(id)).transpose()?.unwrap_or_default();
    let fields = metadata
        .fields
        .into_iter()
        .map(|(name, value)| (name, FieldLine { text: show_value(schema, &value), value }))
        .collect();
    let asset = state.pending.assets.get(path).copied().or(committed.and_then(|entry| entry.asset));
    Ok(AssetLine { path: path.clone(), asset, pending, fields })
}

/// Says that the asset at `path` is the one that stood at `other` (in the current commit, or by id):
/// it gets that one's asset id, and with it its history.
pub fn adopt(
    repository: &Repository,
    path: &AssetPath,
    other: &AssetPath,
    revision: Option<&str>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<AssetId, AppError> {
    let _lock = repository.store().lock_worktree(monitor)?;
    let view = repository.view()?;
    let commit = view.resolve(revision.unwrap_or("@"), clock.now())?.commit;
    let tree = view.commit(commit)?.tree;
    let asset = entry_at(&view, tree, other)
        .map_err(RepoError::from)?
        .and_then(|entry| entry.asset)
        .ok_or_else(|| AppError::NotInRevision { path: other.clone() })?;
    let worktree = Worktree::open(repository.root())?;
    let stands = |path: &AssetPath| worktree.look(path).is_ok_and(|found| found.is_some());
    if !stands(path) {
        return Err(AppError::NotInRevision { path: path.clone() });
    }
    let state = view.state()?;
    if let Some(still) = stands_at(&view, &state, asset)?.filter(|still| still != path && stands(still)) {
        return Err(AppError::StillThere { path: still });
    }
    let mut edit = repository.edit()?;
    let before = edit.state()?;
    let mut after = before.clone();
    after.pending.assets.insert(path.clone(), asset);
    edit.put_state(&after)?;
    let summary = format!("took {path} for the asset that was {other}");
    let state = Some(StateChange { before, after });
    edit.record(JournalNote { verb: "meta adopt", summary, state, ..JournalNote::default() }, clock.now())?;
    edit.commit()?;
    Ok(asset)
}

/// Where the newest commit, or what waits to be committed, has an asset.
fn stands_at(view: &View, state: &WorktreeState, asset: AssetId) -> Result<Option<AssetPath>, AppError> {
    let adopted = state.pending.assets.iter().find(|(_, id)| **id == asset);
    if let Some((path, _)) = adopted {
        return Ok(Some(path.clone()));
    }
    let base = view.ground(state)?;
    let placed = find_asset(view, base, None, asset, &AssetPath::root()).map_err(RepoError::from)?;
    let Some(placed) = placed else { return Ok(None) };
    let moved = state.pending.moves.iter().find(|(_, origin)| **origin == placed.path);
    Ok(Some(moved.map_or(placed.path, |(path, _)| path.clone())))
}

/// All labels that are in use in the worktree's branch, with how many assets have each.
pub fn label_counts(fields: impl Iterator<Item = BTreeSet<String>>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for labels in fields {
        for label in labels {
            *counts.entry(label).or_insert(0) += 1;
        }
    }
    counts
}
