//! Whether the ServiceAccounts of Prometheus servers may list and watch pods: by access reviews where the user may ask
//! for those, else by the RBAC objects.

use super::Asker;
use super::lists::{MOST_NAMESPACES, known_namespaces};
use crate::cluster::error::{ApiError, Reason};
use crate::mesh::kinds::Kind;
use crate::reach::link::Verdict;
use crate::reach::rights::{Account, Looks, PodRights, Right, Rights, Wish, may};
use futures::StreamExt;
use serde::de::DeserializeOwned;

const VERBS: [&str; 2] = ["list", "watch"];
/// Of each kind; where there are more, rights stay unknown.
const MOST_OBJECTS: usize = 5000;
/// The lists matter more.
const AT_ONCE: usize = 3;

/// Namespace and name.
type Name = (String, String);

/// Everywhere first; where that is not granted, in the namespaces that jobs name, or in each where no job is known.
pub(super) async fn rights(asker: Asker, account: Name, looks: Option<Looks>) {
    let mut found = PodRights::default();
    let mut by = By::Reviews;
    found.everywhere = match review(&asker, &account, None).await {
        Ok(right) => right,
        Err(error) if error.reason == Reason::Forbidden => {
            let objects = everywhere(&asker).await;
            let right = by_objects(&objects, &account, None, &error.message);
            by = By::Objects(objects, error.message);
            right
        }
        Err(error) => Right::Unread(error.message),
    };
    if found.everywhere != Right::Granted {
        let names: Vec<String> = match looks {
            Some(looks) => looks.namespaces.into_keys().collect(),
            None => {
                let all = known_namespaces(&asker).await;
                all.map_or_else(Vec::new, |all| all.to_vec())
            }
        };
        if !names.is_empty() && names.len() <= MOST_NAMESPACES {
            let each = names.into_iter().map(|name| {
                let (asker, account, by) = (&asker, &account, &by);
                async move { (by.ask(asker, account, &name).await, name) }
            });
            let each = futures::stream::iter(each).buffer_unordered(AT_ONCE);
            found.namespaces = each.map(|(right, name)| (name, right)).collect().await;
        }
    }
    asker.tell(move |inventory| drop(inventory.rights.insert(account, found)));
}

enum By {
    Reviews,
    /// With why there are no reviews.
    Objects(Rights, String),
}

impl By {
    async fn ask(&self, asker: &Asker, account: &Name, namespace: &str) -> Right {
        match self {
            By::Reviews => review(asker, account, Some(namespace))
                .await
                .unwrap_or_else(|error| Right::Unread(error.message)),
            By::Objects(wide, why) => {
                let mut objects = wide.clone();
                let here = Some(namespace);
                objects.bindings = all(asker, Kind::RoleBinding, here, &mut objects.partly).await;
                objects.roles = all(asker, Kind::Role, here, &mut objects.partly).await;
                by_objects(&objects, account, here, why)
            }
        }
    }
}

async fn review(
    asker: &Asker,
    (namespace, name): &Name,
    place: Option<&str>,
) -> Result<Right, ApiError> {
    for verb in VERBS {
        let cluster = &asker.cluster;
        let review = cluster.may_account((namespace, name), verb, "pods", place);
        if !review.await? {
            return Ok(Right::Denied);
        }
    }
    Ok(Right::Granted)
}

async fn everywhere(asker: &Asker) -> Rights {
    let mut partly = false;
    Rights {
        cluster_bindings: all(asker, Kind::ClusterRoleBinding, None, &mut partly).await,
        cluster_roles: all(asker, Kind::ClusterRole, None, &mut partly).await,
        partly,
        ..Rights::default()
    }
}

/// What could be read of a kind.
async fn all<T: DeserializeOwned>(
    asker: &Asker,
    kind: Kind,
    namespace: Option<&str>,
    partly: &mut bool,
) -> Vec<T> {
    let listed = asker.cluster.few(kind, namespace, MOST_OBJECTS).await;
    let Ok(Some(objects)) = listed else {
        *partly = true;
        return Vec::new();
    };
    let read = |object| serde_json::from_value(object).ok();
    let count = objects.len();
    let found: Vec<T> = objects.into_iter().filter_map(read).collect();
    *partly |= found.len() < count;
    found
}

fn by_objects(of: &Rights, (namespace, name): &Name, place: Option<&str>, why: &str) -> Right {
    let all = VERBS.map(|verb| {
        let wish = Wish {
            verb,
            group: "",
            resource: "pods",
            namespace: place.unwrap_or_default(),
        };
        may(of, &Account { namespace, name }, &wish)
    });
    if all.iter().all(Verdict::holds) {
        Right::Granted
    } else if all.iter().any(|one| one.fault().is_some()) {
        Right::Denied
    } else {
        Right::Unread(why.to_owned())
    }
}
