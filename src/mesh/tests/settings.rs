//! The mesh's settings: read, found elsewhere, told, or not known.

use super::super::{NO_SUCH_OBJECT, Told};
use super::*;

fn with_env(domain: &str) -> String {
    let env = format!(
        "name: istio-proxy, env: [{{name: TRUST_DOMAIN, value: {domain}}}, {{name: TOKEN, value: hidden}}]"
    );
    format!("{ISTIO}{}", SHOP.replace("name: istio-proxy", &env))
}

fn known(inventory: &Inventory) -> (Option<String>, Option<String>) {
    let istio = assemble(inventory).istio;
    assert_eq!(
        istio.settings_unread.is_some(),
        istio.trust_domain.is_none() || istio.root_namespace.is_none()
    );
    (istio.trust_domain, istio.root_namespace)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_map_that_may_not_be_read_means_no_default() {
    let mut inventory = inventory(&format!("{ISTIO}{SHOP}"));
    assert!(assemble(&inventory).istio.prometheus_merge);
    assert_eq!(
        known(&inventory),
        (some("cluster.local"), some("istio-system"))
    );
    let key = "istio-system/istio".to_owned();
    inventory
        .config_maps
        .insert(key.clone(), Err("forbidden".into()));
    assert_eq!(known(&inventory), (None, None));
    let why = assemble(&inventory).istio.settings_unread.unwrap();
    assert!(why.contains(&key) && why.contains("forbidden"), "{why}");
    // Whether metrics are merged, the injector tells by what it wrote on pods.
    assert!(assemble(&inventory).istio.prometheus_merge);
    for pod in &mut inventory.pods.items {
        Arc::make_mut(&mut pod.metadata.annotations).remove("prometheus.io/path");
    }
    assert!(!assemble(&inventory).istio.prometheus_merge);
    // What the user says counts then, and only then.
    inventory.told = Told {
        root_namespace: some("mesh"),
        trust_domain: some("corp.example"),
    };
    assert_eq!(known(&inventory), (some("corp.example"), some("mesh")));
    let told = assemble(&inventory);
    absent(Code::SettingsNotRead, crate::problems::of_mesh(&told));
    // None exists beside an istiod: istiod's own defaults.
    inventory
        .config_maps
        .insert(key.clone(), Err(NO_SUCH_OBJECT.into()));
    assert_eq!(
        known(&inventory),
        (some("cluster.local"), some("istio-system"))
    );
    inventory.told = Told::default();
    // One that cannot be understood says nothing.
    let broken = serde_json::json!({"data": {"mesh": "trustDomain: [a"}});
    let broken = serde_json::from_value(broken).unwrap();
    inventory.config_maps.insert(key, Ok(broken));
    assert_eq!(known(&inventory), (None, None));
}

#[test]
fn running_proxies_tell_the_trust_domain_where_they_agree() {
    let key = "istio-system/istio".to_owned();
    let mut agree = inventory(&with_env("corp.example"));
    // The map is nearer to what new pods get than what runs.
    assert_eq!(known(&agree).0, some("cluster.local"));
    agree.config_maps.insert(key, Err("forbidden".into()));
    assert_eq!(known(&agree), (some("corp.example"), None));
    let kept = format!("{:?}", agree.pods.items);
    assert!(!kept.contains("hidden"), "other variables are not kept");
    let last = agree.pods.items.last_mut().unwrap();
    for container in Arc::make_mut(&mut last.spec.containers) {
        container
            .env
            .insert("TRUST_DOMAIN".into(), "other.example".into());
    }
    assert_eq!(known(&agree), (None, None));
}

#[test]
fn control_planes_that_disagree_leave_it_open() {
    let second = "
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod-canary, namespace: istio-system, labels: {app: istiod, istio.io/rev: canary}}
spec: {template: {spec: {containers: [{name: discovery, image: 'docker.io/istio/pilot:1.31.0'}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio-canary, namespace: istio-system}
data: {mesh: 'trustDomain: corp.example'}
";
    let text = format!("{ISTIO}{SHOP}{second}");
    assert_eq!(known(&inventory(&text)), (None, some("istio-system")));
    let same = text.replace("corp.example", "cluster.local");
    assert_eq!(known(&inventory(&same)).0, some("cluster.local"));
}
