//! What stands on the path to port 15091: policies, EnvoyFilters, NetworkPolicies and settings of the mesh.

use super::{WEB, World};
use serde_json::{Value, json};

/// The problems at the changes of a plan by this name, without their sentences.
fn found(plan: &Value, name: &str) -> Vec<Value> {
    let changes = plan["changes"].as_array().expect("changes").iter();
    let all = changes.flat_map(|change| change["problems"].as_array().expect("a list"));
    all.filter(|problem| problem["name"] == name)
        .map(|problem| problem["evidence"].clone())
        .collect()
}

/// `KIND/NAMESPACE/NAME` of an object in the evidence.
fn object(of: &Value) -> String {
    let part = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
    [part("kind"), part("namespace"), part("name")].join("/")
}

async fn plan(own: &str) -> Value {
    let world = World::of(&format!("{own}\n---\n{WEB}"));
    world.plan("-w shop/Deployment/web").await
}

async fn refused(own: &str) -> String {
    let world = World::of(&format!("{own}\n---\n{WEB}"));
    let (code, words) = world.call("plan -w shop/Deployment/web").await.told();
    assert!([1, 4].contains(&code), "{words}");
    words
}

fn policy(spec: &str) -> String {
    format!(
        "{{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {{name: theirs, namespace: shop}}, spec: {spec}}}"
    )
}

fn network(namespace: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: fence, namespace: {namespace}}}, spec: {spec}}}"
    )
}

