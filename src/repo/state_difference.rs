//! What differs between two states of the worktree: the keys that changed, each with what it had and what it
//! has. It costs what changed, however much waits beside it.

use crate::base::id::{AssetId, MetadataId};
use crate::base::path::AssetPath;
use crate::object::tree::Content;
use crate::repo::refs::RefName;
use crate::repo::state::{ConflictSide, PendingConflict, WorktreeState};
use crate::repo::state_rows::MergeHead;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What one key had and has; `None` where it is not there. Stored as two lists of at most one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(Vec<T>, Vec<T>)", try_from = "(Vec<T>, Vec<T>)")]
#[serde(bound(serialize = "T: Clone + Serialize", deserialize = "T: Deserialize<'de>"))]
pub struct Changed<T> {
    /// Before.
    pub before: Option<T>,
    /// After.
    pub after: Option<T>,
}

impl<T> From<Changed<T>> for (Vec<T>, Vec<T>) {
    fn from(changed: Changed<T>) -> Self {
        (changed.before.into_iter().collect(), changed.after.into_iter().collect())
    }
}

impl<T> TryFrom<(Vec<T>, Vec<T>)> for Changed<T> {
    type Error = &'static str;

    fn try_from((mut before, mut after): (Vec<T>, Vec<T>)) -> Result<Self, Self::Error> {
        let changed = Self { before: before.pop(), after: after.pop() };
        let is_one = before.is_empty() && after.is_empty();
        if is_one { Ok(changed) } else { Err("a key has one value") }
    }
}

impl<T: Clone + PartialEq> Changed<T> {
    /// The keys that differ between two maps.
    pub(crate) fn between<K: Clone + Ord>(
        before: &BTreeMap<K, T>,
        after: &BTreeMap<K, T>,
    ) -> BTreeMap<K, Self> {
        let mut changed = BTreeMap::new();
        for (key, value) in before {
            let now = after.get(key);
            if now != Some(value) {
                changed.insert(key.clone(), Self { before: Some(value.clone()), after: now.cloned() });
            }
        }
        for (key, value) in after {
            if !before.contains_key(key) {
                changed.insert(key.clone(), Self { before: None, after: Some(value.clone()) });
            }
        }
        changed
    }

    fn of_one(before: Option<T>, after: Option<T>) -> Option<Self> {
        (before != after).then_some(Self { before, after })
    }
}

impl<T> Changed<T> {
    /// What it has on one side.
    pub const fn at(&self, side: Side) -> Option<&T> {
        match side {
            Side::Before => self.before.as_ref(),
            Side::After => self.after.as_ref(),
        }
    }
}

/// One of the two states that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The earlier.
    Before,
    /// The later.
    After,
}

/// A place in the list of conflicts: a path, and which of the conflicts there.
pub type ConflictPlace = (AssetPath, u32);

/// What differs between two states, apart from how far the files have come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StateDifference {
    /// The branch that the worktree is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<Changed<RefName>>,
    /// The merge under way, without its paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<Changed<MergeHead>>,
    /// Whether only some paths are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sparse: Option<Changed<()>>,
    /// Pending metadata.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<AssetPath, Changed<Option<MetadataId>>>,
    /// Pending identities.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub assets: BTreeMap<AssetPath, Changed<AssetId>>,
    /// Pending moves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub moves: BTreeMap<AssetPath, Changed<AssetPath>>,
    /// Paths that wait for a decision.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", with = "pairs")]
    pub conflicts: BTreeMap<ConflictPlace, Changed<PendingConflict>>,
    /// Descent that the merge records, by position.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<u32, Changed<(AssetId, AssetId)>>,
    /// Paths that are shown.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shown: BTreeMap<AssetPath, Changed<()>>,
}

