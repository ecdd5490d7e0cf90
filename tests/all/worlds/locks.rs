//! Two runs at once: one lock for the cluster, locks of older versions, a machine that slept.

use super::{WEB, World};
use meshscrape::engine::session::Clock;
use meshscrape::words::say::engine as say;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::AbortHandle;

/// A second Prometheus, outside Istio's root namespace.
const SECOND: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: monitoring}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prometheus, namespace: monitoring}
data:
  prometheus.yml: |
    scrape_configs:
    - job_name: kubernetes-pods
      kubernetes_sd_configs: [{role: pod}]
      relabel_configs:
      - {action: keep, regex: true, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]}
      - {action: replace, regex: (.+), source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path], target_label: __metrics_path__}
      - {action: replace, regex: '(\d+);((([0-9]+?)(\.|$)){4})', replacement: $2:$1, source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_port, __meta_kubernetes_pod_ip], target_label: __address__}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: prometheus, namespace: monitoring}
spec:
  selector: {matchLabels: {app: prometheus}}
  template:
    metadata: {labels: {app: prometheus}}
    spec:
      serviceAccountName: prometheus
      containers:
      - name: reload
        image: example.org/prometheus-config-reloader:v1
        args: [--watched-dir=/etc/config, "--reload-url=http://localhost:9090/-/reload"]
        volumeMounts: [{name: config, mountPath: /etc/config}]
      - name: prometheus
        image: docker.io/prom/prometheus:v3.10.0
        args: [--config.file=/etc/config/prometheus.yml, --storage.tsdb.path=/data, --web.enable-lifecycle]
        ports: [{containerPort: 9090}]
        volumeMounts: [{name: config, mountPath: /etc/config}, {name: data, mountPath: /data}]
      volumes:
      - {name: config, configMap: {name: prometheus}}
      - {name: data, persistentVolumeClaim: {claimName: prometheus}}
"#;

const ROOT: &str = "istio-system";
const THEIRS: &str = "ada@elsewhere/7";
const IN_MONITORING: &str = "-w shop/Deployment/web --prometheus monitoring/Deployment/prometheus";
const IN_ROOT: &str = "-w shop/Deployment/web --prometheus istio-system/Deployment/prometheus";

fn world() -> World {
    World::of(&format!("{WEB}\n---\n{SECOND}"))
}

fn lease(namespace: &str, renewed: u64) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "meshscrape", "namespace": namespace},
        "spec": {"holderIdentity": THEIRS, "leaseDurationSeconds": 30,
            "acquireTime": "2001-01-01T00:00:00.000000Z",
            "renewTime": format!("2001-01-01T00:00:{:02}.000000Z", renewed % 60)},
    })
}

/// Ada's run is at work: her lock there is renewed.
fn at_work(world: &World, namespace: &'static str) -> AbortHandle {
    let simulation = world.simulation.clone();
    simulation.put(lease(namespace, 0));
    let renewing = tokio::spawn(async move {
        for at in 1.. {
            tokio::time::sleep(Duration::from_secs(10)).await;
            simulation.put(lease(namespace, at));
        }
    });
    renewing.abort_handle()
}

/// Where a lock of this program stood during the run.
fn locks_seen(world: &World) -> Arc<Mutex<Vec<String>>> {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let found = Arc::clone(&seen);
    world.simulation.on_write(Box::new(move |simulation| {
        for lease in simulation.objects("Lease", "") {
            let place = lease["metadata"]["namespace"].as_str().unwrap().to_owned();
            let mut found = found.lock().unwrap();
            if !found.contains(&place) {
                found.push(place);
            }
        }
    }));
    seen
}

fn is_untouched(world: &World) -> bool {
    ["Sidecar", "PeerAuthentication", "AuthorizationPolicy"]
        .iter()
        .all(|kind| world.simulation.objects(kind, "").is_empty())
}

