//! Which cluster this is: two kubeconfigs may call two clusters the same.

use super::session::Session;
use crate::cluster::ApiError;
use crate::error::Error;
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::words::say::engine as say;

/// The namespace that every cluster has, and that nobody makes anew: it cannot be deleted (Kubernetes,
/// plugin/pkg/admission/namespace/lifecycle: immortal namespaces), so its uid stands for the cluster.
const IMMORTAL: &str = "kube-system";

/// The cluster's identity: the uid of its namespace kube-system, as it is now.
///
/// # Errors
/// It may not or cannot be read.
pub async fn identity(session: &Session) -> Result<String, ApiError> {
    #[derive(serde::Deserialize)]
    struct Namespace {
        metadata: Meta,
    }
    #[derive(serde::Deserialize)]
    struct Meta {
        #[serde(default)]
        uid: String,
    }
    let path = ObjectRef::new(Kind::Namespace, "", IMMORTAL).path();
    let read: Namespace = session.cluster.read(&path).await?;
    match read.metadata.uid {
        uid if uid.is_empty() => Err(ApiError::garbled(
            &http::Method::GET,
            &path,
            say::HAS_NO_UID,
        )),
        uid => Ok(uid),
    }
}

/// Whether a run was made in this cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    Here,
    /// In another cluster.
    Elsewhere,
    /// The record does not say, or this cluster's identity cannot be read.
    Unknown,
}

/// Held against this cluster's identity; `None`: not known.
pub fn made(recorded: Option<&str>, here: Option<&str>) -> Made {
    match (recorded, here) {
        (Some(recorded), Some(here)) if recorded == here => Made::Here,
        (Some(_), Some(_)) => Made::Elsewhere,
        _ => Made::Unknown,
    }
}

/// May a run that was made on this context, in this cluster, be taken back or gone on with here? `Some`: that is not
/// known, and takes the user's word.
///
/// # Errors
/// It was made in another cluster.
pub async fn check(
    session: &Session,
    run: &str,
    (context, cluster): (&str, Option<&str>),
) -> Result<Option<Error>, Error> {
    let here = identity(session).await;
    let now = &session.cluster.context;
    match made(cluster, here.as_deref().ok()) {
        Made::Here => Ok(None),
        Made::Elsewhere => Err(Error::refused(say::made_in_another_cluster(run))
            .cause(say::made_on(context, IMMORTAL, cluster.unwrap_or_default()))
            .cause(say::this_is(
                now,
                IMMORTAL,
                here.as_deref().unwrap_or_default(),
            ))
            .hint(say::CHOOSE_THAT_CLUSTER)
            .hint(say::LIST_THE_RUNS)),
        Made::Unknown => {
            let unknown = Error::refused(say::cluster_not_verified(run));
            let unknown = match &here {
                Err(why) => unknown
                    .cause(say::namespace_cannot_be_read(IMMORTAL, why))
                    .hint(why.hint()),
                Ok(_) => unknown.cause(say::RECORD_NAMES_NO_CLUSTER),
            };
            Ok(Some(
                unknown
                    .cause(say::made_on_and_this_is(context, now))
                    .hint(say::CONFIRM_THE_CLUSTER),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_of_both_can_be_compared() {
        for (recorded, here, expected) in [
            (Some("a"), Some("a"), Made::Here),
            (Some("a"), Some("b"), Made::Elsewhere),
            (None, Some("a"), Made::Unknown),
            (Some("a"), None, Made::Unknown),
            (None, None, Made::Unknown),
        ] {
            assert_eq!(made(recorded, here), expected, "{recorded:?} {here:?}");
        }
    }
}
