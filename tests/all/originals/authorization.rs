use super::read::{Ask, Authorization, DOORS, Decided, ROOT, answers, cases};
use meshscrape::mesh::objects::{AuthorizationPolicy, Labels};
use meshscrape::reach::Verdict;
use meshscrape::reach::authorization::{
    Decision, Ground, Header, Listener, Peer, Pods, Provider, Providers, Request, Told, attaches,
    decide,
};

const ME: &str = "10.1.1.10";
const OTHER: &str = "10.1.1.11";
const DOOR: &str = "10.1.1.20";

fn policies(case: &Decided) -> Vec<AuthorizationPolicy> {
    let places = [
        ("$ME", ME.to_owned()),
        ("$OTHER", OTHER.to_owned()),
        ("$DOOR", DOOR.to_owned()),
        ("$NET", "10.1.1.0/24".to_owned()),
    ];
    let objects = case.objects("0", &places).into_iter();
    objects
        .map(|object| serde_json::from_value(object).unwrap())
        .collect()
}

fn decided(policies: &[AuthorizationPolicy], ask: &Ask) -> Decision {
    let labels = Labels::from([("door".into(), "0".into()), ("app".into(), "door".into())]);
    let pods = Pods {
        namespace: DOORS,
        labels: &labels,
    };
    let own = format!("{DOOR}:{}", ask.port);
    let mut headers: Vec<Header<'_>> = ask
        .headers
        .iter()
        .map(|(name, value)| Header {
            name,
            value: Told::Is(value),
        })
        .collect();
    headers.push(Header {
        name: "x-request-id",
        value: Told::Begins(""),
    });
    let request = Request {
        peer: match ask.who.as_str() {
            "me" => Peer::Mesh("cluster.local/ns/authz-mon/sa/prometheus"),
            "other" => Peer::Mesh("cluster.local/ns/authz-other/sa/other"),
            _ => Peer::Nobody,
        },
        source: match ask.who.as_str() {
            "other" => OTHER.parse().ok(),
            _ => ME.parse().ok(),
        },
        destination: DOOR.parse().ok(),
        port: ask.port,
        method: &ask.method,
        path: &ask.path,
        host: Some(ask.host.as_deref().unwrap_or(&own)),
        sni: Some(""),
        headers: &headers,
        listener: match ask.port {
            15092 => Listener::Tcp,
            _ => Listener::Http,
        },
    };
    let aliases = ["td.old".to_owned()];
    let providers = Providers::from([
        ("asks-http".to_owned(), Provider::Http),
        ("asks-grpc".to_owned(), Provider::Grpc),
    ]);
    let ground = Ground {
        trust_domain: "cluster.local",
        aliases: &aliases,
        providers: Some(&providers),
    };
    let hold = policies
        .iter()
        .filter(|policy| attaches(policy, &pods, ROOT));
    decide(hold, &request, &ground)
}

#[test]
fn policies_decide_as_istiod_and_envoy_do() {
    let Authorization { default, cases } = cases("authorization");
    let recorded = answers("authorization");
    let mut different = Vec::new();
    for case in &cases {
        let policies = policies(case);
        let Some(real) = recorded.get(&case.name) else {
            different.push(format!("{}: not recorded", case.name));
            continue;
        };
        let asks = case.asks(&default);
        assert_eq!(asks.len(), real.len(), "{}", case.name);
        for (ask, real) in asks.iter().zip(real) {
            let ours = decided(&policies, ask);
            let same = match &ours {
                Verdict::Holds(_) => real == "in",
                Verdict::Broken(_) => real == "out",
                Verdict::Unknown(_) => case.unknown.is_some(),
            };
            if !same {
                different.push(format!(
                    "{}: {ask:?}: {real}, by the rule {ours:?}",
                    case.name
                ));
            }
        }
    }
    assert!(cases.len() >= 60);
    assert_eq!(recorded.len(), cases.len(), "what is recorded");
    assert!(different.is_empty(), "{}", different.join("\n"));
}
