//! JSON with stable names. Every value and every line carries [`VERSION`].

mod forecast;

use crate::engine::contact::Contact;
use crate::mesh::OtherPods;
use crate::mesh::others::in_plaintext;
use crate::plan::Impact;
use crate::plan::diff::LineKind;
use crate::plan::review::{Conflict, Hands, ItemState, PodVerdict, Review, Verdict};
use crate::plan::upstream::{Upstream, upstream};
use crate::problems::Problem;
use crate::targets::{Board, Guard, Probe, Row, State};
use crate::words;
use serde_json::{Value, json};

/// Counts changes of form that would break a reader.
pub const VERSION: u32 = 2;

/// A review as `plan --json` prints it.
pub fn review(review: &Review) -> Value {
    let states = review.states();
    let changes: Vec<Value> = review
        .plan
        .changes
        .iter()
        .filter_map(|change| {
            let item = review.items.get(&change.id)?;
            let diff = item.diff();
            let lines: Vec<String> = diff
                .lines
                .iter()
                .map(|line| {
                    let mark = match line.kind {
                        LineKind::Added => '+',
                        LineKind::Removed => '-',
                        LineKind::Same | LineKind::Folded(_) => ' ',
                    };
                    format!("{mark}{}", line.text)
                })
                .collect();
            Some(json!({
                "id": change.id,
                "kind": change.object.kind.name(),
                "namespace": change.object.namespace,
                "name": change.object.name,
                "part": change.part,
                "item": change.item,
                "purpose": change.purpose,
                "message": words::purpose(&change.purpose),
                "state": state_word(states.get(&change.id)?),
                "reason": reason(&item.verdict),
                "added": diff.added,
                "removed": diff.removed,
                "diff": lines,
                "conflicts": item.conflicts.iter().map(|of| conflict(of, review)).collect::<Vec<_>>(),
                "owner": upstream(item).map(|of| owner(&of)),
                "warnings": item.warnings.iter().cloned().chain(review.not_kept(item)).collect::<Vec<_>>(),
                "pod": item.pod.as_ref().map(pod),
                "problems": item.rollout_problems.iter().chain(&change.findings).map(problem).collect::<Vec<_>>(),
                "needs": change.needs,
                "impacts": change.impacts.iter().map(impact).collect::<Vec<_>>(),
            }))
        })
        .collect();
    let counts = review.counts();
    json!({
        "version": VERSION,
        "context": review.context,
        "run": review.run.0,
        "changes": changes,
        "impacts": review.plan.impacts.iter().map(impact).collect::<Vec<_>>(),
        "problems": review.plan.findings.iter().map(problem).collect::<Vec<_>>(),
        "skipped": review.plan.skipped.iter().map(problem).collect::<Vec<_>>(),
        "forecast": review.plan.forecast.as_deref().map(forecast::forecast),
        "otherPods": review.plan.others.iter().map(|of| other(of)).collect::<Vec<_>>(),
        "summary": {
            "changes": counts.changes, "new": counts.new, "patched": counts.patched,
            "deleted": counts.deleted, "podsThatRestart": counts.restarts,
        },
    })
}

fn state_word(state: &ItemState) -> &'static str {
    match state {
        ItemState::Asking => "asking",
        ItemState::Ready => "ready",
        ItemState::Unchanged => "unchanged",
        ItemState::LeftOut(_) => "leftOut",
        ItemState::Conflict(_) => "conflict",
        ItemState::Refused(_) => "refused",
        ItemState::Gate { .. } => "gate",
        ItemState::Failed(_) => "failed",
        ItemState::Unverified(_) => "unverified",
    }
}

pub fn reason(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Unverified(why)
        | Verdict::Refused(why)
        | Verdict::Failed(why)
        | Verdict::Gate { why, .. } => Some(why),
        _ => None,
    }
}

fn owner(of: &Upstream) -> Value {
    json!({
        "tool": of.tool.map(|tool| tool.word()),
        "kind": of.kind,
        "name": of.name,
        "namespace": of.namespace,
        "chart": of.chart,
        "setsBack": of.reverts(),
        "place": of.place,
        "fragments": of.fragments.iter().map(|fragment| json!({
            "what": fragment.head, "yaml": fragment.yaml,
        })).collect::<Vec<_>>(),
    })
}

fn conflict(conflict: &Conflict, review: &Review) -> Value {
    json!({
        "manager": conflict.manager,
        "field": conflict.field,
        "theirs": conflict.theirs,
        "ours": conflict.ours,
        "takenBy": match conflict.hands { Hands::Person => "approval", Hands::Controller => "name" },
        "taken": conflict.hands == Hands::Person || review.taken.contains(&conflict.manager),
    })
}

fn pod(verdict: &PodVerdict) -> Value {
    match verdict {
        PodVerdict::Admitted {
            sidecar,
            warnings,
            findings,
        } => json!({
            "verdict": "admitted", "sidecar": sidecar, "warnings": warnings,
            "problems": findings.iter().map(problem).collect::<Vec<_>>(),
        }),
        PodVerdict::Forbidden(why) => json!({"verdict": "forbidden", "problem": problem(why)}),
        PodVerdict::Unfit(why) => json!({"verdict": "unfit", "problem": problem(why)}),
        PodVerdict::Unknown(why) => json!({"verdict": "unknown", "problem": problem(why)}),
        PodVerdict::BeyondQuota(why) => json!({"verdict": "beyondQuota", "problem": problem(why)}),
        PodVerdict::AsBad(why) => json!({"verdict": "asBad", "problem": problem(why)}),
    }
}

