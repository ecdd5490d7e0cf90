//! The relabel rule by which a plaintext job leaves out the pods of named workloads, one for each namespace.
//!
//! Named, since the annotation `secure-port` alone tells neither what stands behind the port (15090 brings less than
//! 15020) nor whose it is: Istio's injector sets it for native ports, people by hand, and canary controllers copy it
//! with the pod template. A pod is left out where it carries the annotation, so that the secure job keeps it, and where
//! its own controller is one that is named: a pod without an owner, or with another one's labels, never is.

use super::kinds::{Kind, WorkloadRef};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What the secure job keeps by.
const SECURE: &str = "__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port";
const PRESENT: &str = "__meta_kubernetes_pod_annotationpresent_prometheus_istio_io_secure_port";
/// Prometheus: the pod's namespace, and kind and name of the owner reference that is its controller.
const SOURCES: [&str; 4] = [
    SECURE,
    "__meta_kubernetes_namespace",
    "__meta_kubernetes_pod_controller_kind",
    "__meta_kubernetes_pod_controller_name",
];
/// Kubernetes calls a Deployment's ReplicaSet `NAME-HASH`, the hash of lower-case letters and digits alone.
const HASH: &str = "-[0-9a-z]+";

/// Can a rule name it? Kubernetes gives workloads and namespaces names of these letters alone.
pub fn can_name(item: &WorkloadRef) -> bool {
    let plain = |name: &str, more: &str| {
        let of = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c);
        !name.is_empty() && name.chars().all(of)
    };
    plain(&item.namespace, "-") && plain(&item.name, "-.")
}

/// The rule for the named workloads of one namespace; `None`: none is named.
pub fn rule(namespace: &str, items: &BTreeSet<WorkloadRef>) -> Option<Value> {
    let mut by_kind: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    let items = items.iter().filter(|item| can_name(item));
    for item in items.filter(|item| item.namespace == namespace) {
        let names = by_kind.entry(item.kind).or_default();
        names.push(item.name.replace('.', r"\."));
    }
    if by_kind.is_empty() {
        return None;
    }
    let kinds: Vec<String> = by_kind
        .into_iter()
        .map(|(kind, names)| {
            let names = names.join("|");
            match kind {
                Kind::Deployment => format!("{};({names}){HASH}", Kind::ReplicaSet.name()),
                kind => format!("{};({names})", kind.name()),
            }
        })
        .collect();
    Some(json!({
        "source_labels": SOURCES,
        "action": "drop",
        "regex": format!(r"\d+;{namespace};({})", kinds.join("|")),
    }))
}

/// The workloads that a rule of this form names; `None`: it is another rule.
pub fn read(rule: &Value) -> Option<BTreeSet<WorkloadRef>> {
    let sources = rule["source_labels"].as_array()?;
    let sources: Vec<&str> = sources.iter().filter_map(Value::as_str).collect();
    let action = rule["action"].as_str()?;
    read_parts(&sources, action, rule["regex"].as_str()?)
}

/// [`read`], of a rule that is no JSON.
pub fn read_parts(sources: &[&str], action: &str, regex: &str) -> Option<BTreeSet<WorkloadRef>> {
    if sources != SOURCES || !action.eq_ignore_ascii_case("drop") {
        return None;
    }
    let (namespace, kinds) = regex.strip_prefix(r"\d+;")?.split_once(';')?;
    let mut rest = kinds.strip_prefix('(')?.strip_suffix(')')?;
    let mut found = BTreeSet::new();
    while !rest.is_empty() {
        let (kind, names) = rest.split_once(";(")?;
        let (names, after) = names.split_once(')')?;
        let (kind, after) = match kind {
            "ReplicaSet" => (Kind::Deployment, after.strip_prefix(HASH)?),
            "StatefulSet" => (Kind::StatefulSet, after),
            "DaemonSet" => (Kind::DaemonSet, after),
            _ => return None,
        };
        for name in names.split('|') {
            found.insert(WorkloadRef::new(namespace, kind, name.replace(r"\.", ".")));
        }
        rest = match after {
            "" => after,
            more => more.strip_prefix('|')?,
        };
    }
    // What somebody has edited by hand is read only where it still says just that.
    let again = self::rule(namespace, &found)?;
    (again["regex"] == regex).then_some(found)
}

