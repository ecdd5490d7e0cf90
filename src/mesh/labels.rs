//! Matching by labels, with an index so that ten thousand pods cost no more than their labels.

use super::objects::{Labels, Meta};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const OUR_NAME: &str = "meshscrape";

/// Every pair of `selector` is among `labels`.
pub(super) fn subset(selector: &Labels, labels: &Labels) -> bool {
    selector
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
}

/// An object that this program wrote: by its label, or by its name and field manager.
pub(super) fn is_ours(meta: &Meta) -> bool {
    meta.labels.get(MANAGED_BY).is_some_and(|by| by == OUR_NAME)
        || (meta.name.starts_with("meshscrape-")
            && meta.managed_fields.iter().any(|m| m.manager == OUR_NAME))
}

/// A map of strings inside a loose spec, such as `/selector/matchLabels`.
pub(super) fn labels_at(spec: &Value, pointer: &str) -> Labels {
    spec.pointer(pointer)
        .and_then(Value::as_object)
        .map(|map| {
            map.iter()
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect()
        })
        .unwrap_or_default()
}

fn pair(namespace: &str, key: &str, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (namespace, key, value).hash(&mut hasher);
    hasher.finish()
}

/// Things with a label selector, found by the labels that they would select.
///
/// Each is filed under the rarest pair of its selector, so that a lookup touches few that do not match.
pub(super) struct BySelector<'a, T> {
    items: Vec<(&'a str, Cow<'a, Labels>, T)>,
    filed: HashMap<u64, Vec<usize>>,
    selectorless: HashMap<&'a str, Vec<T>>,
}

impl<'a, T: Copy> BySelector<'a, T> {
    pub fn new(all: impl IntoIterator<Item = (&'a str, Cow<'a, Labels>, T)>) -> Self {
        let mut selectorless: HashMap<&str, Vec<T>> = HashMap::new();
        let mut items = Vec::new();
        let mut seen: HashMap<u64, usize> = HashMap::new();
        for (namespace, selector, item) in all {
            if selector.is_empty() {
                selectorless.entry(namespace).or_default().push(item);
                continue;
            }
            for (key, value) in selector.iter() {
                *seen.entry(pair(namespace, key, value)).or_default() += 1;
            }
            items.push((namespace, selector, item));
        }
        let mut filed: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, (namespace, selector, _)) in items.iter().enumerate() {
            let rarest = selector
                .iter()
                .map(|(key, value)| pair(namespace, key, value))
                .min_by_key(|hash| seen.get(hash).copied().unwrap_or_default());
            filed
                .entry(rarest.unwrap_or_default())
                .or_default()
                .push(at);
        }
        BySelector {
            items,
            filed,
            selectorless,
        }
    }

    /// Those of the namespace whose (non-empty) selector is part of `labels`, in the order they were given.
    pub fn selecting(&self, namespace: &str, labels: &Labels) -> Vec<T> {
        let mut found: Vec<usize> = labels
            .iter()
            .filter_map(|(key, value)| self.filed.get(&pair(namespace, key, value)))
            .flatten()
            .copied()
            .filter(|at| {
                let (ns, selector, _) = &self.items[*at];
                *ns == namespace && subset(selector, labels)
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|at| self.items[at].2).collect()
    }

    /// Those of the namespace that select everything.
    pub fn selectorless(&self, namespace: &str) -> &[T] {
        self.selectorless.get(namespace).map_or(&[], Vec::as_slice)
    }
}

/// Things found by labels that they carry: the other way round.
pub(super) struct ByLabel<'a, T> {
    filed: HashMap<u64, Vec<(&'a Labels, T)>>,
}

impl<'a, T: Copy> ByLabel<'a, T> {
    pub fn new(all: impl IntoIterator<Item = (&'a str, &'a Labels, T)>) -> Self {
        let mut filed: HashMap<u64, Vec<(&Labels, T)>> = HashMap::new();
        for (namespace, labels, item) in all {
            for (key, value) in labels {
                filed
                    .entry(pair(namespace, key, value))
                    .or_default()
                    .push((labels, item));
            }
        }
        ByLabel { filed }
    }

    /// Those that carry every pair of a non-empty `selector`.
    pub fn carrying(&self, namespace: &str, selector: &Labels) -> Vec<T> {
        let mut fewest: Option<&[(&Labels, T)]> = None;
        for (key, value) in selector {
            let Some(list) = self.filed.get(&pair(namespace, key, value)) else {
                return Vec::new();
            };
            if fewest.is_none_or(|best| list.len() < best.len()) {
                fewest = Some(list);
            }
        }
        fewest
            .unwrap_or_default()
            .iter()
            .filter(|(labels, _)| subset(selector, labels))
            .map(|(_, item)| *item)
            .collect()
    }
}
