//! A Prometheus that the real Prometheus operator runs: its resource and a Secret are written, the operator carries them
//! over, and the plaintext scrapes of Istio's PodMonitor and of a ServiceMonitor end.

use crate::evidence;
use crate::objects::{Objects, objects, same, text};
use crate::program::Program;
use crate::prom::{Prom, pod};
use crate::report::{Checks, Stop};
use crate::shell::{apply, get, kubectl, rolled_out, until};
use crate::subject::{Kind, Subject};
use crate::world::{self, documents, httpbin, sample};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

pub const NAME: &str = "operator";
const NAMESPACE: &str = "mesh-operator";
const STRANGERS: &str = "jobs.yaml";
/// What stands in the Secret before: nothing of ours, and not to be told to anybody.
const ADDED: &str =
    "- job_name: somebody\n  basic_auth: {username: u, password: needle}\n  static_configs: []\n";
/// The operator makes a configuration, the kubelet brings it, the reloader loads it.
const LOADED: Duration = Duration::from_secs(120);

pub fn namespace() -> String {
    NAMESPACE.into()
}

fn choices() -> Vec<String> {
    let words = format!(
        "-w {NAMESPACE}/Deployment/httpbin --prometheus {NAMESPACE}/StatefulSet/prometheus-here --timeout 180"
    );
    words.split_whitespace().map(str::to_owned).collect()
}

pub fn evidence() -> String {
    let logs = kubectl(&[
        "logs",
        "-n",
        NAMESPACE,
        "deployment/prometheus-operator",
        "--tail=30",
    ]);
    let own = evidence::of(NAMESPACE, &choices(), &[]);
    format!("{own}\n-- the operator\n{}", logs.unwrap_or_else(|why| why))
}

/// A file of the operator's own examples.
fn file(name: &str) -> Result<PathBuf, String> {
    let folder = std::env::var_os("MESH_OPERATOR")
        .ok_or("MESH_OPERATOR does not name the folder of the operator's examples")?;
    Ok(PathBuf::from(folder).join(name))
}

fn example(name: &str) -> Result<Vec<Value>, String> {
    let path = file(name)?;
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    documents(&text)
}

fn definitions() -> Result<(), String> {
    let kinds = [
        "alertmanagerconfigs",
        "alertmanagers",
        "podmonitors",
        "probes",
        "prometheusagents",
        "prometheuses",
        "prometheusrules",
        "scrapeconfigs",
        "servicemonitors",
        "thanosrulers",
    ];
    for kind in kinds {
        let file = file(&format!(
            "prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
        ))?;
        // Too large for what a plain apply notes on them.
        let file = file.display().to_string();
        kubectl(&["apply", "--server-side", "-f", &file])?;
    }
    for kind in kinds {
        let name = format!("crd/{kind}.monitoring.coreos.com");
        kubectl(&[
            "wait",
            "--for=condition=Established",
            "--timeout=30s",
            &name,
        ])?;
    }
    Ok(())
}

/// The operator, in the cell's namespace and for it alone.
fn operator() -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    for part in ["cluster-role", "deployment", "service-account"] {
        all.extend(example(&format!(
            "rbac/prometheus-operator/prometheus-operator-{part}.yaml"
        ))?);
    }
    let reloader = sample("addons/prometheus.yaml")?
        .iter()
        .find_map(|of| {
            of.pointer("/spec/template/spec/containers/0/image")
                .cloned()
        })
        .ok_or("the sample has no reloader")?;
    for object in &mut all {
        match text(&object["kind"]) {
            // With the rights of Prometheus, since a cell has one role to take away.
            "ClusterRole" => object["metadata"]["name"] = format!("prometheus-{NAMESPACE}").into(),
            "Deployment" => {
                object["metadata"]["namespace"] = NAMESPACE.into();
                let template = &mut object["spec"]["template"];
                template["metadata"]["labels"]["sidecar.istio.io/inject"] = "false".into();
                let container = &mut template["spec"]["containers"][0];
                container["imagePullPolicy"] = "IfNotPresent".into();
                container["args"] = json!([
                    format!("--namespaces={NAMESPACE}"),
                    format!("--prometheus-config-reloader={}", text(&reloader)),
                ]);
                container["resources"] = json!({});
            }
            _ => object["metadata"]["namespace"] = NAMESPACE.into(),
        }
    }
    Ok(all)
}

