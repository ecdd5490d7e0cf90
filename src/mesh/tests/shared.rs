//! Who runs under Prometheus's ServiceAccount besides it.

use super::*;

const MON: &str = "
---
{apiVersion: v1, kind: Namespace, metadata: {name: mon}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: mon, labels: {app: prometheus}}
spec:
  selector: {matchLabels: {app: prometheus}}
  template:
    metadata: {labels: {app: prometheus}}
    spec: {ACCOUNT containers: [{name: prometheus, image: 'prom/prometheus:v3', args: ['--config.file=/etc/p.yml']}]}
---
apiVersion: v1
kind: Pod
metadata: {name: prometheus-66f-x, namespace: mon, labels: {app: prometheus, pod-template-hash: 66f}, ownerReferences: [{kind: ReplicaSet, name: prometheus-66f}]}
spec: {ACCOUNT containers: [{name: prometheus}]}
status: {phase: Running}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: scaled-down, namespace: mon}
spec: {replicas: 0, selector: {matchLabels: {app: x}}, template: {metadata: {labels: {app: x}}, spec: {containers: [{name: a, image: a}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: nightly-1-x, namespace: mon, ownerReferences: [{kind: Job, name: nightly-1}]}
spec: {serviceAccountName: default, containers: [{name: a}]}
status: {phase: Running}
---
apiVersion: v1
kind: Pod
metadata: {name: done, namespace: mon}
spec: {serviceAccountName: default, containers: [{name: a}]}
status: {phase: Succeeded}
---
apiVersion: v1
kind: Pod
metadata: {name: elsewhere, namespace: shop}
spec: {serviceAccountName: default, containers: [{name: a}]}
status: {phase: Running}
";

#[test]
fn an_account_of_the_namespace_is_shared_with_all_that_run_under_it() {
    let default = mesh(&format!("{ISTIO}{}", MON.replace("ACCOUNT ", "")));
    assert_eq!(
        only(&default).shared_with,
        ["Deployment mon/scaled-down", "Job mon/nightly-1"]
    );
    let own = mesh(&format!(
        "{ISTIO}{}",
        MON.replace("ACCOUNT", "serviceAccountName: prometheus,")
    ));
    assert_eq!(only(&own).shared_with, [] as [&str; 0]);
}
