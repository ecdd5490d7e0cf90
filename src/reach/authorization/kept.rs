//! Whom AuthorizationPolicies keep off one port.

use crate::mesh::objects::AuthorizationPolicy;
use serde_json::{Map, Value};

/// What is asked of the policies: may anybody but whom they name use the port, and more than this path of it?
#[derive(Clone, Copy, Debug)]
pub struct Door<'a> {
    pub port: &'a str,
    pub path: &'a str,
}

/// What the policies together do for the door, as far as it follows from them for every request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Every identity but those that a policy names is refused.
    pub others: bool,
    /// Every path but the one is refused.
    pub paths: bool,
}

/// What policies that govern the pods make of a door. DENY comes before ALLOW, a rule matches where `from`, `to` and
/// `when` all do, and once there is an ALLOW policy, what none allows is refused (`pilot/pkg/security/authz`).
pub fn kept<'a>(policies: impl Iterator<Item = &'a AuthorizationPolicy>, door: &Door) -> Kept {
    let mut kept = Kept::default();
    let mut allowing = Vec::new();
    for policy in policies {
        match policy.spec["action"].as_str().unwrap_or("ALLOW") {
            "DENY" => {
                for rule in rules(policy) {
                    kept.others |= denies_others(rule, door);
                    kept.paths |= denies_paths(rule, door);
                }
            }
            "ALLOW" => allowing.push(policy),
            _ => {}
        }
    }
    if !allowing.is_empty() {
        let rules = || allowing.iter().flat_map(|policy| rules(policy));
        let at_door = || rules().filter(|rule| !is_of_other_ports(rule, door.port));
        kept.others |= at_door().all(names_identities);
        kept.paths |= at_door().all(|rule| names_path(rule, door));
    }
    kept
}

fn rules(policy: &AuthorizationPolicy) -> &[Value] {
    policy.spec["rules"].as_array().map_or(&[], Vec::as_slice)
}

fn entries<'a>(rule: &'a Value, list: &str, of: &str) -> Vec<&'a Map<String, Value>> {
    let entries = rule[list].as_array().map_or(&[][..], Vec::as_slice);
    entries
        .iter()
        .filter_map(|entry| entry[of].as_object())
        .collect()
}

fn is_listed(list: &[Value], what: &str) -> bool {
    list.iter().any(|one| one == what)
}

/// `*`, `prefix*`, `*suffix`.
fn is_pattern(value: &Value) -> bool {
    value
        .as_str()
        .is_none_or(|text| text.starts_with('*') || text.ends_with('*'))
}

/// Field by field: whether `fits` takes each that is set. A field that it does not know narrows the rule in a way that
/// is not judged here.
fn every(entry: &Map<String, Value>, fits: impl Fn(&str, &[Value]) -> bool) -> bool {
    let mut set = entry.iter().filter(|(_, value)| !value.is_null());
    set.all(|(field, value)| match value.as_array() {
        Some(list) => list.is_empty() || fits(field, list),
        None => false,
    })
}

fn is_conditional(rule: &Value) -> bool {
    rule["when"].as_array().is_some_and(|when| !when.is_empty())
}

/// The rule takes every request to the door, as far as its `to` goes.
fn takes_the_door(rule: &Value, door: &Door) -> bool {
    let to = entries(rule, "to", "operation");
    to.is_empty()
        || to.iter().any(|operation| {
            every(operation, |field, list| {
                field == "ports" && is_listed(list, door.port)
            })
        })
}

/// Refuses whoever is not named, and names only whole identities.
fn denies_others(rule: &Value, door: &Door) -> bool {
    let from = entries(rule, "from", "source");
    !is_conditional(rule)
        && takes_the_door(rule, door)
        && (from.is_empty()
            || from.iter().any(|source| {
                every(source, |field, list| {
                    field == "notPrincipals" && !list.iter().any(is_pattern)
                })
            }))
}

/// Refuses every path but the one, to everybody.
fn denies_paths(rule: &Value, door: &Door) -> bool {
    let to = entries(rule, "to", "operation");
    let whole = to.is_empty()
        || to.iter().any(|operation| {
            every(operation, |field, list| match field {
                "ports" => is_listed(list, door.port),
                "notPaths" => list.iter().all(|path| path == door.path),
                _ => false,
            })
        });
    !is_conditional(rule) && entries(rule, "from", "source").is_empty() && whole
}

fn is_of_other_ports(rule: &Value, port: &str) -> bool {
    let to = entries(rule, "to", "operation");
    let other = |operation: &&Map<String, Value>| {
        let ports = operation.get("ports").and_then(Value::as_array);
        ports.is_some_and(|ports| !ports.is_empty() && !is_listed(ports, port))
    };
    !to.is_empty() && to.iter().all(other)
}