/// Rights of both, and the sample's image under the operator's care.
fn prometheus(operator: &mut [Value]) -> Result<Vec<Value>, String> {
    let mut all = world::prometheus(NAMESPACE)?;
    let image = all
        .iter()
        .filter_map(|of| of.pointer("/spec/template/spec/containers/1/image"))
        .next()
        .cloned()
        .ok_or("the sample has no Prometheus")?;
    all.retain(|of| {
        let kind = text(&of["kind"]);
        kind == "ServiceAccount" || kind.starts_with("ClusterRole")
    });
    for object in &mut all {
        match text(&object["kind"]) {
            "ClusterRole" => {
                let own = object["rules"].as_array().cloned().unwrap_or_default();
                let role = operator.iter_mut().find(|of| of["kind"] == "ClusterRole");
                let role = role.ok_or("the operator has no role")?;
                if let Some(rules) = role["rules"].as_array_mut() {
                    rules.extend(own);
                }
            }
            "ClusterRoleBinding" => {
                let operator = json!({"kind": "ServiceAccount", "name": "prometheus-operator", "namespace": NAMESPACE});
                if let Some(subjects) = object["subjects"].as_array_mut() {
                    subjects.push(operator);
                }
            }
            _ => {}
        }
    }
    all.retain(|of| of["kind"] != "ClusterRole");
    all.push(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "added", "namespace": NAMESPACE},
        "stringData": {STRANGERS: ADDED, "other": "needle"},
    }));
    all.push(json!({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
        "metadata": {"name": "here", "namespace": NAMESPACE},
        "spec": {
            "replicas": 1, "image": image, "version": "3.10.0", "imagePullPolicy": "IfNotPresent",
            "serviceAccountName": "prometheus", "scrapeInterval": "5s",
            // As the sample has it: else this harness could not ask it under STRICT.
            "podMetadata": {"labels": {"sidecar.istio.io/inject": "false"}},
            "podMonitorSelector": {}, "serviceMonitorSelector": {},
            "additionalScrapeConfigs": {"name": "added", "key": STRANGERS},
            "volumes": [{"name": "extra", "emptyDir": {}}],
            "volumeMounts": [{"name": "extra", "mountPath": "/extra"}],
        },
    }));
    Ok(all)
}

/// Istio's own sample, for this namespace, and Envoy's port behind httpbin's Service.
fn monitors() -> Result<Vec<Value>, String> {
    let mut all = sample("addons/extras/prometheus-operator.yaml")?;
    all.retain(|of| of["kind"] == "PodMonitor");
    for object in &mut all {
        object["metadata"]["namespace"] = NAMESPACE.into();
        object["spec"]["namespaceSelector"] = json!({"matchNames": [NAMESPACE]});
        object["spec"]["podMetricsEndpoints"][0]["interval"] = "5s".into();
    }
    all.push(json!({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor",
        "metadata": {"name": "envoy", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": {"app": "httpbin"}},
            "endpoints": [{"targetPort": 15090, "path": "/stats/prometheus", "interval": "5s"}],
        },
    }));
    Ok(all)
}

fn build() -> Result<(), String> {
    definitions()?;
    world::clear(NAMESPACE, true)?;
    apply(&world::namespace(NAMESPACE, Some("STRICT")))?;
    let mut all = operator()?;
    let more = prometheus(&mut all)?;
    all.extend(httpbin(NAMESPACE)?);
    all.extend(more);
    all.extend(monitors()?);
    apply(&all)?;
    rolled_out(NAMESPACE, "httpbin")?;
    rolled_out(NAMESPACE, "prometheus-operator")?;
    until(LOADED, || {
        let set = get(&["-n", NAMESPACE, "statefulset", "prometheus-here"])?;
        match set["status"]["readyReplicas"] == 1 {
            true => Ok(()),
            false => Err(format!("{}", set["status"])),
        }
    })
}

