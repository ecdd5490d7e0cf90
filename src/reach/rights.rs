//! Whether a ServiceAccount may do something, by RBAC objects.
//!
//! Source: k8s.io/kubernetes `plugin/pkg/auth/authorizer/rbac/rbac.go` (`RuleAllows`) and
//! `pkg/registry/rbac/validation/rule.go` (`VisitRulesFor`: cluster-wide bindings first, then those of the namespace;
//! `appliesTo`); `pkg/apis/rbac/v1/evaluation_helpers.go` (`VerbMatches`, `ResourceMatches`). Rights only add up.

use super::link::Verdict;
use crate::mesh::objects::{Binding, Role};
use serde_json::Value;

#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
}

/// What is asked for; `namespace` empty: everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    pub verb: &'a str,
    pub group: &'a str,
    pub resource: &'a str,
    pub namespace: &'a str,
}

/// RBAC objects of the cluster, or those that could be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rights {
    pub cluster_roles: Vec<Role>,
    pub roles: Vec<Role>,
    pub cluster_bindings: Vec<Binding>,
    pub bindings: Vec<Binding>,
    /// Something could not be read: a right that is not found may be there.
    pub partly: bool,
}

/// The binding that grants it, as `namespace/name`; cluster-wide ones without a namespace.
pub type Granted = String;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotGranted {
    /// No binding of this account has such a rule.
    NoRule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Not every RBAC object could be read.
    Partly,
}

pub fn may(
    rights: &Rights,
    account: &Account<'_>,
    wish: &Wish<'_>,
) -> Verdict<Granted, NotGranted, Unread> {
    let everywhere = rights
        .cluster_bindings
        .iter()
        .map(|binding| (binding, true));
    let here = rights
        .bindings
        .iter()
        .filter(|binding| {
            !wish.namespace.is_empty() && binding.metadata.namespace == wish.namespace
        })
        .map(|binding| (binding, false));
    for (binding, wide) in everywhere.chain(here) {
        if !binding
            .subjects
            .iter()
            .any(|subject| is(subject, account, &binding.metadata.namespace))
        {
            continue;
        }
        let role = &binding.role_ref;
        let named = |role: &&Role| role.metadata.name == binding_role(&binding.role_ref);
        let found = match role["kind"].as_str() {
            Some("ClusterRole") => rights.cluster_roles.iter().find(named),
            Some("Role") if !wide => rights
                .roles
                .iter()
                .filter(|role| role.metadata.namespace == binding.metadata.namespace)
                .find(named),
            _ => None,
        };
        if found.is_some_and(|role| role.rules.iter().any(|rule| grants(rule, wish))) {
            let meta = &binding.metadata;
            return Verdict::Holds(match wide {
                true => meta.name.clone(),
                false => format!("{}/{}", meta.namespace, meta.name),
            });
        }
    }
    match rights.partly {
        true => Verdict::Unknown(Unread::Partly),
        false => Verdict::Broken(NotGranted::NoRule),
    }
}

fn binding_role(of: &Value) -> &str {
    of["name"].as_str().unwrap_or_default()
}

/// A ServiceAccount is a subject by its name, and by its user and its groups.
fn is(subject: &Value, account: &Account<'_>, of_binding: &str) -> bool {
    let text = |field: &str| subject[field].as_str().unwrap_or_default();
    let name = text("name");
    match text("kind") {
        "ServiceAccount" => {
            let namespace = match text("namespace") {
                "" => of_binding,
                namespace => namespace,
            };
            name == account.name && namespace == account.namespace
        }
        "User" => {
            name == format!(
                "system:serviceaccount:{}:{}",
                account.namespace, account.name
            )
        }
        "Group" => {
            name == "system:authenticated"
                || name == "system:serviceaccounts"
                || name == format!("system:serviceaccounts:{}", account.namespace)
        }
        _ => false,
    }
}