/// An impact: kind and fields, and the sentence.
fn impact(impact: &Impact) -> Value {
    let mut out = json!(impact);
    out["message"] = super::words::impact(impact).into();
    out
}

/// Whether Prometheus can be asked.
pub fn contact(contact: &Contact) -> Value {
    let (state, error) = match contact {
        Contact::Answers { .. } => ("answers", None),
        Contact::NotRunning(error) => ("notRunning", Some(error)),
        Contact::Unreachable(error) => ("unreachable", Some(error)),
    };
    let (url, replicas, late) = match contact {
        Contact::Answers {
            url,
            replicas,
            late,
            ..
        } => (url.as_deref(), Some(replicas), &late[..]),
        _ => (None, None, &[][..]),
    };
    json!({
        "state": state, "url": url, "replicas": replicas, "jobsToReload": late,
        "what": error.map(|e| &e.what), "causes": error.map(|e| &e.causes), "hints": error.map(|e| &e.hints),
    })
}

/// The board as `status --json` prints it.
pub fn board(board: &Board) -> Value {
    json!({
        "version": VERSION,
        "at": board.at,
        "targets": board.rows.iter().map(|row| target(row)).collect::<Vec<_>>(),
        "replicas": board.replicas.iter().map(|replica| json!({
            "pod": replica.pod, "error": replica.error, "jobLoaded": replica.job_loaded,
        })).collect::<Vec<_>>(),
        "otherPods": board.others.iter().map(|of| other(of)).collect::<Vec<_>>(),
        "stale": board.stale.as_ref().map(|(why, since)| json!({"message": why, "since": since})),
        "summary": {
            "all": board.counts.all(), "up": board.counts.up, "down": board.counts.down,
            "waiting": board.counts.waiting, "plaintext": board.counts.plaintext,
            "notCovered": board.counts.not_covered, "double": board.counts.double,
            // Whether one is scraped in plaintext besides is told by `double`.
            "secured": board.counts.refused,
            "unguarded": board.counts.unguarded, "leftOut": board.counts.left_out,
            "otherPodsInPlaintext": in_plaintext(&board.others),
        },
        "sharedWith": board.shared_with,
    })
}

/// A problem: code, subject and evidence for programs, the sentences for people.
pub fn problem(of: &Problem) -> Value {
    json!({
        "code": of.code(),
        "name": of.code().name(),
        "severity": of.severity(),
        "subject": of.of(),
        "evidence": of.evidence(),
        "remedy": of.remedy(),
        "ist": of.code().ist(),
        "message": words::sentence(of),
        "toDo": words::remedy(of),
    })
}

/// Pods that nothing can be written for.
fn other(of: &OtherPods) -> Value {
    json!({
        "namespace": of.namespace, "kind": of.kind, "name": of.name,
        "pods": of.pods, "withSidecar": of.meshed, "inPlaintext": of.plaintext,
        "problem": problem(&of.obstacle),
    })
}

fn target(row: &Row) -> Value {
    let (state, detail) = match &row.state {
        _ if row.left_out => ("leftOut", None),
        State::Up { double } => ("up", double.clone()),
        State::Unsettled { until } => ("unsettled", Some(until.to_string())),
        State::Down { error, .. } => ("down", Some(error.clone())),
        State::Waiting { on, replica } => ("waiting", Some(words::waits(on, replica.as_deref()))),
        State::Plaintext { job } => ("plaintext", Some(job.clone())),
        State::NotCovered => ("notCovered", Some(words::not_covered().to_owned())),
    };
    let faults = row.guard.faults();
    let cause = match &row.state {
        State::Down {
            cause: Some(known), ..
        } => problem(known),
        State::Down { .. } => Value::Null,
        _ => faults.first().map_or(Value::Null, problem),
    };
    let (guard, unread) = match &row.guard {
        Guard::NotAsked => ("notAsked", None),
        Guard::Stands => ("stands", None),
        Guard::Fails(_) => ("fails", None),
        Guard::Unknown(why) => ("unknown", Some(why)),
    };
    let (plaintext, why) = match &row.probe {
        Probe::NotAsked => ("notAsked", None),
        Probe::Refused => ("refused", None),
        Probe::Served => ("served", None),
        Probe::Unknown(why) | Probe::Unclear(why) => ("unknown", Some(why)),
    };
    json!({
        "workload": row.expected.item,
        "gateway": row.expected.gateway,
        "pod": row.expected.pod,
        "port": row.expected.secure_port,
        "leadsTo": row.expected.port,
        "state": state,
        "detail": detail,
        "cause": cause,
        "guard": guard,
        "guardDetail": unread,
        "faults": faults.iter().map(problem).collect::<Vec<_>>(),
        "plaintext": plaintext,
        "plaintextDetail": why,
        "lastScrape": row.last_scrape,
        "tookSeconds": row.took.map(|took| took.as_secs_f64()),
    })
}
