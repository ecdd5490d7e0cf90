use super::read::{Injection, answers, cases, hooks};
use meshscrape::mesh::objects::{Labels, Selector};
use meshscrape::reach::Verdict;
use meshscrape::reach::injection::{Hook, Pod, decide};
use meshscrape::reach::injector::Policy;

#[test]
fn the_injector_gives_sidecars_where_the_rules_say() {
    let Injection { policies } = cases("injection");
    let recorded = answers("injection");
    let all: Vec<(Option<String>, Selector, Selector)> = hooks()
        .into_iter()
        .map(|hook| {
            (
                hook["revision"].as_str().map(str::to_owned),
                serde_json::from_value(hook["namespaceSelector"].clone()).unwrap(),
                serde_json::from_value(hook["objectSelector"].clone()).unwrap(),
            )
        })
        .collect();
    let hooks: Vec<Hook<'_>> = all
        .iter()
        .map(|(revision, namespaces, objects)| Hook {
            revision: revision.as_deref(),
            namespaces,
            objects,
        })
        .collect();
    assert!(hooks.len() >= 6, "webhooks of the revision and of the tag");
    let mut different = Vec::new();
    let mut count = 0;
    for set in &policies {
        let policy: Policy = serde_json::from_value(set.policy.clone()).unwrap();
        for case in &set.cases {
            count += 1;
            let namespace_labels: Labels = case.namespace.clone();
            let pod = Pod {
                namespace: case.place.as_deref().unwrap_or("shop"),
                namespace_labels: &namespace_labels,
                labels: &case.labels,
                annotations: &case.annotations,
                host_network: case.host_network,
            };
            let ours = decide(Some(&hooks), |_| Some(&policy), &pod);
            let said = match &ours {
                Verdict::Holds(_) => "sidecar",
                Verdict::Broken(_) => "none",
                Verdict::Unknown(_) => "unknown",
            };
            let real = recorded.get(&case.name).map(|all| all.join(" "));
            if real.as_deref() != Some(said) {
                different.push(format!("{}: {real:?}, by the rule {ours:?}", case.name));
            }
        }
    }
    assert!(count >= 40);
    assert_eq!(recorded.len(), count, "what is recorded");
    assert!(different.is_empty(), "{}", different.join("\n"));
}
