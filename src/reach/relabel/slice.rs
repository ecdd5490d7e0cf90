//! The rules that decide whether a target stays and where it leads, without those that only name its series.

use super::{Action, Rule};
use std::collections::BTreeSet;

/// Labels that decide where a scrape leads, and whether it is made at all.
const DECIDE: [&str; 4] = [
    "__address__",
    "__scheme__",
    "__scrape_interval__",
    "__scrape_timeout__",
];

/// Runs backwards: a rule stays where a label that it may set, or take away, is read by what stays after it.
pub fn deciding(rules: &[Rule]) -> Vec<Rule> {
    let mut read: BTreeSet<&str> = DECIDE.into();
    let mut kept: Vec<&Rule> = Vec::new();
    for rule in rules.iter().rev() {
        let stays = match rule.action {
            Action::Keep | Action::Drop | Action::KeepEqual | Action::DropEqual => true,
            Action::Replace | Action::HashMod | Action::Lowercase | Action::Uppercase => {
                rule.target.contains('$') || read.contains(rule.target.as_str())
            }
            Action::LabelMap => may_map_to(rule, &read),
            Action::LabelDrop => read.iter().any(|name| rule.regex.is_match(name)),
            Action::LabelKeep => read.iter().any(|name| !rule.regex.is_match(name)),
        };
        if !stays {
            continue;
        }
        read.extend(rule.source.iter().map(String::as_str));
        if matches!(rule.action, Action::KeepEqual | Action::DropEqual) {
            read.insert(&rule.target);
        }
        if rule.action == Action::LabelMap || rule.target.contains('$') {
            // What it reads or sets is not known by name: everything may matter.
            return rules.to_vec();
        }
        kept.push(rule);
    }
    kept.into_iter().rev().cloned().collect()
}

/// Keys of Kubernetes begin with a letter or a digit, so that what is mapped from them begins with no underscore.
fn may_map_to(rule: &Rule, read: &BTreeSet<&str>) -> bool {
    const OF_KEYS: [&str; 8] = [
        "__meta_kubernetes_pod_label_(.+)",
        "__meta_kubernetes_pod_annotation_(.+)",
        "__meta_kubernetes_service_label_(.+)",
        "__meta_kubernetes_service_annotation_(.+)",
        "__meta_kubernetes_namespace_label_(.+)",
        "__meta_kubernetes_endpoints_label_(.+)",
        "__meta_kubernetes_endpointslice_label_(.+)",
        "__meta_kubernetes_node_label_(.+)",
    ];
    let (fixed, _) = rule
        .replacement
        .split_once('$')
        .unwrap_or((&rule.replacement, ""));
    let of_keys = OF_KEYS.contains(&rule.regex.as_str());
    read.iter().any(|name| match fixed {
        "" if of_keys => !name.starts_with('_'),
        fixed => name.starts_with(fixed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::relabel::Names;
    use serde_json::json;

    fn left(rules: serde_json::Value) -> Vec<String> {
        let all = rules.as_array().expect("rules").iter();
        let rules: Vec<Rule> = all
            .map(|rule| Rule::read(rule, Names::Utf8).expect("a rule"))
            .collect();
        let all = deciding(&rules);
        all.iter()
            .map(|rule| format!("{:?} {}", rule.action, rule.target))
            .collect()
    }

    #[test]
    fn only_what_may_decide_is_run() {
        let map = |replacement: &str| json!({"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)", "replacement": replacement});
        let keep = |label: &str| json!({"action": "keep", "source_labels": [label], "regex": "x"});
        let set = |to: &str| json!({"source_labels": ["a"], "target_label": to});
        assert_eq!(
            left(
                json!([keep("a"), set("__address__"), set("pod"), map("$1"), {"action": "labeldrop", "regex": "hash"}])
            ),
            ["Keep ", "Replace __address__"]
        );
        // A later rule reads what an earlier one sets.
        assert_eq!(
            left(json!([set("b"), set("c"), keep("b")])),
            ["Replace b", "Keep "]
        );
        let chain =
            json!([set("a"), {"source_labels": ["a"], "target_label": "b"}, keep("b"), set("d")]);
        assert_eq!(left(chain), ["Replace a", "Replace b", "Keep "]);
        // Mapped labels may be read by name: then all of it is run.
        assert_eq!(left(json!([set("z"), map("$1"), keep("app")])).len(), 3);
        assert_eq!(
            left(json!([set("z"), map("__param_$1"), keep("x")])).len(),
            1
        );
        assert_eq!(
            left(json!([set("z"), {"action": "labelkeep", "regex": "app"}, keep("x")])),
            ["LabelKeep ", "Keep "]
        );
    }
}
