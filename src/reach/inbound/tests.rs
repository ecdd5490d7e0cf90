use super::*;
use serde_json::json;

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

fn service(name: &str, created: &str, ports: Value) -> Service {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created},
        "spec": {"ports": ports},
    }))
    .expect("a Service")
}

fn entry(name: &str, created: &str, spec: Value) -> ServiceEntry {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created},
        "spec": spec,
    }))
    .expect("a ServiceEntry")
}

fn container(ports: Value) -> Vec<ContainerPort> {
    serde_json::from_value(ports).expect("ports")
}

/// Target, protocol and object of what counts for each container port.
fn counted(ports: &[ServicePort]) -> Vec<(u16, Protocol, &str)> {
    by_target(ports)
        .into_iter()
        .map(|(target, ports)| (target, ports[0].protocol, ports[0].service.as_str()))
        .collect()
}

const OLD: &str = "2024-01-01T00:00:00Z";
const NEW: &str = "2026-01-01T00:00:00Z";

#[test]
fn protocols_as_istiod_reads_them() {
    use Protocol::*;
    for (port, name, transport, app, read) in [
        (80, "http", "TCP", None, Http),
        (80, "http-web", "TCP", None, Http),
        (80, "HTTP-web", "TCP", None, Http),
        (80, "web-http", "TCP", None, Detected),
        (80, "httpweb", "TCP", None, Detected),
        (80, "", "TCP", None, Detected),
        (80, "grpc", "TCP", None, Grpc),
        (80, "grpc-web", "TCP", None, GrpcWeb),
        (80, "grpc-webhook", "TCP", None, GrpcWeb),
        (80, "grpc-api", "TCP", None, Grpc),
        (80, "mongo-x", "TCP", None, Mongo),
        (80, "mysql", "TCP", None, MySql),
        (80, "redis-a-b", "TCP", None, Redis),
        (443, "https", "TCP", None, Https),
        (443, "tls-x", "TCP", None, Tls),
        (80, "udp-x", "TCP", None, Udp),
        // appProtocol stands before the name, by its prefix too.
        (81, "tcp-odd", "TCP", Some("http-foo"), Http),
        (81, "http", "TCP", Some("tcp"), Tcp),
        (81, "http", "TCP", Some("example.com/own"), Detected),
        (81, "http", "TCP", Some(""), Detected),
        (81, "", "TCP", Some("kubernetes.io/h2c"), Http2),
        (81, "", "TCP", Some("kubernetes.io/ws"), Http),
        (81, "", "TCP", Some("kubernetes.io/wss"), Https),
        (81, "", "TCP", Some("Kubernetes.io/H2C"), Detected),
        (81, "", "TCP", Some("http_proxy"), HttpProxy),
        (81, "", "TCP", Some("GRPC"), Grpc),
        // Server-first protocols by the Service's number, where nothing else is said.
        (25, "", "TCP", None, Tcp),
        (53, "dns", "TCP", None, Tcp),
        (3306, "main", "TCP", None, Tcp),
        (27017, "db", "TCP", Some("example.com/own"), Tcp),
        (3306, "http-admin", "TCP", None, Http),
        (3307, "main", "TCP", None, Detected),
        (53, "http", "UDP", None, Udp),
        (80, "http", "UDP", Some("http"), Udp),
        (80, "http", "SCTP", None, Http),
    ] {
        assert_eq!(
            Protocol::of_service_port(port, name, transport, app),
            read,
            "{port} {name:?} {transport} {app:?}"
        );
    }
}

#[test]
fn every_protocol_is_read_back_from_a_sidecar_as_itself() {
    use Protocol::*;
    for protocol in [
        Http, HttpProxy, Http2, Https, Grpc, GrpcWeb, Tcp, Tls, Mongo, Redis, MySql, Detected,
    ] {
        let written = protocol.in_sidecar().unwrap_or_default();
        assert_eq!(Protocol::parse(written), protocol);
    }
    assert!(Udp.same_chain(Tcp));
    assert!(!Detected.same_chain(Tcp));
}

#[test]
fn the_oldest_declaration_counts_declared_or_not() {
    let none = labels([]);
    let pod = Pod {
        name: "p",
        labels: &none,
        ip: None,
        ports: Vec::new(),
    };
    let old = service(
        "zzz",
        OLD,
        json!([{"port": 80, "targetPort": 8080, "name": "web"}]),
    );
    let new = service(
        "aaa",
        NEW,
        json!([{"port": 80, "targetPort": 8080, "name": "tcp-app"}]),
    );
    let found = ports([&new, &old], [], [], &pod);
    assert_eq!(counted(&found), [(8080, Protocol::Detected, "zzz")]);
    let found = ports(
        [
            &old,
            &service(
                "yyy",
                OLD,
                json!([{"port": 1, "targetPort": 8080, "name": "grpc"}]),
            ),
        ],
        [],
        [],
        &pod,
    );
    assert_eq!(counted(&found), [(8080, Protocol::Grpc, "yyy")]);
}

