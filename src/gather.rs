//! Collecting into B-trees one by one.
//!
//! The standard library's `collect` sorts all items before it builds the tree: quicker for many thousands of
//! them, but four kilobytes of program for each type of item. Here there are dozens of types and few items.

use std::collections::{BTreeMap, BTreeSet};

pub trait Gather: Iterator + Sized {
    fn into_set(self) -> BTreeSet<Self::Item>
    where
        Self::Item: Ord,
    {
        let mut set = BTreeSet::new();
        self.for_each(|item| {
            set.insert(item);
        });
        set
    }

    /// Of two values with the same key the later one stays.
    fn into_map<K: Ord, V>(self) -> BTreeMap<K, V>
    where
        Self: Iterator<Item = (K, V)>,
    {
        let mut map = BTreeMap::new();
        self.for_each(|(key, value)| {
            map.insert(key, value);
        });
        map
    }
}

impl<I: Iterator> Gather for I {}
