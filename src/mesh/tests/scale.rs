use super::*;
use std::time::{Duration, Instant};

/// 2,000 workloads in 50 namespaces, 5 pods each, with a Service each.
fn large() -> Inventory {
    let mut whole = inventory(ISTIO);
    let template = inventory(SHOP);
    let deployment = &template.workloads[&Kind::Deployment].items[0];
    for at in 0..2000 {
        let namespace = format!("team-{}", at % 50);
        let name = format!("app-{at}");
        let relabel = |labels: &mut lean::Labels| {
            labels.insert("app".to_owned(), name.clone());
            labels.insert("tier".to_owned(), "web".to_owned());
        };
        let mut made = deployment.clone();
        made.metadata.namespace.clone_from(&namespace);
        made.metadata.name.clone_from(&name);
        relabel(&mut made.spec.selector.match_labels);
        relabel(&mut made.spec.template.metadata.labels);
        whole
            .workloads
            .entry(Kind::Deployment)
            .or_default()
            .items
            .push(made);
        let mut service = template.services.items[0].clone();
        service.metadata.namespace.clone_from(&namespace);
        relabel(&mut service.spec.selector);
        whole.services.items.push(service);
        for replica in 0..5 {
            let mut pod = template.pods.items[replica % 2].clone();
            pod.metadata.namespace.clone_from(&namespace);
            pod.metadata.name = format!("{name}-5d9c7b-{replica}");
            Arc::make_mut(&mut pod.metadata.owner_references)[0].name = format!("{name}-5d9c7b");
            relabel(std::sync::Arc::make_mut(&mut pod.metadata.labels));
            whole.pods.items.push(pod);
        }
        if at < 50 {
            let mut one = template.namespaces.items[0].clone();
            one.metadata.name = namespace;
            whole.namespaces.items.push(one);
        }
    }
    whole
}

/// A guard against work that grows with the square of the cluster, which would take minutes; no benchmark, so the
/// deadline leaves room for a machine with other work.
#[test]
fn ten_thousand_pods_are_joined_without_squares() {
    let whole = large();
    let begun = Instant::now();
    let mesh = assemble(&whole);
    let took = begun.elapsed();
    assert_eq!(mesh.workloads.len(), 2000);
    assert!(
        mesh.workloads
            .iter()
            .all(|w| w.pods.len() == 5 && w.services.len() == 1 && w.obstacles.is_empty())
    );
    assert!(took < Duration::from_secs(60), "{took:?}");
}
