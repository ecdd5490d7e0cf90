//! The mTLS mode of one port.

use super::{by_age, selector, takes};
use crate::mesh::MtlsMode;
use crate::mesh::objects::{Labels, PeerAuthentication};

const SELECTOR: &str = "/selector/matchLabels";

/// The mode of a port, and the object that it comes from.
pub type Mode<'a> = (MtlsMode, Option<&'a PeerAuthentication>);

/// What istiod composes for a port of pods with these labels (`pilot/pkg/security/authn/policy_applier.go`,
/// `ComposePeerAuthentication`): of each level only the oldest counts, a mode that is not set is the wider level's, and
/// one with a selector in the root namespace counts nowhere.
///
/// `here` are the objects of the pods' namespace, `root` those of Istio's root namespace.
///
/// # Errors
/// `root` could not be read, and it is what decides.
pub fn of_port<'a, E>(
    here: &'a [PeerAuthentication],
    root: Result<&'a [PeerAuthentication], E>,
    is_root: bool,
    labels: &Labels,
    port: &str,
) -> Result<Mode<'a>, E> {
    let own = selecting(here, labels).filter(|_| !is_root);
    if let Some(policy) = own {
        let of_port = &policy.spec["portLevelMtls"][port];
        let mode = mode(of_port).or_else(|| mode(&policy.spec["mtls"]));
        if let Some(mode) = mode {
            return Ok((mode, Some(policy)));
        }
    }
    let wide = |policy: &&PeerAuthentication| selector(&policy.spec, SELECTOR).is_empty();
    let of = |level: Option<&'a PeerAuthentication>| {
        level.and_then(|policy| Some((mode(&policy.spec["mtls"])?, Some(policy))))
    };
    if !is_root && let Some(found) = of(oldest(here.iter().filter(wide))) {
        return Ok(found);
    }
    Ok(of(oldest(root?.iter().filter(wide))).unwrap_or_default())
}

/// The one with a selector that counts for pods with these labels, outside the root namespace.
pub fn selecting<'a>(
    here: &'a [PeerAuthentication],
    labels: &Labels,
) -> Option<&'a PeerAuthentication> {
    oldest(here.iter().filter(|policy| {
        let wanted = selector(&policy.spec, SELECTOR);
        !wanted.is_empty() && takes(&wanted, labels)
    }))
}

fn oldest<'a>(all: impl Iterator<Item = &'a PeerAuthentication>) -> Option<&'a PeerAuthentication> {
    all.min_by(|a, b| by_age(&a.metadata).cmp(&by_age(&b.metadata)))
}

fn mode(mtls: &serde_json::Value) -> Option<MtlsMode> {
    match mtls["mode"].as_str()? {
        "STRICT" => Some(MtlsMode::Strict),
        "PERMISSIVE" => Some(MtlsMode::Permissive),
        "DISABLE" => Some(MtlsMode::Disable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{labels, meta};
    use super::*;
    use MtlsMode::{Disable, Permissive, Strict};
    use serde_json::json;

    fn policy(name: &str, at: i64, spec: serde_json::Value) -> PeerAuthentication {
        PeerAuthentication {
            metadata: meta(name, at),
            spec,
        }
    }

    #[test]
    fn the_oldest_of_the_narrowest_level_that_says_something() {
        let web = || json!({"matchLabels": {"app": "web"}});
        let strict = |at| {
            policy(
                "port",
                at,
                json!({"selector": web(), "portLevelMtls": {"15091": {"mode": "STRICT"}}}),
            )
        };
        let own = |at, mode| {
            policy(
                "own",
                at,
                json!({"selector": web(), "mtls": {"mode": mode}}),
            )
        };
        let wide = |name, at, mode| policy(name, at, json!({"mtls": {"mode": mode}}));
        let other = policy(
            "other",
            1,
            json!({"selector": {"matchLabels": {"app": "cart"}}, "mtls": {"mode": "DISABLE"}}),
        );
        let pod = labels(&[("app", "web"), ("version", "2")]);
        for (here, root, is) in [
            (vec![], vec![], (Permissive, "")),
            (vec![other.clone()], vec![], (Permissive, "")),
            (vec![strict(5)], vec![], (Strict, "port")),
            (vec![strict(5), own(4, "DISABLE")], vec![], (Disable, "own")),
            (vec![strict(5), own(6, "DISABLE")], vec![], (Strict, "port")),
            // Equal age: by name.
            (vec![strict(5), own(5, "DISABLE")], vec![], (Disable, "own")),
            // Only the oldest, even where it says nothing of the port.
            (
                vec![strict(5), own(4, "UNSET"), wide("ns", 9, "PERMISSIVE")],
                vec![wide("mesh", 1, "STRICT")],
                (Permissive, "ns"),
            ),
            (
                vec![wide("ns", 9, "UNSET")],
                vec![wide("late", 3, "DISABLE"), wide("mesh", 1, "STRICT")],
                (Strict, "mesh"),
            ),
        ] {
            let (mode, from) =
                of_port(&here, Ok::<_, ()>(&root[..]), false, &pod, "15091").unwrap();
            let from = from.map_or("", |policy| &policy.metadata.name);
            assert_eq!((mode, from), is, "{here:?}");
        }
        // In the root namespace itself a selector counts for nothing.
        let root = [strict(1)];
        let (mode, _) = of_port(&root, Ok::<_, ()>(&root[..]), true, &pod, "15091").unwrap();
        assert_eq!(mode, Permissive);
    }

    #[test]
    fn a_root_that_cannot_be_read_matters_only_where_it_decides() {
        let pod = labels(&[("app", "web")]);
        let strict = [policy("ns", 1, json!({"mtls": {"mode": "STRICT"}}))];
        assert!(of_port(&strict, Err(()), false, &pod, "15091").is_ok());
        assert!(of_port(&[], Err(()), false, &pod, "15091").is_err());
    }
}
