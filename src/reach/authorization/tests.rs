use super::super::testing::{labels, meta};
use super::*;
use serde_json::json;

fn policy(spec: Value) -> AuthorizationPolicy {
    AuthorizationPolicy {
        metadata: meta("p", 1),
        spec,
    }
}

#[test]
fn whose_pods_a_policy_speaks_of() {
    let web = labels(&[("app", "web")]);
    let gateway = labels(&[("gateway.networking.k8s.io/gateway-name", "g")]);
    let to = |name: &str| json!({"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name}]});
    let is = |spec, namespace: &str, pod: &Labels| {
        let pods = Pods {
            namespace,
            labels: pod,
        };
        attaches(&policy(spec), &pods, "istio-system")
    };
    assert!(is(json!({}), "shop", &web));
    assert!(!is(json!({}), "other", &web));
    let mut rooted = policy(json!({"selector": {"matchLabels": {"app": "web"}}}));
    rooted.metadata.namespace = "istio-system".into();
    let pods = Pods {
        namespace: "other",
        labels: &web,
    };
    assert!(attaches(&rooted, &pods, "istio-system"));
    assert!(!attaches(&rooted, &pods, "root"));
    let selected = json!({"selector": {"matchLabels": {"app": "web"}}, "targetRefs": []});
    assert!(is(selected, "shop", &web));
    assert!(!is(
        json!({"selector": {"matchLabels": {"app": "cart"}}}),
        "shop",
        &web
    ));
    assert!(!is(to("g"), "shop", &web));
    assert!(is(to("g"), "shop", &gateway));
    assert!(!is(to("h"), "shop", &gateway));
    assert!(is(json!({}), "shop", &gateway));
}

fn scrape(peer: Peer<'static>) -> Request<'static> {
    Request {
        peer,
        source: None,
        destination: None,
        port: 15091,
        method: "GET",
        path: "/stats/prometheus",
        host: None,
        sni: Some(""),
        headers: HEADERS_OF_PROMETHEUS,
        listener: Listener::Http,
    }
}

const ME: Peer<'static> = Peer::Mesh("cluster.local/ns/mon/sa/prometheus");

fn asked(specs: Vec<Value>, request: &Request<'_>, providers: Option<&Providers>) -> Decision {
    let ground = Ground {
        trust_domain: "cluster.local",
        aliases: &[],
        providers,
    };
    let policies: Vec<_> = specs.into_iter().map(policy).collect();
    decide(&policies, request, &ground)
}

#[test]
fn what_is_not_known_decides_only_where_it_counts() {
    let deny = |when: Value| json!({"action": "DENY", "rules": [{"when": [when]}]});
    let ip = json!({"key": "source.ip", "values": ["10.0.0.0/8"]});
    let open = |on: Open| {
        let rule = Rule {
            policy: ObjectRef::new(Kind::AuthorizationPolicy, "shop", "p"),
            rule: 0,
        };
        Verdict::Unknown(Why::Rests { rule, on })
    };
    assert_eq!(
        asked(vec![deny(ip.clone())], &scrape(ME), None),
        open(Open::Source)
    );
    // Another rule refuses for sure.
    let all = json!({"action": "DENY", "rules": [{}]});
    let both = asked(vec![deny(ip.clone()), all], &scrape(ME), None);
    assert!(matches!(both, Verdict::Broken(Refused::Denied(_))));
    // The rule cannot match for another reason.
    let other = json!({"action": "DENY", "rules": [{"when": [ip], "to": [{"operation": {"ports": ["80"]}}]}]});
    assert!(asked(vec![other], &scrape(ME), None).holds());
    let named = json!({"rules": [{"from": [{"source": {"namespaces": ["mon"]}}]}]});
    assert!(asked(vec![named.clone()], &scrape(ME), None).holds());
    let nobody = asked(vec![named.clone()], &scrape(Peer::Nobody), None);
    assert!(matches!(nobody, Verdict::Broken(Refused::NotAllowed(_))));
    assert_eq!(
        asked(vec![named], &scrape(Peer::Unknown), None),
        open(Open::Identity)
    );
    let filter = json!({"key": "experimental.envoy.filters.x[y]", "values": ["z"]});
    let key = Open::Metadata("experimental.envoy.filters.x[y]".into());
    assert_eq!(asked(vec![deny(filter)], &scrape(ME), None), open(key));
    let agent = json!({"key": "request.headers[User-Agent]", "values": ["Prometheus/3*"]});
    let key = Open::Header("user-agent".into());
    assert_eq!(asked(vec![deny(agent)], &scrape(ME), None), open(key));
}

#[test]
fn whom_a_custom_policy_asks() {
    let custom = |name: &str| json!({"action": "CUSTOM", "provider": {"name": name}, "rules": [{"to": [{"operation": {"paths": ["/*"]}}]}]});
    let providers = Providers::from([
        ("http".to_owned(), Provider::Http),
        ("grpc".to_owned(), Provider::Grpc),
    ]);
    let ask = |name: &str, listener| {
        let request = Request {
            listener,
            ..scrape(ME)
        };
        asked(vec![custom(name)], &request, Some(&providers))
    };
    let asks = |decision: &Decision| matches!(decision, Verdict::Unknown(Why::Asks { .. }));
    assert!(asks(&ask("http", Listener::Http)));
    assert!(asks(&ask("grpc", Listener::Http)));
    assert!(asks(&ask("grpc", Listener::Tcp)));
    assert!(ask("http", Listener::Tcp).holds());
    let none = ask("gone", Listener::Http);
    assert!(matches!(none, Verdict::Broken(Refused::NoProvider { .. })));
    let unread = asked(vec![custom("http")], &scrape(ME), None);
    assert!(matches!(unread, Verdict::Unknown(Why::Rests { .. })));
}