/// Who scrapes httpbin's pod, by the kinds of their jobs.
fn by(prom: &Prom, wanted: &[&str]) -> Result<String, String> {
    let ip = text(&pod(NAMESPACE, "app=httpbin")?["status"]["podIP"]).to_owned();
    let targets = prom.targets(&ip)?;
    let mut found: Vec<String> = targets
        .iter()
        .map(|target| target.job.split('/').next().unwrap_or_default().to_owned())
        .collect();
    found.sort();
    found.dedup();
    let up = targets.iter().all(|target| target.health == "up");
    match found == wanted && up {
        true => Ok(found.join(", ")),
        false => Err(targets
            .iter()
            .map(|of| of.words())
            .collect::<Vec<_>>()
            .join("\n")),
    }
}

/// The StatefulSet carries a hash of what it was made from, which counts changes of the resource.
fn settled(mut all: Objects) -> Objects {
    for (name, object) in &mut all {
        if name.starts_with("StatefulSet/")
            && let Some(map) = object["metadata"]["annotations"].as_object_mut()
        {
            map.remove("prometheus-operator-input-hash");
        }
    }
    all
}

pub fn run(checks: &mut Checks) -> Result<(), Stop> {
    let (mut program, mut before) = (None, None);
    checks.must("the operator and its Prometheus stand", || {
        build()?;
        let prom = until(LOADED, || Prom::of(NAMESPACE))?;
        let words = until(LOADED, || by(&prom, &["podMonitor", "serviceMonitor"]))?;
        program = Some(Program::new(NAME, &choices())?);
        before = Some(settled(objects(NAMESPACE)?));
        Ok(words)
    })?;
    let (Some(program), Some(before)) = (program, before) else {
        return Err(Stop);
    };
    let mut told = String::new();
    checks.must("apply", || {
        let applied = program.apply()?;
        told.clone_from(&applied.text);
        applied.well()
    })?;
    checks.add("no text of the Secret is told", || {
        match told.contains("needle") {
            false => Ok(String::new()),
            true => Err("needle".into()),
        }
    });
    let mut prom = None;
    checks.must("Prometheus", || {
        prom = Some(until(LOADED, || Prom::of(NAMESPACE))?);
        Ok(String::new())
    })?;
    let Some(prom) = prom else { return Err(Stop) };
    checks.must("UP over https, and scraped by nobody else", || {
        let subject = Subject::of(Kind::Sidecar, NAMESPACE, 15020, "STRICT")?;
        until(LOADED, || {
            subject.up(&prom)?;
            subject.once(&prom)
        })
    })?;
    checks.add("the Secret's other key and the selector stay", || {
        let secret = get(&["-n", NAMESPACE, "secret", "added"])?;
        let resource = get(&["-n", NAMESPACE, "prometheus", "here"])?;
        let stays = secret["data"]["other"] == before["Secret/added"]["data"]["other"]
            && resource["spec"]["additionalScrapeConfigs"]["name"] == "added";
        match stays {
            true => Ok(String::new()),
            false => Err(resource["spec"]["additionalScrapeConfigs"].to_string()),
        }
    });
    checks.add("plan finds nothing to do", || match program.plan()? {
        (0, _) => Ok(String::new()),
        (code, plan) => Err(format!("exit {code}: {}", plan["summary"])),
    });
    checks.must("undo", || program.undo()?.well())?;
    checks.add("scraped in plaintext again", || {
        let prom = until(LOADED, || Prom::of(NAMESPACE))?;
        until(LOADED, || by(&prom, &["podMonitor", "serviceMonitor"]))
    });
    checks.add("the objects as before", || {
        until(LOADED, || same(&before, &settled(objects(NAMESPACE)?)))
    });
    Ok(())
}
