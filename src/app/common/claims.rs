//! Sees to it that one asset stands at one path.
//!
//! A pending edit may say that a path continues an asset which by now stands elsewhere: a restored
//! file whose asset lives on under another name, or both ends of a move that were kept. Then the
//! path that has the asset in the commit keeps it, else the one to which it was moved by command, and the other
//! begins an asset of its own.

use crate::app::error::AppError;
use crate::base::id::AssetId;
use crate::base::path::AssetPath;
use crate::repo::assign::Differences;
use crate::worktree::index::{Folder, Index};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Drops the claims that cannot hold: of paths that do not change, of assets that stand elsewhere and
/// stay there, and all but the first of several claims to one asset: of one that was moved by command, by `moves`,
/// the first is where it was moved.
pub fn settle_claims(
    index: Option<&Index>,
    differences: &Differences,
    claims: &mut BTreeMap<AssetPath, AssetId>,
    moves: &BTreeMap<AssetPath, AssetPath>,
) -> Result<(), AppError> {
    if claims.is_empty() {
        return Ok(());
    }
    let standing = standing(index, claims)?;
    let added = differences.added.iter().map(|(path, _)| path);
    let changed = differences.changed.iter().map(|(path, ..)| path);
    let described = differences.described.iter().map(|(path, _)| path);
    let concerned: HashSet<&AssetPath> = added.chain(changed).chain(described).collect();
    claims.retain(|path, _| concerned.contains(path));
    let removed: HashSet<&AssetPath> = differences.removed.iter().map(|(path, _)| path).collect();
    // A claim that falls gives its path the old asset back, which may be what another one claims.
    while let Some(path) = untenable(claims, moves, &standing, &removed) {
        claims.remove(&path);
    }
    Ok(())
}

fn untenable(
    claims: &BTreeMap<AssetPath, AssetId>,
    moves: &BTreeMap<AssetPath, AssetPath>,
    standing: &HashMap<AssetId, AssetPath>,
    removed: &HashSet<&AssetPath>,
) -> Option<AssetPath> {
    let mut taken = HashSet::new();
    let (moved, others): (Vec<_>, Vec<_>) = claims.iter().partition(|(path, _)| moves.contains_key(*path));
    for (path, asset) in moved.into_iter().chain(others) {
        let stays_elsewhere = standing.get(asset).is_some_and(|at| {
            at != path && !removed.contains(at) && claims.get(at).is_none_or(|other| other == asset)
        });
        if !taken.insert(*asset) || stays_elsewhere {
            return Some(path.clone());
        }
    }
    None
}

/// Where the commit has the claimed assets.
pub fn standing(
    index: Option<&Index>,
    claims: &BTreeMap<AssetPath, AssetId>,
) -> Result<HashMap<AssetId, AssetPath>, AppError> {
    let wanted: HashSet<AssetId> = claims.values().copied().collect();
    let mut found = HashMap::new();
    if let Some(index) = index {
        collect(index.root()?, &AssetPath::root(), &wanted, &mut found)?;
    }
    Ok(found)
}

fn collect(
    folder: Folder<'_>,
    path: &AssetPath,
    wanted: &HashSet<AssetId>,
    found: &mut HashMap<AssetId, AssetPath>,
) -> Result<(), AppError> {
    for position in 0..folder.len() {
        let Some(record) = folder.record(position) else { continue };
        // Names in an index come from a checked tree.
        let Ok(at) = path.join(record.name()) else { continue };
        if record.is_directory() {
            collect(folder.child(&record)?, &at, wanted, found)?;
        } else if let Some(asset) = record.asset().filter(|asset| wanted.contains(asset)) {
            found.insert(asset, at);
        }
    }
    Ok(())
}
