//! What a person needs to understand a cell that fails: all of it bounded.

use crate::objects::text;
use crate::prom::{Prom, log};
use crate::shell::{kubectl, run, tail};
use crate::subject::Subject;
use std::process::Command;
use std::time::Duration;

const LINES: usize = 60;

/// The plan as it now is, the live objects, Prometheus's errors, the proxies' listeners and last log lines.
pub fn of(namespace: &str, choices: &[String], subjects: &[Subject]) -> String {
    let mut text = String::new();
    let mut part = |title: &str, body: String| {
        text.push_str(&format!("-- {title}\n{}\n", tail(&body, LINES)));
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshscrape"));
    let plan = run(
        command.arg("plan").args(choices),
        "",
        Duration::from_secs(60),
    );
    part("plan", format!("{}{}", plan.out, plan.err));
    let ask = |args: &[&str]| kubectl(args).unwrap_or_else(|error| error);
    part("pods", ask(&["get", "pods", "-n", namespace, "-o", "wide"]));
    let kinds = "peerauthentications,authorizationpolicies,sidecars,gateways.networking.istio.io,virtualservices,serviceentries";
    part(
        "Istio's objects",
        ask(&["get", kinds, "-n", namespace, "-o", "yaml"]),
    );
    part(
        "events",
        ask(&["get", "events", "-n", namespace, "--sort-by=.lastTimestamp"]),
    );
    match Prom::of(namespace) {
        Ok(prom) => {
            for subject in subjects {
                let targets = prom.targets(&subject.ip).map(|all| {
                    let words: Vec<String> = all.iter().map(|t| t.words()).collect();
                    words.join("\n")
                });
                let title = format!("Prometheus's targets in {}", subject.pod);
                part(&title, targets.unwrap_or_else(|error| error));
            }
            for container in ["prometheus-server", "istio-proxy"] {
                let title = format!("log of {} {container}", prom.pod);
                part(&title, log(namespace, &prom.pod, container));
            }
        }
        Err(why) => part("Prometheus", why),
    }
    for subject in subjects {
        part(
            &format!("listeners of {}", subject.pod),
            subject.listeners(),
        );
        let title = format!("log of {} istio-proxy", subject.pod);
        part(&title, log(namespace, &subject.pod, "istio-proxy"));
    }
    text
}

/// What the table was measured on.
pub fn versions() -> serde_json::Value {
    let json = |args: &[&str]| -> serde_json::Value {
        let answer = kubectl(args).unwrap_or_default();
        serde_json::from_str(&answer).unwrap_or_default()
    };
    let image = |namespace: &str, deployment: &str| {
        let found = json(&[
            "get",
            "deployment",
            "-n",
            namespace,
            deployment,
            "-o",
            "json",
        ]);
        let containers = &found["spec"]["template"]["spec"]["containers"];
        let images: Vec<String> = containers
            .as_array()
            .into_iter()
            .flatten()
            .map(|container| text(&container["image"]).to_owned())
            .collect();
        images.join(", ")
    };
    serde_json::json!({
        "kubernetes": json(&["version", "-o", "json"])["serverVersion"]["gitVersion"],
        "istiod": image("istio-system", "istiod"),
        "prometheus": image("istio-system", "prometheus"),
        "meshscrape": env!("CARGO_PKG_VERSION"),
    })
}
