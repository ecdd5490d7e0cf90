//! The objects that open and guard the secure ports, read again now and then, namespace by namespace.

use crate::cluster::Cluster;
use crate::mesh::kinds::Kind;
use crate::mesh::objects::Gateway;
use crate::targets::{Expected, Ground, Objects, Read, Standing, standing};
use crate::words::say::engine as say;
use futures::{StreamExt, stream};
use serde::de::DeserializeOwned;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Objects are read again after this time.
const AGE: Duration = Duration::from_secs(15);
const AT_ONCE: usize = 6;

#[derive(Default)]
pub(super) struct Guards {
    spaces: HashMap<Space, (Arc<Objects>, Instant)>,
}

/// What is read of a namespace: gateways have other objects than workloads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Space {
    name: String,
    gateways: bool,
}

impl Guards {
    /// Something of this namespace was written.
    pub fn forget(&mut self, namespace: &str) {
        self.spaces.retain(|space, _| space.name != namespace);
    }

    /// Reads what these pods need, unless it was read a moment ago.
    pub async fn ask(&mut self, cluster: &Cluster, pods: &[Expected], ground: &Ground) {
        let of = pods
            .iter()
            .filter(|one| one.secure_port.is_some() && !one.native);
        let mut spaces: BTreeSet<Space> = of
            .map(|one| Space {
                name: one.item.namespace.clone(),
                gateways: one.gateway,
            })
            .collect();
        if let (false, Some(root)) = (spaces.is_empty(), &ground.root) {
            spaces.insert(Space {
                name: root.clone(),
                gateways: false,
            });
        }
        let due: Vec<Space> = spaces
            .into_iter()
            .filter(|space| !self.fresh(space))
            .collect();
        // The Gateways of all namespaces are one list, however many gateways there are.
        let gateways = match due.iter().any(|space| space.gateways) {
            true => all(cluster, Kind::Gateway, None).await,
            false => Ok(Vec::new()),
        };
        let asked = stream::iter(due)
            .map(|space| {
                let gateways = gateways.clone();
                async move {
                    let objects = read(cluster, &space, gateways).await;
                    (space, objects)
                }
            })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let at = Instant::now();
        let asked = asked.into_iter();
        self.spaces
            .extend(asked.map(|(space, objects)| (space, (Arc::new(objects), at))));
    }

    fn fresh(&self, space: &Space) -> bool {
        let known = self.spaces.get(space);
        known.is_some_and(|(_, at)| at.elapsed() < AGE)
    }

    /// By the pod's uid. Pods of one item that have the same labels are looked at once.
    pub fn standing(&self, pods: &[Expected], ground: &Ground) -> HashMap<String, Standing> {
        let of = |name: &str, gateways| {
            let space = Space {
                name: name.to_owned(),
                gateways,
            };
            self.spaces
                .get(&space)
                .map(|(objects, _)| Arc::clone(objects))
        };
        let root = match &ground.root {
            Some(root) => of(root, false).unwrap_or_default(),
            None => unknown_root(),
        };
        let mut known = HashMap::new();
        let mut all = HashMap::new();
        for one in pods.iter().filter(|one| one.secure_port.is_some()) {
            let key = (&one.item, &one.labels, &one.secure_port, one.native);
            let here = || of(&one.item.namespace, one.gateway);
            let is = known.entry(key).or_insert_with(|| match here() {
                Some(here) => standing(one, &here, &root, ground),
                None if one.native => standing(one, &Objects::default(), &root, ground),
                None => Standing::default(),
            });
            all.insert(one.uid.clone(), is.clone());
        }
        all
    }
}

/// What stands in a namespace whose name is not known cannot be read.
fn unknown_root() -> Arc<Objects> {
    fn why<T>() -> Read<T> {
        Err(say::ROOT_NAMESPACE_UNKNOWN.into())
    }
    Arc::new(Objects {
        peers: why(),
        policies: why(),
        sidecars: why(),
        ..Objects::default()
    })
}

async fn read(cluster: &Cluster, space: &Space, everywhere: Read<Gateway>) -> Objects {
    let here = Some(space.name.as_str());
    let policies = all(cluster, Kind::AuthorizationPolicy, here);
    if space.gateways {
        // Who may not list them everywhere may see those beside the pods.
        let gateways = match everywhere {
            Err(_) => all(cluster, Kind::Gateway, here).await,
            all => all,
        };
        let (policies, routes, entries) = tokio::join!(
            policies,
            all(cluster, Kind::VirtualService, here),
            all(cluster, Kind::ServiceEntry, here)
        );
        return Objects {
            policies,
            gateways,
            routes,
            entries,
            ..Objects::default()
        };
    }
    let (policies, peers, sidecars) = tokio::join!(
        policies,
        all(cluster, Kind::PeerAuthentication, here),
        all(cluster, Kind::Sidecar, here)
    );
    Objects {
        peers,
        policies,
        sidecars,
        ..Objects::default()
    }
}

/// A kind that the server does not know has no objects.
pub(super) async fn all<T: DeserializeOwned>(
    cluster: &Cluster,
    kind: Kind,
    namespace: Option<&str>,
) -> Read<T> {
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = match cluster
            .page::<T>(kind, namespace, "", token.as_deref())
            .await
        {
            Ok(page) => page,
            Err(error) if error.is_not_found() => return Ok(found),
            Err(error) => {
                return Err(say::kind_could_not_be_listed(kind.plural(), &error.message));
            }
        };
        found.extend(page.items);
        token = page.next;
        if token.is_none() {
            return Ok(found);
        }
    }
}
