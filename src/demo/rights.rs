//! Who may do what, by the world's own RBAC objects.

use serde_json::Value;

use super::json::{at, list, namespace, text};
use super::kinds;
use super::world::World;

/// One question to the API server's authorizer.
pub struct Asked<'a> {
    pub user: &'a str,
    pub groups: Vec<&'a str>,
    pub verb: &'a str,
    pub group: &'a str,
    pub resource: &'a str,
    /// Empty: in all.
    pub namespace: &'a str,
}

impl World {
    /// A world without any binding lets everybody do everything.
    pub fn allows(&self, asked: &Asked) -> bool {
        let cluster = || self.store.all(&kinds::CLUSTER_ROLE_BINDING);
        let local = || self.store.all(&kinds::ROLE_BINDING);
        if cluster().next().is_none() && local().next().is_none() {
            return true;
        }
        let here = local()
            .filter(|binding| !asked.namespace.is_empty() && namespace(binding) == asked.namespace);
        cluster().chain(here).any(|binding| {
            let subjects = list(binding, "/subjects");
            let role = text(binding, "/roleRef/name");
            let role = match text(binding, "/roleRef/kind") {
                "Role" => self.store.get(&kinds::ROLE, namespace(binding), role),
                _ => self.store.get(&kinds::CLUSTER_ROLE, "", role),
            };
            subjects.iter().any(|subject| asked.is(subject))
                && role.is_some_and(|role| {
                    let mut rules = list(role, "/rules").iter();
                    rules.any(|rule| asked.is_granted_by(rule))
                })
        })
    }
}

/// The user name and the groups of a ServiceAccount.
pub fn account(namespace: &str, name: &str) -> (String, [String; 3]) {
    let name = if name.is_empty() { "default" } else { name };
    (
        format!("system:serviceaccount:{namespace}:{name}"),
        [
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ],
    )
}

impl Asked<'_> {
    fn is(&self, subject: &Value) -> bool {
        match text(subject, "/kind") {
            "ServiceAccount" => account(namespace_of(subject), name_of(subject)).0 == self.user,
            "Group" => self.groups.contains(&name_of(subject)),
            _ => self.user == name_of(subject),
        }
    }

    fn is_granted_by(&self, rule: &Value) -> bool {
        let names = |field: &str, wanted: &str| {
            let mut all = list(rule, field).iter().filter_map(Value::as_str);
            all.any(|one| one == "*" || one == wanted)
        };
        at(rule, "/resourceNames").is_null()
            && names("/verbs", self.verb)
            && names("/apiGroups", self.group)
            && names("/resources", self.resource)
    }
}

fn namespace_of(subject: &Value) -> &str {
    text(subject, "/namespace")
}

fn name_of(subject: &Value) -> &str {
    text(subject, "/name")
}