#[test]
fn of_one_second_the_host_decides_and_a_hyphen_comes_before_a_dot() {
    let none = labels([]);
    let pod = Pod {
        name: "p",
        labels: &none,
        ip: None,
        ports: Vec::new(),
    };
    let a = service("a", OLD, json!([{"port": 80, "name": "http"}]));
    let ab = service("a-b", OLD, json!([{"port": 80, "name": "tcp"}]));
    let found = ports([&a, &ab], [], [], &pod);
    assert_eq!(counted(&found), [(80, Protocol::Tcp, "a-b")]);
    let host = entry(
        "x",
        OLD,
        json!({"hosts": ["a-a.example"], "ports": [{"number": 80, "name": "g", "protocol": "GRPC"}]}),
    );
    let found = ports([&a, &ab], [&host], [], &pod);
    assert_eq!(counted(&found), [(80, Protocol::Grpc, "x")]);
}

#[test]
fn within_one_service_its_own_order_stands() {
    let none = labels([]);
    let pod = Pod {
        name: "p",
        labels: &none,
        ip: None,
        ports: Vec::new(),
    };
    let both = service(
        "s",
        OLD,
        json!([
            {"port": 90, "targetPort": 8080, "name": "tcp"}, {"port": 80, "targetPort": 8080, "name": "http"},
        ]),
    );
    assert_eq!(
        counted(&ports([&both], [], [], &pod)),
        [(8080, Protocol::Tcp, "s")]
    );
}

#[test]
fn names_are_looked_up_by_transport_and_a_pod_that_lacks_one_has_no_port() {
    let none = labels([]);
    let declared = container(json!([
        {"name": "dns", "containerPort": 5353, "protocol": "UDP"},
        {"name": "dns", "containerPort": 5354},
        {"name": "dns", "containerPort": 5355},
    ]));
    let pod = Pod {
        name: "p",
        labels: &none,
        ip: None,
        ports: declared.iter().collect(),
    };
    let dns = service(
        "dns",
        OLD,
        json!([
            {"port": 53, "targetPort": "dns", "name": "u", "protocol": "UDP"},
            {"port": 53, "targetPort": "dns", "name": "t", "protocol": "TCP"},
            {"port": 80, "targetPort": "absent", "name": "http"},
        ]),
    );
    let found = ports([&dns], [], [], &pod);
    assert_eq!(
        counted(&found),
        [(5353, Protocol::Udp, "dns"), (5354, Protocol::Tcp, "dns")]
    );
    assert_eq!(found.iter().filter(|port| port.target.is_none()).count(), 1);
}

#[test]
fn only_native_sidecars_among_init_containers_count() {
    let spec: LeanPodSpec = serde_json::from_value(json!({
        "containers": [{"name": "app", "ports": [{"name": "a", "containerPort": 1}]}],
        "initContainers": [
            {"name": "migrate", "ports": [{"name": "b", "containerPort": 2}]},
            {"name": "side", "restartPolicy": "Always", "ports": [{"name": "c", "containerPort": 3}]},
        ],
    }))
    .expect("a spec");
    let numbers: Vec<u16> = named_ports(&spec)
        .iter()
        .map(|port| port.container_port)
        .collect();
    assert_eq!(numbers, [1, 3]);
}

#[test]
fn a_service_entry_leads_to_the_pods_named_port_before_its_own_target() {
    let none = labels([]);
    let declared = container(json!([{"name": "grpc", "containerPort": 50051}]));
    let pod = Pod {
        name: "p",
        labels: &none,
        ip: Some("10.0.0.9"),
        ports: declared.iter().collect(),
    };
    let spec = json!({"hosts": ["x.example"], "ports": [
        {"number": 9443, "name": "grpc", "protocol": "GRPC", "targetPort": 9000},
        {"number": 9444, "name": "web", "protocol": "http", "targetPort": 9001},
        {"number": 3306, "name": "db"},
    ]});
    let found = ports([], [&entry("x", OLD, spec)], [], &pod);
    assert_eq!(
        counted(&found),
        [
            // No well-known numbers in a ServiceEntry.
            (3306, Protocol::Detected, "x"),
            (9001, Protocol::Http, "x"),
            (50051, Protocol::Grpc, "x"),
        ]
    );
}