#[tokio::test(start_paused = true)]
async fn policies_that_refuse_prometheus_are_blockers_and_others_are_none() {
    for spec in [
        "{action: DENY, rules: [{from: [{source: {notRequestPrincipals: ['*']}}]}]}",
        "{action: DENY, rules: [{to: [{operation: {notPorts: ['8080']}}]}]}",
        "{action: CUSTOM, provider: {name: gone}, rules: [{}]}",
    ] {
        let words = refused(&policy(spec)).await;
        assert!(words.contains("shop/theirs"), "{spec}: {words}");
    }
    // An ALLOW policy gets a rule, unless it is somebody's who takes it out again.
    let allow = policy("{rules: [{to: [{operation: {ports: ['8080']}}]}]}");
    let rule = plan(&allow).await["changes"].to_string();
    assert!(rule.contains("AuthorizationPolicy/shop/theirs"), "{rule}");
    let owned = allow.replace(
        "{name: theirs,",
        "{name: theirs, labels: {argocd.argoproj.io/instance: shop},",
    );
    let words = refused(&owned).await;
    assert!(words.contains("shop/theirs"), "{words}");
    for spec in [
        "{rules: [{}]}",
        "{rules: [{from: [{source: {namespaces: [istio-system]}}]}]}",
        "{action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]}",
        "{action: DENY, rules: [{to: [{operation: {ports: ['8080']}}]}]}",
    ] {
        let plan = plan(&policy(spec)).await;
        for name in ["PolicyRestsOn", "ProviderDecides"] {
            assert_eq!(found(&plan, name), [] as [Value; 0], "{spec}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_rests_on_what_is_not_known_is_named() {
    let by_address = "{action: DENY, rules: [{from: [{source: {notIpBlocks: [10.9.0.0/16]}}]}]}";
    let plan = plan(&policy(by_address)).await;
    let rests = found(&plan, "PolicyRestsOn");
    assert_eq!(rests.len(), 1, "{plan}");
    assert_eq!(
        object(&rests[0]["policy"]),
        "AuthorizationPolicy/shop/theirs"
    );
    assert_eq!(
        (&rests[0]["rule"], &rests[0]["on"]),
        (&json!(1), &json!("source"))
    );
}

#[tokio::test(start_paused = true)]
async fn filters_that_touch_the_listener_are_named_and_others_are_not() {
    let filter = |matched: &str| {
        format!(
            "{{apiVersion: networking.istio.io/v1alpha3, kind: EnvoyFilter, metadata: {{name: bucket, namespace: shop}}, \
             spec: {{configPatches: [{{applyTo: HTTP_FILTER, match: {matched}, patch: {{operation: INSERT_BEFORE, \
             value: {{name: envoy.filters.http.local_ratelimit}}}}}}]}}}}"
        )
    };
    let touching = plan(&filter("{context: SIDECAR_INBOUND}")).await;
    let filters = found(&touching, "FilterOnSecurePort");
    assert_eq!(filters.len(), 1, "{touching}");
    assert_eq!(object(&filters[0]["filter"]), "EnvoyFilter/shop/bucket");
    assert_eq!(filters[0]["does"], "localRateLimit");
    for apart in [
        "{context: SIDECAR_INBOUND, listener: {portNumber: 8080}}",
        "{context: SIDECAR_OUTBOUND}",
        "{context: GATEWAY}",
    ] {
        let plan = plan(&filter(apart)).await;
        assert_eq!(
            found(&plan, "FilterOnSecurePort"),
            [] as [Value; 0],
            "{apart}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn network_policies_that_would_stop_a_scrape_are_a_risk() {
    let app_only = "{podSelector: {}, ingress: [{ports: [{port: 8080}]}]}";
    let named = |plan: &Value| {
        let stops = found(plan, "NetworkPolicyWouldStop");
        let policies = stops.iter().map(|one| object(&one["policies"][0]));
        let ingress = stops.iter().all(|one| one["egress"] == false);
        ingress && policies.eq(["NetworkPolicy/shop/fence"])
    };
    assert!(named(&plan(&network("shop", app_only)).await));
    let here = "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: istio-system}}}]}]}";
    assert!(!named(&plan(&network("shop", here)).await));
    let out = "{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 443}]}]}";
    let plan = plan(&network("istio-system", out)).await;
    let stops = found(&plan, "NetworkPolicyWouldStop");
    assert_eq!(stops.len(), 1, "{plan}");
    assert_eq!(
        object(&stops[0]["policies"][0]),
        "NetworkPolicy/istio-system/fence"
    );
    assert_eq!(stops[0]["egress"], true);
}

/// Prometheus's address after its restart, and the node's, are not known before.
#[tokio::test(start_paused = true)]
async fn network_policies_that_may_stop_a_scrape_are_named() {
    let range = "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}";
    let plan = plan(&network("shop", range)).await;
    let by_address = found(&plan, "NetworkPolicyByAddress");
    assert_eq!(by_address.len(), 1, "{plan}");
    assert_eq!(object(&by_address[0]["policy"]), "NetworkPolicy/shop/fence");
    assert_eq!(found(&plan, "NetworkPolicyWouldStop"), [] as [Value; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_the_mesh_defines_decides_by_itself() {
    let custom = "{action: CUSTOM, provider: {name: known}, rules: [{}]}";
    let mesh = "{apiVersion: v1, kind: ConfigMap, metadata: {name: istio, namespace: istio-system}, data: {mesh: \"extensionProviders: [{name: known, envoyExtAuthzHttp: {service: authz.shop.svc.cluster.local, port: 8000}}]\"}}";
    let plan = plan(&format!("{mesh}\n---\n{}", policy(custom))).await;
    let asked = found(&plan, "ProviderDecides");
    assert_eq!(asked.len(), 1, "{plan}");
    assert_eq!(asked[0]["provider"], "known");
}

#[tokio::test(start_paused = true)]
async fn policies_of_other_vendors_are_said_to_be_there() {
    let cilium = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: c, namespace: shop}, spec: {}}";
    let kinds = found(&plan(cilium).await, "OtherNetworkPolicies");
    assert_eq!(kinds, [json!({"kinds": ["CiliumNetworkPolicy"]})]);
    assert_eq!(
        found(&plan("").await, "OtherNetworkPolicies"),
        [] as [Value; 0]
    );
}
