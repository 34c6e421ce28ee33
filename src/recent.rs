//! A bounded map that evicts what was not used for the longest time.

use std::collections::HashMap;
use std::hash::Hash;

/// A cache of bounded size, in two generations. An entry that is put or looked up belongs to the
/// young generation. When that has half of the bound, the old generation is dropped and the young
/// one becomes the old one. So the most recently used half is always present, and every operation
/// takes constant time.
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    generation_max: usize,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            generation_max: (entries_max / 2).max(1),
        }
    }

    /// Looks a value up, and makes it young.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        // No key is in both maps. The old one is empty for as long as the bound is not reached.
        if !self.old.is_empty()
            && let Some((key, value)) = self.old.remove_entry(key)
        {
            self.put_young(key, value);
        }
        self.young.get_mut(key)
    }

    /// Stores a value, replacing the one of the same key.
    pub(crate) fn put(&mut self, key: K, value: V) {
        self.old.remove(&key);
        self.put_young(key, value);
    }

    /// Stores a value whose key is not in the old generation.
    fn put_young(&mut self, key: K, value: V) {
        if self.young.len() >= self.generation_max && !self.young.contains_key(&key) {
            // Swapped and cleared, so that neither map has to grow again.
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl<K, V> Recent<K, V> {
        pub(crate) fn len(&self) -> usize {
            self.young.len() + self.old.len()
        }
    }

    #[test]
    fn the_bound_holds_and_the_latest_half_is_there() {
        let mut recent = Recent::new(8);
        for n in 0..100 {
            recent.put(n, n * n);
            assert!(recent.len() <= 8, "{n}");
        }
        for n in 96..100 {
            assert_eq!(recent.get(&n), Some(&mut (n * n)), "{n}");
        }
        assert_eq!(recent.get(&0), None);
    }

    #[test]
    fn what_is_looked_up_stays() {
        let mut recent = Recent::new(8);
        recent.put(0, "kept");
        for n in 1..100 {
            recent.put(n, "");
            assert_eq!(recent.get(&0), Some(&mut "kept"), "{n}");
        }
    }

    #[test]
    fn a_key_has_one_value() {
        let mut recent = Recent::new(4);
        for n in [1, 2, 3] {
            recent.put(n, "first");
        }
        recent.put(1, "second");
        assert_eq!((recent.len(), recent.get(&1)), (3, Some(&mut "second")));
    }
}
