//! Leaving a change out of the whole plan: what would stand unused goes with it.

use super::*;
use crate::plan::review::{NotApprovable, Review, Reviewed, RunId, Verdict, Word};
use crate::recipe::testing::{answers, mesh, with_workload};

/// Every change of the plan answered with "new".
fn review(plan: Plan) -> Review {
    let mut review = Review::new("ctx", RunId("r".into()), plan.clone());
    for change in plan.changes {
        review.insert(Reviewed {
            change,
            live: None,
            after: None,
            verdict: Verdict::New,
            conflicts: Vec::new(),
            warnings: Vec::new(),
            pod: None,
            rollout_problems: Vec::new(),
            intent: None,
        });
    }
    review
}

/// What is still written without these parts.
fn without(mesh: &Mesh, gateway: bool, out: impl Fn(&Change) -> bool) -> Vec<Part> {
    let plan = plan(mesh, &answers(gateway));
    let mut review = review(plan.clone());
    let ids = plan.changes.iter().filter(|change| out(change));
    let ids: Vec<_> = ids.map(|change| change.id.clone()).collect();
    assert!(!ids.is_empty());
    ids.iter().for_each(|id| review.toggle(id));
    match review.approve(Word { lose_history: true }) {
        Ok(approved) => approved.changes().iter().map(|c| c.change().part).collect(),
        Err(NotApprovable::NothingToDo) => Vec::new(),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn without_prometheus_nothing_is_of_use() {
    for part in [Part::PrometheusPod, Part::ScrapeJob] {
        assert_eq!(without(&mesh(), true, |c| c.part == part), [], "{part:?}");
    }
}

#[test]
fn without_its_mark_a_workloads_listener_and_policies_go_and_the_gateway_stays() {
    let left = without(&mesh(), true, |c| {
        c.part == Part::Annotation && c.object.name == "httpbin"
    });
    assert!(left.contains(&Part::Annotation) && left.contains(&Part::Route));
    assert!(!left.contains(&Part::Policy), "{left:?}");
    let left = without(&mesh(), true, |c| {
        c.part == Part::Annotation && c.object.name != "httpbin"
    });
    assert!(left.contains(&Part::Annotation) && left.contains(&Part::Policy));
    assert!(!left.contains(&Part::Route), "{left:?}");
}

#[test]
fn where_the_pods_carry_the_mark_already_the_listener_stays() {
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| w.scraped.secure = true);
    let left = without(&mesh, false, |c| c.part == Part::Annotation);
    assert!(left.contains(&Part::Listener) && left.contains(&Part::Policy));
}

#[test]
fn every_other_change_can_be_left_out_and_a_listener_never_stands_without_its_policies() {
    let plan = plan(&mesh(), &answers(true));
    for one in &plan.changes {
        let left = without(&mesh(), true, |c| c.id == one.id);
        if one.part == Part::Policy {
            let listeners = left.iter().filter(|part| **part == Part::Listener).count();
            assert_eq!(listeners, 1, "the gateway's alone: {left:?}");
        }
    }
}
