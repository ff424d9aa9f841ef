//! Which assets began as copies of others.

use crate::app::error::AppError;
use crate::base::id::AssetId;
use crate::base::path::AssetPath;
use crate::object::commit::{AssetNote, Commit};
use crate::object::source::ObjectSource;
use crate::object::tree_walk::TreeWalk;
use crate::repo::{RepoError, View};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Where a copy came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopyLine {
    /// The asset that was copied.
    pub asset: AssetId,
    /// Where that stood when it was copied; `None` when it is not in the commit's first parent.
    pub path: Option<AssetPath>,
}

/// The copies that a commit began, by the asset that each is since. Reads the tree before it only when
/// there are any.
pub fn copies(view: &View, commit: &Commit) -> Result<HashMap<AssetId, CopyLine>, AppError> {
    let pairs: Vec<(AssetId, AssetId)> = commit
        .notes
        .iter()
        .filter_map(|note| match note {
            AssetNote::CopiedFrom { asset, source } => Some((*asset, *source)),
            AssetNote::AliasOf { .. } => None,
        })
        .collect();
    let mut wanted: HashSet<AssetId> = pairs.iter().map(|(_, source)| *source).collect();
    let mut places = HashMap::new();
    if let (Some(parent), false) = (commit.parents.first(), wanted.is_empty()) {
        let tree = view.commit(*parent)?.tree;
        for item in TreeWalk::new(view, tree, AssetPath::root()) {
            let (path, entry) = item.map_err(RepoError::from)?;
            if let Some(asset) = entry.asset.filter(|asset| wanted.remove(asset)) {
                places.insert(asset, path);
            }
            if wanted.is_empty() {
                break;
            }
        }
    }
    let line = |source: AssetId| CopyLine { asset: source, path: places.get(&source).cloned() };
    Ok(pairs.into_iter().map(|(asset, source)| (asset, line(source))).collect())
}
