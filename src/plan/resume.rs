//! A run that was cut off, held against the cluster: is each of its writes as before, as after, or otherwise?

use super::record::{Entry, Intent};
use super::scrape_config;
use super::undo::made_by;
use super::{ChangeId, keyed, mask};
use crate::mesh::kinds::ObjectRef;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How the object of one write stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Stands {
    /// As before the write: it was not made, or was taken back.
    Before,
    /// As the write leaves it.
    After,
    /// Neither: what differs, in words. Somebody else was there.
    Other(String),
}

/// One write of a run, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub change: ChangeId,
    pub object: ObjectRef,
    pub stands: Stands,
}

/// Judges every change of a run once, by its last line.
pub fn steps(entries: &[Entry], live: &dyn Fn(&ObjectRef) -> Option<Arc<Value>>) -> Vec<Step> {
    let mut seen = BTreeSet::new();
    let mut out: Vec<Step> = entries
        .iter()
        .rev()
        .filter_map(|entry| match entry {
            Entry::Intent(intent) => Some(intent.as_ref()),
            _ => None,
        })
        .filter(|intent| seen.insert(intent.change.clone()))
        .map(|intent| Step {
            change: intent.change.clone(),
            object: intent.object.clone(),
            stands: stands(intent, live(&intent.object).as_deref()),
        })
        .collect();
    out.reverse();
    out
}

