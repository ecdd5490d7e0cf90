//! A Sidecar of the namespace that the listener's Sidecar stands for, and what becomes of it later.

use super::{WEB, World};
use meshscrape::problems::Code;
use serde_json::{Value, json};

const WIDE: &str = r#"
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: shop}
spec: {egress: [{hosts: ["./*", "istio-system/*"]}], outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
"#;

fn ours(world: &World) -> Value {
    let found = world.simulation.object("Sidecar", "shop", "meshscrape-web");
    found.expect("our Sidecar")["spec"].clone()
}

fn theirs(egress: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
        "metadata": {"name": "default", "namespace": "shop"},
        "spec": {"egress": [{"hosts": egress}], "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}},
    })
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_namespaces_sidecar_is_told_when_it_is_stale_and_an_apply_updates_it() {
    let world = World::of(&format!("{WEB}---{WIDE}"));
    let apply = || world.call("apply -w shop/Deployment/web --yes --lose-history");
    assert_eq!(apply().await.told().0, 0);
    let spec = ours(&world);
    assert_eq!(
        spec["egress"],
        json!([{"hosts": ["./*", "istio-system/*"]}])
    );
    assert_eq!(spec["outboundTrafficPolicy"]["mode"], "REGISTRY_ONLY");
    let check = || async { world.call("check -n shop --json").await.out };
    crate::absent(Code::SidecarCopyStale, &check().await);
    world.simulation.put(theirs(json!(["./*"])));
    let found: Value = serde_json::from_str(&check().await).expect("JSON");
    let problems = found["problems"].as_array().expect("problems");
    let stale = problems
        .iter()
        .find(|one| one["name"] == "SidecarCopyStale")
        .unwrap_or_else(|| panic!("{found}"));
    assert_eq!(stale["evidence"]["fields"], json!(["egress"]));
    assert_eq!(stale["evidence"]["sidecar"]["name"], "default");
    let command = "meshscrape plan -w shop/Deployment/web";
    assert_eq!(stale["remedy"]["command"], command);
    assert_eq!(apply().await.told().0, 0);
    assert_eq!(ours(&world)["egress"], json!([{"hosts": ["./*"]}]));
    crate::absent(Code::SidecarCopyStale, &check().await);
}
