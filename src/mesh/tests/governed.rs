use super::Said;
use super::*;
use crate::mesh::kinds::ObjectRef;
use crate::mesh::{MtlsMode, OwnerTool};
use crate::problems::Unmerged;

fn peer(name: &str, namespace: &str, year: u32, spec: &str) -> String {
    format!(
        "
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '{year}-01-01T00:00:00Z'}}
spec: {spec}
"
    )
}

fn source(namespace: &str, name: &str) -> Option<ObjectRef> {
    Some(ObjectRef::new(Kind::PeerAuthentication, namespace, name))
}

#[test]
fn without_any_policy_the_mode_is_permissive() {
    assert_eq!(cart("").mtls, (MtlsMode::Permissive, None));
}

#[test]
fn workload_before_namespace_before_mesh() {
    let mesh_wide = peer("default", "istio-system", 2020, "{mtls: {mode: STRICT}}");
    assert_eq!(
        cart(&mesh_wide).mtls,
        (MtlsMode::Strict, source("istio-system", "default"))
    );
    let both = mesh_wide + &peer("ns", "shop", 2024, "{mtls: {mode: PERMISSIVE}}");
    assert_eq!(
        cart(&both).mtls,
        (MtlsMode::Permissive, source("shop", "ns"))
    );
    let all = both
        + &peer(
            "own",
            "shop",
            2025,
            "{selector: {matchLabels: {app: cart}}, mtls: {mode: DISABLE}}",
        );
    assert_eq!(cart(&all).mtls, (MtlsMode::Disable, source("shop", "own")));
}

#[test]
fn the_oldest_of_several_counts() {
    let two = peer("b", "shop", 2024, "{mtls: {mode: STRICT}}")
        + &peer("a", "shop", 2025, "{mtls: {mode: DISABLE}}");
    assert_eq!(cart(&two).mtls.0, MtlsMode::Strict);
}

#[test]
fn an_unset_mode_is_inherited() {
    let two = peer("default", "istio-system", 2020, "{mtls: {mode: STRICT}}")
        + &peer("ns", "shop", 2024, "{mtls: {mode: UNSET}}");
    assert_eq!(
        cart(&two).mtls,
        (MtlsMode::Strict, source("istio-system", "default"))
    );
}

#[test]
fn namespace_and_mesh_wide_policies_are_no_obstacle() {
    let two = peer("default", "istio-system", 2020, "{mtls: {mode: STRICT}}")
        + &peer("ns", "shop", 2024, "{mtls: {mode: STRICT}}");
    assert!(cart(&two).obstacles.is_empty());
}

const CART: &str = "{selector: {matchLabels: {app: cart}}}";

#[test]
fn the_oldest_with_a_selector_takes_the_port_unless_a_tool_would_revert_it() {
    let two = peer("younger", "shop", 2026, CART) + &peer("own", "shop", 2025, CART);
    let cart = cart(&two);
    assert!(cart.obstacles.is_empty(), "{:?}", cart.obstacles);
    let governs = cart.governed_by.peer_authentication.as_ref();
    assert_eq!(governs.map(|of| of.object.name.as_str()), Some("own"));
    let flux = two.replace(
        "{name: own,",
        "{name: own, labels: {kustomize.toolkit.fluxcd.io/name: apps},",
    );
    let cart = super::cart(&flux);
    assert_eq!(words(&cart.obstacles), ["OwnPeerAuthentication"]);
    assert!(cart.obstacles[0].said().contains("shop/own"));
    // Ours is older: theirs counts for nothing.
    let ours = peer("own", "shop", 2025, CART)
        + &peer(
            "meshscrape-cart, labels: {app.kubernetes.io/managed-by: meshscrape}",
            "shop",
            2024,
            CART,
        );
    assert_eq!(super::cart(&ours).governed_by.peer_authentication, None);
    let other = peer("other", "shop", 2025, &CART.replace("cart", "till"));
    assert_eq!(super::cart(&other).governed_by.peer_authentication, None);
}

#[test]
fn a_selector_in_the_root_namespace_is_ignored_as_istiod_does() {
    let root = peer(
        "own",
        "istio-system",
        2025,
        "{selector: {matchLabels: {app: cart}}, mtls: {mode: DISABLE}}",
    );
    let cart = cart(&root);
    assert_eq!(cart.mtls.0, MtlsMode::Permissive);
    assert!(cart.obstacles.is_empty());
}

