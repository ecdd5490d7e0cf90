//! Access reviews for what the program would like to do.

use super::Asker;
use crate::cluster::stack::AT_ONCE;
use crate::mesh::AccessQuestion;
use futures::StreamExt;

/// What the program needs to be allowed, beyond reading what was just listed.
const NEEDS: [Need; 26] = [
    ("get", "", "pods/proxy"),
    // Dry runs of pods, which tell what injection and Pod Security would say.
    ("create", "", "pods"),
    ("patch", "", "pods"),
    ("patch", "", "namespaces"),
    ("patch", "", "configmaps"),
    ("patch", "apps", "deployments"),
    ("patch", "apps", "statefulsets"),
    ("patch", "apps", "daemonsets"),
    ("create", "networking.istio.io", "sidecars"),
    ("patch", "networking.istio.io", "sidecars"),
    ("delete", "networking.istio.io", "sidecars"),
    ("create", "security.istio.io", "peerauthentications"),
    ("patch", "security.istio.io", "peerauthentications"),
    ("delete", "security.istio.io", "peerauthentications"),
    ("create", "security.istio.io", "authorizationpolicies"),
    ("patch", "security.istio.io", "authorizationpolicies"),
    ("delete", "security.istio.io", "authorizationpolicies"),
    ("create", "networking.istio.io", "gateways"),
    ("patch", "networking.istio.io", "gateways"),
    ("delete", "networking.istio.io", "gateways"),
    ("create", "networking.istio.io", "virtualservices"),
    ("patch", "networking.istio.io", "virtualservices"),
    ("delete", "networking.istio.io", "virtualservices"),
    ("create", "networking.istio.io", "serviceentries"),
    ("patch", "networking.istio.io", "serviceentries"),
    ("delete", "networking.istio.io", "serviceentries"),
];

type Need = (&'static str, &'static str, &'static str);

pub(super) async fn access(asker: Asker) {
    let places: Vec<Option<String>> = match &asker.only {
        None => vec![None],
        Some(only) => only.iter().cloned().map(Some).collect(),
    };
    let mut asked = Vec::new();
    for namespace in places {
        for need in NEEDS {
            asked.push(review(asker.clone(), need, namespace.clone()));
        }
    }
    let of = asked.len();
    asker.tell(move |inventory| inventory.asked.of = of);
    // Fewer than go at once: the lists matter more.
    futures::stream::iter(asked)
        .buffer_unordered(AT_ONCE - 2)
        .collect::<()>()
        .await;
}

/// A review that fails leaves its question open: unknown is not a no.
async fn review(asker: Asker, (verb, group, resource): Need, namespace: Option<String>) {
    let place = namespace.as_deref();
    let answer = asker.cluster.may(verb, group, resource, place).await;
    let question = AccessQuestion {
        verb,
        group,
        resource,
        namespace,
    };
    asker.tell(move |inventory| {
        inventory.asked.done += 1;
        if let Ok(may) = answer {
            inventory.access.insert(question, may);
        }
    });
}
