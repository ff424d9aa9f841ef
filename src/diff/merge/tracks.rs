//! Puts what both sides did to one asset side by side.

use crate::base::id::AssetId;
use crate::base::path::AssetPath;
use crate::diff::tree::{Aliases, Change, Located};
use std::collections::HashMap;

/// One asset in the three states of a merge. `None` where it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) base: Option<Box<Located>>,
    pub(super) ours: Option<Box<Located>>,
    pub(super) theirs: Option<Box<Located>>,
}

/// Makes tracks of all that their side changed. What only our side changed needs no decision.
///
/// Assets of the base are lined up by where they stood; additions by asset id, else by path, so
/// that two additions of one path are two states of one asset.
pub(super) fn line_up(ours: Vec<Change>, theirs: Vec<Change>, aliases: &Aliases) -> Vec<Track> {
    let (our_new, their_new) = (new_assets(&ours, aliases), new_assets(&theirs, aliases));
    let ours = split_replacements(ours, &their_new, aliases);
    let theirs = split_replacements(theirs, &our_new, aliases);
    let mut our_changes: HashMap<AssetPath, Option<Box<Located>>> = HashMap::new();
    let mut our_additions = Additions { by_asset: HashMap::new(), by_path: HashMap::new(), aliases };
    for change in ours {
        match (change.before, change.after) {
            (Some(before), after) => {
                our_changes.insert(before.path, after);
            }
            (None, Some(after)) => our_additions.add(after),
            (None, None) => {}
        }
    }
    let mut tracks = Vec::new();
    let mut their_additions = Vec::new();
    for change in theirs {
        match (change.before, change.after) {
            (Some(base), theirs) => {
                let ours = our_changes.remove(&base.path).unwrap_or_else(|| Some(base.clone()));
                tracks.push(Track { base: Some(base), ours, theirs });
            }
            (None, Some(theirs)) => their_additions.push(theirs),
            (None, None) => {}
        }
    }
    // Asset ids first, so that a path is not taken from an addition that has a better match.
    let mut left = Vec::new();
    for theirs in their_additions {
        match our_additions.take_asset(&theirs) {
            Some(ours) => tracks.push(Track { base: None, ours: Some(ours), theirs: Some(theirs) }),
            None => left.push(theirs),
        }
    }
    for theirs in left {
        let ours = our_additions.take_path(&theirs);
        tracks.push(Track { base: None, ours, theirs: Some(theirs) });
    }
    tracks
}

/// The assets of a side that the base does not have, and where each took the place of another.
fn new_assets(changes: &[Change], aliases: &Aliases) -> HashMap<AssetId, Option<AssetPath>> {
    let new = changes.iter().filter(|change| change.kinds.added || change.kinds.replaced);
    new.filter_map(|change| {
        let place = change.kinds.replaced.then(|| change.path().clone());
        Some((aliases.resolve(change.asset?), place))
    })
    .collect()
}

/// Takes apart what took the place of another asset and is new on the other side as well, but not in
/// that place: it is lined up with what it is there, not with what it replaced here.
fn split_replacements(
    changes: Vec<Change>,
    other_side: &HashMap<AssetId, Option<AssetPath>>,
    aliases: &Aliases,
) -> Vec<Change> {
    let mut split = Vec::with_capacity(changes.len());
    for change in changes {
        let place = change.asset.and_then(|asset| other_side.get(&aliases.resolve(asset)));
        if change.kinds.replaced && place.is_some_and(|place| place.as_ref() != Some(change.path())) {
            split.extend(Change::of(change.before.map(|located| *located), None));
            split.extend(Change::of(None, change.after.map(|located| *located)));
        } else {
            split.push(change);
        }
    }
    split
}

/// What our side added and nothing of theirs was lined up with yet.
struct Additions<'a> {
    by_asset: HashMap<AssetId, AssetPath>,
    by_path: HashMap<AssetPath, Box<Located>>,
    aliases: &'a Aliases,
}

impl Additions<'_> {
    fn add(&mut self, located: Box<Located>) {
        if let Some(asset) = located.value.asset {
            self.by_asset.insert(self.aliases.resolve(asset), located.path.clone());
        }
        self.by_path.insert(located.path.clone(), located);
    }

    fn take_asset(&mut self, theirs: &Located) -> Option<Box<Located>> {
        let asset = self.aliases.resolve(theirs.value.asset?);
        let path = self.by_asset.remove(&asset)?;
        self.by_path.remove(&path)
    }

    /// A file and a folder at one path are two assets that want one path.
    fn take_path(&mut self, theirs: &Located) -> Option<Box<Located>> {
        let ours = self.by_path.get(&theirs.path)?;
        let alike = ours.value.content.is_directory() == theirs.value.content.is_directory();
        if alike { self.by_path.remove(&theirs.path) } else { None }
    }
}
