//! Verified actions in their order.

use crate::base::id::{ActionId, PersonId};
use crate::review::entry::Entry;
use crate::review::order::Order;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Actions in their order.
#[derive(Debug, Default)]
pub struct Causal {
    entries: Vec<Entry>,
    order: Order,
}

impl Causal {
    /// Puts actions in order; one that comes twice counts once.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut known: HashMap<ActionId, Entry> =
            entries.into_iter().map(|entry| (entry.id(), entry)).collect();
        let order = Order::new(known.iter().map(|(id, entry)| (*id, entry.action().parents())));
        let entries = order.ids().iter().filter_map(|id| known.remove(id)).collect();
        Self { entries, order }
    }

    /// The actions, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The order itself.
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// An action by its id.
    pub fn get(&self, id: ActionId) -> Option<&Entry> {
        self.order.place(id).map(|place| &self.entries[place])
    }

    /// Actions that others name and that are not here, each with those that name it.
    pub const fn missing(&self) -> &BTreeMap<ActionId, BTreeSet<ActionId>> {
        self.order.missing()
    }

    /// The place of an action in the order.
    pub fn place(&self, id: ActionId) -> Option<usize> {
        self.order.place(id)
    }

    /// The newest actions among those that are asked for: those that none of them names. Sorted.
    pub fn heads(&self, counts: &dyn Fn(&Entry) -> bool) -> Vec<ActionId> {
        self.order.heads(&|id| self.get(id).is_some_and(counts))
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
        self.order.past(ids, known)
    }

    /// Actions that are missing in the past of some, as far as their past is here. Only what `counts` is
    /// believed to have seen what it names.
    pub fn gaps_before(
        &self,
        ids: impl IntoIterator<Item = ActionId>,
        counts: &dyn Fn(&Entry) -> bool,
    ) -> BTreeSet<ActionId> {
        self.order.gaps_before(ids, &|id| self.get(id).is_some_and(counts))
    }
}
