use super::read::{answers, cases};
use meshscrape::mesh::objects::{ContainerPort, Labels, NetworkPolicy};
use meshscrape::reach::Verdict;
use meshscrape::reach::network::{Connection, End, lets};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    policies: Vec<Value>,
}

fn policy(spec: &Value) -> NetworkPolicy {
    let namespace = spec["namespace"].as_str().unwrap_or("shop");
    serde_json::from_value(json!({"metadata": {"name": "n", "namespace": namespace}, "spec": spec}))
        .unwrap()
}

fn labels(of: &[(&str, &str)]) -> Labels {
    of.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
}

#[test]
fn network_policies_let_through_what_the_engine_lets_through() {
    let Cases { cases } = cases("network");
    let recorded = answers("network");
    let port = |name: &str, number, protocol: &str| ContainerPort {
        name: Some(name.into()),
        container_port: number,
        protocol: Some(protocol.into()),
    };
    let ports = [
        port("http", 8080, "TCP"),
        port("secure", 15091, "TCP"),
        port("dns", 15091, "UDP"),
    ];
    let (mon, shop) = (labels(&[("team", "obs")]), labels(&[("env", "prod")]));
    let prometheus = labels(&[("app", "prometheus"), ("team", "obs")]);
    let web = labels(&[("app", "web"), ("tier", "front")]);
    let connection = Connection {
        from: End {
            namespace: "mon",
            namespace_labels: &mon,
            labels: &prometheus,
            address: "10.1.1.10".parse().ok(),
            ports: &[],
            host_network: false,
        },
        to: End {
            namespace: "shop",
            namespace_labels: &shop,
            labels: &web,
            address: "10.1.2.20".parse().ok(),
            ports: &ports,
            host_network: false,
        },
        port: 15091,
    };
    let mut different = Vec::new();
    for case in &cases {
        let policies: Vec<_> = case.policies.iter().map(policy).collect();
        let ours = lets(&policies, &[], &connection);
        let said = match &ours {
            Verdict::Holds(_) => "in",
            Verdict::Broken(_) => "out",
            Verdict::Unknown(_) => "unknown",
        };
        let real = recorded.get(&case.name).map(|all| all.join(" "));
        if real.as_deref() != Some(said) {
            different.push(format!("{}: {real:?}, by the rule {ours:?}", case.name));
        }
    }
    assert!(cases.len() >= 40);
    assert_eq!(recorded.len(), cases.len(), "what is recorded");
    assert!(different.is_empty(), "{}", different.join("\n"));
}
