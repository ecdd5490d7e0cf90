//! The objects that bear on the path to targets that are DOWN, read again now and then.

use super::guards::all;
use crate::cluster::Cluster;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::objects::{AuthorizationPolicy, EnvoyFilter, Labels, Namespace, NetworkPolicy};
use crate::reach::path::{Read, Rules};
use crate::targets::{Expected, Ground};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// As the objects that guard the ports.
const AGE: Duration = Duration::from_secs(15);

#[derive(Default)]
pub(super) struct Paths {
    spaces: HashMap<String, (Space, Instant)>,
}

/// What one namespace has.
#[derive(Clone)]
struct Space {
    policies: Read<AuthorizationPolicy>,
    filters: Read<EnvoyFilter>,
    network: Read<NetworkPolicy>,
    labels: Result<Labels, String>,
}

impl Paths {
    /// What holds for these pods: of their namespaces, Prometheus's and the root namespace.
    pub async fn rules(&mut self, cluster: &Cluster, pods: &[Expected], ground: &Ground) -> Rules {
        let of_pods = pods.iter().map(|one| one.item.namespace.as_str());
        let mut names: BTreeSet<&str> = of_pods.collect();
        names.insert(&ground.namespace);
        names.extend(ground.root.as_deref());
        names.remove("");
        let mut rules = Rules {
            policies: Ok(Vec::new()),
            filters: Ok(Vec::new()),
            network: Ok(Vec::new()),
            root: ground.root.clone().unwrap_or_default(),
            ..(*ground.rules).clone()
        };
        for name in names {
            let known = self.spaces.get(name);
            let fresh = known.is_some_and(|(_, at)| at.elapsed() < AGE);
            if !fresh {
                let space = read(cluster, name).await;
                self.spaces.insert(name.to_owned(), (space, Instant::now()));
            }
            if let Some((space, _)) = self.spaces.get(name) {
                add(&mut rules.policies, &space.policies);
                add(&mut rules.filters, &space.filters);
                add(&mut rules.network, &space.network);
                match &space.labels {
                    Ok(labels) => {
                        rules.namespaces.insert(name.to_owned(), labels.clone());
                    }
                    // Policies select namespaces by their labels.
                    Err(why) => rules.network = Err(why.clone()),
                }
            }
        }
        rules
    }
}

async fn read(cluster: &Cluster, namespace: &str) -> Space {
    let here = Some(namespace);
    let object = ObjectRef::new(Kind::Namespace, "", namespace);
    let path = object.path();
    let (policies, filters, network, of) = tokio::join!(
        all(cluster, Kind::AuthorizationPolicy, here),
        all(cluster, Kind::EnvoyFilter, here),
        all(cluster, Kind::NetworkPolicy, here),
        cluster.read::<Namespace>(&path)
    );
    Space {
        policies,
        filters,
        network,
        labels: of
            .map(|of| of.metadata.labels)
            .map_err(|error| error.message),
    }
}

/// One list that could not be read leaves the whole unknown.
fn add<T: Clone>(to: &mut Read<T>, more: &Read<T>) {
    match (to.as_mut(), more) {
        (Ok(to), Ok(more)) => to.extend(more.iter().cloned()),
        (Ok(_), Err(why)) => *to = Err(why.clone()),
        (Err(_), _) => {}
    }
}