#[test]
fn so_a_workload_of_the_root_namespace_cannot_be_secured() {
    let text =
        format!("{ISTIO}{SHOP}").replace("rootNamespace: istio-system", "rootNamespace: shop");
    let cart = workload(&mesh(&text), "shop/Deployment/cart");
    assert_eq!(words(&cart.obstacles), ["InRootNamespace"]);
}

fn sidecar(name: &str, namespace: &str, spec: &str) -> String {
    format!(
        "
---
{{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {{name: {name}, namespace: {namespace}}}, spec: {spec}}}
"
    )
}

const EGRESS: &str = "{egress: [{hosts: ['./*']}]}";

#[test]
fn a_sidecar_governs_by_selector_by_namespace_and_by_mesh() {
    for (name, text) in [
        (
            "shop/own",
            sidecar(
                "own",
                "shop",
                "{workloadSelector: {labels: {app: cart}}, egress: [{hosts: ['./*']}]}",
            ),
        ),
        ("shop/all", sidecar("all", "shop", EGRESS)),
        ("istio-system/mesh", sidecar("mesh", "istio-system", EGRESS)),
    ] {
        let cart = cart(&text);
        assert!(cart.obstacles.is_empty(), "{name}: {:?}", cart.obstacles);
        let [governs] = &cart.governed_by.sidecars[..] else {
            panic!("{name}");
        };
        assert_eq!(governs.object.to_string(), format!("Sidecar {name}"));
        assert_eq!(governs.selects, name == "shop/own");
        assert_eq!(governs.spec["egress"][0]["hosts"][0], "./*");
    }
}

#[test]
fn a_sidecar_that_cannot_be_added_to_is_an_obstacle() {
    let selects = "workloadSelector: {labels: {app: cart}}";
    let own = |name: &str, more: &str| sidecar(name, "shop", &format!("{{{selects}{more}}}"));
    let why = |text: &str| {
        let cart = cart(text);
        let found = cart.obstacles.iter().map(|problem| match problem {
            Problem::OwnSidecar { why, .. } => why.clone(),
            other => panic!("{other:?}"),
        });
        found.collect::<Vec<_>>()
    };
    assert_eq!(why(&own("a", "")), []);
    let two = own("a", "") + &own("b", "");
    assert_eq!(why(&two), [Unmerged::Several, Unmerged::Several]);
    let opened = own("a", ", ingress: [{port: {number: 15091}}]");
    assert_eq!(why(&opened), [Unmerged::OpensPort]);
    let wide = own("a", "").replace("{app: cart}", "{version: v1}");
    assert_eq!(why(&wide), [Unmerged::SelectsMore]);
    let helm = own("a", "").replace(
        "{name: a,",
        "{name: a, labels: {argocd.argoproj.io/instance: shop},",
    );
    let owned = Unmerged::Owned {
        tool: OwnerTool::ArgoCd,
        owner: "shop".into(),
    };
    assert_eq!(why(&helm), [owned]);
    // One of the namespace is copied, and stays as it is.
    let wide = sidecar("a", "shop", EGRESS).replace(
        "{name: a,",
        "{name: a, labels: {argocd.argoproj.io/instance: shop},",
    );
    assert_eq!(why(&wide), []);
}

#[test]
fn a_copy_that_no_longer_says_what_it_stands_for_is_told() {
    let ours = |more: &str| {
        sidecar(
            "meshscrape-cart, labels: {app.kubernetes.io/managed-by: meshscrape}",
            "shop",
            &format!(
                "{{workloadSelector: {{labels: {{app: cart}}}}, ingress: [{{port: {{number: 15091}}, defaultEndpoint: '127.0.0.1:15020'}}]{more}}}"
            ),
        )
    };
    let stale = |text: &str| cart(text).governed_by.stale.clone();
    let wide = sidecar("all", "shop", EGRESS);
    let same = ", egress: [{hosts: ['./*']}]";
    assert_eq!(stale(&(ours(same) + &wide)), [""; 0]);
    assert_eq!(stale(&(ours("") + &wide)), ["egress"]);
    assert_eq!(stale(&ours("")), [""; 0]);
    assert_eq!(stale(&ours(same)), ["egress"]);
    let more = sidecar(
        "all",
        "shop",
        "{egress: [{hosts: ['./*']}], ingress: [{port: {number: 8080}}], outboundTrafficPolicy: {mode: REGISTRY_ONLY}}",
    );
    assert_eq!(
        stale(&(ours(same) + &more)),
        ["outboundTrafficPolicy", "ingress"]
    );
}

