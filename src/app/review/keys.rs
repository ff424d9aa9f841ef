//! Whose keys are whose, for reading a review log.

use crate::base::id::PersonId;
use crate::object::signature::{Fingerprint, PublicKey};
use crate::review::fold::Keys;
use crate::rules::policy::Policy;
use std::collections::{HashMap, HashSet};

/// Keys that are known to be somebody's, whether they still count or not.
///
/// A known key speaks only as its own person, and a person whose keys are known only by these. Of
/// strangers nothing is known; their verdicts count under no policy.
#[derive(Debug, Clone, Default)]
pub struct KnownKeys {
    owners: HashMap<Fingerprint, PersonId>,
    people: HashSet<PersonId>,
}

impl KnownKeys {
    /// Adds a key. One that is there already stays: the first source is the one that counts.
    pub fn add(&mut self, key: &PublicKey, person: PersonId) {
        self.owners.entry(key.fingerprint()).or_insert(person);
        self.people.insert(person);
    }

    /// Adds the keys that a policy names.
    pub fn add_policy(&mut self, policy: &Policy) {
        for member in policy.people.values() {
            member.keys.iter().for_each(|held| self.add(&held.key, member.id));
        }
    }
}

impl Keys for KnownKeys {
    fn belongs(&self, key: &PublicKey, person: PersonId) -> bool {
        match self.owners.get(&key.fingerprint()) {
            Some(owner) => *owner == person,
            None => !self.people.contains(&person),
        }
    }
}
