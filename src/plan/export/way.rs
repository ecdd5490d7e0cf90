//! Who makes each change: the script, the object's owner, or nobody.

use super::Setup;
use crate::mesh::OwnerTool;
use crate::mesh::kinds::Kind;
use crate::plan::kubectl;
use crate::plan::review::{PodVerdict, Review, Reviewed, Verdict};
use crate::plan::{Action, Change, ChangeId, Part};
use crate::words;
use std::collections::BTreeMap;

/// What becomes of a change in an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Live already is as wanted.
    Stands,
    /// The script makes it; `after_owner`: only once the owner's own changes are made.
    Script { after_owner: bool },
    /// Only its owner can make it so that it lasts: why.
    Owner(String),
    /// In no file: why.
    Out(String),
}

/// The way of every change.
pub(super) fn ways(review: &Review, setup: &Setup) -> BTreeMap<ChangeId, Way> {
    let mut ways: BTreeMap<ChangeId, Way> = BTreeMap::new();
    // A change may stand before one that it needs only by mistake of the plan; as many rounds as it takes.
    let changes: Vec<&Change> = review
        .plan
        .changes
        .iter()
        .filter(|change| change.part != Part::Journal)
        .collect();
    for change in &changes {
        ways.insert(change.id.clone(), own(review, setup, change));
    }
    for _ in 0..changes.len() {
        let mut moved = false;
        for change in &changes {
            let Some(Way::Script { .. } | Way::Owner(_)) = ways.get(&change.id) else {
                continue;
            };
            let out = |id: &ChangeId| matches!(ways.get(id), Some(Way::Out(_)));
            let need = change.needs.iter().find(|need| out(need));
            // A policy of a listener that is not here, as the plan skips it.
            let serves = review.plan.serves.get(&change.id);
            let serves = serves.filter(|of| !of.is_empty() && of.iter().all(&out));
            let fallen = match (need, serves) {
                (Some(need), _) => Some(Way::Out(format!(
                    "it depends on {need}, which is in no file"
                ))),
                (None, Some(of)) => Some(Way::Out(format!(
                    "it is needed only with {}, which is in no file",
                    of[0]
                ))),
                (None, None) => None,
            };
            let late = change.needs.iter().any(|need| {
                matches!(
                    ways.get(need),
                    Some(Way::Owner(_) | Way::Script { after_owner: true })
                )
            });
            let new = match (fallen, &ways[&change.id]) {
                (Some(out), _) => out,
                // Its text would be another by then.
                (None, Way::Script { .. }) if late && matches!(change.action, Action::Text { .. }) => {
                    Way::Owner("it follows a change that the script does not make; export again after that change".into())
                }
                (None, Way::Script { after_owner: false }) if late => {
                    Way::Script { after_owner: true }
                }
                _ => continue,
            };
            ways.insert(change.id.clone(), new);
            moved = true;
        }
        if !moved {
            break;
        }
    }
    // Nobody has to wait for what stays undone by a plan without Prometheus's own part.
    if setup.gap.is_some() {
        for change in &changes {
            if change.part == Part::Annotation
                && let Some(way @ Way::Script { .. }) = ways.get_mut(&change.id)
            {
                *way = Way::Script { after_owner: true };
            }
        }
    }
    ways
}

fn own(review: &Review, setup: &Setup, change: &Change) -> Way {
    let reviewed = review.items.get(&change.id);
    if reviewed.is_some_and(|reviewed| reviewed.verdict == Verdict::Unchanged) {
        return Way::Stands;
    }
    if review.left_out.contains(&change.id) {
        return Way::Out("you skipped it".into());
    }
    if change.object.kind == Kind::OperatorPrometheus {
        return Way::Owner(
            "the Prometheus operator writes the configuration; the job goes into its additionalScrapeConfigs"
                .into(),
        );
    }
    if let Action::Edit { leaves } = &change.action
        && kubectl::holds_credentials(leaves)
    {
        return Way::Owner(
            "its patch would show a credential, so that it has to be edited by hand".into(),
        );
    }
    if let Some(owner) = setup.owned.get(&change.object) {
        return Way::Owner(format!(
            "it belongs to {}{} ({}), which would revert a direct change",
            match owner.tool {
                OwnerTool::Operator => "an ",
                _ => "",
            },
            owner.tool.name(),
            owner.in_namespace(&change.object.namespace)
        ));
    }
    if let Some(reviewed) = reviewed {
        match &reviewed.verdict {
            Verdict::Refused(words) => {
                return Way::Out(format!("the API server refuses it: {words}"));
            }
            Verdict::Gate { why, .. } => {
                return Way::Owner(format!(
                    "its text must be edited by hand, because a program cannot edit it safely: {why}"
                ));
            }
            _ => {}
        }
        if let Some(PodVerdict::Forbidden(why) | PodVerdict::Unfit(why)) = &reviewed.pod {
            return Way::Out(words::reason(why));
        }
    }
    if let Some(reviewed) = reviewed {
        if let Some(why) = held(review, reviewed) {
            return Way::Owner(why);
        }
        if matches!(change.action, Action::Text { .. } | Action::Edit { .. })
            && reviewed.live.is_none()
        {
            return Way::Out("the object could not be read".into());
        }
    }
    Way::Script { after_owner: false }
}

/// Fields of a controller that were not taken by name.
fn held(review: &Review, reviewed: &Reviewed) -> Option<String> {
    let untaken: Vec<&str> = reviewed
        .controllers()
        .into_iter()
        .filter(|manager| !review.taken.contains(*manager))
        .collect();
    if untaken.is_empty() {
        return None;
    }
    let managers = untaken.join(", ");
    Some(format!(
        "its fields belong to {managers}; to let the script force them, export again with --force-owner {}",
        untaken.join(",")
    ))
}