#[test]
fn only_the_nearest_sidecar_governs() {
    let three = sidecar(
        "own",
        "shop",
        "{workloadSelector: {labels: {app: cart}}, egress: [{hosts: ['./*']}]}",
    ) + &sidecar("all", "shop", EGRESS)
        + &sidecar("mesh", "istio-system", EGRESS);
    let cart = cart(&three);
    let all = cart.governed_by.sidecars.iter();
    let names: Vec<String> = all.map(|of| of.object.to_string()).collect();
    assert_eq!(names, ["Sidecar shop/own"]);
}

#[test]
fn a_selector_of_the_root_namespace_reaches_no_other_namespace() {
    let text = sidecar(
        "root",
        "istio-system",
        "{workloadSelector: {labels: {app: cart}}}",
    );
    assert!(cart(&text).obstacles.is_empty());
}

#[test]
fn the_published_sidecar_is_a_leftover_and_no_obstacle() {
    let published = sidecar(
        "secure-metrics",
        "shop",
        "{ingress: [{port: {number: 15091, protocol: HTTP, name: http-metrics}, defaultEndpoint: '127.0.0.1:15020'}]}",
    );
    assert!(cart(&published).obstacles.is_empty());
    let with_limits = sidecar(
        "secure-metrics",
        "shop",
        "{ingress: [{port: {number: 15091}}], egress: [{hosts: ['./*']}]}",
    );
    assert_eq!(words(&cart(&with_limits).obstacles), ["OwnSidecar"]);
}

fn policy(namespace: &str, spec: &str) -> String {
    format!(
        "
---
{{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {{name: p, namespace: {namespace}}}, spec: {spec}}}
"
    )
}

#[test]
fn allow_policies_that_refuse_prometheus_are_told() {
    for text in [
        policy(
            "shop",
            "{selector: {matchLabels: {app: cart}}, action: ALLOW, rules: [{to: [{operation: {ports: ['8080']}}]}]}",
        ),
        policy("shop", "{rules: []}"),
        policy("istio-system", "{action: ALLOW}"),
        policy("istio-system", "{selector: {matchLabels: {app: cart}}}"),
    ] {
        let free = cart(&text);
        assert!(free.obstacles.is_empty(), "{text}");
        assert_eq!(free.governed_by.allow_policies.len(), 1, "{text}");
        let owned = text.replace(
            "{name: p,",
            "{name: p, labels: {argocd.argoproj.io/instance: shop},",
        );
        assert_eq!(words(&cart(&owned).obstacles), ["AllowPolicy"], "{text}");
    }
    for text in [
        policy("shop", "{rules: [{}]}"),
        policy("shop", "{rules: [{to: [{operation: {ports: ['15091']}}]}]}"),
        policy("shop", "{action: DENY}"),
        policy("shop", "{action: CUSTOM}"),
        policy("bank", "{action: ALLOW}"),
        policy("shop", "{selector: {matchLabels: {app: till}}}"),
        policy(
            "shop",
            "{targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: w}]}",
        ),
    ] {
        assert!(cart(&text).obstacles.is_empty(), "{text}");
        assert!(cart(&text).governed_by.allow_policies.is_empty(), "{text}");
    }
}

fn filter(namespace: &str, route: &str) -> String {
    format!(
        "
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: limit, namespace: {namespace}}}
spec: {{configPatches: [{{applyTo: HTTP_ROUTE, match: {{context: SIDECAR_INBOUND, routeConfiguration: {route}}}}}]}}
"
    )
}

