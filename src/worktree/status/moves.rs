//! Recognises that a removed asset and a new file are one that was moved.

use super::model::{Change, What, size_of};
use crate::base::candidates::{Candidates, Likeness};
use crate::base::id::{AssetId, FileId};
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::worktree::stat::NodeKind;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Turns pairs of removed and new into moved: first those that the user made by command, then those
/// with the same content. Where something else stands by now in the old place of a move by command, that is
/// new: the asset is where it was moved. Among several candidates the one with the same name wins, then the one in
/// the same folder, then the first. Empty files are too alike to tell. A file that was said to be some asset, by `claims`,
/// is no other one.
///
/// What is at the positions `standing` looks as committed. It is new, too, where an asset was moved away from there; the
/// others are taken out and returned.
pub fn find_moves(
    changes: &mut Vec<Change>,
    commanded: &[(AssetPath, AssetPath)],
    claims: &BTreeMap<AssetPath, AssetId>,
    standing: &HashSet<usize>,
) -> Vec<Change> {
    let mut pairs = by_command(changes, commanded);
    let moved = same_content(changes, &pairs, claims);
    pairs.extend(moved);
    let unmoved: HashSet<usize> = {
        let left: HashSet<usize> = pairs.iter().map(|(from, _)| *from).collect();
        standing.difference(&left).copied().collect()
    };
    // All are taken before one is put: assets may have changed places.
    let bases: Vec<_> = pairs.iter().map(|(from, _)| changes[*from].base.take()).collect();
    for (from, _) in &pairs {
        if changes[*from].what != What::Removed {
            changes[*from].what = What::New;
        }
    }
    for ((from, to), base) in pairs.iter().zip(bases) {
        let edited = base.as_ref().is_none_or(|base| content_id(&base.content) != changes[*to].file_id);
        changes[*to].what = What::Moved { from: changes[*from].path.clone(), edited };
        changes[*to].base = base;
    }
    let mut as_committed = Vec::new();
    let mut at = 0;
    changes.retain(|change| {
        let is_unmoved = unmoved.contains(&at);
        at += 1;
        if is_unmoved {
            as_committed.push(change.clone());
        }
        // What was removed without a base left has been told as moved.
        !is_unmoved && (change.what != What::Removed || change.base.is_some())
    });
    as_committed
}

/// Pairs of an old place and a new one that were made by command and hold: the asset is no longer in its old place, and
/// its new one was free before, or another asset was moved away from there.
fn by_command(changes: &[Change], commanded: &[(AssetPath, AssetPath)]) -> Vec<(usize, usize)> {
    if commanded.is_empty() {
        return Vec::new();
    }
    let position: HashMap<&AssetPath, usize> =
        changes.iter().enumerate().map(|(at, change)| (&change.path, at)).collect();
    let places = |path: &AssetPath| position.get(path).copied();
    let mut pairs: Vec<(usize, usize)> =
        commanded.iter().filter_map(|(from, to)| Some((places(from)?, places(to)?))).collect();
    pairs.retain(|(from, _)| changes[*from].what == What::Removed || is_in_place_of(&changes[*from]));
    loop {
        let left: HashSet<usize> = pairs.iter().map(|(from, _)| *from).collect();
        let before = pairs.len();
        pairs.retain(|(_, to)| {
            changes[*to].what == What::New || (left.contains(to) && is_in_place_of(&changes[*to]))
        });
        // One that does not hold may have freed the place of another.
        if pairs.len() == before {
            return pairs;
        }
    }
}

/// Whether something else than what is committed stands there.
fn is_in_place_of(change: &Change) -> bool {
    change.base.is_some() && matches!(change.what, What::Changed | What::KindChanged | What::ModeChanged)
}

/// Pairs of removed and new with the same content.
fn same_content(
    changes: &[Change],
    taken: &[(usize, usize)],
    claims: &BTreeMap<AssetPath, AssetId>,
) -> Vec<(usize, usize)> {
    let mut gone: HashSet<usize> = taken.iter().map(|(from, _)| *from).collect();
    let mut found: HashSet<usize> = taken.iter().map(|(_, to)| *to).collect();
    let mut pairs = claimed(changes, &gone, &found, claims);
    gone.extend(pairs.iter().map(|(from, _)| *from));
    found.extend(pairs.iter().map(|(_, to)| *to));
    let mut removed: Candidates<(FileId, bool)> = Candidates::default();
    for (at, change) in changes.iter().enumerate() {
        if let (Some(bytes), false) = (removed_bytes(change), gone.contains(&at)) {
            removed.add(bytes, at);
        }
    }
    if removed.is_empty() {
        return pairs;
    }
    let path_of = |at: usize| Some(&changes[at].path);
    for likeness in [Likeness::Name, Likeness::Folder, Likeness::Any] {
        for (at, change) in changes.iter().enumerate() {
            let Some(bytes) = new_bytes(change).filter(|_| !found.contains(&at)) else { continue };
            if claims.contains_key(&change.path) {
                continue;
            }
            if let Some(from) = removed.take(&bytes, &change.path, likeness, &path_of) {
                pairs.push((from, at));
                found.insert(at);
            }
        }
    }
    pairs
}

/// New files that were said to be an asset which was removed with the same content.
fn claimed(
    changes: &[Change],
    gone: &HashSet<usize>,
    found: &HashSet<usize>,
    claims: &BTreeMap<AssetPath, AssetId>,
) -> Vec<(usize, usize)> {
    if claims.is_empty() {
        return Vec::new();
    }
    let mut removed = HashMap::new();
    for (at, change) in changes.iter().enumerate().filter(|(at, _)| !gone.contains(at)) {
        let asset = change.base.as_ref().and_then(|base| base.asset);
        removed.extend(asset.zip(removed_bytes(change)).map(|key| (key, at)));
    }
    let mut pairs = Vec::new();
    for (at, change) in changes.iter().enumerate().filter(|(at, _)| !found.contains(at)) {
        let asset = claims.get(&change.path).copied();
        let from = asset.zip(new_bytes(change)).and_then(|key| removed.remove(&key));
        pairs.extend(from.map(|from| (from, at)));
    }
    pairs
}

/// The bytes of a removed file that can tell it from others, and whether they are the target of a link.
fn removed_bytes(change: &Change) -> Option<(FileId, bool)> {
    let base = change.base.as_ref().filter(|_| change.what == What::Removed)?;
    let is_link = matches!(base.content, Content::Symlink { .. });
    let id = content_id(&base.content).filter(|_| size_of(&base.content).is_some_and(|size| size > 0))?;
    Some((id, is_link))
}

/// Those of a new file.
fn new_bytes(change: &Change) -> Option<(FileId, bool)> {
    let id = change.file_id.filter(|_| change.what == What::New)?;
    Some((id, change.node.is_some_and(|node| node.kind == NodeKind::Symlink)))
}

fn content_id(content: &Content) -> Option<FileId> {
    match content {
        Content::File { id, .. } | Content::Symlink { id, .. } => Some(*id),
        _ => None,
    }
}
