//! A reviewed change made ready to be looked at: diff, YAML, command, notes. CPU work, off the loop.

use crate::engine::undo::UndoPlan;
use crate::plan::diff::{Diff, LineKind};
use crate::plan::review::{Hands, PodVerdict, Reviewed, Verdict};
use crate::plan::upstream::{Upstream, upstream};
use crate::plan::{Action, kubectl, mask, yaml};
use crate::text::clean;
use crate::wizard::state::{ChangeView, DiffLine, LineSign, Tone, ViewNote};
use crate::words::{self, say::wizard as texts};
use serde_json::Value;
use std::collections::BTreeSet;

/// `taken`: controllers whose fields the user lets be taken.
pub(super) fn of(item: &Reviewed, taken: &BTreeSet<String>) -> ChangeView {
    let diff = item.diff();
    let unified: Vec<DiffLine> = (0..diff.lines.len()).map(|at| line(&diff, at)).collect();
    let pairs = diff
        .pairs()
        .into_iter()
        .map(|(left, right)| {
            let take = |at: Option<usize>| at.and_then(|at| unified.get(at)).cloned();
            (take(left), take(right))
        })
        .collect();
    let command = kubectl::command(&item.change, Some(item));
    let upstream = upstream(item);
    let owner = upstream.as_ref().map_or_else(Vec::new, Upstream::lines);
    ChangeView {
        id: Some(item.change.id.clone()),
        unified,
        pairs,
        yaml: lines(&manifest(item)),
        kubectl: lines(&command),
        owner: owner.iter().map(|line| clean(line).into_owned()).collect(),
        notes: notes(item, diff.folded, taken, upstream.as_ref()),
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| clean(line).into_owned()).collect()
}

/// What is sent, where it is an object; else the object as it would become.
fn manifest(item: &Reviewed) -> String {
    let sent = match &item.change.action {
        Action::Apply { intent } => Some(item.intent.as_ref().unwrap_or(intent)),
        _ => item.after.as_deref(),
    };
    sent.map_or_else(
        || {
            format!(
                "{}\n",
                texts::object_is_deleted(&item.change.object.to_string())
            )
        },
        |value| yaml::to_yaml(&mask::masked(value)),
    )
}

/// One line in pieces, those that changed within it marked.
fn line(diff: &Diff, at: usize) -> DiffLine {
    let line = &diff.lines[at];
    let sign = match line.kind {
        LineKind::Same => LineSign::Same,
        LineKind::Added => LineSign::Added,
        LineKind::Removed => LineSign::Removed,
        LineKind::Folded(_) => LineSign::Fold,
    };
    let mut pieces = Vec::new();
    let mut from = 0;
    for words in diff.words(at) {
        if let Some(before) = line.text.get(from..words.start).filter(|t| !t.is_empty()) {
            pieces.push((false, before.to_owned()));
        }
        if let Some(changed) = line.text.get(words.clone()) {
            pieces.push((true, changed.to_owned()));
        }
        from = words.end;
    }
    if let Some(rest) = line.text.get(from..).filter(|t| !t.is_empty()) {
        pieces.push((false, rest.to_owned()));
    }
    DiffLine { sign, pieces }
}

fn notes(
    item: &Reviewed,
    folded: usize,
    taken: &BTreeSet<String>,
    upstream: Option<&Upstream>,
) -> Vec<ViewNote> {
    let mut notes = Vec::new();
    let mut say = |tone: Tone, text: String| {
        notes.push(ViewNote {
            tone,
            text: text.lines().map(clean).collect::<Vec<_>>().join("\n"),
        });
    };
    say(Tone::Plain, crate::words::purpose(&item.change.purpose));
    match &item.verdict {
        Verdict::Refused(words) => say(Tone::Bad, texts::rejected(words)),
        Verdict::Failed(words) => say(Tone::Bad, texts::dry_run_failed(words)),
        Verdict::Unverified(why) => say(Tone::Waiting, texts::not_dry_run(why)),
        Verdict::Gate { why, paste } => {
            say(Tone::Bad, texts::paste_by_hand(why));
            say(Tone::Plain, paste.clone());
        }
        Verdict::New | Verdict::Changes | Verdict::Deletes | Verdict::Unchanged => {}
    }
    let value = |value: &Option<Value>| {
        value
            .as_ref()
            .map_or_else(|| texts::NO_VALUE.to_owned(), ToString::to_string)
    };
    for conflict in &item.conflicts {
        let (theirs, ours) = (value(&conflict.theirs), value(&conflict.ours));
        let (field, manager) = (&conflict.field, &conflict.manager);
        match conflict.hands {
            // A text is edited in place, and has no value to name.
            Hands::Person if conflict.theirs.is_none() && conflict.ours.is_none() => {
                say(Tone::Plain, texts::set_by_hand(field, manager))
            }
            Hands::Person => say(
                Tone::Waiting,
                texts::overwrites_by_hand(field, &theirs, manager, &ours),
            ),
            Hands::Controller if taken.contains(manager) => say(
                Tone::Waiting,
                texts::forced_becomes(field, &theirs, manager, &ours),
            ),
            Hands::Controller => say(Tone::Bad, texts::conflict(field, &theirs, manager, &ours)),
        }
    }
    if let (Some(of), true) = (upstream, item.verdict != Verdict::Unchanged) {
        say(
            Tone::Waiting,
            texts::belongs_see_source(&of.owner(), of.reverts()),
        );
    }
    match &item.pod {
        Some(PodVerdict::Forbidden(why) | PodVerdict::Unfit(why)) => {
            say(Tone::Bad, format!("{}: {}", why.code(), words::reason(why)));
        }
        Some(PodVerdict::Unknown(why) | PodVerdict::BeyondQuota(why) | PodVerdict::AsBad(why)) => {
            say(Tone::Waiting, words::reason(why))
        }
        Some(PodVerdict::Admitted {
            sidecar,
            warnings,
            findings,
        }) => {
            say(
                Tone::Good,
                match (sidecar, item.has_own_proxy()) {
                    (true, _) => texts::ADMITTED_WITH_SIDECAR,
                    (false, true) => texts::ADMITTED_WITH_OWN_PROXY,
                    (false, false) => texts::ADMITTED_WITHOUT_SIDECAR,
                }
                .to_owned(),
            );
            for words in warnings
                .iter()
                .cloned()
                .chain(findings.iter().map(words::reason))
            {
                say(Tone::Waiting, words);
            }
        }
        None => {}
    }
    for warning in &item.warnings {
        say(Tone::Waiting, texts::server_warns(warning));
    }
    for problem in &item.rollout_problems {
        say(Tone::Waiting, words::sentence(problem));
        if let Some(to_do) = words::remedy(problem) {
            say(Tone::Plain, texts::to_do(&to_do));
        }
    }
    for impact in &item.change.impacts {
        say(Tone::Waiting, words::impact(impact));
    }
    for (problem, words) in words::together(&item.change.findings) {
        say(Tone::Waiting, format!("{}: {words}", problem.code()));
    }
    if folded > 0 {
        say(Tone::Muted, texts::hidden_fields(folded));
    }
    notes
}

