//! What stands on the path to port 15091: policies, EnvoyFilters, NetworkPolicies and settings of the mesh.

use super::{WEB, World};
use serde_json::Value;

/// Notes at the changes of a plan, and of the plan.
fn notes(plan: &Value) -> String {
    assert!(plan["changes"].is_array(), "{plan}");
    plan.to_string()
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
        "{rules: [{to: [{operation: {ports: ['8080']}}]}]}",
    ] {
        let words = refused(&policy(spec)).await;
        assert!(words.contains("shop/theirs"), "{spec}: {words}");
    }
    for spec in [
        "{rules: [{}]}",
        "{rules: [{from: [{source: {namespaces: [istio-system]}}]}]}",
        "{action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]}",
        "{action: DENY, rules: [{to: [{operation: {ports: ['8080']}}]}]}",
    ] {
        let plan = plan(&policy(spec)).await;
        assert!(!notes(&plan).contains("shop/theirs"), "{spec}: {plan}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_rests_on_what_is_not_known_is_named() {
    let by_address = "{action: DENY, rules: [{from: [{source: {notIpBlocks: [10.9.0.0/16]}}]}]}";
    let plan = plan(&policy(by_address)).await;
    assert!(notes(&plan).contains("shop/theirs"), "{plan}");
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
    let said = notes(&touching);
    assert!(
        said.contains("shop/bucket") && said.contains("portNumber"),
        "{said}"
    );
    for apart in [
        "{context: SIDECAR_INBOUND, listener: {portNumber: 8080}}",
        "{context: SIDECAR_OUTBOUND}",
        "{context: GATEWAY}",
    ] {
        let plan = plan(&filter(apart)).await;
        assert!(!notes(&plan).contains("shop/bucket"), "{apart}: {plan}");
    }
}

#[tokio::test(start_paused = true)]
async fn network_policies_that_would_stop_a_scrape_are_a_risk() {
    let app_only = "{podSelector: {}, ingress: [{ports: [{port: 8080}]}]}";
    let named = |plan: &Value| notes(plan).contains("NetworkPolicy shop/fence");
    assert!(named(&plan(&network("shop", app_only)).await));
    let here = "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: istio-system}}}]}]}";
    assert!(!named(&plan(&network("shop", here)).await));
    let out = "{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 443}]}]}";
    let plan = plan(&network("istio-system", out)).await;
    assert!(
        notes(&plan).contains("NetworkPolicy istio-system/fence"),
        "{plan}"
    );
}

#[tokio::test(start_paused = true)]
async fn policies_of_other_vendors_are_said_to_be_there() {
    let cilium = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: c, namespace: shop}, spec: {}}";
    assert!(notes(&plan(cilium).await).contains("CiliumNetworkPolicy"));
    assert!(!notes(&plan("").await).contains("CiliumNetworkPolicy"));
}
