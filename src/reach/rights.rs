//! Whether a ServiceAccount may do something, by RBAC objects.
//!
//! Source: k8s.io/kubernetes `plugin/pkg/auth/authorizer/rbac/rbac.go` (`RuleAllows`) and
//! `pkg/registry/rbac/validation/rule.go` (`VisitRulesFor`: cluster-wide bindings first, then those of the namespace;
//! `appliesTo`); `pkg/apis/rbac/v1/evaluation_helpers.go` (`VerbMatches`, `ResourceMatches`). Rights only add up.

use super::job::{Job, Role as Discovers};
use super::link::Verdict;
use crate::mesh::objects::{Binding, Role};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

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

/// Whether one account may list and watch pods at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Right {
    Granted,
    Denied,
    /// It could not be found out: the reader's words.
    Unread(String),
    #[default]
    Unasked,
}

/// What is known of one account's right to list and watch pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodRights {
    pub everywhere: Right,
    /// Of namespaces, where it may not everywhere.
    pub namespaces: BTreeMap<String, Right>,
}

impl PodRights {
    /// Of a discovery that lists there; `None`: everywhere, for which rights in single namespaces do not count
    /// (Prometheus, `discovery/kubernetes/kubernetes.go`: one list for each name, or one of `NamespaceAll`).
    pub fn at(&self, namespace: Option<&str>) -> &Right {
        match namespace {
            Some(name) if self.everywhere != Right::Granted => {
                self.namespaces.get(name).unwrap_or(&Right::Unasked)
            }
            _ => &self.everywhere,
        }
    }

    pub fn denied(&self, namespace: Option<&str>) -> bool {
        *self.at(namespace) == Right::Denied
    }
}

/// Rights by the namespace and the name of the account.
pub type Accounts = BTreeMap<(String, String), PodRights>;

/// Where the jobs of a Prometheus list pods, with the names of the jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    pub everywhere: BTreeSet<String>,
    pub namespaces: BTreeMap<String, BTreeSet<String>>,
}

impl Looks {
    /// `own`: the namespace of Prometheus.
    pub fn of<'a>(jobs: impl IntoIterator<Item = &'a Job>, own: &str) -> Looks {
        let mut looks = Looks::default();
        for job in jobs {
            // Roles of endpoints list the pods behind them too.
            for sd in job.kubernetes().filter(|sd| sd.role != Discovers::Service) {
                if sd.is_everywhere() {
                    looks.everywhere.insert(job.name.clone());
                }
                let own = sd.own.then_some(own);
                for name in sd.namespaces.iter().map(String::as_str).chain(own) {
                    let jobs = looks.namespaces.entry(name.to_owned()).or_default();
                    jobs.insert(job.name.clone());
                }
            }
        }
        looks
    }

    pub fn add(&mut self, more: Looks) {
        self.everywhere.extend(more.everywhere);
        for (name, jobs) in more.namespaces {
            self.namespaces.entry(name).or_default().extend(jobs);
        }
    }

    /// Each place with its jobs; `None`: everywhere.
    pub fn places(&self) -> impl Iterator<Item = (Option<&str>, &BTreeSet<String>)> {
        let everywhere = (!self.everywhere.is_empty()).then_some((None, &self.everywhere));
        let named = self.namespaces.iter();
        everywhere
            .into_iter()
            .chain(named.map(|(name, jobs)| (Some(name.as_str()), jobs)))
    }
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
    fn a_list_of_all_pods_needs_the_right_to_all() {
        let jobs = crate::reach::job::jobs(
            "scrape_configs:
- {job_name: all, kubernetes_sd_configs: [{role: pod}]}
- {job_name: shop, kubernetes_sd_configs: [{role: endpoints, namespaces: {names: [shop], own_namespace: true}}]}
- {job_name: names, kubernetes_sd_configs: [{role: service}, {role: node}]}
",
            Default::default(),
        );
        let looks = Looks::of(&jobs, "mon");
        let places: Vec<_> = looks
            .places()
            .map(|(place, jobs)| (place, jobs.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        assert_eq!(
            places,
            [
                (None, vec!["all"]),
                (Some("mon"), vec!["shop"]),
                (Some("shop"), vec!["shop"])
            ]
        );
        let rights = |everywhere, shop| PodRights {
            everywhere,
            namespaces: [("shop".to_owned(), shop)].into(),
        };
        let (granted, denied) = (|| Right::Granted, || Right::Denied);
        for (rights, at, wanted) in [
            (rights(granted(), Right::Unasked), None, granted()),
            (rights(granted(), denied()), Some("shop"), granted()),
            (rights(denied(), granted()), Some("shop"), granted()),
            (rights(denied(), granted()), None, denied()),
            (rights(denied(), denied()), Some("shop"), denied()),
            (rights(denied(), denied()), Some("other"), Right::Unasked),
        ] {
            assert_eq!(*rights.at(at), wanted, "{rights:?} {at:?}");
        }
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