/// A rule that names objects grants no list of all.
fn grants(rule: &Value, wish: &Wish<'_>) -> bool {
    let lists = |field: &str, wanted: &str| {
        let all = rule[field].as_array();
        all.is_some_and(|all| all.iter().any(|one| one == "*" || one == wanted))
    };
    let named = rule["resourceNames"]
        .as_array()
        .is_some_and(|all| !all.is_empty());
    !named
        && lists("verbs", wish.verb)
        && lists("apiGroups", wish.group)
        && lists("resources", wish.resource)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rights(objects: Value) -> Rights {
        let of = |field: &str| objects[field].clone();
        let roles = |field| serde_json::from_value(of(field)).unwrap_or_default();
        let bindings = |field| serde_json::from_value(of(field)).unwrap_or_default();
        Rights {
            cluster_roles: roles("clusterRoles"),
            roles: roles("roles"),
            cluster_bindings: bindings("clusterBindings"),
            bindings: bindings("bindings"),
            partly: objects["partly"] == true,
        }
    }

    fn asked(objects: Value, namespace: &str) -> Verdict<Granted, NotGranted, Unread> {
        let account = Account {
            namespace: "mon",
            name: "prometheus",
        };
        let wish = Wish {
            verb: "list",
            group: "",
            resource: "pods",
            namespace,
        };
        may(&rights(objects), &account, &wish)
    }

    fn role(name: &str, namespace: &str, rule: Value) -> Value {
        json!([{"metadata": {"name": name, "namespace": namespace}, "rules": [rule]}])
    }

    fn binding(kind: &str, namespace: &str, subject: Value) -> Value {
        json!([{"metadata": {"name": "b", "namespace": namespace}, "roleRef": {"kind": kind, "name": "r"}, "subjects": [subject]}])
    }

    #[test]
    fn rights_add_up_over_bindings() {
        let pods =
            || json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]});
        let own = || json!({"kind": "ServiceAccount", "name": "prometheus", "namespace": "mon"});
        let wide = |rule, subject| json!({"clusterRoles": role("r", "", rule), "clusterBindings": binding("ClusterRole", "", subject)});
        let granted = |name: &str| Verdict::Holds(name.to_owned());
        let none = Verdict::Broken(NotGranted::NoRule);
        assert_eq!(asked(wide(pods(), own()), "shop"), granted("b"));
        assert_eq!(asked(wide(pods(), own()), ""), granted("b"));
        let all = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]});
        assert_eq!(asked(wide(all, own()), "shop"), granted("b"));
        for subject in [
            json!({"kind": "User", "name": "system:serviceaccount:mon:prometheus"}),
            json!({"kind": "Group", "name": "system:serviceaccounts:mon"}),
            json!({"kind": "Group", "name": "system:authenticated"}),
        ] {
            assert_eq!(asked(wide(pods(), subject), "shop"), granted("b"));
        }
        for subject in [
            json!({"kind": "ServiceAccount", "name": "prometheus", "namespace": "other"}),
            json!({"kind": "Group", "name": "system:serviceaccounts:other"}),
        ] {
            assert_eq!(asked(wide(pods(), subject), "shop"), none);
        }
        for rule in [
            json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}),
            json!({"apiGroups": ["apps"], "resources": ["pods"], "verbs": ["list"]}),
            json!({"apiGroups": [""], "resources": ["services"], "verbs": ["list"]}),
            json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"], "resourceNames": ["one"]}),
        ] {
            assert_eq!(asked(wide(rule, own()), "shop"), none);
        }
        // A binding of one namespace grants there alone, by a role of either kind.
        for kind in ["ClusterRole", "Role"] {
            let bound = || {
                json!({"clusterRoles": role("r", "", pods()), "roles": role("r", "shop", pods()),
                    "bindings": binding(kind, "shop", own())})
            };
            assert_eq!(asked(bound(), "shop"), granted("shop/b"));
            assert_eq!(asked(bound(), "other"), none);
            assert_eq!(asked(bound(), ""), none);
        }
        assert_eq!(
            asked(json!({"partly": true}), "shop"),
            Verdict::Unknown(Unread::Partly)
        );
    }
}