/// The rule that earlier versions wrote: it leaves out whatever carries the annotation, whoever put it there and
/// whatever stands behind the port.
pub fn everything() -> Value {
    json!({"source_labels": [PRESENT], "action": "drop", "regex": "true"})
}

/// [`everything`], in whatever way it is written: YAML reads a bare `true` as a boolean, Prometheus as the word.
pub fn is_everything(rule: &Value) -> bool {
    let same = everything();
    let regex = match &rule["regex"] {
        Value::Bool(true) => "true",
        regex => regex.as_str().unwrap_or_default(),
    };
    rule["source_labels"] == same["source_labels"]
        && rule["action"]
            .as_str()
            .is_some_and(|action| action.eq_ignore_ascii_case("drop"))
        && regex == "true"
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    fn named(list: &[&str]) -> BTreeSet<WorkloadRef> {
        list.iter()
            .map(|name| name.parse().expect("a workload"))
            .collect()
    }

    #[test]
    fn what_a_rule_names_is_read_from_it_again() {
        for list in [
            &["shop/Deployment/web"][..],
            &["shop/Deployment/web", "shop/Deployment/cart.v2"],
            &[
                "shop/Deployment/web",
                "shop/StatefulSet/db",
                "shop/StatefulSet/db-2",
                "shop/DaemonSet/agent",
            ],
        ] {
            let items = named(list);
            let rule = rule("shop", &items).expect("a rule");
            assert_eq!(read(&rule), Some(items), "{rule}");
        }
        assert_eq!(rule("elsewhere", &named(&["shop/Deployment/web"])), None);
        let hostile = WorkloadRef::new("shop", Kind::Deployment, "web)|.*");
        assert_eq!(rule("shop", &BTreeSet::from([hostile])), None);
    }

    #[test]
    fn it_takes_the_pods_of_what_it_names_and_of_nothing_else() {
        let items = named(&["shop/Deployment/web", "shop/StatefulSet/my.db"]);
        let rule = rule("shop", &items).expect("a rule");
        let regex = format!("^(?s:{})$", rule["regex"].as_str().unwrap());
        let regex = Regex::new(&regex).unwrap();
        for (labels, taken) in [
            ("15091;shop;ReplicaSet;web-5d8f7c9b4", true),
            ("15091;shop;StatefulSet;my.db", true),
            // A canary's primary with the same template; another namespace; another kind of the same name.
            ("15091;shop;ReplicaSet;web-primary-5d8f7c9b4", false),
            ("15091;pay;ReplicaSet;web-5d8f7c9b4", false),
            ("15091;shop;StatefulSet;web-5d8f7c9b4", false),
            ("15091;shop;StatefulSet;my-db", false),
            // Not annotated (yet); without an owner; annotated with what the secure job does not keep.
            (";shop;ReplicaSet;web-5d8f7c9b4", false),
            ("15091;shop;;", false),
            ("yes;shop;ReplicaSet;web-5d8f7c9b4", false),
        ] {
            assert_eq!(regex.is_match(labels), taken, "{labels}");
        }
    }

    #[test]
    fn another_rule_names_nothing() {
        let ours = rule("shop", &named(&["shop/Deployment/web"])).unwrap();
        for (key, value) in [
            ("action", json!("keep")),
            ("source_labels", json!([SECURE])),
            ("regex", json!(r"\d+;shop;(ReplicaSet;(web).*)")),
            ("regex", json!(r"\d+;shop;(ReplicaSet;(web)-[0-9a-z]+|)")),
            ("regex", json!(true)),
        ] {
            let mut other = ours.clone();
            other[key] = value;
            assert_eq!(read(&other), None, "{other}");
        }
    }

    #[test]
    fn the_rule_of_earlier_versions_is_known_however_it_is_written() {
        assert!(is_everything(&everything()));
        let mut bare = everything();
        bare["regex"] = json!(true);
        bare["action"] = json!("Drop");
        assert!(is_everything(&bare));
        bare["regex"] = json!("(true)");
        assert!(!is_everything(&bare), "somebody else's");
    }
}
