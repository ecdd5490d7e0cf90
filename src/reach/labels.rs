//! Kubernetes' label selectors, and the names that Prometheus makes of annotations.

use crate::mesh::objects::{Labels, Selector};

/// Does a label selector match? `name` stands in for `kubernetes.io/metadata.name`; empty: for nothing.
///
/// Source: k8s.io/apimachinery `pkg/labels` (`Requirement.Matches`): `NotIn` holds of an absent label too.
pub fn selects(selector: &Selector, labels: &Labels, name: &str) -> bool {
    let get = |key: &str| match labels.get(key) {
        Some(value) => Some(value.as_str()),
        None if key == "kubernetes.io/metadata.name" && !name.is_empty() => Some(name),
        None => None,
    };
    let wanted = |key: &String, value: &String| get(key) == Some(value.as_str());
    selector.match_labels.iter().all(|(k, v)| wanted(k, v))
        && selector.match_expressions.iter().all(|expression| {
            let key = expression["key"].as_str().unwrap_or_default();
            let listed = |value: &str| {
                expression["values"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|one| one.as_str() == Some(value)))
            };
            match (expression["operator"].as_str(), get(key)) {
                (Some("In"), value) => value.is_some_and(listed),
                (Some("NotIn"), value) => !value.is_some_and(listed),
                (Some("Exists"), value) => value.is_some(),
                (Some("DoesNotExist"), value) => value.is_none(),
                _ => false,
            }
        })
}

/// A selector in a reader's words, as `kubectl` writes it: `app=web,tier notin (a,b)`.
pub fn written(selector: &Selector) -> String {
    let pairs = selector.match_labels.iter();
    let mut parts: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
    for expression in &selector.match_expressions {
        let key = expression["key"].as_str().unwrap_or_default();
        let values: Vec<&str> = expression["values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_str())
            .collect();
        parts.push(match expression["operator"].as_str() {
            Some("Exists") => key.to_owned(),
            Some("DoesNotExist") => format!("!{key}"),
            Some(other) => format!("{key} {} ({})", other.to_lowercase(), values.join(",")),
            None => key.to_owned(),
        });
    }
    parts.join(",")
}

/// The annotations that Prometheus and Istio read as `prometheus.io/NAME`: `prometheus.io.port` and
/// `prometheus-io/port` are the same key to them.
///
/// Source: prometheus `util/strutil/strconv.go` (`SanitizeLabelName`), used by istio `pkg/kube/inject/webhook.go`.
pub fn read_as<'a>(
    annotations: &'a Labels,
    name: &str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let wanted = label_name(name);
    annotations
        .iter()
        .filter(move |(key, _)| label_name(key) == wanted)
        .map(|(key, value)| (key.as_str(), value.as_str()))
}

fn label_name(name: &str) -> String {
    let letter = |c: char| match c.is_ascii_alphanumeric() || c == '_' {
        true => c,
        false => '_',
    };
    name.chars().map(letter).collect()
}

/// A truth value as Go's `strconv.ParseBool` reads it; `None`: it is none.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selector(value: serde_json::Value) -> Selector {
        serde_json::from_value(value).unwrap()
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn a_selector_matches_as_kubernetes_has_it() {
        let web = labels(&[("app", "web")]);
        for (of, expected) in [
            (json!({}), true),
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchLabels": {"app": "api"}}), false),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "Like", "values": ["web"]}]}),
                false,
            ),
        ] {
            assert_eq!(selects(&selector(of.clone()), &web, ""), expected, "{of}");
        }
        let of = json!({"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "c", "operator": "NotIn", "values": ["d", "e"]}, {"key": "f", "operator": "DoesNotExist"}]});
        assert_eq!(written(&selector(of)), "a=b,c notin (d,e),!f");
    }

    #[test]
    fn annotations_of_one_name_to_prometheus_are_one() {
        let of = labels(&[
            ("prometheus.io/port", "1"),
            ("prometheus.io.port", "2"),
            ("prometheus-io/port", "3"),
            ("prometheus.io/ports", "4"),
        ]);
        let found: Vec<&str> = read_as(&of, "prometheus.io/port").map(|(_, v)| v).collect();
        assert_eq!(found, ["3", "2", "1"]);
    }
}
