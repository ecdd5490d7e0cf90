//! Who owns which field: `managedFields` read, and what follows for an intent of ours.

use super::path::serde_json_key::KeyValue;
use super::path::{LeafPath, Step, keyed};
use super::review::Hands;
use crate::mesh::kinds::MANAGER;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The owners of an object's fields. Entries of subresources (status) are left out.
#[derive(Clone, Debug, Default)]
pub struct Owners(Vec<Owner>);

#[derive(Clone, Debug)]
pub struct Owner {
    pub manager: String,
    /// By server-side apply; else by an ordinary write.
    pub apply: bool,
    pub leaves: BTreeSet<LeafPath>,
}

impl Owners {
    pub fn of_object(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array();
        Owners(
            entries
                .into_iter()
                .flatten()
                .filter(|entry| entry["subresource"].as_str().unwrap_or_default().is_empty())
                .map(|entry| Owner {
                    manager: entry["manager"].as_str().unwrap_or_default().to_owned(),
                    apply: entry["operation"] == "Apply",
                    leaves: fields(&entry["fieldsV1"]),
                })
                .collect(),
        )
    }

    pub fn iter(&self) -> impl Iterator<Item = &Owner> {
        self.0.iter()
    }

    /// Managers of this leaf, of the atomic value it lies in, or of anything below it; each once.
    pub fn of(&self, path: &LeafPath) -> Vec<String> {
        let mut managers: Vec<String> = self
            .0
            .iter()
            .filter(|owner| {
                owner
                    .leaves
                    .iter()
                    .any(|leaf| leaf.holds(path) || path.holds(leaf))
            })
            .map(|owner| owner.manager.clone())
            .collect();
        managers.sort_unstable();
        managers.dedup();
        managers
    }

    /// Managers other than us.
    pub fn others(&self, path: &LeafPath) -> Vec<String> {
        let mut managers = self.of(path);
        managers.retain(|manager| manager != MANAGER);
        managers
    }

    /// What this manager owns by server-side apply.
    pub fn applied_by(&self, manager: &str) -> BTreeSet<LeafPath> {
        self.by(manager, true)
    }

    /// What it owns by writes of other kinds.
    pub fn updated_by(&self, manager: &str) -> BTreeSet<LeafPath> {
        self.by(manager, false)
    }

    fn by(&self, manager: &str, apply: bool) -> BTreeSet<LeafPath> {
        self.0
            .iter()
            .filter(|owner| owner.apply == apply && owner.manager == manager)
            .flat_map(|owner| owner.leaves.iter().cloned())
            .collect()
    }
}

/// The leaves of a `fieldsV1` set.
pub fn fields(set: &Value) -> BTreeSet<LeafPath> {
    fn walk(path: &LeafPath, set: &Map<String, Value>, out: &mut BTreeSet<LeafPath>) {
        let mut leaf = true;
        for (key, inner) in set {
            let Some(step) = step(key) else { continue };
            leaf = false;
            match inner.as_object() {
                Some(inner) => walk(&path.clone().step(step), inner, out),
                None => {
                    out.insert(path.clone().step(step));
                }
            }
        }
        if leaf {
            out.insert(path.clone());
        }
    }
    let mut out = BTreeSet::new();
    if let Some(set) = set.as_object().filter(|set| !set.is_empty()) {
        walk(&LeafPath::default(), set, &mut out);
    }
    out
}

/// `f:NAME`, `k:{"name":"x"}`, `v:"x"`, `i:0`; `.` is the place itself.
pub(super) fn step(key: &str) -> Option<Step> {
    let (kind, rest) = key.split_once(':')?;
    match kind {
        "f" => Some(Step::Field(rest.to_owned())),
        "i" => rest.parse().ok().map(Step::Index),
        "v" => {
            let value: Value = serde_json::from_str(rest).ok()?;
            Some(Step::Element(vec![(String::new(), KeyValue::of(&value)?)]))
        }
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
            // The server sorts its keys by name; so do our own paths.
            let pairs = keys
                .iter()
                .map(|(key, value)| Some((key.clone(), KeyValue::of(value)?)))
                .collect::<Option<Vec<_>>>()?;
            Some(Step::Element(pairs))
        }
        _ => None,
    }
}

/// The part of a live object that this manager owns by server-side apply, as an intent; `None`: nothing.
pub fn owned_intent(live: &Value, manager: &str) -> Option<Value> {
    let owned = Owners::of_object(live).applied_by(manager);
    if owned.is_empty() {
        return None;
    }
    let mut intent = identity(live);
    for path in &owned {
        if let Some(value) = path.get(live) {
            path.set(&mut intent, value.clone());
        }
    }
    Some(intent)
}

/// apiVersion, kind, name and namespace of an object.
fn identity(object: &Value) -> Value {
    let mut out = Map::new();
    for field in ["apiVersion", "kind"] {
        if let Some(value) = object.get(field) {
            out.insert(field.into(), value.clone());
        }
    }
    let mut metadata = Map::new();
    for field in ["name", "namespace"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata.insert(field.into(), value.clone());
        }
    }
    out.insert("metadata".into(), metadata.into());
    out.into()
}

