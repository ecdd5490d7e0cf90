//! Which Sidecar governs a pod.

use super::{by_age, selector, takes};
use crate::mesh::objects::{Labels, Sidecar};

const SELECTOR: &str = "/workloadSelector/labels";

/// The one that istiod takes (`pilot/pkg/model/push_context.go`, `getSidecarScope`): one with a selector before the
/// namespace's before the mesh's, of each the oldest; they are never merged.
///
/// # Errors
/// `root`, the objects of Istio's root namespace, could not be read, and it is what decides.
pub fn governing<'a, E>(
    here: &'a [Sidecar],
    root: Result<&'a [Sidecar], E>,
    labels: &Labels,
) -> Result<Option<&'a Sidecar>, E> {
    let own = oldest(here.iter().filter(|sidecar| {
        let wanted = selector(&sidecar.spec, SELECTOR);
        !wanted.is_empty() && takes(&wanted, labels)
    }));
    let wide = |sidecar: &&Sidecar| selector(&sidecar.spec, SELECTOR).is_empty();
    if let Some(found) = own.or_else(|| oldest(here.iter().filter(wide))) {
        return Ok(Some(found));
    }
    Ok(oldest(root?.iter().filter(wide)))
}

fn oldest<'a>(all: impl Iterator<Item = &'a Sidecar>) -> Option<&'a Sidecar> {
    all.min_by(|a, b| by_age(&a.metadata).cmp(&by_age(&b.metadata)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{labels, meta};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_selector_before_the_namespace_before_the_mesh_and_the_oldest_of_each() {
        let of = |name: &str, at, labels: serde_json::Value| Sidecar {
            metadata: meta(name, at),
            spec: json!({"workloadSelector": {"labels": labels}}),
        };
        let wide = |name: &str, at| Sidecar {
            metadata: meta(name, at),
            spec: json!({"egress": []}),
        };
        let pod = labels(&[("app", "web")]);
        let web = |name, at| of(name, at, json!({"app": "web"}));
        let cart = of("cart", 1, json!({"app": "cart"}));
        for (here, root, is) in [
            (vec![], vec![], None),
            (vec![cart.clone()], vec![wide("mesh", 1)], Some("mesh")),
            (vec![cart, wide("ns", 9)], vec![wide("mesh", 1)], Some("ns")),
            (
                vec![wide("ns", 1), web("b", 9), web("a", 9)],
                vec![],
                Some("a"),
            ),
            (vec![web("a", 9), web("b", 3)], vec![], Some("b")),
            (vec![], vec![web("rooted", 1)], None),
        ] {
            let found = governing(&here, Ok::<_, ()>(&root[..]), &pod).unwrap();
            assert_eq!(found.map(|s| s.metadata.name.as_str()), is);
        }
        assert!(governing(&[], Err(()), &pod).is_err());
        assert!(governing(&[wide("ns", 1)], Err(()), &pod).is_ok());
    }
}
