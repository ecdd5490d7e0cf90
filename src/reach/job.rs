//! A scrape job as Prometheus reads it, with its defaults.
//!
//! Source: `config/config.go` (`ScrapeConfig`), `discovery/kubernetes/kubernetes.go` (`SDConfig`) of Prometheus 3.11.

use super::discovery::{Attach, Endpoints};
use super::relabel::{Action, Names, Rule, Unknown, deciding};
use crate::mesh::objects::{Labels, Selector};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a release of Prometheus does its own way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    pub names: Names,
    /// 2.x adds the scheme's port to an address without one.
    pub adds_port: bool,
}

impl Dialect {
    /// By the version in an image's tag: `v2.53.3`. Without one that can be read, as 3.x.
    pub fn of(tag: &str) -> Dialect {
        match tag.trim_start_matches('v').starts_with("2.") {
            true => Dialect {
                names: Names::Legacy,
                adds_port: true,
            },
            false => Dialect::default(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Job {
    pub name: String,
    pub scheme: String,
    pub metrics_path: String,
    pub params: BTreeMap<String, Vec<String>>,
    pub interval: String,
    pub timeout: String,
    pub rules: Vec<Rule>,
    /// Those of them that decide whether and where it scrapes.
    deciding: Vec<Rule>,
    pub discoveries: Vec<Discovery>,
    pub ca_file: Option<String>,
    pub cert_file: Option<String>,
    /// Why its targets cannot be computed, whole or in part.
    pub unknown: Vec<Unknown>,
    pub dialect: Dialect,
}

#[derive(Clone, Debug)]
pub enum Discovery {
    Static {
        addresses: Vec<String>,
        labels: Labels,
    },
    Kubernetes(Kubernetes),
}

#[derive(Clone, Debug)]
pub struct Kubernetes {
    pub role: Role,
    /// Empty: all, unless `own`.
    pub namespaces: BTreeSet<String>,
    /// Prometheus's own namespace too.
    pub own: bool,
    pub selectors: Vec<(Role, Selector)>,
    pub attach: Attach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Pod,
    Service,
    Endpoints(Endpoints),
}

impl Kubernetes {
    /// Without `namespaces`, or with none named, it looks in all.
    pub fn looks_in(&self, namespace: &str, own: &str) -> bool {
        self.is_everywhere()
            || self.namespaces.contains(namespace)
            || (self.own && namespace == own)
    }

    /// It makes one list of all pods.
    pub fn is_everywhere(&self) -> bool {
        self.namespaces.is_empty() && !self.own
    }

    pub fn selector(&self, of: Role) -> impl Iterator<Item = &Selector> {
        let all = self.selectors.iter();
        all.filter(move |(role, _)| *role == of)
            .map(|(_, selector)| selector)
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn words(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn or(value: &Value, default: &str) -> String {
    let text = words(value).filter(|text| !text.is_empty());
    text.unwrap_or_else(|| default.to_owned())
}

impl Job {
    /// Reads an entry of `scrape_configs`, with the defaults of `global`.
    pub fn read(entry: &Value, global: &Value, dialect: Dialect) -> Job {
        let mut dialect = dialect;
        let scheme = |of: &Value| words(&of["metric_name_validation_scheme"]);
        match scheme(entry).or_else(|| scheme(global)).as_deref() {
            Some("legacy") => dialect.names = Names::Legacy,
            Some("utf8") => dialect.names = Names::Utf8,
            _ => {}
        }
        let interval = or(
            &entry["scrape_interval"],
            &or(&global["scrape_interval"], "1m"),
        );
        let timeout = match words(&entry["scrape_timeout"]) {
            Some(own) => own,
            None => shorter(&or(&global["scrape_timeout"], "10s"), &interval),
        };
        let mut job = Job {
            name: or(&entry["job_name"], ""),
            scheme: or(&entry["scheme"], "http"),
            metrics_path: or(&entry["metrics_path"], "/metrics"),
            params: entry["params"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, values)| {
                    let values = values.as_array().into_iter().flatten();
                    (key.clone(), values.filter_map(words).collect())
                })
                .collect(),
            interval: printed(&interval),
            timeout: printed(&timeout),
            rules: Vec::new(),
            deciding: Vec::new(),
            discoveries: Vec::new(),
            ca_file: words(&entry["tls_config"]["ca_file"]),
            cert_file: words(&entry["tls_config"]["cert_file"]),
            unknown: Vec::new(),
            dialect,
        };
        for rule in list(entry, "relabel_configs") {
            match Rule::read(rule, dialect.names) {
                Ok(rule) => job.rules.push(rule),
                Err(why) => job.unknown.push(why),
            }
        }
        job.deciding = deciding(&job.rules);
        for group in list(entry, "static_configs") {
            let labels = group["labels"].as_object().into_iter().flatten();
            job.discoveries.push(Discovery::Static {
                addresses: list(group, "targets").filter_map(words).collect(),
                labels: labels
                    .filter_map(|(key, value)| Some((key.clone(), words(value)?)))
                    .collect(),
            });
        }
        for sd in list(entry, "kubernetes_sd_configs") {
            match kubernetes(sd) {
                Ok(sd) => job.discoveries.push(Discovery::Kubernetes(sd)),
                Err(why) => job.unknown.push(why),
            }
        }
        for key in entry.as_object().into_iter().flat_map(|map| map.keys()) {
            if key.ends_with("_sd_configs") && key != "kubernetes_sd_configs" {
                job.unknown.push(Unknown::Discovery(key.clone()));
            }
        }
        job.unread();
        job
    }

    /// The rules that decide whether and where it scrapes.
    pub fn deciding(&self) -> &[Rule] {
        &self.deciding
    }

    /// Why what it makes of this cluster's pods cannot be computed. Discovery elsewhere does not matter here.
    pub fn blocked(&self) -> Option<&Unknown> {
        self.unknown.iter().find(|why| {
            !matches!(
                why,
                Unknown::Discovery(_) | Unknown::OtherCluster(_) | Unknown::NoPods(_)
            )
        })
    }

    /// Nodes and Ingresses are no pods, whatever is read of them.
    pub fn may_find_pods(&self) -> bool {
        !self.discoveries.is_empty() || self.elsewhere().is_some()
    }

    /// A way to discover that may find pods of this cluster and cannot be computed.
    pub fn elsewhere(&self) -> Option<&Unknown> {
        let mut all = self.unknown.iter();
        all.find(|why| matches!(why, Unknown::Discovery(_)))
    }

    pub fn kubernetes(&self) -> impl Iterator<Item = &Kubernetes> {
        self.discoveries.iter().filter_map(|one| match one {
            Discovery::Kubernetes(sd) => Some(sd),
            Discovery::Static { .. } => None,
        })
    }

    /// Its targets carry the labels of a pod, by which a rule tells them apart.
    pub fn discovers_pods(&self) -> bool {
        self.kubernetes().any(|sd| sd.role != Role::Service)
    }

    /// Whether what it makes of a pod depends on Services.
    pub fn reads_services(&self) -> bool {
        self.kubernetes()
            .any(|sd| matches!(sd.role, Role::Endpoints(_)))
    }

    /// Whether it depends on the labels or annotations of namespaces.
    pub fn reads_namespaces(&self) -> bool {
        self.kubernetes().any(|sd| sd.attach.namespace)
    }

    /// Whether two pods of one template may fare differently: a rule decides by what each pod has of its own.
    pub fn tells_pods_apart(&self) -> bool {
        const NAMES: [&str; 9] = [
            "__meta_kubernetes_pod_name",
            "__meta_kubernetes_pod_uid",
            "__meta_kubernetes_pod_host_ip",
            "__meta_kubernetes_pod_node_name",
            "__meta_kubernetes_endpoint_node_name",
            "__meta_kubernetes_endpoint_address_target_name",
            "__meta_kubernetes_endpointslice_endpoint_node_name",
            "__meta_kubernetes_endpointslice_address_target_name",
            "instance",
        ];
        let mut names: BTreeSet<&str> = NAMES.into();
        let mut addresses: BTreeSet<&str> = ["__address__", "__meta_kubernetes_pod_ip"].into();
        for rule in &self.rules {
            let reads = |of: &BTreeSet<&str>| rule.source.iter().any(|name| of.contains(&**name));
            let (by_name, by_address) = (reads(&names), reads(&addresses));
            if !by_name && !by_address {
                continue;
            }
            let target = rule.target.as_str();
            match rule.action {
                Action::Replace if target == "__address__" && !by_name => {}
                Action::Replace if target.starts_with("__") && !target.starts_with("__tmp") => {
                    // The path alone says nothing of whether and where.
                    if target != "__metrics_path__" {
                        return true;
                    }
                }
                Action::Replace | Action::Lowercase | Action::Uppercase
                    if !target.contains('$') =>
                {
                    match by_name {
                        true => names.insert(target),
                        false => addresses.insert(target),
                    };
                }
                Action::LabelMap | Action::LabelDrop | Action::LabelKeep => {}
                _ => return true,
            }
        }
        false
    }

    /// Rules that read what is kept of no object.
    fn unread(&mut self) {
        let reads = |begin: &str| {
            let mut sources = self.rules.iter().flat_map(|rule| &rule.source);
            sources.any(|source| source.starts_with(begin))
        };
        for (begin, what) in [
            ("__meta_kubernetes_node_", "nodes"),
            ("__meta_kubernetes_pod_cronjob_name", "CronJobs"),
            (
                "__meta_kubernetes_endpointslice_name",
                "names of EndpointSlices",
            ),
            ("__meta_kubernetes_pod_container_id", "ids of containers"),
        ] {
            if reads(begin) {
                self.unknown.push(Unknown::Unread(what));
            }
        }
    }
}

fn kubernetes(sd: &Value) -> Result<Kubernetes, Unknown> {
    for key in ["api_server", "kubeconfig_file"] {
        if let Some(server) =
            words(&sd[key]).filter(|server| !server.is_empty() && !own_server(server))
        {
            return Err(Unknown::OtherCluster(server));
        }
    }
    let role = role(sd["role"].as_str().unwrap_or_default())?;
    let spaces = &sd["namespaces"];
    let attach = &sd["attach_metadata"];
    if attach["node"] == true {
        return Err(Unknown::Unread("nodes"));
    }
    let mut selectors = Vec::new();
    for one in list(sd, "selectors") {
        if one["field"].as_str().is_some_and(|field| !field.is_empty()) {
            return Err(Unknown::Discovery("a field selector".into()));
        }
        let of = self::role(one["role"].as_str().unwrap_or_default())?;
        let text = one["label"].as_str().unwrap_or_default();
        let selector = selector(text).ok_or_else(|| {
            Unknown::Refused(format!(
                "{text:?} is no label selector that can be read here"
            ))
        })?;
        selectors.push((of, selector));
    }
    Ok(Kubernetes {
        role,
        namespaces: list(spaces, "names").filter_map(words).collect(),
        own: spaces["own_namespace"] == true,
        selectors,
        attach: Attach {
            namespace: attach["namespace"] == true,
            deployment: attach["deployment"] == true,
            job: attach["job"] == true,
        },
    })
}

/// The name by which pods reach their own cluster's API server.
fn own_server(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let host = host
        .trim_end_matches('.')
        .trim_end_matches(".cluster.local");
    matches!(
        host,
        "kubernetes" | "kubernetes.default" | "kubernetes.default.svc"
    )
}

fn role(name: &str) -> Result<Role, Unknown> {
    match name {
        "pod" => Ok(Role::Pod),
        "service" => Ok(Role::Service),
        "endpoints" => Ok(Role::Endpoints(Endpoints::Endpoints)),
        "endpointslice" => Ok(Role::Endpoints(Endpoints::Slices)),
        "node" => Err(Unknown::NoPods("nodes")),
        "ingress" => Err(Unknown::NoPods("Ingresses")),
        other => Err(Unknown::Refused(format!("there is no role {other:?}"))),
    }
}

/// `a=b,c!=d,e in (f,g),h,!i` (k8s.io/apimachinery `pkg/labels`, `Parse`).
fn selector(text: &str) -> Option<Selector> {
    let mut made = Selector::default();
    let mut parts: Vec<String> = vec![String::new()];
    let mut depth = 0i32;
    for c in text.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => parts.last_mut()?.push(c),
        }
    }
    for part in parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
    {
        let mut add = |key: &str, operator: &str, values: Vec<&str>| {
            let key = key.trim();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            let fine = !key.is_empty() && key.chars().all(plain);
            let one = json!({"key": key, "operator": operator, "values": values});
            made.match_expressions.push(one);
            fine.then_some(())
        };
        if let Some((key, values)) = part.split_once('(') {
            let values = values
                .strip_suffix(')')?
                .split(',')
                .map(str::trim)
                .collect();
            let (key, operator) = key.trim().rsplit_once(char::is_whitespace)?;
            match operator {
                "in" => add(key, "In", values)?,
                "notin" => add(key, "NotIn", values)?,
                _ => return None,
            }
        } else if let Some((key, value)) = part.split_once("!=") {
            add(key, "NotIn", vec![value.trim()])?;
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            add(key, "In", vec![value.trim()])?;
        } else if let Some(key) = part.strip_prefix('!') {
            add(key, "DoesNotExist", Vec::new())?;
        } else {
            add(part, "Exists", Vec::new())?;
        }
    }
    Some(made)
}

const UNITS: [(&str, u64); 7] = [
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Milliseconds of a duration as Prometheus writes it, units from the greatest to the smallest
/// (prometheus/common, `model/time.go`).
pub fn millis(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut total: u64 = 0;
    let mut rest = text;
    let mut last = None;
    while !rest.is_empty() || last.is_none() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let at = UNITS.iter().position(|(name, _)| *name == unit)?;
        if last.is_some_and(|last| at <= last) {
            return None;
        }
        last = Some(at);
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(UNITS[at].1)?)?;
        rest = after;
    }
    Some(total)
}

/// A duration in Prometheus's own words; one that is none stays as it is.
fn printed(text: &str) -> String {
    let Some(mut left) = millis(text) else {
        return text.to_owned();
    };
    if left == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (unit, of) in UNITS {
        // Years and weeks only where nothing remains.
        if matches!(unit, "y" | "w") && left % of != 0 {
            continue;
        }
        if left / of > 0 {
            out.push_str(&format!("{}{unit}", left / of));
            left %= of;
        }
    }
    out
}

fn shorter(a: &str, b: &str) -> String {
    let (of_a, of_b) = (millis(a).unwrap_or(u64::MAX), millis(b).unwrap_or(u64::MAX));
    if of_a <= of_b { a } else { b }.to_owned()
}

/// All jobs of a configuration, in its order; none where it is no YAML.
pub fn jobs(text: &str, dialect: Dialect) -> Vec<Job> {
    use serde_yaml::Value as Yaml;
    let Ok(mut root) = serde_yaml::from_str::<Yaml>(text.trim_start_matches('\u{feff}')) else {
        return Vec::new();
    };
    if root.apply_merge().is_err() {
        return Vec::new();
    }
    let json = |yaml: Option<&Yaml>| yaml.and_then(|yaml| serde_json::to_value(yaml).ok());
    let global = json(root.get("global")).unwrap_or_default();
    let entries = root.get("scrape_configs").and_then(Yaml::as_sequence);
    let entries = entries.into_iter().flatten();
    entries
        .filter_map(|entry| json(Some(entry)))
        .map(|entry| Job::read(&entry, &global, dialect))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed_as_prometheus_does() {
        for (text, wanted) in [
            ("90s", "1m30s"),
            ("15s", "15s"),
            ("1h30m", "1h30m"),
            ("7d", "1w"),
            ("8d", "8d"),
            ("500ms", "500ms"),
            ("0", "0s"),
        ] {
            assert_eq!(printed(text), wanted);
        }
        for none in ["", "1", "1s1m", "1x", "-1s"] {
            assert_eq!(millis(none), None, "{none}");
        }
    }

    #[test]
    fn what_cannot_be_computed_is_named() {
        let job = |text: &str| {
            let entry: Value = serde_yaml::from_str(text).unwrap();
            Job::read(&entry, &Value::Null, Dialect::default()).unknown
        };
        let other =
            "{job_name: a, kubernetes_sd_configs: [{role: pod, api_server: 'https://blue'}]}";
        assert_eq!(job(other), [Unknown::OtherCluster("https://blue".into())]);
        let files = "{job_name: a, file_sd_configs: [{files: [x.json]}]}";
        assert_eq!(job(files), [Unknown::Discovery("file_sd_configs".into())]);
        let pods = "{job_name: a, kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, label: 'a=b,!c,d in (e, f)'}]}]}";
        assert_eq!(job(pods), []);
    }
}
