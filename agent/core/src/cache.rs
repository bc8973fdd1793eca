//! Remembers what texts were redacted to. In memory only: it holds raw text.

use std::collections::BTreeMap;

/// Entries; a person has some dozen screens and some hundred elements in turn.
const ENTRIES_MAX: usize = 1_024;

/// Longer pairs of texts are worked out each time rather than kept.
const BYTES_MAX: usize = 2_048;

/// By two texts. Emptied when full, which costs a few hashes and decides nothing.
#[derive(Clone)]
pub(crate) struct Cache<V> {
    entries: BTreeMap<Box<str>, BTreeMap<Box<str>, V>>,
    count: usize,
}

impl<V> Default for Cache<V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<V: Clone> Cache<V> {
    pub(crate) fn get_or_insert_with(&mut self, a: &str, b: &str, make: impl FnOnce() -> V) -> V {
        if let Some(value) = self.entries.get(a).and_then(|inner| inner.get(b)) {
            return value.clone();
        }
        let value = make();
        if a.len().saturating_add(b.len()) <= BYTES_MAX {
            if self.count >= ENTRIES_MAX {
                *self = Self::default();
            }
            self.count += 1;
            self.entries
                .entry(a.into())
                .or_default()
                .insert(b.into(), value.clone());
        }
        value
    }
}
