//! Prometheus's HTTP API, as far as a client of a mesh asks for it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::World;
use super::config::words;
use super::prometheus::{Pool, PromRun};
use super::relabel::Labels;
use super::scrape::{Health, Target};
use crate::demo::answers::Reply;
use crate::demo::json::{namespace, object};
use crate::demo::kinds;
use crate::demo::routes::Query;

fn success(data: Value) -> Reply {
    Reply::written(format!(r#"{{"status":"success","data":{data}}}"#))
}

fn bad_data(why: &str) -> Reply {
    Reply::json(
        400,
        &json!({"status": "error", "errorType": "bad_data", "error": why}),
    )
}

fn of(labels: &Labels) -> Value {
    let pairs = labels.iter();
    Value::Object(
        pairs
            .map(|(k, v)| (k.clone(), Value::String(v.clone())))
            .collect(),
    )
}

/// Times as Go prints them, to the nanosecond.
fn time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
}

impl World {
    /// The groups of rules in ConfigMaps beside it, by their usual keys.
    fn rule_groups(&self, pod: &str) -> Reply {
        let Some(object) = self.pod_object(pod) else {
            return success(json!({"groups": []}));
        };
        let own = namespace(&object).to_owned();
        let maps = self.store.all(&kinds::CONFIG_MAP);
        let texts = maps.filter(|map| namespace(map) == own).flat_map(|map| {
            let data = map["data"].as_object().into_iter().flatten();
            let rules = data.filter(|(key, _)| key.ends_with("rules.yml"));
            rules
                .filter_map(|(_, text)| text.as_str())
                .collect::<Vec<_>>()
        });
        let mut groups = Vec::new();
        for text in texts {
            let file: Value = serde_yaml::from_str(text).unwrap_or_default();
            for group in file["groups"].as_array().into_iter().flatten() {
                let rules = group["rules"].as_array().into_iter().flatten();
                let rules: Vec<Value> = rules
                    .map(|rule| {
                        let record = rule["record"].is_string();
                        let name = if record {
                            &rule["record"]
                        } else {
                            &rule["alert"]
                        };
                        json!({"name": name, "query": rule["expr"],
                            "type": if record { "recording" } else { "alerting" }})
                    })
                    .collect();
                groups.push(json!({"name": group["name"], "rules": rules}));
            }
        }
        success(json!({"groups": groups}))
    }

    /// A request that reached the Prometheus in this pod.
    pub fn ask_prometheus(&mut self, pod: &str, method: &str, path: &str, query: &Query) -> Reply {
        let now = self.now;
        let ready = self
            .pods
            .get(pod)
            .is_some_and(super::pods::PodRun::is_running);
        let Some(run) = self.proms.get_mut(pod).filter(|_| ready) else {
            return Reply::text(503, "Service Unavailable");
        };
        if run.asks_password {
            return Reply::text(401, "Unauthorized\n");
        }
        match (method, path) {
            ("GET", "/-/ready") => Reply::text(200, "Prometheus Server is Ready.\n"),
            ("GET", "/-/healthy") => Reply::text(200, "Prometheus Server is Healthy.\n"),
            ("POST" | "PUT", "/-/reload") if !run.lifecycle => {
                Reply::text(403, "Lifecycle API is not enabled.")
            }
            ("POST" | "PUT", "/-/reload") => {
                run.reload_soon(now);
                self.prometheus_due();
                match self.proms.get(pod).is_some_and(|run| run.loaded_ok) {
                    true => Reply::text(200, ""),
                    false => Reply::text(
                        500,
                        "failed to reload config: couldn't load configuration (--config.file=…)\n",
                    ),
                }
            }
            ("GET", "/-/reload") => Reply::text(405, "Only POST or PUT requests allowed"),
            ("GET", "/metrics") => Reply::text(200, "prometheus_build_info{version=\"3.7.3\"} 1\n"),
            ("GET", "/api/v1/status/config") => success(json!({"yaml": run.config.yaml})),
            ("GET", "/api/v1/status/buildinfo") => success(json!({
                "version": self.settings.prometheus_version, "revision": "0a41f0000ec7851ab8e01dfc2e0a3a1b",
                "branch": "HEAD", "buildUser": "", "buildDate": "", "goVersion": "go1.25.3",
            })),
            ("GET", "/api/v1/rules") => self.rule_groups(pod),
            ("GET", "/api/v1/status/runtimeinfo") => self.runtime_info(pod),
            ("GET", "/api/v1/scrape_pools") => {
                let names: Vec<&str> = run
                    .pools
                    .iter()
                    .filter(|pool| pool.made)
                    .map(|pool| pool.job.name.as_str())
                    .collect();
                success(json!({"scrapePools": names}))
            }
            ("GET", "/api/v1/targets") => self.targets(pod, query),
            ("GET" | "POST", "/api/v1/query") => self.query(pod, query.get("query").unwrap_or("")),
            _ => Reply::text(404, "404 page not found\n"),
        }
    }

    fn runtime_info(&self, pod: &str) -> Reply {
        let Some(run) = self.proms.get(pod) else {
            return Reply::text(503, "");
        };
        success(json!({
            "startTime": time(self.wall(run.started_at)), "CWD": "/prometheus", "hostname": run.pod,
            "serverTime": time(self.wall_now()), "reloadConfigSuccess": run.loaded_ok,
            "lastConfigTime": self.wall(run.loaded_at).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "corruptionCount": 0, "goroutineCount": 61, "GOMAXPROCS": 2, "GOMEMLIMIT": 0_i64,
            "GOGC": "75", "GODEBUG": "", "storageRetention": "15d",
        }))
    }

    fn targets(&self, pod: &str, query: &Query) -> Reply {
        let Some(run) = self.proms.get(pod) else {
            return Reply::text(503, "");
        };
        let state = query.get("state").unwrap_or("any").to_lowercase();
        let wanted = query.get("scrapePool");
        let pools = || {
            run.pools
                .iter()
                .filter(|pool| pool.made && wanted.is_none_or(|name| name == pool.job.name))
        };
        let mut active = Vec::new();
        let mut dropped = Vec::new();
        if state != "dropped" {
            for pool in pools() {
                active.extend(pool.targets.iter().map(|t| self.target(pool, t)));
            }
        }
        if state != "active" {
            for pool in pools() {
                dropped.extend(pool.dropped.iter().map(|labels| {
                    object([
                        ("discoveredLabels", of(labels)),
                        ("scrapePool", json!(pool.job.name)),
                    ])
                }));
            }
        }
        let counts: BTreeMap<&str, usize> = pools()
            .map(|pool| (pool.job.name.as_str(), pool.dropped.len()))
            .collect();
        success(object([
            ("activeTargets", Value::Array(active)),
            ("droppedTargets", Value::Array(dropped)),
            ("droppedTargetCounts", json!(counts)),
        ]))
    }

    fn target(&self, pool: &Pool, target: &Target) -> Value {
        let health = match target.health {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Down => "down",
        };
        let last = target.last.map_or_else(
            || "0001-01-01T00:00:00Z".to_owned(),
            |at| time(self.wall(at)),
        );
        object([
            ("discoveredLabels", of(&target.discovered)),
            ("labels", of(&target.labels)),
            ("scrapePool", json!(pool.job.name)),
            ("scrapeUrl", json!(target.url)),
            (
                "globalUrl",
                json!(target.url.replace("localhost", "prometheus")),
            ),
            ("lastError", json!(target.error)),
            ("lastScrape", json!(last)),
            ("lastScrapeDuration", json!(target.took)),
            ("health", json!(health)),
            ("scrapeInterval", json!(words(pool.job.interval))),
            ("scrapeTimeout", json!(words(pool.job.timeout))),
        ])
    }

    fn query(&self, pod: &str, expression: &str) -> Reply {
        let Some(run) = self.proms.get(pod) else {
            return Reply::text(503, "");
        };
        let now = self.wall_now();
        let at = now.as_millisecond() as f64 / 1000.0;
        if expression.trim() == "time()" {
            return success(json!({"resultType": "scalar", "result": [at, at.to_string()]}));
        }
        let Some((metric, matchers)) = selector(expression) else {
            return bad_data("invalid parameter \"query\": only plain selectors are simulated");
        };
        let result: Vec<Value> = samples(run, &metric)
            .into_iter()
            .filter(|(labels, _)| matchers.iter().all(|m| m.fits(labels)))
            .map(|(labels, value)| {
                let mut metric_labels = labels.clone();
                metric_labels.insert("__name__".to_owned(), metric.clone());
                json!({"metric": metric_labels, "value": [at, value]})
            })
            .collect();
        success(json!({"resultType": "vector", "result": result}))
    }
}

fn samples<'a>(run: &'a PromRun, metric: &str) -> Vec<(&'a Labels, String)> {
    let mut all = Vec::new();
    for target in run.pools.iter().filter(|p| p.made).flat_map(|p| &p.targets) {
        if target.health == Health::Unknown {
            continue;
        }
        let value = match metric {
            "up" => u8::from(target.health == Health::Up).to_string(),
            "scrape_duration_seconds" => target.took.to_string(),
            "scrape_samples_scraped" | "scrape_samples_post_metric_relabeling" => {
                target.samples.to_string()
            }
            _ => continue,
        };
        all.push((&target.labels, value));
    }
    all
}

