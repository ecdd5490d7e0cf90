//! A Prometheus that the operator makes from a resource, found by the owner's uid.

use super::*;
use crate::mesh::{ConfigHome, OwnerTool};
use crate::problems::Code;
use crate::problems::tests::absent;

fn operated(uid: &str, spec: &str) -> Prometheus {
    let mesh = shop(&format!(
        "
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {{name: k8s, namespace: monitoring, uid: u1}}
spec: {{{spec}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: prometheus-k8s
  namespace: monitoring
  ownerReferences: [{{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, name: k8s, uid: {uid}, controller: true}}]
spec:
  template:
    spec:
      containers:
      - {{name: prometheus, image: 'quay.io/prometheus/prometheus:v3.10.0', args: [--config.file=/etc/prometheus/config_out/prometheus.env.yaml]}}
"
    ));
    let mut all = mesh.prometheus_servers.iter();
    let found = all.find(|of| of.id.namespace == "monitoring");
    Prometheus::clone(found.expect("a Prometheus"))
}

#[test]
fn its_resource_says_where_it_is_written() {
    let named = operated(
        "u1",
        "additionalScrapeConfigs: {name: more, key: jobs.yaml}",
    );
    assert!(named.obstacles.is_empty(), "{:?}", named.obstacles);
    assert_eq!(named.owner, None);
    let config = named.config.as_ref().expect("a configuration");
    assert!(matches!(&config.home, ConfigHome::Added(secret) if secret.name == "more"));
    assert_eq!(named.pod_object().kind, Kind::OperatorPrometheus);
    absent(Code::OperatorPaused, named.obstacles.clone());
    absent(Code::Sharded, named.obstacles);
    let none = operated("u1", "shards: 1");
    let config = none.config.as_ref().expect("a configuration");
    assert!(matches!(&config.home, ConfigHome::New(_)));
}

#[test]
fn another_resource_of_that_name_is_not_its_own() {
    let other = operated("u2", "");
    assert_eq!(other.owner.map(|of| of.tool), Some(OwnerTool::Operator));
    assert_eq!(other.config, None);
}

#[test]
fn what_would_not_reach_its_pods_is_said() {
    for (spec, code) in [
        ("paused: true", Code::OperatorPaused),
        ("shards: 2", Code::Sharded),
    ] {
        let found = operated("u1", spec).obstacles;
        assert_eq!(found.iter().map(|of| of.code()).collect::<Vec<_>>(), [code]);
    }
}
