//! The one order of a set of actions: each after all that its signer had seen, ties by hash.
//!
//! Clocks have no say. The order follows from the set alone, so whoever has the same actions, come by
//! in whatever order, has the same state.

use crate::base::id::{ActionId, PersonId};
use crate::review::entry::Entry;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

/// Actions in their order.
#[derive(Debug, Default)]
pub struct Causal {
    entries: Vec<Entry>,
    places: HashMap<ActionId, usize>,
    missing: BTreeMap<ActionId, BTreeSet<ActionId>>,
}

impl Causal {
    /// Puts actions in order; one that comes twice counts once.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let known: HashMap<ActionId, Entry> = entries.into_iter().map(|entry| (entry.id(), entry)).collect();
        let mut missing: BTreeMap<ActionId, BTreeSet<ActionId>> = BTreeMap::new();
        let mut waiting: HashMap<ActionId, usize> = HashMap::with_capacity(known.len());
        let mut children: HashMap<ActionId, Vec<ActionId>> = HashMap::new();
        for (id, entry) in &known {
            let mut count = 0;
            for parent in entry.action().parents() {
                if known.contains_key(&parent) {
                    count += 1;
                    children.entry(parent).or_default().push(*id);
                } else {
                    missing.entry(parent).or_default().insert(*id);
                }
            }
            waiting.insert(*id, count);
        }
        let mut ready: BinaryHeap<Reverse<ActionId>> =
            waiting.iter().filter(|(_, count)| **count == 0).map(|(id, _)| Reverse(*id)).collect();
        let mut order = Vec::with_capacity(known.len());
        while let Some(Reverse(id)) = ready.pop() {
            order.push(id);
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
        let places = order.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let mut known = known;
        let entries = order.iter().filter_map(|id| known.remove(id)).collect();
        Self { entries, places, missing }
    }

    /// The actions, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// An action by its id.
    pub fn get(&self, id: ActionId) -> Option<&Entry> {
        self.places.get(&id).map(|place| &self.entries[*place])
    }

    /// Actions that others name and that are not here, each with those that name it.
    pub const fn missing(&self) -> &BTreeMap<ActionId, BTreeSet<ActionId>> {
        &self.missing
    }

    /// The place of an action in the order.
    pub fn place(&self, id: ActionId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// The newest actions among those that are asked for: those that none of them names. Sorted.
    pub fn heads(&self, counts: &dyn Fn(&Entry) -> bool) -> Vec<ActionId> {
        let counting: Vec<&Entry> = self.entries.iter().filter(|entry| counts(entry)).collect();
        let named: HashSet<ActionId> = counting.iter().flat_map(|entry| entry.action().parents()).collect();
        let mut heads: Vec<ActionId> =
            counting.iter().map(|entry| entry.id()).filter(|id| !named.contains(id)).collect();
        heads.sort_unstable();
        heads
    }

    /// The last action of a person in the order.
    pub fn newest_of(&self, person: PersonId) -> Option<ActionId> {
        self.entries.iter().rev().find(|entry| entry.action().actor == person).map(Entry::id)
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
                waiting.extend(self.entries[place].action().parents());
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
        while let Some(entry) = waiting.pop().and_then(|id| self.get(id)) {
            for parent in entry.action().parents() {
                match earlier.get(&parent) {
                    Some(place) => {
                        found.insert(*place);
                    }
                    // Whatever comes before all of them in the order has seen none.
                    None if self.place(parent).is_some_and(|place| place > first) && seen.insert(parent) => {
                        waiting.push(parent);
                    }
                    None => {}
                }
            }
        }
        found.into_iter().collect()
    }

    /// Actions that are missing in the past of some, as far as their past is here. Only what `counts` is
    /// believed to have seen what it names.
    pub fn gaps_before(
        &self,
        ids: impl IntoIterator<Item = ActionId>,
        counts: &dyn Fn(&Entry) -> bool,
    ) -> BTreeSet<ActionId> {
        let mut gaps = BTreeSet::new();
        if self.missing.is_empty() {
            return gaps;
        }
        let mut waiting: Vec<ActionId> = ids.into_iter().collect();
        let mut seen: HashSet<ActionId> = waiting.iter().copied().collect();
        while let Some(id) = waiting.pop() {
            let Some(entry) = self.get(id) else {
                gaps.insert(id);
                continue;
            };
            let believed = counts(entry);
            let parents = entry.action().parents().into_iter();
            let parents = parents.filter(|id| believed || self.places.contains_key(id));
            waiting.extend(parents.filter(|id| seen.insert(*id)));
        }
        gaps
    }
}