/// One matcher of a selector.
struct Matcher {
    label: String,
    value: String,
    regex: Option<regex::Regex>,
    equal: bool,
}

impl Matcher {
    fn fits(&self, labels: &Labels) -> bool {
        let found = labels.get(&self.label).map_or("", String::as_str);
        let fits = match &self.regex {
            Some(regex) => regex.is_match(found),
            None => found == self.value,
        };
        fits == self.equal
    }
}

/// `metric{label="value", …}`; nothing else is understood.
fn selector(expression: &str) -> Option<(String, Vec<Matcher>)> {
    let expression = expression.trim();
    let (metric, rest) = match expression.split_once('{') {
        Some((metric, rest)) => (metric, rest.trim().strip_suffix('}')?),
        None => (expression, ""),
    };
    let metric = metric.trim();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if metric.is_empty() || !metric.chars().all(word) {
        return None;
    }
    let mut matchers = Vec::new();
    let mut rest = rest.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !word(c))?;
        let label = rest[..end].to_owned();
        rest = rest[end..].trim_start();
        let operator = ["=~", "!~", "!=", "="]
            .into_iter()
            .find(|op| rest.starts_with(op))?;
        rest = rest[operator.len()..].trim_start();
        let quote = rest.chars().next().filter(|c| *c == '"' || *c == '\'')?;
        let mut value = String::new();
        let mut length = 1;
        let mut escaped = false;
        let mut closed = false;
        for c in rest[1..].chars() {
            length += c.len_utf8();
            match c {
                _ if escaped => {
                    value.push(if c == 'n' { '\n' } else { c });
                    escaped = false;
                }
                '\\' => escaped = true,
                c if c == quote => {
                    closed = true;
                    break;
                }
                c => value.push(c),
            }
        }
        if !closed {
            return None;
        }
        let regex = match operator {
            "=~" | "!~" => Some(regex::Regex::new(&format!("^(?:{value})$")).ok()?),
            _ => None,
        };
        matchers.push(Matcher {
            label,
            value,
            regex,
            equal: !operator.starts_with('!'),
        });
        rest = rest[length..]
            .trim_start()
            .trim_start_matches(',')
            .trim_start();
    }
    Some((metric.to_owned(), matchers))
}