#[test]
fn envoy_filters_on_names_that_change_are_found() {
    for text in [
        filter("shop", "{vhost: {name: 'inbound|http|8000'}}"),
        filter("istio-system", "{name: 'inbound|8000||'}"),
    ] {
        assert_eq!(cart(&text).envoy_filters.len(), 1, "{text}");
    }
    for text in [
        filter("shop", "{vhost: {name: 'inbound|http|8080'}}"),
        filter("shop", "{name: 'outbound|8000||x'}"),
        filter("bank", "{vhost: {name: 'inbound|http|8000'}}"),
    ] {
        assert!(cart(&text).envoy_filters.is_empty(), "{text}");
    }
}

#[test]
fn a_port_of_its_own_name_keeps_its_filter() {
    let text = format!("{ISTIO}{SHOP}").replace("port: 8000", "port: 8080");
    let found = mesh(&(text + &filter("shop", "{vhost: {name: 'inbound|http|8080'}}")));
    assert!(
        workload(&found, "shop/Deployment/cart")
            .envoy_filters
            .is_empty()
    );
}

fn annotated(annotations: &str) -> Arc<Workload> {
    let text = format!("{ISTIO}{SHOP}").replace(
        "metadata: {labels: {app: cart, version: v1}}",
        &format!(
            "metadata: {{labels: {{app: cart, version: v1}}, annotations: {{{annotations}}}}}"
        ),
    );
    workload(&mesh(&text), "shop/Deployment/cart")
}

#[test]
fn a_listener_that_no_traffic_would_reach_is_an_obstacle() {
    for text in [
        "traffic.sidecar.istio.io/includeInboundPorts: '8080,9090'",
        "traffic.sidecar.istio.io/includeInboundPorts: ''",
        "traffic.sidecar.istio.io/excludeInboundPorts: '9, 15091'",
        "sidecar.istio.io/interceptionMode: NONE",
    ] {
        assert_eq!(
            words(&annotated(text).obstacles),
            ["PortNotCaptured"],
            "{text}"
        );
    }
    for text in [
        "traffic.sidecar.istio.io/includeInboundPorts: '*'",
        "traffic.sidecar.istio.io/includeInboundPorts: '8080,15091'",
        "traffic.sidecar.istio.io/excludeInboundPorts: '9'",
    ] {
        assert!(annotated(text).obstacles.is_empty(), "{text}");
    }
}

#[test]
fn native_secure_ports_stand_in_the_way() {
    let own =
        annotated("proxy.istio.io/config: 'proxyMetadata: {ENVOY_SECURE_METRICS_PORT: \"15091\"}'");
    assert_eq!(words(&own.obstacles), ["NativePort"]);
    let text = format!("{ISTIO}{SHOP}").replace(
        "'rootNamespace: istio-system'",
        "'{rootNamespace: istio-system, defaultConfig: {proxyMetadata: {ENVOY_SECURE_MERGED_METRICS_PORT: \"15092\"}}}'",
    );
    let mesh_wide = workload(&mesh(&text), "shop/Deployment/cart");
    assert_eq!(words(&mesh_wide.obstacles), ["NativePort"]);
}

#[test]
fn policies_that_deny_the_port_are_obstacles() {
    let identity = "cluster.local/ns/mon/sa/prometheus";
    for text in [
        policy("shop", "{action: DENY, rules: [{}]}"),
        policy(
            "shop",
            "{action: DENY, rules: [{to: [{operation: {notPorts: ['8080']}}]}]}",
        ),
        policy(
            "istio-system",
            "{action: DENY, rules: [{from: [{source: {notRequestPrincipals: ['*']}}]}]}",
        ),
        policy(
            "shop",
            "{action: CUSTOM, provider: {name: gone}, rules: [{}]}",
        ),
    ] {
        let cart = cart(&text);
        let found = &cart.obstacles;
        let refuses = ["PolicyDenies", "ProviderNotDefined"];
        assert!(
            matches!(words(found)[..], [word] if refuses.contains(&word)),
            "{text}: {found:?}"
        );
    }
    for text in [
        policy(
            "shop",
            "{action: DENY, rules: [{to: [{operation: {ports: ['8080']}}]}]}",
        ),
        policy(
            "shop",
            "{action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]}",
        ),
        // It rests on who asks.
        policy(
            "shop",
            &format!(
                "{{action: DENY, rules: [{{from: [{{source: {{notPrincipals: [{identity}]}}}}]}}]}}"
            ),
        ),
    ] {
        assert!(cart(&text).obstacles.is_empty(), "{text}");
    }
}