impl StateDifference {
    /// What differs.
    pub fn between(before: &WorktreeState, after: &WorktreeState) -> Self {
        let heads = |state: &WorktreeState| state.merge.as_ref().map(MergeHead::of);
        let sparse = |state: &WorktreeState| state.sparse.is_some().then_some(());
        Self {
            branch: Changed::of_one(Some(before.branch.clone()), Some(after.branch.clone())),
            merge: Changed::of_one(heads(before), heads(after)),
            sparse: Changed::of_one(sparse(before), sparse(after)),
            metadata: Changed::between(&before.pending.metadata, &after.pending.metadata),
            assets: Changed::between(&before.pending.assets, &after.pending.assets),
            moves: Changed::between(&before.pending.moves, &after.pending.moves),
            conflicts: Changed::between(&conflicts(before), &conflicts(after)),
            aliases: Changed::between(&aliases(before), &aliases(after)),
            shown: Changed::between(&shown(before), &shown(after)),
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Gives every key that differs what it has on one side. Whatever else a state has stays.
    pub fn bring(&self, state: &mut WorktreeState, side: Side) {
        if let Some(branch) = self.branch.as_ref().and_then(|branch| branch.at(side)) {
            state.branch = branch.clone();
        }
        bring(&mut state.pending.metadata, &self.metadata, side);
        bring(&mut state.pending.assets, &self.assets, side);
        bring(&mut state.pending.moves, &self.moves, side);
        let head = match &self.merge {
            Some(merge) => merge.at(side).cloned(),
            None => state.merge.as_ref().map(MergeHead::of),
        };
        let (mut conflicts, mut aliases) = (conflicts(state), aliases(state));
        bring(&mut conflicts, &self.conflicts, side);
        bring(&mut aliases, &self.aliases, side);
        state.merge =
            head.map(|head| head.with(conflicts.into_values().collect(), aliases.into_values().collect()));
        if self.merge.is_some() || !self.conflicts.is_empty() {
            state.order_conflicts();
        }
        let is_sparse = match &self.sparse {
            Some(sparse) => sparse.at(side).is_some(),
            None => state.sparse.is_some(),
        };
        let mut shown = shown(state);
        bring(&mut shown, &self.shown, side);
        state.sparse = is_sparse.then(|| shown.into_keys().collect());
    }

    /// Metadata that either side has.
    pub fn named_metadata(&self) -> impl Iterator<Item = MetadataId> + '_ {
        let pending = self.metadata.values().flat_map(|changed| [changed.before, changed.after]);
        let conflicting = self.conflict_sides().filter_map(|side| side.metadata);
        pending.flatten().flatten().chain(conflicting)
    }

    /// Content that conflicts of either side have.
    pub fn named_content(&self) -> impl Iterator<Item = &Content> + '_ {
        self.conflict_sides().map(|side| &side.content)
    }

    /// Merges that either side had under way.
    pub fn named_merges(&self) -> impl Iterator<Item = &MergeHead> + '_ {
        self.merge.iter().flat_map(|merge| [&merge.before, &merge.after]).flatten()
    }

    fn conflict_sides(&self) -> impl Iterator<Item = &ConflictSide> + '_ {
        let conflicts = self.conflicts.values().flat_map(|changed| [&changed.before, &changed.after]);
        let sides =
            conflicts.flatten().flat_map(|conflict| [&conflict.base, &conflict.ours, &conflict.theirs]);
        sides.flatten()
    }
}

fn bring<K: Clone + Ord, V: Clone>(map: &mut BTreeMap<K, V>, changed: &BTreeMap<K, Changed<V>>, side: Side) {
    for (key, change) in changed {
        match change.at(side) {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}

fn conflicts(state: &WorktreeState) -> BTreeMap<ConflictPlace, PendingConflict> {
    let mut by_place = BTreeMap::new();
    for conflict in state.merge.iter().flat_map(|merge| &merge.conflicts) {
        let earlier = by_place.range((conflict.path.clone(), 0)..=(conflict.path.clone(), u32::MAX)).count();
        by_place.insert((conflict.path.clone(), earlier as u32), conflict.clone());
    }
    by_place
}

fn aliases(state: &WorktreeState) -> BTreeMap<u32, (AssetId, AssetId)> {
    let aliases = state.merge.iter().flat_map(|merge| &merge.aliases);
    aliases.enumerate().map(|(position, alias)| (position as u32, *alias)).collect()
}

#[allow(clippy::zero_sized_map_values, reason = "it is compared and changed like the other maps")]
fn shown(state: &WorktreeState) -> BTreeMap<AssetPath, ()> {
    let paths = state.sparse.iter().flat_map(BTreeSet::iter);
    paths.map(|path| (path.clone(), ())).collect()
}

/// A map whose keys are no text, as a list of pairs.
mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
