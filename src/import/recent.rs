//! A memory of bounded size: what was not asked for during two fillings is forgotten.

use std::collections::HashMap;
use std::hash::Hash;

/// Remembers at most twice its capacity.
#[derive(Debug)]
pub struct Recent<K, V> {
    capacity: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash + Clone, V: Clone> Recent<K, V> {
    /// An empty memory.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, young: HashMap::new(), old: HashMap::new() }
    }

    /// What is remembered under a key, which counts as asked for.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key)?;
            self.put(key.clone(), value);
        }
        self.young.get(key)
    }

    /// Remembers a value.
    pub fn put(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
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
}
