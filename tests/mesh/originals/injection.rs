//! The real webhooks, asked by dry runs of pods: namespaces with labels of all kinds, a tag beside the revision, and
//! three policies of the injector's own.

use super::compare;
use crate::read::{Answers, Injection, Made, cases, is_recording, path};
use crate::report::{Checks, Stop};
use crate::shell::{apply, get, kubectl, pause, run as process, until};
use meshscrape::reach::injected::proxy;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

pub const NAME: &str = "originals-injection";
const MAP: [&str; 4] = ["-n", "istio-system", "configmap", "istio-sidecar-injector"];
const TAG: &str = "canary";
const HOOKS: &str = "istio-revision-tag-canary";

/// What a tag of the revision consists of: its webhooks under another name. Made by hand, since `istioctl tag set`
/// changes the webhooks that are there as well.
fn tag() -> Result<(), String> {
    let mut own = get(&["mutatingwebhookconfiguration", "istio-sidecar-injector"])?;
    let hooks = own["webhooks"].as_array().cloned().unwrap_or_default();
    let named = hooks.into_iter().filter_map(|hook| {
        let text = hook.to_string();
        let of_revision = text.contains(r#""values":["default"]"#);
        let tagged = text.replace(r#""values":["default"]"#, &format!(r#""values":["{TAG}"]"#));
        of_revision.then(|| serde_json::from_str::<Value>(&tagged).unwrap_or(hook))
    });
    own["webhooks"] = named.collect();
    own["metadata"] =
        json!({"name": HOOKS, "labels": {"istio.io/rev": "default", "istio.io/tag": TAG}});
    apply(&[own])
}

fn put(text: &str) -> Result<String, String> {
    let [of, place, kind, name] = MAP;
    let patch = json!({"data": {"config": text}}).to_string();
    kubectl(&[
        of, place, "patch", kind, name, "--type", "merge", "-p", &patch,
    ])
}

/// The injector's configuration with another policy, and a pod by which one sees that it has been read.
fn with_policy(text: &str, policy: &Value, marker: &str) -> Result<String, String> {
    let mut config: Value = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
    let fields = policy.as_object().into_iter().flatten();
    for (field, value) in fields {
        config[field] = value.clone();
    }
    let selector = json!({"matchLabels": {"marker": marker}});
    let list = match policy["policy"] == "enabled" {
        true => "neverInjectSelector",
        false => "alwaysInjectSelector",
    };
    if let Some(list) = config[list].as_array_mut() {
        list.push(selector);
    }
    serde_yaml::to_string(&config).map_err(|e| e.to_string())
}

fn asked(namespace: &str, made: &Made) -> Result<String, String> {
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": "asked-", "namespace": namespace, "labels": made.labels, "annotations": made.annotations},
        "spec": {"hostNetwork": made.host_network, "containers": [{"name": "app", "image": "example.org/app:1"}]}});
    let mut command = Command::new("kubectl");
    command.args(["create", "--dry-run=server", "-o", "json", "-f", "-"]);
    let ran = process(&mut command, &pod.to_string(), Duration::from_secs(60)).ok("dry run")?;
    let pod: Value = serde_json::from_str(&ran).map_err(|e| e.to_string())?;
    Ok(if proxy(&pod).is_some() {
        "sidecar"
    } else {
        "none"
    }
    .to_owned())
}

/// A namespace for each set of labels.
#[derive(Default)]
struct Places(BTreeMap<String, String>);

impl Places {
    fn of(&mut self, made: &Made) -> Result<String, String> {
        if let Some(place) = &made.place {
            return Ok(place.clone());
        }
        let key = json!(made.namespace).to_string();
        if let Some(name) = self.0.get(&key) {
            return Ok(name.clone());
        }
        let name = format!("asked-{}", self.0.len());
        apply(&[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": made.namespace}}),
        ])?;
        // Admission sees the namespace a little later than its maker, and a pod needs its ServiceAccount.
        until(Duration::from_secs(20), || {
            kubectl(&["get", "serviceaccount", "default", "-n", &name])
        })?;
        pause(300);
        self.0.insert(key, name.clone());
        Ok(name)
    }
}

pub fn run(checks: &mut Checks) -> Result<(), Stop> {
    let mut before = String::new();
    let mut places = Places::default();
    checks.must("there is a tag beside the revision", || {
        before = get(&MAP)?["data"]["config"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        tag()?;
        hooks()
    })?;
    let seen = ask_all(checks, &before, &mut places);
    checks.add("all is as it was", || {
        put(&before)?;
        kubectl(&["delete", "mutatingwebhookconfiguration", HOOKS])?;
        for name in places.0.values() {
            kubectl(&["delete", "namespace", name, "--wait=false"])?;
        }
        Ok("put back".into())
    });
    compare(checks, "injection", &seen?);
    Ok(())
}

/// The selectors of all injection webhooks; written where this is a recording.
fn hooks() -> Result<String, String> {
    let all = get(&["mutatingwebhookconfigurations"])?;
    let mut found = Vec::new();
    for one in all["items"].as_array().into_iter().flatten() {
        for hook in one["webhooks"].as_array().into_iter().flatten() {
            let name = hook["name"].as_str().unwrap_or_default();
            if name.ends_with("sidecar-injector.istio.io") {
                found.push(json!({
                    "revision": one["metadata"]["labels"]["istio.io/rev"],
                    "namespaceSelector": hook["namespaceSelector"], "objectSelector": hook["objectSelector"],
                }));
            }
        }
    }
    if is_recording() {
        let lines: Vec<String> = found.iter().map(|one| format!("  {one}")).collect();
        let text = format!("[\n{}\n]\n", lines.join(",\n"));
        std::fs::write(path("injection.hooks.json"), text).map_err(|e| e.to_string())?;
    }
    Ok(format!("{} webhooks", found.len()))
}

fn ask_all(checks: &mut Checks, before: &str, places: &mut Places) -> Result<Answers, Stop> {
    let Injection { policies } = cases("injection");
    let mut seen = Answers::new();
    for set in &policies {
        checks.must(&format!("policy {} is asked", set.name), || {
            let marker = format!("{}-{}", set.name, std::process::id());
            put(&with_policy(before, &set.policy, &marker)?)?;
            let marked = Made {
                namespace: BTreeMap::from([("istio-injection".into(), "enabled".into())]),
                labels: BTreeMap::from([("marker".into(), marker)]),
                ..Made::default()
            };
            let wanted = if set.policy["policy"] == "enabled" {
                "none"
            } else {
                "sidecar"
            };
            let place = places.of(&marked)?;
            until(Duration::from_secs(120), || match asked(&place, &marked)? {
                found if found == wanted => Ok(()),
                found => Err(found),
            })?;
            for case in &set.cases {
                let place = places.of(case)?;
                let answer = asked(&place, case).map_err(|why| format!("{}: {why}", case.name))?;
                seen.insert(case.name.clone(), vec![answer]);
            }
            Ok(format!("{} pods", set.cases.len()))
        })?;
    }
    Ok(seen)
}
