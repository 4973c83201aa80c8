//! `Recent`: a bounded map that keeps the values that were used last.

use std::collections::HashMap;

/// Values by name. If there are more than `most`, the value that was not used for the longest time is dropped.
#[derive(Debug)]
pub(super) struct Recent<V> {
    most: usize,
    /// The number of uses so far.
    uses: u64,
    /// Each value with the number of its last use.
    values: HashMap<String, (u64, V)>,
}

impl<V: Clone + Default> Recent<V> {
    pub(super) fn new(most: usize) -> Recent<V> {
        Recent { most, uses: 0, values: HashMap::new() }
    }

    /// The value of this name. If there is none, the default is added.
    pub(super) fn get(&mut self, name: &str) -> V {
        self.uses += 1;
        if let Some((used, value)) = self.values.get_mut(name) {
            *used = self.uses;
            return value.clone();
        }
        if self.values.len() >= self.most {
            let oldest = self.values.iter().min_by_key(|(_, (used, _))| *used).map(|(name, _)| name.clone());
            if let Some(oldest) = oldest {
                self.values.remove(&oldest);
            }
        }
        let value = V::default();
        self.values.insert(name.to_owned(), (self.uses, value.clone()));
        value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn value_that_was_not_used_for_the_longest_time_is_dropped() {
        let mut recent = Recent::<Arc<u8>>::new(2);
        let (a, b) = (recent.get("a"), recent.get("b"));
        assert!(Arc::ptr_eq(&a, &recent.get("a")));
        recent.get("c");
        assert!(Arc::ptr_eq(&a, &recent.get("a")));
        assert!(!Arc::ptr_eq(&b, &recent.get("b")));
        assert_eq!(recent.values.len(), 2);
    }
}
