//! Warns of names that fall together on other systems: `Logo.psd` beside `logo.psd`.
//!
//! They are two files here and one on a disk that does not tell upper from lower case. Nothing is
//! refused for it; whoever commits the second one is told.

use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::object::tree_walk::{DirectoryCursor, entry_at};
use crate::repo::{RepoError, View};
use crate::rules::portable::{TwinKind, find_twins, folded};
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, RandomState};

/// Most groups that are told.
const TOLD_MAX: usize = 100;

/// Paths of one folder that are one name on some systems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TwinsLine {
    /// Why they fall together.
    pub kind: TwinKind,
    /// The paths, at least two.
    pub paths: Vec<AssetPath>,
}

/// The groups in `tree`, in the folders of the `added` paths, of which something was not in `base`: at
/// most a hundred.
pub fn new_twins<'a>(
    view: &View,
    base: TreeId,
    tree: TreeId,
    added: impl IntoIterator<Item = &'a AssetPath>,
) -> Result<Vec<TwinsLine>, AppError> {
    let mut folders: BTreeSet<AssetPath> = BTreeSet::new();
    for path in added {
        let mut above = path.parent();
        while let Some(folder) = above {
            above = folder.parent();
            if !folders.insert(folder) {
                break;
            }
        }
    }
    let mut lines = Vec::new();
    for folder in folders {
        let Some(id) = folder_tree(view, tree, &folder)? else { continue };
        let names = names_that_meet(view, id)?;
        for twins in find_twins(names.iter().map(Vec::as_slice)) {
            let paths: Vec<_> = twins.names.iter().filter_map(|name| folder.join(name).ok()).collect();
            if lines.len() < TOLD_MAX && is_any_new(view, base, &paths)? {
                lines.push(TwinsLine { kind: twins.kind, paths });
            }
        }
    }
    Ok(lines)
}

fn is_any_new(view: &View, base: TreeId, paths: &[AssetPath]) -> Result<bool, AppError> {
    for path in paths {
        if entry_at(view, base, path).map_err(RepoError::from)?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn folder_tree(view: &View, tree: TreeId, folder: &AssetPath) -> Result<Option<TreeId>, AppError> {
    if folder.is_root() {
        return Ok(Some(tree));
    }
    Ok(match entry_at(view, tree, folder).map_err(RepoError::from)?.map(|entry| entry.content) {
        Some(Content::Directory { id }) => Some(id),
        _ => None,
    })
}

/// The names in a folder that may fall together with another. Of a folder of a million files only
/// hashes are kept.
fn names_that_meet(view: &View, folder: TreeId) -> Result<Vec<Vec<u8>>, AppError> {
    let hasher = RandomState::new();
    let (mut seen, mut met) = (HashSet::new(), HashSet::new());
    each_name(view, folder, &mut |name| {
        let hash = hasher.hash_one(folded(&name));
        if !seen.insert(hash) {
            met.insert(hash);
        }
    })?;
    let mut names = Vec::new();
    if !met.is_empty() {
        each_name(view, folder, &mut |name| {
            if met.contains(&hasher.hash_one(folded(&name))) {
                names.push(name);
            }
        })?;
    }
    Ok(names)
}

fn each_name(view: &View, folder: TreeId, each: &mut dyn FnMut(Vec<u8>)) -> Result<(), AppError> {
    let mut cursor = DirectoryCursor::new(view, folder);
    while let Some(entry) = cursor.next_entry().map_err(RepoError::from)? {
        each(entry.name);
    }
    Ok(())
}
