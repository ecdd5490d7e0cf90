//! The objects, one revision counter for all of them, and the log that watches read.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::json::{as_map, at, map_at, name, namespace, number_of, uid};
use super::kinds::Kind;

/// How many changes the log keeps; a watch that starts earlier is answered `410 Expired`.
const LOG: usize = 5000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    Added,
    Modified,
    Deleted,
}

/// One change, for watches.
#[derive(Clone, Debug)]
pub struct Event {
    pub revision: u64,
    pub kind: &'static Kind,
    pub happened: Happened,
    pub object: Arc<Value>,
}

type Place = (String, String);

/// What makes the uids of one cluster others than those of any other.
#[derive(Clone, Debug)]
struct Seed(u64);

impl Default for Seed {
    fn default() -> Seed {
        Seed(RandomState::new().build_hasher().finish())
    }
}

#[derive(Clone, Debug, Default)]
pub struct Store {
    cluster: Seed,
    objects: BTreeMap<(&'static str, &'static str), BTreeMap<Place, Arc<Value>>>,
    revision: u64,
    /// The revision of the last change in each namespace; empty: of what lies in none.
    touched: BTreeMap<String, u64>,
    log: VecDeque<Event>,
}

fn place(namespace: &str, name: &str) -> Place {
    (namespace.to_owned(), name.to_owned())
}

impl Store {
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The revision of the last change in a namespace; `ns` empty: of what lies in none.
    pub fn touched(&self, ns: &str) -> u64 {
        self.touched.get(ns).copied().unwrap_or(0)
    }

    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.objects
            .get(&(kind.group, kind.plural))?
            .get(&place(namespace, name))
    }

    /// All objects of a kind, ordered by namespace and name.
    pub fn all(&self, kind: &Kind) -> impl Iterator<Item = &Arc<Value>> {
        self.objects
            .get(&(kind.group, kind.plural))
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// The objects of one namespace.
    pub fn of<'a>(&'a self, kind: &Kind, ns: &'a str) -> impl Iterator<Item = &'a Arc<Value>> {
        self.objects
            .get(&(kind.group, kind.plural))
            .into_iter()
            .flat_map(move |objects| objects.range(place(ns, "")..))
            .take_while(move |(key, _)| key.0 == ns)
            .map(|(_, object)| object)
    }

    /// Writes the object, new or changed. Sets what a server sets: uid, creation time, resourceVersion,
    /// and a generation that grows when anything but metadata and status changed.
    pub fn write(&mut self, kind: &'static Kind, mut object: Value, now: Timestamp) -> Arc<Value> {
        self.revision += 1;
        let key = place(namespace(&object), name(&object));
        let objects = self.objects.entry((kind.group, kind.plural)).or_default();
        let old = objects.get(&key).cloned();
        let generation = match &old {
            None => 1,
            Some(old) => {
                let before = at(old, "/metadata/generation").as_i64().unwrap_or(1);
                before + i64::from(content(old) != content(&object))
            }
        };
        let revision = self.revision;
        let seed = format!(
            "{}/{}/{}/{revision}/{}",
            kind.plural, key.0, key.1, self.cluster.0
        );
        let meta = map_at(&mut object, &["metadata"]);
        match &old {
            Some(old) => {
                meta.insert("uid".into(), json!(uid(old)));
                let created = at(old, "/metadata/creationTimestamp").clone();
                meta.insert("creationTimestamp".into(), created);
            }
            None => {
                meta.entry("uid").or_insert_with(|| json!(new_uid(&seed)));
                meta.entry("creationTimestamp")
                    .or_insert_with(|| json!(stamp(now)));
            }
        }
        meta.insert("resourceVersion".into(), json!(revision.to_string()));
        if object.get("spec").is_some()
            && !matches!(
                kind.plural,
                "pods" | "namespaces" | "services" | "nodes" | "leases"
            )
        {
            map_at(&mut object, &["metadata"]).insert("generation".into(), json!(generation));
        }
        let top = as_map(&mut object);
        top.insert("apiVersion".into(), json!(kind.api_version()));
        top.insert("kind".into(), json!(kind.kind));
        let object = Arc::new(object);
        objects.insert(key, object.clone());
        let happened = if old.is_some() {
            Happened::Modified
        } else {
            Happened::Added
        };
        self.note(kind, happened, object.clone());
        object
    }

    pub fn delete(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Value>> {
        let gone = self
            .objects
            .get_mut(&(kind.group, kind.plural))?
            .remove(&place(namespace, name))?;
        self.revision += 1;
        let mut last = (*gone).clone();
        map_at(&mut last, &["metadata"])
            .insert("resourceVersion".into(), json!(self.revision.to_string()));
        self.note(kind, Happened::Deleted, Arc::new(last));
        Some(gone)
    }

    fn note(&mut self, kind: &'static Kind, happened: Happened, object: Arc<Value>) {
        let ns = namespace(&object).to_owned();
        self.touched.insert(ns, self.revision);
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(Event {
            revision: self.revision,
            kind,
            happened,
            object,
        });
    }

    /// Forgets all changes so far, as a server's compaction does.
    pub fn compact(&mut self) {
        self.log.clear();
    }

    /// Changes after a revision, or `None` where the log no longer reaches back so far.
    pub fn since(&self, revision: u64) -> Option<impl Iterator<Item = &Event>> {
        let oldest = self.log.front().map_or(self.revision + 1, |e| e.revision);
        (revision + 1 >= oldest).then(|| self.log.iter().filter(move |e| e.revision > revision))
    }
}

/// What counts for `generation`: everything but metadata and status.
fn content(object: &Value) -> Vec<(&String, &Value)> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status" | "apiVersion" | "kind"))
        .collect()
}

/// Seconds, as Kubernetes writes times in metadata.
pub fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn new_uid(seed: &str) -> String {
    let high = number_of(seed);
    let low = number_of(&format!("{seed}#"));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