#[test]
fn a_service_entry_that_lists_the_pods_address_goes_by_its_own_ports() {
    let none = labels([]);
    let declared = container(json!([{"name": "grpc", "containerPort": 50051}]));
    let pod = Pod {
        name: "p",
        labels: &none,
        ip: Some("10.0.0.9"),
        ports: declared.iter().collect(),
    };
    let listing = entry(
        "x",
        OLD,
        json!({"hosts": ["x.example"],
        "ports": [{"number": 9443, "name": "grpc", "protocol": "TCP"}],
        "endpoints": [{"address": "10.0.0.8", "ports": {"grpc": 1}}, {"address": "10.0.0.9", "ports": {"grpc": 2}}]}),
    );
    assert_eq!(
        counted(&ports([], [], [&listing], &pod)),
        [(2, Protocol::Tcp, "x")]
    );
}

#[test]
fn where_envoy_listens_itself_istiod_makes_no_chain() {
    let none = labels([]);
    let pod = Pod {
        name: "p",
        labels: &none,
        ip: None,
        ports: Vec::new(),
    };
    let all = service(
        "s",
        OLD,
        json!([
            {"port": 15001}, {"port": 15006}, {"port": 15020}, {"port": 15021}, {"port": 15090},
        ]),
    );
    assert_eq!(
        counted(&ports([&all], [], [], &pod)),
        [(15020, Protocol::Detected, "s")]
    );
}

fn one(target: u16, protocol: Protocol, service: &str, created: &str) -> ServicePort {
    ServicePort {
        kind: Kind::Service,
        service: service.into(),
        created: created.parse().ok(),
        host: format!("{service}.shop.svc.cluster.local"),
        port: target,
        target: Some(target),
        name: None,
        protocol,
    }
}

#[test]
fn pods_that_differ_have_their_ports_together() {
    let mut all = Inbound::default();
    all.add(
        "p-0",
        vec![
            one(1, Protocol::Tcp, "a", OLD),
            one(2, Protocol::Http, "a", OLD),
        ],
    );
    all.add(
        "p-1",
        vec![
            one(2, Protocol::Http, "b", NEW),
            one(3, Protocol::Grpc, "b", NEW),
        ],
    );
    assert!(all.contradictions.is_empty());
    assert_eq!(
        counted(&all.ports),
        [
            (1, Protocol::Tcp, "a"),
            (2, Protocol::Http, "a"),
            (3, Protocol::Grpc, "b")
        ]
    );
}

#[test]
fn pods_that_contradict_each_other_are_told_once() {
    let mut all = Inbound::default();
    all.add(
        "p-0",
        vec![
            one(1, Protocol::Tcp, "primary", OLD),
            one(1, Protocol::Detected, "all", NEW),
        ],
    );
    all.add("p-1", vec![one(1, Protocol::Detected, "all", NEW)]);
    all.add("p-2", vec![one(1, Protocol::Detected, "all", NEW)]);
    let [only] = &all.contradictions[..] else {
        panic!("{:?}", all.contradictions)
    };
    assert_eq!(
        (only.target, only.one.0.as_str(), only.other.0.as_str()),
        (1, "p-0", "p-1")
    );
}

#[test]
fn a_pod_to_come_adds_what_is_new_and_contradicts_nobody() {
    let mut all = Inbound::default();
    all.add("p-0", vec![one(1, Protocol::Tcp, "primary", OLD)]);
    all.add_future(vec![
        one(1, Protocol::Detected, "older", "2020-01-01T00:00:00Z"),
        one(2, Protocol::Http, "all", NEW),
    ]);
    assert!(all.contradictions.is_empty());
    assert_eq!(
        counted(&all.ports),
        [(1, Protocol::Tcp, "primary"), (2, Protocol::Http, "all")]
    );
}

#[test]
fn a_name_that_one_pod_knows_is_known() {
    let unknown = ServicePort {
        target: None,
        ..one(1, Protocol::Tcp, "a", OLD)
    };
    let mut all = Inbound::default();
    all.add("p-0", vec![unknown.clone()]);
    all.add("p-1", vec![one(1, Protocol::Tcp, "a", OLD)]);
    assert_eq!(all.settled().ports.len(), 1);
    let mut all = Inbound::default();
    all.add("p-0", vec![unknown]);
    assert_eq!(all.settled().ports[0].target, None);
}
