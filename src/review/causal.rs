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

    /// The newest actions: those that no other names. Sorted.
    pub fn heads(&self) -> Vec<ActionId> {
        let named: HashSet<ActionId> =
            self.entries.iter().flat_map(|entry| entry.action().parents()).collect();
        let mut heads: Vec<ActionId> =
            self.entries.iter().map(Entry::id).filter(|id| !named.contains(id)).collect();
        heads.sort_unstable();
        heads
    }

    /// The last action of a person in the order.
    pub fn newest_of(&self, person: PersonId) -> Option<ActionId> {
        self.entries.iter().rev().find(|entry| entry.action().actor == person).map(Entry::id)
    }

    /// Whether the signer of `later` had seen `earlier`.
    pub fn had_seen(&self, later: ActionId, earlier: ActionId) -> bool {
        let Some(target) = self.places.get(&earlier) else { return false };
        let mut waiting = vec![later];
        let mut seen = HashSet::new();
        while let Some(id) = waiting.pop() {
            let Some(entry) = self.get(id) else { continue };
            for parent in entry.action().parents() {
                if parent == earlier {
                    return true;
                }
                // Whatever comes before the target in the order cannot have seen it.
                if self.places.get(&parent).is_some_and(|place| place > target) && seen.insert(parent) {
                    waiting.push(parent);
                }
            }
        }
        false
    }

    /// Actions that are missing in the past of one, as far as its past is here.
    pub fn gaps_before(&self, ids: impl IntoIterator<Item = ActionId>) -> BTreeSet<ActionId> {
        let mut gaps = BTreeSet::new();
        if self.missing.is_empty() {
            return gaps;
        }
        let mut waiting: Vec<ActionId> = ids.into_iter().collect();
        let mut seen = HashSet::new();
        while let Some(id) = waiting.pop() {
            match self.get(id) {
                None => {
                    gaps.insert(id);
                }
                Some(entry) => {
                    waiting.extend(entry.action().parents().into_iter().filter(|id| seen.insert(*id)));
                }
            }
        }
        gaps
    }
}