fn names_identities(rule: &Value) -> bool {
    let from = entries(rule, "from", "source");
    let named = |source: &&Map<String, Value>| {
        let principals = source.get("principals").and_then(Value::as_array);
        principals.is_some_and(|all| !all.is_empty() && !all.iter().any(is_pattern))
    };
    !from.is_empty() && from.iter().all(named)
}

fn names_path(rule: &Value, door: &Door) -> bool {
    let to = entries(rule, "to", "operation");
    let named = |operation: &&Map<String, Value>| {
        let paths = operation.get("paths").and_then(Value::as_array);
        paths.is_some_and(|all| !all.is_empty() && all.iter().all(|path| path == door.path))
    };
    !to.is_empty() && to.iter().all(named)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::meta;
    use super::*;
    use serde_json::json;

    const ONE: &str = "cluster.local/ns/mon/sa/prometheus";
    const DOOR: Door = Door {
        port: "15091",
        path: "/stats/prometheus",
    };

    fn policy(spec: Value) -> AuthorizationPolicy {
        AuthorizationPolicy {
            metadata: meta("p", 1),
            spec,
        }
    }

    fn of(specs: Vec<Value>) -> (bool, bool) {
        let policies: Vec<_> = specs.into_iter().map(policy).collect();
        let is = kept(policies.iter(), &DOOR);
        (is.others, is.paths)
    }

    fn others(names: Value) -> Value {
        json!({"from": [{"source": {"notPrincipals": names}}], "to": [{"operation": {"ports": ["15091"]}}]})
    }

    fn paths(names: Value) -> Value {
        json!({"to": [{"operation": {"ports": ["15091"], "notPaths": names}}]})
    }

    fn deny(rules: Value) -> Value {
        json!({"action": "DENY", "rules": rules})
    }

    #[test]
    fn what_a_deny_policy_keeps_off() {
        let good = || others(json!([ONE]));
        let path = || paths(json!(["/stats/prometheus"]));
        let both = (true, true);
        assert_eq!(of(vec![deny(json!([good(), path()]))]), both);
        // Anything that is added beside stays right.
        let second = json!([ONE, "cluster.local/ns/other/sa/prometheus"]);
        assert_eq!(of(vec![deny(json!([others(second), path()]))]), both);
        let more = json!({"from": [{"source": {"namespaces": ["bad"]}}]});
        assert_eq!(of(vec![deny(json!([good(), path(), more]))]), both);
        assert_eq!(of(vec![deny(json!([good()])), deny(json!([path()]))]), both);
        // All doors.
        let wide = json!({"from": [{"source": {"notPrincipals": [ONE]}}]});
        assert!(of(vec![deny(json!([wide]))]).0);

        assert_eq!(of(vec![]), (false, false));
        assert_eq!(of(vec![deny(json!([path()]))]), (false, true));
        assert_eq!(of(vec![deny(json!([good()]))]), (true, false));
        for (other, why) in [
            (json!(["*"]), "everybody is named"),
            (json!([ONE, "cluster.local/*"]), "a whole domain is named"),
            (json!([ONE, "*/sa/prometheus"]), "an ending is named"),
        ] {
            assert!(!of(vec![deny(json!([others(other)]))]).0, "{why}");
        }
        for open in [json!(["/*"]), json!(["/stats/prometheus", "/quitquitquit"])] {
            assert!(!of(vec![deny(json!([paths(open)]))]).1);
        }
        // A rule that takes less than every request to the door keeps nobody off it.
        let mut when = good();
        when["when"] = json!([{"key": "source.ip", "values": ["10.0.0.0/8"]}]);
        let mut post = good();
        post["to"][0]["operation"]["methods"] = json!(["POST"]);
        let mut port = good();
        port["to"][0]["operation"]["ports"] = json!(["15090"]);
        let mut from = good();
        from["from"][0]["source"]["namespaces"] = json!(["shop"]);
        for less in [when, post, port, from] {
            assert!(!of(vec![deny(json!([less]))]).0, "{less}");
        }
        let audit = json!({"action": "AUDIT", "rules": [good(), path()]});
        assert_eq!(of(vec![audit]), (false, false));
    }

    #[test]
    fn an_allow_policy_keeps_off_what_it_does_not_name() {
        let allow = |rules: Value| json!({"rules": rules});
        let app = json!({"to": [{"operation": {"ports": ["8080"]}}]});
        let one = json!({
            "from": [{"source": {"principals": [ONE]}}],
            "to": [{"operation": {"ports": ["15091"], "paths": ["/stats/prometheus"]}}],
        });
        assert_eq!(of(vec![allow(json!([app, one]))]), (true, true));
        assert_eq!(
            of(vec![allow(json!([app])), allow(json!([{}]))]),
            (false, false)
        );
        let mesh = json!({"from": [{"source": {"principals": ["*"]}}]});
        assert!(!of(vec![allow(json!([app, mesh]))]).0);
    }
}