/// What of an undo takes a word of its own, in sentences.
pub(super) fn undo_asks(plan: &UndoPlan) -> Vec<String> {
    let asks = plan.notes.iter().filter(|note| note.asks());
    asks.map(crate::words::undo_note).collect()
}

/// Why it is not certain that the run was made in this cluster, in sentences.
pub(super) fn unproven(plan: &UndoPlan) -> Vec<String> {
    let why = plan.unproven.iter();
    why.flat_map(|why| std::iter::once(&why.what).chain(&why.causes))
        .cloned()
        .collect()
}

/// What an undo leaves alone, in sentences.
pub(super) fn undo_notes(plan: &UndoPlan) -> Vec<String> {
    plan.warnings
        .iter()
        .cloned()
        .chain(plan.notes.iter().map(crate::words::undo_note))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::kinds::{Kind, ObjectRef};
    use crate::plan::{Change, Part};
    use serde_json::json;
    use std::sync::Arc;

    fn mark(verdict: Verdict) -> Reviewed {
        let object = ObjectRef::new(Kind::Deployment, "shop", "web");
        let release = json!({"meta.helm.sh/release-name": "news"});
        let labels = json!({"app.kubernetes.io/managed-by": "Helm"});
        Reviewed {
            change: Change::new(
                object,
                Part::Annotation,
                Action::Apply {
                    intent: json!({"kind": "Deployment", "metadata": {"name": "web"}}),
                },
                crate::plan::purpose::Purpose::SecureJob,
            ),
            live: Some(Arc::new(
                json!({"metadata": {"annotations": release, "labels": labels}}),
            )),
            after: None,
            verdict,
            conflicts: vec![crate::plan::review::Conflict {
                manager: "helm".into(),
                field: ".spec.x".into(),
                theirs: Some(json!("a")),
                ours: Some(json!("b")),
                hands: Hands::Controller,
            }],
            warnings: Vec::new(),
            pod: None,
            rollout_problems: Vec::new(),
            intent: None,
        }
    }

    fn said(item: &Reviewed, taken: &[&str]) -> String {
        let taken = taken.iter().map(|name| (*name).to_owned()).collect();
        let notes = of(item, &taken).notes;
        let all: Vec<String> = notes.into_iter().map(|note| note.text).collect();
        all.join("\n")
    }

    #[test]
    fn a_refusal_stands_whole_in_its_own_lines() {
        let words =
            "admission webhook \"v\" denied the request: two things:\n  - one\n  - two\u{1b}[31m";
        let said = said(&mark(Verdict::Refused(words.into())), &[]);
        for line in ["two things:\n", "\n  - one\n", "\n  - two␛[31m"] {
            assert!(said.contains(line), "{said}");
        }
    }

    #[test]
    fn a_field_is_said_to_be_taken_once_its_manager_was_named() {
        let item = mark(Verdict::Changes);
        let conflict = texts::conflict(".spec.x", "\"a\"", "helm", "\"b\"");
        assert!(said(&item, &[]).contains(&conflict));
        let taken = said(&item, &["helm"]);
        assert!(!taken.contains(&conflict), "{taken}");
        let forced = texts::forced_becomes(".spec.x", "\"a\"", "helm", "\"b\"");
        assert!(taken.contains(&forced), "{taken}");
        let of = upstream(&item).expect("an owner");
        let source = texts::belongs_see_source(&of.owner(), of.reverts());
        assert!(taken.contains(&source), "{taken}");
    }

    #[test]
    fn the_text_for_the_owner_is_there_to_be_shown() {
        let owner = of(&mark(Verdict::Changes), &BTreeSet::new()).owner;
        assert!(owner[0].contains("news"), "{owner:?}");
        assert!(owner.iter().any(|line| line == "kind: Deployment"));
    }
}