/// An intent laid over what we own already: maps and keyed lists are joined, elsewhere the intent stands.
pub fn merge(owned: Value, intent: &Value) -> Value {
    fn join(field: &str, base: Value, over: &Value) -> Value {
        match (base, over) {
            (Value::Object(mut base), Value::Object(over)) => {
                for (name, value) in over {
                    let joined = match base.remove(name) {
                        Some(old) => join(name, old, value),
                        None => value.clone(),
                    };
                    base.insert(name.clone(), joined);
                }
                Value::Object(base)
            }
            (Value::Array(base), Value::Array(over)) => {
                let Some(lists) = keyed(field, &[&base, over]) else {
                    return Value::Array(over.clone());
                };
                let mut out: Vec<Value> = Vec::new();
                for (step, old) in &lists[0] {
                    out.push(match lists[1].iter().find(|(other, _)| other == step) {
                        Some((_, new)) => join("", (*old).clone(), new),
                        None => (*old).clone(),
                    });
                }
                for (step, new) in &lists[1] {
                    if !lists[0].iter().any(|(other, _)| other == step) {
                        out.push((*new).clone());
                    }
                }
                Value::Array(out)
            }
            (_, over) => over.clone(),
        }
    }
    join("", owned, intent)
}

/// Dashboards through which a person changes objects.
const DASHBOARDS: &[&str] = &[
    "dashboard",
    "kubernetes-dashboard",
    "dashboard-api",
    "headlamp",
    "k9s",
    "lens",
    "openlens",
    "freelens",
    "octant",
    "mozilla",
];

/// Whose hands a field manager is. Unknown managers count as controllers: they may set the field back.
pub fn hands(manager: &str) -> Hands {
    let name = manager.to_ascii_lowercase();
    let is = |of: &str| {
        name.strip_prefix(of)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    if is("kubectl")
        || is(MANAGER)
        || DASHBOARDS
            .iter()
            .any(|dashboard| is(dashboard) && !name.contains("controller"))
    {
        Hands::Person
    } else {
        Hands::Controller
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "p", "namespace": "n", "managedFields": [
                {"manager": "meshscrape", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {
                    "f:spec": {"f:template": {
                        "f:metadata": {"f:labels": {"f:sidecar.istio.io/inject": {}}},
                        "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {
                            ".": {}, "f:name": {},
                            "f:volumeMounts": {"k:{\"mountPath\":\"/c\"}": {".": {}, "f:mountPath": {}, "f:name": {}}}}}}}}}},
                {"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsV1": {
                    "f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {
                        ".": {}, "f:args": {}, "f:image": {}, "f:name": {},
                        "f:ports": {".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}}}},
                {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status",
                 "fieldsV1": {"f:status": {"f:replicas": {}}}}]},
            "spec": {"template": {
                "metadata": {"labels": {"sidecar.istio.io/inject": "true", "app": "p"}},
                "spec": {"containers": [{
                    "name": "app", "image": "i", "args": ["--x"],
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "volumeMounts": [{"mountPath": "/data", "name": "d"}, {"mountPath": "/c", "name": "certs"}]}]}}},
        })
    }

    #[test]
    fn owners_of_leaves_of_atomic_lists_and_of_subtrees() {
        let owners = Owners::of_object(&live());
        let app =
            LeafPath::fields(["spec", "template", "spec", "containers"]).element("name", "app");
        assert_eq!(
            owners.of(&app.clone().field("image")),
            ["kubectl-client-side-apply"]
        );
        assert_eq!(
            owners.of(&app.clone().field("args").step(Step::Index(0))),
            ["kubectl-client-side-apply"]
        );
        assert_eq!(owners.of(&app), ["kubectl-client-side-apply", "meshscrape"]);
        assert_eq!(owners.others(&app), ["kubectl-client-side-apply"]);
        assert!(
            owners
                .of(&LeafPath::fields(["status", "replicas"]))
                .is_empty()
        );
        assert!(owners.of(&app.field("tty")).is_empty());
    }

    #[test]
    fn our_intent_is_read_back_from_what_we_own() {
        assert_eq!(
            owned_intent(&live(), MANAGER),
            Some(json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "p", "namespace": "n"},
                "spec": {"template": {
                    "metadata": {"labels": {"sidecar.istio.io/inject": "true"}},
                    "spec": {"containers": [{"name": "app",
                        "volumeMounts": [{"mountPath": "/c", "name": "certs"}]}]}}},
            }))
        );
        assert_eq!(owned_intent(&live(), "helm"), None);
    }

    #[test]
    fn a_new_intent_keeps_what_an_earlier_run_set() {
        let owned = json!({"metadata": {"labels": {"a": "1"}},
            "spec": {"containers": [{"name": "x", "image": "1"}, {"name": "y"}], "args": ["old"]}});
        let intent = json!({"metadata": {"labels": {"b": "2"}},
            "spec": {"containers": [{"name": "x", "image": "2"}, {"name": "z"}], "args": ["new"]}});
        assert_eq!(
            merge(owned, &intent),
            json!({"metadata": {"labels": {"a": "1", "b": "2"}},
                "spec": {"containers": [{"name": "x", "image": "2"}, {"name": "y"}, {"name": "z"}], "args": ["new"]}})
        );
    }

    #[test]
    fn whose_hands() {
        for person in [
            "kubectl",
            "kubectl-client-side-apply",
            "kubectl-edit",
            "kubectl-patch",
            "dashboard",
            "meshscrape",
            "meshscrape-0.1",
            "Mozilla",
            "k9s",
        ] {
            assert_eq!(hands(person), Hands::Person, "{person}");
        }
        for controller in [
            "helm",
            "argocd-controller",
            "argocd-application-controller",
            "kustomize-controller",
            "flux",
            "prometheus-operator",
            "kube-controller-manager",
            "kubectlish",
            "dashboardd",
            "terraform",
            "",
        ] {
            assert_eq!(hands(controller), Hands::Controller, "{controller}");
        }
    }

    #[test]
    fn sets_and_places_themselves_are_understood() {
        let set = json!({"f:metadata": {
            "f:finalizers": {".": {}, "v:\"x\"": {}}, "f:annotations": {".": {}}}});
        let shown: Vec<String> = fields(&set).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [".metadata.annotations", ".metadata.finalizers[=\"x\"]"]
        );
    }
}
