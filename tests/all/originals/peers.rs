use super::read::{Peers, ROOT, answers, cases};
use meshscrape::mesh::MtlsMode;
use meshscrape::mesh::objects::{Labels, PeerAuthentication, Sidecar};
use meshscrape::reach::{mtls, sidecar};
use serde_json::Value;

fn of_kind<T: serde::de::DeserializeOwned>(
    objects: &[Value],
    kind: &str,
    namespace: &str,
) -> Vec<T> {
    let own = objects.iter();
    let own =
        own.filter(|object| object["kind"] == kind && object["metadata"]["namespace"] == namespace);
    own.map(|object| {
        let mut object = object.clone();
        // As many seconds later as it was made.
        let wave = object["wave"].as_u64().unwrap_or_default();
        object["metadata"]["creationTimestamp"] = format!("2026-01-01T00:00:0{wave}Z").into();
        serde_json::from_value(object).unwrap()
    })
    .collect()
}

#[test]
fn ports_answer_as_the_rules_of_peers_and_sidecars_say() {
    let Peers { cases } = cases("peers");
    let recorded = answers("peers");
    let labels = Labels::from([("app".into(), "door".into())]);
    let mut different = Vec::new();
    for case in &cases {
        let objects = case.objects("shop");
        let here: Vec<PeerAuthentication> = of_kind(&objects, "PeerAuthentication", "shop");
        let root: Vec<PeerAuthentication> = of_kind(&objects, "PeerAuthentication", ROOT);
        let sidecars: Vec<Sidecar> = of_kind(&objects, "Sidecar", "shop");
        let mesh_wide: Vec<Sidecar> = of_kind(&objects, "Sidecar", ROOT);
        let governing =
            sidecar::governing(&sidecars, Ok::<_, ()>(&mesh_wide[..]), &labels).unwrap();
        let ours: Vec<String> = [15091_u64, 15092]
            .iter()
            .map(|port| {
                let listed = governing
                    .and_then(|one| one.spec["ingress"].as_array())
                    .is_some_and(|all| all.iter().any(|entry| entry["port"]["number"] == *port));
                if !listed {
                    return "nothing".to_owned();
                }
                let number = port.to_string();
                let (mode, _) =
                    mtls::of_port(&here, Ok::<_, ()>(&root[..]), false, &labels, &number).unwrap();
                match mode {
                    MtlsMode::Strict => "mtls istio",
                    MtlsMode::Permissive => "plain istio",
                    MtlsMode::Disable => "plain",
                }
                .to_owned()
            })
            .collect();
        let real = recorded.get(&case.name);
        if real != Some(&ours) {
            different.push(format!("{}: {real:?}, by the rule {ours:?}", case.name));
        }
    }
    assert!(cases.len() >= 20);
    assert_eq!(recorded.len(), cases.len(), "what is recorded");
    assert!(different.is_empty(), "{}", different.join("\n"));
}
