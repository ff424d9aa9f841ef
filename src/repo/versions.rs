//! The line of one asset: where it changed, and the numbers that people call its versions by.
//!
//! Version *n* is the *n*th distinct file id on the asset's line. The line follows first parents,
//! except where a merge took the asset unchanged from another parent, and the branch that was merged
//! into had not changed it since the two parted: there it goes on along that parent. So a draft
//! continues the numbering of the branch it began on (41, 42), and landing the draft by a merge keeps
//! these numbers. Where both sides had versions of their own the numbers of the branch that was merged
//! into stay, also when both had added the asset and it was two until the merge.

use crate::base::id::{AssetId, CommitId, FileId, TreeId};
use crate::base::path::AssetPath;
use crate::object::commit::{AssetNote, Commit};
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeEntry};
use crate::object::tree_walk::{DirectoryCursor, WalkError, entry_at, entry_in};
use crate::repo::history::common_ancestors;
use std::collections::HashMap;

/// An asset as a commit has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Where it stands.
    pub path: AssetPath,
    /// What stands there.
    pub entry: TreeEntry,
}

/// One change of an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetChange {
    /// The commit that made it.
    pub id: CommitId,
    /// The same, read.
    pub commit: Commit,
    /// As it was; `None` when the commit added it.
    pub before: Option<Placed>,
    /// As it is since; `None` when the commit removed it.
    pub after: Option<Placed>,
    /// The number of the version that it has since; 0 when its content is not numbered (a removal, a folder).
    pub version: u64,
}

/// All changes of the asset at `path` as `tip` has it or last had it, newest first.
///
/// Empty when no commit on the line ever had it.
pub fn asset_line<S: ObjectSource>(
    source: &S,
    tip: CommitId,
    path: &AssetPath,
) -> Result<Vec<AssetChange>, WalkError<S::Error>> {
    let mut changes = Vec::new();
    let mut id = tip;
    let mut commit = source.commit(id).map_err(WalkError::Source)?;
    let Some(mut current) = find_tip(source, &mut id, &mut commit, path, &mut changes)? else {
        return Ok(Vec::new());
    };
    loop {
        let step = step_back(source, &commit, &current)?;
        let (next, before) = match step {
            StepBack::Same { parent } => (Some(parent), None),
            StepBack::Changed { parent, before } => (Some(parent), Some(before)),
            StepBack::Began => (None, None),
        };
        let unchanged = next.is_some() && before.is_none();
        if !unchanged {
            changes.push(AssetChange {
                id,
                commit: commit.clone(),
                before: before.clone(),
                after: Some(current.clone()),
                version: 0,
            });
        }
        if let Some(before) = before {
            current = before;
        }
        let Some(parent) = next else { break };
        id = parent;
        commit = source.commit(id).map_err(WalkError::Source)?;
    }
    number(&mut changes);
    Ok(changes)
}

/// Finds the youngest commit on the first-parent line that has the path; notes the removal above it.
fn find_tip<S: ObjectSource>(
    source: &S,
    id: &mut CommitId,
    commit: &mut Commit,
    path: &AssetPath,
    changes: &mut Vec<AssetChange>,
) -> Result<Option<Placed>, WalkError<S::Error>> {
    let mut above: Option<(CommitId, Commit)> = None;
    loop {
        let tree = commit.tree;
        if let Some(entry) = entry_at(source, tree, path)? {
            let placed = Placed { path: path.clone(), entry };
            if let Some((id, commit)) = above {
                let before = Some(placed.clone());
                let after = match placed.entry.asset {
                    // It lives on elsewhere: that commit moved it.
                    Some(asset) => find_asset(source, commit.tree, Some(tree), asset, &AssetPath::root())?,
                    None => None,
                };
                changes.push(AssetChange { id, commit, before, after, version: 0 });
            }
            return Ok(Some(placed));
        }
        let Some(parent) = commit.parents.first().copied() else { return Ok(None) };
        let parent_commit = source.commit(parent).map_err(WalkError::Source)?;
        above = Some((*id, std::mem::replace(commit, parent_commit)));
        *id = parent;
    }
}

/// How an asset's line goes on below a commit.
enum StepBack {
    /// A parent has it exactly so.
    Same { parent: CommitId },
    /// A parent has it in another way.
    Changed { parent: CommitId, before: Placed },
    /// No parent has it.
    Began,
}

fn step_back<S: ObjectSource>(
    source: &S,
    commit: &Commit,
    current: &Placed,
) -> Result<StepBack, WalkError<S::Error>> {
    let others = other_ids(commit, current);
    let mut parents = Vec::with_capacity(commit.parents.len());
    for parent in &commit.parents {
        let tree = source.commit(*parent).map_err(WalkError::Source)?.tree;
        let found = if tree == commit.tree {
            Some(current.entry.clone())
        } else {
            entry_at(source, tree, &current.path)?
        };
        if others.is_empty() && found.as_ref() == Some(&current.entry) {
            return came_from(source, commit, current, parents.first(), *parent);
        }
        parents.push((*parent, tree, found));
    }
    for (parent, tree, found) in parents {
        if found.as_ref() == Some(&current.entry) {
            return Ok(StepBack::Same { parent });
        }
        let before = match found {
            Some(entry) if is_same_asset(&entry, &current.entry, &others) => {
                Some(Placed { path: current.path.clone(), entry })
            }
            _ => find_any(source, tree, commit.tree, current.entry.asset.into_iter().chain(others.clone()))?,
        };
        if let Some(before) = before {
            return Ok(StepBack::Changed { parent, before });
        }
    }
    Ok(StepBack::Began)
}

