//! ResourceQuotas and PodDisruptionBudgets: what they count, and what a quota refuses.

use std::sync::Arc;

use serde_json::{Value, json};

use super::World;
use crate::demo::json::{at, labels, list, map_at, name, namespace, selected, text, uid};
use crate::demo::kinds;
use crate::demo::store::Store;

/// Whether a quota counts this: pods, and what their containers ask for.
fn counted(resource: &str) -> bool {
    matches!(
        resource,
        "pods"
            | "count/pods"
            | "cpu"
            | "memory"
            | "requests.cpu"
            | "requests.memory"
            | "limits.cpu"
            | "limits.memory"
    )
}

/// A quantity in thousandths.
pub(super) fn thousandths(text: &str) -> u64 {
    let (number, factor) = match text.trim_end_matches(|c: char| c.is_ascii_alphabetic()) {
        number if number.len() == text.len() => (number, 1000.0),
        number => (
            number,
            match &text[number.len()..] {
                "m" => 1.0,
                "k" => 1e6,
                "M" => 1e9,
                "G" => 1e12,
                "Ki" => 1_024_000.0,
                "Mi" => 1_048_576_000.0,
                "Gi" => 1_073_741_824_000.0,
                _ => 1000.0,
            },
        ),
    };
    (number.parse::<f64>().unwrap_or(0.0) * factor).ceil() as u64
}

fn written(thousandths: u64) -> String {
    match thousandths % 1000 {
        0 => (thousandths / 1000).to_string(),
        _ => format!("{thousandths}m"),
    }
}

/// What a pod takes of a resource.
pub(super) fn takes(pod: &Value, resource: &str) -> u64 {
    let pointer = match resource {
        "pods" | "count/pods" => return 1000,
        "cpu" | "memory" => format!("/resources/requests/{resource}"),
        other => format!("/resources/{}", other.replace('.', "/")),
    };
    let of = |container: &Value| thousandths(text(container, &pointer));
    let (mut beside, mut most) = (0, 0);
    for init in list(pod, "/spec/initContainers") {
        let stays = text(init, "/restartPolicy") == "Always";
        most = most.max(beside + of(init));
        beside += if stays { of(init) } else { 0 };
    }
    let running: u64 = list(pod, "/spec/containers").iter().map(of).sum();
    most.max(beside + running)
}

fn used(store: &Store, ns: &str, resource: &str) -> u64 {
    let ended = |pod: &Value| matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    store
        .of(&kinds::POD, ns)
        .filter(|pod| !ended(pod))
        .map(|pod| takes(pod, resource))
        .sum()
}

/// Why a quota refuses one more pod, in the words of a real server's message after `is forbidden: `.
pub fn refuses(store: &Store, pod: &Value) -> Option<String> {
    let ns = namespace(pod);
    store.of(&kinds::RESOURCE_QUOTA, ns).find_map(|quota| {
        let hard = at(quota, "/spec/hard").as_object()?;
        let (mut requested, mut taken, mut limited) = (Vec::new(), Vec::new(), Vec::new());
        for (resource, limit) in hard.iter().filter(|(resource, _)| counted(resource)) {
            let Some(limit) = limit.as_str() else {
                continue;
            };
            let (wants, has) = (takes(pod, resource), used(store, ns, resource));
            if wants > 0 && has + wants > thousandths(limit) {
                requested.push(format!("{resource}={}", written(wants)));
                taken.push(format!("{resource}={}", written(has)));
                limited.push(format!("{resource}={limit}"));
            }
        }
        (!requested.is_empty()).then(|| {
            format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                name(quota),
                requested.join(","),
                taken.join(","),
                limited.join(",")
            )
        })
    })
}

impl World {
    /// What quotas and budgets tell of themselves.
    pub(super) fn reconcile_counts(&mut self) {
        let quotas: Vec<Arc<Value>> = self.store.all(&kinds::RESOURCE_QUOTA).cloned().collect();
        for quota in quotas {
            let ns = namespace(&quota);
            let hard = at(&quota, "/spec/hard").clone();
            let mut of = json!({});
            for (resource, _) in hard.as_object().into_iter().flatten() {
                if counted(resource) {
                    of[resource] = json!(written(used(&self.store, ns, resource)));
                }
            }
            self.note(
                &kinds::RESOURCE_QUOTA,
                &quota,
                json!({"hard": hard, "used": of}),
            );
        }
        let budgets: Vec<Arc<Value>> = self.store.all(&kinds::DISRUPTION_BUDGET).cloned().collect();
        for budget in budgets {
            let status = self.budget_status(&budget);
            self.note(&kinds::DISRUPTION_BUDGET, &budget, status);
        }
    }

    fn budget_status(&self, budget: &Value) -> Value {
        let selector = at(budget, "/spec/selector");
        let pods: Vec<&Arc<Value>> = self
            .store
            .of(&kinds::POD, namespace(budget))
            .filter(|pod| selected(selector, labels(pod)))
            .filter(|pod| text(pod, "/metadata/deletionTimestamp").is_empty())
            .collect();
        let expected = pods.len() as u64;
        let healthy = pods
            .iter()
            .filter(|pod| self.pods.get(uid(pod)).is_some_and(|run| run.is_ready()))
            .count() as u64;
        let share = |value: &Value| match value.as_str().and_then(|text| text.strip_suffix('%')) {
            Some(percent) => (expected * percent.parse::<u64>().unwrap_or(0)).div_ceil(100),
            None => value.as_u64().unwrap_or(0),
        };
        let desired = match at(budget, "/spec/minAvailable") {
            Value::Null => expected.saturating_sub(share(at(budget, "/spec/maxUnavailable"))),
            least => share(least),
        };
        json!({
            "observedGeneration": at(budget, "/metadata/generation"), "expectedPods": expected,
            "currentHealthy": healthy, "desiredHealthy": desired,
            "disruptionsAllowed": healthy.saturating_sub(desired),
        })
    }

    fn note(&mut self, kind: &'static kinds::Kind, object: &Value, status: Value) {
        if at(object, "/status") != &status {
            let mut changed = object.clone();
            map_at(&mut changed, &[]).insert("status".into(), status);
            self.write(kind, changed);
        }
    }
}