#[tokio::test(start_paused = true)]
async fn a_run_for_another_prometheus_is_kept_away_by_the_clusters_lock() {
    let world = world();
    let ada = at_work(&world, ROOT);
    let (code, words) = world
        .call(&format!("apply {IN_MONITORING} --yes"))
        .await
        .told();
    ada.abort();
    assert_eq!(code, 4, "{words}");
    assert!(
        words.contains(THEIRS) && words.contains(say::BREAK_ITS_LOCK),
        "{words}"
    );
    assert!(is_untouched(&world), "{words}");
    // Nothing of its own is left behind.
    assert!(
        world
            .simulation
            .object("Lease", "monitoring", "meshscrape")
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn the_lock_of_an_older_version_is_honoured_beside_any_prometheus() {
    for args in [IN_MONITORING, IN_ROOT] {
        let world = world();
        let ada = at_work(&world, "monitoring");
        let (code, words) = world.call(&format!("apply {args} --yes")).await.told();
        ada.abort();
        assert_eq!(code, 4, "{args}: {words}");
        assert!(words.contains(THEIRS), "{words}");
        assert!(is_untouched(&world), "{words}");
        assert!(
            world
                .simulation
                .object("Lease", ROOT, "meshscrape")
                .is_none()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_lock_that_nobody_renews_expires() {
    let world = world();
    world.simulation.put(lease("monitoring", 0));
    let (code, words) = world.call(&format!("apply {IN_ROOT} --yes")).await.told();
    assert_eq!(code, 0, "{words}");
}

#[tokio::test(start_paused = true)]
async fn both_locks_are_shown_and_gone_when_the_run_has_ended() {
    let world = world();
    let plan = world.plan(IN_MONITORING).await;
    let places: Vec<&str> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["kind"] == "Lease")
        .map(|change| change["namespace"].as_str().unwrap())
        .collect();
    assert_eq!(places, [ROOT, "monitoring"], "{plan:#}");
    let seen = locks_seen(&world);
    let (code, words) = world
        .call(&format!("apply {IN_MONITORING} --yes"))
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(*seen.lock().unwrap(), [ROOT, "monitoring"]);
    assert!(world.simulation.objects("Lease", "").is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_the_root_namespace_the_lock_beside_prometheus_serves_and_it_is_said()
{
    let world = world();
    let deny = |verb: &str| {
        let group = "coordination.k8s.io";
        world.simulation.deny(verb, group, "leases", Some(ROOT));
    };
    deny("create");
    let seen = locks_seen(&world);
    let (_, plan) = world.call(&format!("plan {IN_MONITORING}")).await.told();
    assert!(
        plan.contains("outside namespace monitoring are not excluded"),
        "{plan}"
    );
    // What may be read is honoured.
    let ada = at_work(&world, ROOT);
    let (code, words) = world
        .call(&format!("apply {IN_MONITORING} --yes"))
        .await
        .told();
    assert_eq!(code, 4, "{words}");
    assert!(words.contains(THEIRS), "{words}");
    ada.abort();
    world.simulation.remove("Lease", ROOT, "meshscrape");
    seen.lock().unwrap().clear();
    for verb in ["get", "patch", "delete"] {
        deny(verb);
    }
    let (code, words) = world
        .call(&format!("apply {IN_MONITORING} --yes"))
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    assert_eq!(*seen.lock().unwrap(), ["monitoring"]);
}

/// A machine that sleeps when the first policy is written, for an hour.
fn sleeps(world: &mut World, meanwhile: fn(&mut Value)) {
    let slept: &'static AtomicU64 = Box::leak(Box::default());
    world.session.clock = Clock::sleeping(slept);
    world.simulation.on_write(Box::new(move |simulation| {
        let policy = !simulation.objects("PeerAuthentication", "shop").is_empty();
        if policy && slept.swap(3600, Ordering::SeqCst) == 0 {
            let mut lease = simulation.object("Lease", ROOT, "meshscrape").unwrap();
            meanwhile(&mut lease);
            simulation.put(lease);
        }
    }));
}

#[tokio::test(start_paused = true)]
async fn after_a_sleep_longer_than_the_lock_lasts_nothing_is_written_before_a_look() {
    let mut world = World::of(WEB);
    sleeps(&mut world, |lease| {
        lease["spec"]["holderIdentity"] = json!(THEIRS)
    });
    let (code, words) = world
        .call("apply -w shop/Deployment/web --yes")
        .await
        .told();
    assert_eq!(code, 5, "{words}");
    let lost = say::acquired_by_another(&"Lease istio-system/meshscrape");
    assert!(words.contains(&lost), "{words}");
    // The very next write did not go out.
    let policies = world.simulation.objects("AuthorizationPolicy", "shop");
    assert!(policies.is_empty(), "{policies:#?}");
    let theirs = world
        .simulation
        .object("Lease", ROOT, "meshscrape")
        .unwrap();
    assert_eq!(theirs["spec"]["holderIdentity"], THEIRS);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_nobody_took_while_the_machine_slept_is_renewed() {
    let mut world = World::of(WEB);
    sleeps(&mut world, |_| ());
    let (code, words) = world
        .call("apply -w shop/Deployment/web --yes")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    assert!(world.simulation.objects("Lease", "").is_empty());
}

/// The same number and host name, and another PID namespace: it may be at work, and its lock is not taken at once.
#[tokio::test(start_paused = true)]
async fn a_process_of_another_container_is_not_called_dead() {
    for change in [
        |who: &mut meshscrape::plan::record::Who| who.pid_namespace = "1".into(),
        |who: &mut meshscrape::plan::record::Who| who.boot = "of another machine".into(),
        |who: &mut meshscrape::plan::record::Who| who.pid = std::process::id(),
    ] {
        let world = World::of(WEB);
        let mut other = world.session.who.clone();
        other.pid = i32::MAX as u32;
        other.nonce = "another".into();
        change(&mut other);
        let mut standing = lease(ROOT, 0);
        let holder = other.holder();
        standing["spec"]["holderIdentity"] = json!(holder);
        world.simulation.put(standing);
        let (code, words) = world
            .call("apply -w shop/Deployment/web --yes")
            .await
            .told();
        assert_eq!(code, 0, "{words}");
        let holder = meshscrape::plan::holder::shown(&holder);
        let waits = |still| {
            words.contains(&say::lock_of(
                holder,
                still,
                meshscrape::plan::keeping::LOCK_SECONDS.into(),
            ))
        };
        assert!((0..=60).any(waits), "{words}");
    }
}