/// Judges one write by the live object.
pub fn stands(intent: &Intent, live: Option<&Value>) -> Stands {
    if let Some(deleted) = &intent.deleted {
        return match live {
            None => Stands::After,
            Some(now) if now["metadata"]["uid"] == deleted["metadata"]["uid"] => Stands::Before,
            Some(_) => Stands::Other("another object of that name stands there now".into()),
        };
    }
    let Some(uid) = &intent.uid else {
        return match live {
            None => Stands::Before,
            Some(now) if made_by(now, None) => Stands::After,
            Some(_) => {
                Stands::Other("another user or tool created an object with that name".into())
            }
        };
    };
    let Some(live) = live else {
        return Stands::Other("it is gone".into());
    };
    if live["metadata"]["uid"] != uid.as_str() {
        return Stands::Other("another object of that name stands there now".into());
    }
    if let Some(text) = &intent.text {
        let now = keyed::text(live, &text.key).unwrap_or_default();
        return match scrape_config::apply(&now, &text.edits) {
            Ok(after) if after == now => Stands::After,
            Ok(_) => Stands::Before,
            Err(refusal) => Stands::Other(refusal.why),
        };
    }
    let (mut before, mut after, mut other) = (0, 0, Vec::new());
    for leaf in &intent.leaves {
        let now = leaf.path.get(live).filter(|now| !now.is_null()).cloned();
        if now == leaf.after {
            after += 1;
        } else if now == leaf.before {
            before += 1;
        } else {
            let say = |value: &Option<Value>| match value {
                Some(value) => mask::shown(&leaf.path, value),
                None => "absent".to_owned(),
            };
            other.push(format!(
                "{} was {}, should be {}, and is {} now",
                leaf.path,
                say(&leaf.before),
                say(&leaf.after),
                say(&now)
            ));
        }
    }
    match (before, after, other.is_empty()) {
        (_, _, false) => Stands::Other(other.join("; ")),
        (0, _, true) => Stands::After,
        (_, 0, true) => Stands::Before,
        _ => Stands::Other("only some of its fields are in place".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::kinds::Kind;
    use crate::plan::Part;
    use crate::plan::path::LeafPath;
    use crate::plan::record::{LeafChange, TextRecord};
    use crate::plan::scrape_config::TextEdit;
    use serde_json::json;

    fn intent(kind: Kind, uid: Option<&str>) -> Intent {
        let object = ObjectRef::new(kind, "shop", "web");
        Intent {
            run: "r".into(),
            seq: 0,
            at: jiff::Timestamp::UNIX_EPOCH,
            change: ChangeId::new(&object, Part::Annotation),
            part: Part::Annotation,
            object,
            item: None,
            uid: uid.map(str::to_owned),
            leaves: Vec::new(),
            text: None,
            deleted: None,
            taken: Vec::new(),
        }
    }

    fn label(before: Option<Value>, after: Option<Value>) -> LeafChange {
        LeafChange {
            path: LeafPath::fields(["metadata", "labels", "a"]),
            before,
            owners: Vec::new(),
            after,
        }
    }

    #[test]
    fn a_field_is_before_after_or_other() {
        let mut it = intent(Kind::Deployment, Some("u"));
        it.leaves = vec![label(Some(json!("1")), Some(json!("2")))];
        let web = |value: &str| json!({"metadata": {"uid": "u", "labels": {"a": value}}});
        assert_eq!(stands(&it, Some(&web("1"))), Stands::Before);
        assert_eq!(stands(&it, Some(&web("2"))), Stands::After);
        let Stands::Other(words) = stands(&it, Some(&web("3"))) else {
            panic!()
        };
        assert!(
            ["\"1\"", "\"2\"", "\"3\""]
                .iter()
                .all(|v| words.contains(v)),
            "{words}"
        );
        assert!(matches!(stands(&it, None), Stands::Other(w) if w.contains("gone")));
        let successor = json!({"metadata": {"uid": "v", "labels": {"a": "2"}}});
        assert!(matches!(stands(&it, Some(&successor)), Stands::Other(_)));
    }

    #[test]
    fn an_object_that_is_made_is_ours_by_its_manager() {
        let it = intent(Kind::Sidecar, None);
        let made = |manager: &str| json!({"metadata": {"managedFields": [{"manager": manager}]}});
        assert_eq!(stands(&it, None), Stands::Before);
        assert_eq!(stands(&it, Some(&made("meshscrape"))), Stands::After);
        assert!(matches!(
            stands(&it, Some(&made("kubectl"))),
            Stands::Other(_)
        ));
    }

    #[test]
    fn a_deleted_object_is_after_when_it_is_gone() {
        let mut it = intent(Kind::Sidecar, Some("u"));
        let object = json!({"metadata": {"uid": "u"}});
        it.deleted = Some(object.clone());
        assert_eq!(stands(&it, None), Stands::After);
        assert_eq!(stands(&it, Some(&object)), Stands::Before);
        let other = json!({"metadata": {"uid": "v"}});
        assert!(matches!(stands(&it, Some(&other)), Stands::Other(_)));
    }

    #[test]
    fn text_is_judged_by_the_edit_not_by_the_whole() {
        let mut it = intent(Kind::ConfigMap, Some("u"));
        let job = json!({"job_name": "ours", "scheme": "https"});
        let edits = vec![TextEdit::InsertJob {
            name: "ours".into(),
            job,
        }];
        let before = "scrape_configs:\n- job_name: a\n";
        let after = scrape_config::apply(before, &edits).expect("inserted");
        it.text = Some(TextRecord::new("p", &edits, before, &after));
        let map = |text: &str| json!({"metadata": {"uid": "u"}, "data": {"p": text}});
        assert_eq!(stands(&it, Some(&map(before))), Stands::Before);
        assert_eq!(stands(&it, Some(&map(&after))), Stands::After);
        // Somebody's comment elsewhere changes neither.
        let more = format!("# theirs\n{after}");
        assert_eq!(stands(&it, Some(&map(&more))), Stands::After);
        assert!(matches!(stands(&it, Some(&map("a: [")),), Stands::Other(_)));
    }

    #[test]
    fn each_change_counts_once_by_its_last_line() {
        let mut again = intent(Kind::Sidecar, None);
        again.seq = 3;
        let entries = [
            Entry::Intent(Box::new(intent(Kind::Sidecar, None))),
            Entry::Intent(Box::new(again)),
        ];
        let steps = steps(&entries, &|_| None);
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].stands, Stands::Before);
    }
}
