//! What Prometheus reads of its configuration.

use std::time::Duration;

use serde_json::{Value, json};

use super::relabel::Rule;
use crate::demo::json::{as_map, at, list, list_at, text};
use crate::reach::discovery::Endpoints;

/// A loaded configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// As `/api/v1/status/config` gives it: with defaults filled in.
    pub yaml: String,
    pub jobs: Vec<Job>,
}

/// One entry of `scrape_configs`.
#[derive(Clone, Debug)]
pub struct Job {
    pub name: String,
    pub interval: Duration,
    pub timeout: Duration,
    pub path: String,
    pub scheme: String,
    pub rules: Vec<Rule>,
    /// `(ca, cert, key, insecure_skip_verify)`
    pub tls: Tls,
    pub discoveries: Vec<Discovery>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tls {
    pub ca_file: String,
    pub cert_file: String,
    pub key_file: String,
    pub insecure: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Discovery {
    Static(Vec<String>),
    /// Pods, of these namespaces where any are named.
    Pods(Vec<String>),
    /// Pods behind Services.
    Endpoints(Endpoints, Vec<String>),
    Nodes,
    /// A role that finds nothing in the demo.
    Other,
}

/// `15s`, `1m`, `1h30m`, `500ms`
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        let unit = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        total += match &tail[..unit] {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number * 60),
            "h" => Duration::from_secs(number * 3600),
            "d" => Duration::from_secs(number * 86_400),
            _ => return None,
        };
        rest = &tail[unit..];
    }
    Some(total)
}

/// Parses the text of `prometheus.yml`.
///
/// # Errors
/// What Prometheus would log; it then keeps its old configuration.
pub fn parse(yaml: &str) -> Result<Config, String> {
    let mut root: Value = serde_yaml::from_str(yaml).map_err(|e| format!("parsing YAML: {e}"))?;
    if root.is_null() {
        root = json!({});
    }
    if !root.is_object() {
        return Err("parsing YAML: not a mapping".to_owned());
    }
    let or = |value: &str, other: &str| {
        if value.is_empty() {
            other.to_owned()
        } else {
            value.to_owned()
        }
    };
    let interval = or(text(&root, "/global/scrape_interval"), "1m");
    let timeout = or(text(&root, "/global/scrape_timeout"), "10s");
    let mut jobs: Vec<Job> = Vec::new();
    for entry in list_at(&mut root, &[], "scrape_configs") {
        let own = text(entry, "/job_name").to_owned();
        if own.is_empty() {
            return Err("job_name is empty".to_owned());
        }
        if jobs.iter().any(|job| job.name == own) {
            return Err(format!(
                "found multiple scrape configs with job name {own:?}"
            ));
        }
        let wait = or(text(entry, "/scrape_interval"), &interval);
        let every =
            duration(&wait).ok_or_else(|| format!("not a valid duration string: {wait:?}"))?;
        let limit = match text(entry, "/scrape_timeout") {
            "" => duration(&timeout)
                .unwrap_or(Duration::from_secs(10))
                .min(every),
            own => duration(own).ok_or_else(|| format!("not a valid duration string: {own:?}"))?,
        };
        if limit > every {
            return Err(format!(
                "scrape timeout greater than scrape interval for scrape config with job name {own:?}"
            ));
        }
        let rules = list(entry, "/relabel_configs")
            .iter()
            .map(Rule::read)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| format!("scrape config {own:?}: {e}"))?;
        let job = Job {
            interval: every,
            timeout: limit,
            path: or(text(entry, "/metrics_path"), "/metrics"),
            scheme: or(text(entry, "/scheme"), "http"),
            rules,
            tls: Tls {
                ca_file: text(entry, "/tls_config/ca_file").to_owned(),
                cert_file: text(entry, "/tls_config/cert_file").to_owned(),
                key_file: text(entry, "/tls_config/key_file").to_owned(),
                insecure: at(entry, "/tls_config/insecure_skip_verify") == &Value::Bool(true),
            },
            discoveries: discoveries(entry),
            name: own,
        };
        let map = as_map(entry);
        for (key, value) in [
            ("scrape_interval", json!(wait)),
            ("scrape_timeout", json!(words(limit))),
            ("metrics_path", json!(job.path)),
            ("scheme", json!(job.scheme)),
            ("enable_http2", json!(true)),
            ("follow_redirects", json!(true)),
        ] {
            map.entry(key).or_insert(value);
        }
        jobs.push(job);
    }
    let yaml = serde_yaml::to_string(&root).map_err(|e| e.to_string())?;
    Ok(Config { yaml, jobs })
}

/// A duration in Prometheus's words.
pub fn words(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".to_owned(),
        m if m % 3_600_000 == 0 => format!("{}h", m / 3_600_000),
        m if m % 60_000 == 0 => format!("{}m", m / 60_000),
        m if m % 1000 == 0 => format!("{}s", m / 1000),
        m => format!("{m}ms"),
    }
}

fn spaces(sd: &Value) -> Vec<String> {
    let names = list(sd, "/namespaces/names").iter();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn discoveries(entry: &Value) -> Vec<Discovery> {
    let statics = list(entry, "/static_configs").iter().map(|group| {
        let targets = list(group, "/targets").iter();
        Discovery::Static(
            targets
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        )
    });
    let kubernetes =
        list(entry, "/kubernetes_sd_configs")
            .iter()
            .map(|sd| match text(sd, "/role") {
                "pod" => Discovery::Pods(spaces(sd)),
                "node" => Discovery::Nodes,
                "endpoints" => Discovery::Endpoints(Endpoints::Endpoints, spaces(sd)),
                "endpointslice" => Discovery::Endpoints(Endpoints::Slices, spaces(sd)),
                _ => Discovery::Other,
            });
    statics.chain(kubernetes).collect()
}
