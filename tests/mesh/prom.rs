//! What a cell's Prometheus says by its own API.

use crate::objects::{list, text};
use crate::shell::{exec, get, http, kubectl, until};
use serde_json::Value;
use std::time::Duration;

/// The Prometheus of a namespace: its one pod.
pub struct Prom {
    pub namespace: String,
    pub pod: String,
    pub ip: String,
}

/// An active target.
#[derive(Debug)]
pub struct Target {
    pub job: String,
    pub url: String,
    pub health: String,
    pub error: String,
    pub last_scrape: String,
}

impl Target {
    pub fn words(&self) -> String {
        let Target {
            job,
            url,
            health,
            error,
            last_scrape,
        } = self;
        format!("{job} {url} {health} {error} (last scrape {last_scrape})")
    }
}

impl Prom {
    pub fn of(namespace: &str) -> Result<Prom, String> {
        let pod = pod(namespace, "app.kubernetes.io/name=prometheus")?;
        Ok(Prom {
            namespace: namespace.into(),
            pod: text(&pod["metadata"]["name"]).into(),
            ip: text(&pod["status"]["podIP"]).into(),
        })
    }

    pub fn api(&self, path: &str) -> Result<Value, String> {
        let (status, body) = http("GET", &self.ip, 9090, &format!("/api/v1/{path}"))?;
        let answer: Value = serde_json::from_str(&body)
            .map_err(|error| format!("Prometheus answered {status} to {path}: {error}"))?;
        Ok(answer["data"].clone())
    }

    /// The targets that lie in one pod, whatever job they belong to.
    pub fn targets(&self, ip: &str) -> Result<Vec<Target>, String> {
        let found = self.api("targets?state=active")?;
        let all = found["activeTargets"].as_array().cloned();
        let all = all.unwrap_or_default().into_iter().map(|target| Target {
            job: text(&target["scrapePool"]).into(),
            url: text(&target["scrapeUrl"]).into(),
            health: text(&target["health"]).into(),
            error: text(&target["lastError"]).into(),
            last_scrape: text(&target["lastScrape"]).into(),
        });
        let here = format!("://{ip}:");
        Ok(all.filter(|target| target.url.contains(&here)).collect())
    }

    /// One number of a query; 0 where there is nothing.
    pub fn count(&self, query: &str) -> Result<f64, String> {
        let escaped: String = query
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => (byte as char).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect();
        let found = self.api(&format!("query?query={escaped}"))?;
        let value = &found["result"][0]["value"][1];
        Ok(text(value).parse().unwrap_or(0.0))
    }

    /// Starts the process anew, its data kept, so that every connection from then on is a new one.
    pub fn restart(&self) -> Result<(), String> {
        let started = |prom: &Prom| {
            let pod = get(&["-n", &prom.namespace, "pod", &prom.pod])?;
            let all = pod["status"]["containerStatuses"].as_array().cloned();
            let all = all.unwrap_or_default();
            let of = all.iter().find(|c| c["name"] == "prometheus-server");
            let at = of.map(|c| text(&c["state"]["running"]["startedAt"]).to_owned());
            at.filter(|at| !at.is_empty())
                .ok_or("it is not running")
                .map_err(String::from)
        };
        let before = started(self)?;
        exec(&self.namespace, &self.pod, "prometheus-server", "kill 1")?;
        until(Duration::from_secs(60), || {
            if started(self)? == before {
                return Err("the process has not ended".into());
            }
            let (status, _) = http("GET", &self.ip, 9090, "/-/ready")?;
            if status == 200 {
                Ok(())
            } else {
                Err(format!("not ready: {status}"))
            }
        })
    }
}

/// The one running pod with these labels that is not on its way out.
pub fn pod(namespace: &str, labels: &str) -> Result<Value, String> {
    let mut pods = list(&get(&["-n", namespace, "pods", "-l", labels])?);
    pods.retain(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    match &pods[..] {
        [one] => Ok(one.clone()),
        more => Err(format!("{} pods with {labels} in {namespace}", more.len())),
    }
}

/// The last lines of a container's log.
pub fn log(namespace: &str, pod: &str, container: &str) -> String {
    kubectl(&["logs", "-n", namespace, pod, "-c", container, "--tail=15"])
        .unwrap_or_else(|error| error)
}
