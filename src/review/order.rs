//! The one order of a set of actions: each after all that its signer had seen, ties by hash.
//!
//! Clocks have no say. The order follows from the set alone, so whoever has the same actions, come by in whatever
//! order, has the same state. All that it takes to know of an action is its id and what its signer had seen.

use crate::base::id::ActionId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

/// Actions in their order, by their ids.
#[derive(Debug, Default)]
pub struct Order {
    ids: Vec<ActionId>,
    parents: Vec<Vec<ActionId>>,
    places: HashMap<ActionId, usize>,
    missing: BTreeMap<ActionId, BTreeSet<ActionId>>,
}

impl Order {
    /// Puts actions in order, each given with those that its signer had seen; one that comes twice counts once.
    pub fn new(actions: impl IntoIterator<Item = (ActionId, Vec<ActionId>)>) -> Self {
        let mut known: HashMap<ActionId, Vec<ActionId>> = actions.into_iter().collect();
        let mut missing: BTreeMap<ActionId, BTreeSet<ActionId>> = BTreeMap::new();
        let mut waiting: HashMap<ActionId, usize> = HashMap::with_capacity(known.len());
        let mut children: HashMap<ActionId, Vec<ActionId>> = HashMap::new();
        for (id, parents) in &known {
            let mut count = 0;
            for parent in parents {
                if known.contains_key(parent) {
                    count += 1;
                    children.entry(*parent).or_default().push(*id);
                } else {
                    missing.entry(*parent).or_default().insert(*id);
                }
            }
            waiting.insert(*id, count);
        }
        let mut ready: BinaryHeap<Reverse<ActionId>> =
            waiting.iter().filter(|(_, count)| **count == 0).map(|(id, _)| Reverse(*id)).collect();
        let mut ids = Vec::with_capacity(known.len());
        while let Some(Reverse(id)) = ready.pop() {
            ids.push(id);
            for child in children.get(&id).into_iter().flatten() {
                if let Some(count) = waiting.get_mut(child) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(Reverse(*child));
                    }
                }
            }
        }
        // An id is a hash of what it names, so nothing can come after itself and all are ordered.
        let places = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let parents = ids.iter().map(|id| known.remove(id).unwrap_or_default()).collect();
        Self { ids, parents, places, missing }
    }

    /// The actions, in order.
    pub fn ids(&self) -> &[ActionId] {
        &self.ids
    }

    /// The place of an action in the order; `None` when it is not here.
    pub fn place(&self, id: ActionId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// What the signer of an action had seen; nothing when it is not here.
    pub fn parents(&self, id: ActionId) -> &[ActionId] {
        self.place(id).map_or(&[], |place| &self.parents[place])
    }

    /// Actions that others name and that are not here, each with those that name it.
    pub const fn missing(&self) -> &BTreeMap<ActionId, BTreeSet<ActionId>> {
        &self.missing
    }

    /// The newest actions among those that are asked for: those that none of them names. Sorted.
    pub fn heads(&self, counts: &dyn Fn(ActionId) -> bool) -> Vec<ActionId> {
        let counting: Vec<ActionId> = self.ids.iter().copied().filter(|id| counts(*id)).collect();
        let named: HashSet<ActionId> = counting.iter().flat_map(|id| self.parents(*id)).copied().collect();
        let mut heads: Vec<ActionId> = counting.into_iter().filter(|id| !named.contains(id)).collect();
        heads.sort_unstable();
        heads
    }

    /// The places of some actions, and of all that their signers had seen, but for what is known already.
    pub fn past(
        &self,
        ids: impl IntoIterator<Item = ActionId>,
        known: &dyn Fn(ActionId) -> bool,
    ) -> HashSet<usize> {
        let mut past = HashSet::new();
        let mut waiting: Vec<ActionId> = ids.into_iter().collect();
        while let Some(id) = waiting.pop() {
            let Some(place) = self.place(id).filter(|_| !known(id)) else { continue };
            if past.insert(place) {
                waiting.extend(&self.parents[place]);
            }
        }
        past
    }

    /// Those of `earlier` (places, by id) that an action came right after: its signer had seen them, and
    /// through none of the others.
    pub fn right_before(&self, later: ActionId, earlier: &BTreeMap<ActionId, usize>) -> Vec<usize> {
        let first = earlier.keys().filter_map(|id| self.place(*id)).min();
        let Some(first) = first else { return Vec::new() };
        let mut found = BTreeSet::new();
        let mut waiting = vec![later];
        let mut seen = HashSet::new();
        while let Some(id) = waiting.pop() {
            for parent in self.parents(id) {
                match earlier.get(parent) {
                    Some(place) => {
                        found.insert(*place);
                    }
                    // Whatever comes before all of them in the order has seen none.
                    None if self.place(*parent).is_some_and(|place| place > first)
                        && seen.insert(*parent) =>
                    {
                        waiting.push(*parent);
                    }
                    None => {}
                }
            }
        }
        found.into_iter().collect()
    }

    /// Actions that are missing in the past of some, as far as their past is here. Only those that are `believed`
    /// are taken to have seen what they name.
    pub fn gaps_before(
        &self,
        ids: impl IntoIterator<Item = ActionId>,
        believed: &dyn Fn(ActionId) -> bool,
    ) -> BTreeSet<ActionId> {
        let mut gaps = BTreeSet::new();
        if self.missing.is_empty() {
            return gaps;
        }
        let mut waiting: Vec<ActionId> = ids.into_iter().collect();
        let mut seen: HashSet<ActionId> = waiting.iter().copied().collect();
        while let Some(id) = waiting.pop() {
            if self.place(id).is_none() {
                gaps.insert(id);
                continue;
            }
            // Nobody has to be believed who names nothing that is missing.
            let names_missing = self.parents(id).iter().any(|parent| self.place(*parent).is_none());
            let believed = names_missing && believed(id);
            let parents = self.parents(id).iter().copied();
            let parents = parents.filter(|id| believed || self.place(*id).is_some());
            waiting.extend(parents.filter(|id| seen.insert(*id)));
        }
        gaps
    }
}
