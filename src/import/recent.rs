//! A memory of bounded size: what was not asked for during two fillings is forgotten.

use std::collections::HashMap;
use std::hash::Hash;

/// Remembers at most twice its capacity.
#[derive(Debug)]
pub struct Recent<K, V> {
    capacity: usize,
    /// What is in `young` weighs so much.
    weight: usize,
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
}

impl<K: Eq + Hash + Clone, V: Clone> Recent<K, V> {
    /// An empty memory.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, weight: 0, young: HashMap::new(), old: HashMap::new() }
    }

    /// What is remembered under a key, which counts as asked for.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let (value, weight) = self.old.remove(key)?;
            self.put_weighing(key.clone(), value, weight);
        }
        self.young.get(key).map(|(value, _)| value)
    }

    /// Remembers a value.
    pub fn put(&mut self, key: K, value: V) {
        self.put_weighing(key, value, 1);
    }

    /// Remembers a value that takes as much of the capacity as `weight` others.
    pub fn put_weighing(&mut self, key: K, value: V, weight: usize) {
        if self.weight >= self.capacity {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += weight;
        if let Some((_, before)) = self.young.insert(key, (value, weight)) {
            self.weight -= before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut recent = Recent::new(2);
        for key in 0..9 {
            recent.put(key, key);
            assert_eq!(recent.get(&0).copied(), Some(0), "asked for each time");
        }
        assert_eq!(recent.get(&3), None);
        assert!(recent.young.len() + recent.old.len() <= 4);
    }

    #[test]
    fn what_weighs_more_takes_more_of_the_room() {
        let mut recent = Recent::new(10);
        for key in 0..20 {
            recent.put_weighing(key, key, 5);
            assert!(recent.young.len() + recent.old.len() <= 4);
        }
        recent.put_weighing(19, 0, 1);
        assert_eq!(recent.get(&19).copied(), Some(0), "what is put again counts once");
    }
}