/// Where the line goes on below a commit that took the asset exactly as `parent` has it. `first` is the
/// first parent with its tree, when that is another one.
fn came_from<S: ObjectSource>(
    source: &S,
    commit: &Commit,
    current: &Placed,
    first: Option<&(CommitId, TreeId, Option<TreeEntry>)>,
    parent: CommitId,
) -> Result<StepBack, WalkError<S::Error>> {
    let Some((first, tree, found)) = first else { return Ok(StepBack::Same { parent }) };
    let before = match (found, current.entry.asset) {
        (Some(entry), _) if is_same_asset(entry, &current.entry, &[]) => {
            Some(Placed { path: current.path.clone(), entry: entry.clone() })
        }
        (_, Some(asset)) => find_asset(source, *tree, Some(commit.tree), asset, &AssetPath::root())?,
        _ => None,
    };
    let Some(before) = before else { return Ok(StepBack::Same { parent }) };
    for base in common_ancestors(source, *first, parent).map_err(WalkError::Source)? {
        let tree = source.commit(base).map_err(WalkError::Source)?.tree;
        let was = entry_at(source, tree, &before.path)?;
        if was.is_some_and(|was| was.content.file_id() == before.entry.content.file_id()) {
            return Ok(StepBack::Same { parent });
        }
    }
    Ok(StepBack::Changed { parent: *first, before })
}

/// The ids that an asset had in parents of a merge which made one asset of several.
fn other_ids(commit: &Commit, current: &Placed) -> Vec<AssetId> {
    let other = |note: &AssetNote| match note {
        AssetNote::AliasOf { asset, other } if Some(*asset) == current.entry.asset => Some(*other),
        // A decision in favour of one side may keep that side's id.
        AssetNote::AliasOf { asset, other } if Some(*other) == current.entry.asset => Some(*asset),
        _ => None,
    };
    commit.notes.iter().filter_map(other).collect()
}

/// Finds the first of some assets that `tree` has, where it differs from `except`.
fn find_any<S: ObjectSource>(
    source: &S,
    tree: TreeId,
    except: TreeId,
    assets: impl Iterator<Item = AssetId>,
) -> Result<Option<Placed>, WalkError<S::Error>> {
    for asset in assets {
        if let Some(found) = find_asset(source, tree, Some(except), asset, &AssetPath::root())? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn is_same_asset(left: &TreeEntry, right: &TreeEntry, others: &[AssetId]) -> bool {
    let are_folders = |entry: &TreeEntry| matches!(entry.content, Content::Directory { .. });
    let is_other = left.asset.is_some_and(|asset| others.contains(&asset));
    is_other
        || (left.asset == right.asset && (left.asset.is_some() || (are_folders(left) && are_folders(right))))
}

/// Finds an asset in `tree`, looking only where it differs from `except`.
pub fn find_asset<S: ObjectSource>(
    source: &S,
    tree: TreeId,
    except: Option<TreeId>,
    asset: AssetId,
    prefix: &AssetPath,
) -> Result<Option<Placed>, WalkError<S::Error>> {
    if except == Some(tree) {
        return Ok(None);
    }
    let mut cursor = DirectoryCursor::new(source, tree);
    while let Some(entry) = cursor.next_entry()? {
        // Names in a decoded tree are valid; a path that grows too long cannot hold the asset.
        let Ok(path) = prefix.join(&entry.name) else { continue };
        if entry.asset == Some(asset) {
            return Ok(Some(Placed { path, entry }));
        }
        let Content::Directory { id } = entry.content else { continue };
        let other = match except {
            Some(except) => entry_in(source, except, &entry.name)?,
            None => None,
        };
        let other = match other.map(|entry| entry.content) {
            Some(Content::Directory { id }) => Some(id),
            _ => None,
        };
        if let Some(found) = find_asset(source, id, other, asset, &path)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Numbers the versions, oldest first: each distinct file id gets the next number once.
fn number(changes: &mut [AssetChange]) {
    let mut numbers: HashMap<FileId, u64> = HashMap::new();
    for change in changes.iter_mut().rev() {
        let Some(id) = change.after.as_ref().and_then(|placed| placed.entry.content.file_id()) else {
            continue;
        };
        let next = numbers.len() as u64 + 1;
        change.version = *numbers.entry(id).or_insert(next);
    }
}

/// The change that made version `version`, in a line as [`asset_line`] gives it.
pub fn find_version(line: &[AssetChange], version: u64) -> Option<&AssetChange> {
    line.iter().rev().find(|change| change.version == version)
}

/// The highest version number in a line.
pub fn version_count(line: &[AssetChange]) -> u64 {
    line.iter().map(|change| change.version).max().unwrap_or(0)
}
