//! The status of a pod, as a kubelet writes it.

use serde_json::{Map, Value, json};

use super::fate::Fate;
use super::pods::{PodRun, Stage};
use crate::demo::json::{at, list, name_part, text, uid};

pub fn status(pod: &Value, run: &PodRun, host: &str, now: &str) -> Value {
    let before = at(pod, "/status");
    let started = match text(before, "/startTime") {
        "" => now,
        time => time,
    };
    let address = text(before, "/podIP").to_owned();
    let inits = list(pod, "/spec/initContainers");
    let containers = list(pod, "/spec/containers");
    let running = run.stage >= Stage::Started;
    let no_image = run.fate == Fate::NoImage && run.waiting.is_some();
    let proxy_held = run.waiting.as_deref() == Some("istio-proxy is not ready");

    let init_statuses: Vec<Value> = inits
        .iter()
        .map(|container| {
            let stays = text(container, "/restartPolicy") == "Always";
            let state = match run.stage {
                Stage::Creating => waiting("PodInitializing"),
                Stage::Init if stays => json!({"running": {"startedAt": started}}),
                Stage::Init if text(container, "/name") == "istio-init" => finished(started),
                Stage::Init => waiting("PodInitializing"),
                _ if stays => json!({"running": {"startedAt": started}}),
                _ => finished(started),
            };
            let ready = match run.stage {
                Stage::Creating => false,
                Stage::Init => !stays,
                _ => !(stays && proxy_held),
            };
            container_status(pod, container, &state, ready)
        })
        .collect();
    let statuses: Vec<Value> = containers
        .iter()
        .map(|container| {
            let troubled = run.fate.waits(pod, container, run);
            let held_back = troubled.is_some();
            let state = if let Some((reason, message)) = troubled {
                json!({"waiting": {"reason": reason, "message": message}})
            } else if running {
                json!({"running": {"startedAt": started}})
            } else if run.stage == Stage::Init {
                waiting("PodInitializing")
            } else {
                waiting("ContainerCreating")
            };
            let held = match text(container, "/name") {
                "istio-proxy" => proxy_held,
                _ => !proxy_held && run.stage < Stage::Ready,
            };
            let mut status = container_status(pod, container, &state, running && !held);
            if held_back || run.restarts > 0 {
                let others = text(container, "/name") == "istio-proxy";
                status["restartCount"] = json!(if others { 0 } else { run.restarts });
            }
            status
        })
        .collect();

    let mut conditions = Vec::new();
    let mut condition = |kind: &str, yes: bool, reason: &str| {
        let state = if yes { "True" } else { "False" };
        let old = list(before, "/conditions")
            .iter()
            .find(|c| text(c, "/type") == kind && text(c, "/status") == state);
        let since = old.map_or(now, |c| text(c, "/lastTransitionTime"));
        let mut map = Map::new();
        map.insert("type".into(), json!(kind));
        map.insert("status".into(), json!(state));
        map.insert("lastProbeTime".into(), Value::Null);
        map.insert("lastTransitionTime".into(), json!(since));
        if !yes {
            map.insert("reason".into(), json!(reason));
        }
        conditions.push(Value::Object(map));
    };
    let nowhere = run.stage == Stage::Pending;
    condition("PodScheduled", !nowhere, "Unschedulable");
    if nowhere {
        conditions[0]["message"] = json!(run.waiting);
        return json!({"phase": "Pending", "conditions": conditions, "qosClass": "Burstable",
            "podIP": address, "podIPs": [{"ip": address}]});
    }
    condition("Initialized", running, "ContainersNotInitialized");
    condition("ContainersReady", run.is_ready(), "ContainersNotReady");
    condition("Ready", run.is_ready(), "ContainersNotReady");

    let mut status = json!({
        "phase": if running && !no_image { "Running" } else { "Pending" },
        "conditions": conditions, "hostIP": host, "hostIPs": [{"ip": host}],
        "startTime": started, "qosClass": "Burstable", "containerStatuses": statuses,
    });
    if !init_statuses.is_empty() {
        status["initContainerStatuses"] = Value::Array(init_statuses);
    }
    if !address.is_empty() {
        // Kept from the beginning, so that a pod's address never changes; nothing answers there yet.
        status["podIP"] = json!(address);
        status["podIPs"] = json!([{"ip": address}]);
    }
    status
}

fn waiting(reason: &str) -> Value {
    json!({"waiting": {"reason": reason}})
}

fn finished(at: &str) -> Value {
    json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": at, "finishedAt": at}})
}

fn container_status(pod: &Value, container: &Value, state: &Value, ready: bool) -> Value {
    let own = text(container, "/name");
    json!({
        "name": own, "image": text(container, "/image"), "imageID": "",
        "ready": ready, "restartCount": 0, "started": state.get("running").is_some(),
        "state": state, "lastState": {},
        "containerID": format!("containerd://{}", name_part(&format!("{}{own}", uid(pod)), 24)),
    })
}
