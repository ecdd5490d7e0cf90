use super::super::{Action, Await, Part};
use super::*;
use crate::mesh::kinds::{Kind, ObjectRef};
use serde_json::json;

/// A change of a ConfigMap of that name, in need of others by name.
pub(in crate::plan) fn change(name: &str, needs: &[&str]) -> Change {
    let object = ObjectRef::new(Kind::ConfigMap, "n", name);
    let action = Action::Apply { intent: json!({}) };
    Change {
        needs: needs.iter().map(|need| id(need)).collect(),
        ..Change::new(
            object,
            Part::Policy,
            action,
            crate::plan::purpose::Purpose::SecureJob,
        )
    }
}

fn id(name: &str) -> ChangeId {
    ChangeId::new(&ObjectRef::new(Kind::ConfigMap, "n", name), Part::Policy)
}

pub(in crate::plan) fn reviewed(change: &Change, verdict: Verdict) -> Reviewed {
    Reviewed {
        change: change.clone(),
        live: None,
        after: None,
        verdict,
        conflicts: Vec::new(),
        warnings: Vec::new(),
        pod: None,
        rollout_problems: Vec::new(),
        intent: None,
    }
}

fn conflict(manager: &str, hands: Hands) -> Conflict {
    Conflict {
        manager: manager.into(),
        field: ".x".into(),
        theirs: None,
        ours: None,
        hands,
    }
}

/// policy ← listener ← annotation, and one beside them.
fn review(verdicts: [Verdict; 4]) -> Review {
    let changes = vec![
        change("policy", &[]),
        change("listener", &["policy"]),
        change("mark", &["listener"]),
        change("beside", &[]),
    ];
    let plan = Plan {
        changes: changes.clone(),
        ..Plan::default()
    };
    let mut review = Review::new("ctx", RunId("r".into()), plan);
    for (change, verdict) in changes.iter().zip(verdicts) {
        review.insert(reviewed(change, verdict));
    }
    review
}

fn all_new() -> Review {
    review([Verdict::New, Verdict::New, Verdict::Changes, Verdict::New])
}

fn approved(review: &Review) -> Vec<String> {
    let approved = review.approve(Word::default()).unwrap();
    approved
        .changes()
        .iter()
        .map(|change| change.change().object.name.clone())
        .collect()
}

#[test]
fn everything_ready_is_approved_in_order() {
    let review = all_new();
    assert_eq!(approved(&review), ["policy", "listener", "mark", "beside"]);
    let counts = review.counts();
    assert_eq!((counts.changes, counts.new, counts.patched), (4, 3, 1));
}

#[test]
fn leaving_out_cascades_along_needs_and_back() {
    let mut review = all_new();
    review.toggle(&id("policy"));
    assert_eq!(approved(&review), ["beside"]);
    assert_eq!(
        review.state(&id("policy")),
        Some(ItemState::LeftOut(LeftOut::ByUser))
    );
    assert_eq!(
        review.state(&id("mark")),
        Some(ItemState::LeftOut(LeftOut::HangsOn(id("listener"))))
    );
    assert_eq!(review.counts().left_out, 3);
    review.toggle(&id("policy"));
    assert_eq!(approved(&review).len(), 4);
    review.toggle(&id("mark"));
    assert_eq!(approved(&review), ["policy", "listener", "beside"]);
}

#[test]
fn what_stands_unchanged_counts_as_standing() {
    let mut review = review([
        Verdict::Unchanged,
        Verdict::New,
        Verdict::Changes,
        Verdict::Unchanged,
    ]);
    assert_eq!(approved(&review), ["listener", "mark"]);
    // It stands in the cluster whatever the user leaves out.
    review.toggle(&id("policy"));
    assert_eq!(approved(&review), ["listener", "mark"]);
}

#[test]
fn a_refused_policy_takes_its_listener_out_and_stops_approval() {
    let mut review = review([
        Verdict::Refused("no".into()),
        Verdict::New,
        Verdict::Changes,
        Verdict::New,
    ]);
    assert_eq!(
        review.state(&id("listener")),
        Some(ItemState::LeftOut(LeftOut::HangsOn(id("policy"))))
    );
    assert_eq!(
        review.approve(Word::default()).unwrap_err(),
        NotApprovable::Stopped(vec![id("policy")])
    );
    review.toggle(&id("policy"));
    assert_eq!(approved(&review), ["beside"]);
}

#[test]
fn gates_and_failures_stop_too() {
    for verdict in [
        Verdict::Failed("x".into()),
        Verdict::Gate {
            why: "w".into(),
            paste: "p".into(),
        },
    ] {
        let review = review([Verdict::New, Verdict::New, Verdict::New, verdict]);
        assert_eq!(
            review.approve(Word::default()).unwrap_err(),
            NotApprovable::Stopped(vec![id("beside")])
        );
    }
}

#[test]
fn a_persons_fields_go_by_the_normal_approval_a_controllers_by_name() {
    let mut review = all_new();
    let mut annotation = reviewed(&review.plan.changes[2], Verdict::Changes);
    annotation.conflicts = vec![conflict("kubectl-client-side-apply", Hands::Person)];
    review.insert(annotation.clone());
    assert_eq!(approved(&review).len(), 4);

    annotation
        .conflicts
        .push(conflict("helm", Hands::Controller));
    review.insert(annotation);
    assert_eq!(
        review.state(&id("mark")),
        Some(ItemState::Conflict(vec!["helm".into()]))
    );
    assert_eq!(
        review.approve(Word::default()).unwrap_err(),
        NotApprovable::Stopped(vec![id("mark")])
    );
    review.take("argo");
    assert!(review.approve(Word::default()).is_err());
    review.take("helm");
    assert_eq!(approved(&review).len(), 4);
}

#[test]
fn pods_that_would_be_refused_stop_their_change() {
    let mut review = all_new();
    let mut annotation = reviewed(&review.plan.changes[2], Verdict::Changes);
    annotation.pod = Some(PodVerdict::Forbidden(Problem::PodSecurityForbids {
        of: (&annotation.change.object).into(),
        said: "violates PodSecurity".into(),
    }));
    review.insert(annotation);
    assert!(matches!(
        review.state(&id("mark")),
        Some(ItemState::Refused(words)) if words.contains("PodSecurity")
    ));
}

#[test]
fn nothing_is_approved_while_questions_are_open() {
    let mut review = all_new();
    review.items.remove(&id("beside"));
    assert_eq!(review.pending(), 1);
    assert_eq!(
        review.approve(Word::default()).unwrap_err(),
        NotApprovable::StillAsking(1)
    );
}

#[test]
fn nothing_to_do_is_said() {
    let review = review([
        Verdict::Unchanged,
        Verdict::Unchanged,
        Verdict::Unchanged,
        Verdict::Unchanged,
    ]);
    assert_eq!(
        review.approve(Word::default()).unwrap_err(),
        NotApprovable::NothingToDo
    );
    assert_eq!(review.counts().unchanged, 4);
}

#[test]
fn the_lock_falls_with_what_was_left_out_and_is_not_called_as_wanted() {
    let state = |verdict: Verdict, out: bool| {
        let mut lock = change("lock", &[]);
        lock.part = Part::Journal;
        lock.action = Action::Apply { intent: json!({}) };
        let cart = change("cart", &[]);
        let plan = Plan {
            changes: vec![lock.clone(), cart.clone()],
            ..Plan::default()
        };
        let mut review = Review::new("ctx", RunId("r".into()), plan);
        review.insert(reviewed(&lock, Verdict::New));
        review.insert(reviewed(&cart, verdict));
        if out {
            review.toggle(&cart.id);
        }
        review.state(&lock.id).unwrap()
    };
    assert_eq!(state(Verdict::New, false), ItemState::Ready);
    assert_eq!(state(Verdict::Unchanged, false), ItemState::Unchanged);
    let falls = ItemState::LeftOut(LeftOut::HangsOn(id("cart")));
    assert_eq!(state(Verdict::New, true), falls);
}

#[test]
fn losing_history_takes_its_own_word_only_where_it_would_happen() {
    let prometheus = WorkloadRef::new("mon", Kind::Deployment, "prometheus");
    let mut review = all_new();
    review.plan.changes[3].impacts = vec![
        Impact::LosesHistory {
            prometheus: prometheus.clone(),
        },
        Impact::Restarts {
            workload: prometheus.clone(),
            pods: 2,
        },
    ];
    assert_eq!(review.loses_history(), [prometheus]);
    assert_eq!(review.counts().restarts, 2);
    assert_eq!(
        review.approve(Word::default()).unwrap_err(),
        NotApprovable::HistoryNotConfirmed
    );
    assert!(review.approve(Word { lose_history: true }).is_ok());
    let unchanged = reviewed(&review.plan.changes[3], Verdict::Unchanged);
    review.insert(unchanged);
    assert!(review.loses_history().is_empty());
    assert_eq!(review.counts().restarts, 0);
    assert!(review.approve(Word::default()).is_ok());
}

#[test]
fn waits_of_unchanged_needs_are_not_lost() {
    let mut review = review([Verdict::Unchanged, Verdict::New, Verdict::New, Verdict::New]);
    let loaded = Await::ConfigLoaded {
        prometheus: WorkloadRef::new("mon", Kind::Deployment, "p"),
        job: "j".into(),
    };
    review.plan.changes[0].then = vec![Await::ReadBack, loaded.clone()];
    let approved = review.approve(Word::default()).unwrap();
    assert_eq!(approved.changes()[0].before(), [loaded]);
    assert!(approved.changes()[1].before().is_empty());
}

#[test]
fn a_run_is_named_by_its_time() {
    let now: Timestamp = "2026-11-23T10:45:12Z".parse().unwrap();
    let run = RunId::new(now);
    assert!(run.0.starts_with("20261123-104512-"), "{run}");
    assert_eq!(run.0.len(), 18);
    assert!(
        run.0
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    );
}

/// [`review`], its listener and policy of use only with the annotation.
fn serving(annotation: Verdict) -> Review {
    let mut review = review([Verdict::New, Verdict::New, annotation, Verdict::New]);
    for part in ["policy", "listener"] {
        review.plan.serves.insert(id(part), vec![id("mark")]);
    }
    review
}

#[test]
fn what_only_serves_a_change_is_left_out_with_it_and_comes_back() {
    let mut review = serving(Verdict::Changes);
    review.toggle(&id("mark"));
    assert_eq!(approved(&review), ["beside"]);
    assert_eq!(
        review.state(&id("policy")),
        Some(ItemState::LeftOut(LeftOut::HangsOn(id("mark"))))
    );
    review.toggle(&id("mark"));
    assert_eq!(approved(&review).len(), 4);
}

#[test]
fn what_serves_a_mark_that_stands_is_written_though_the_mark_is_left_out() {
    let mut review = serving(Verdict::Unchanged);
    review.toggle(&id("mark"));
    assert_eq!(approved(&review), ["policy", "listener", "beside"]);
}

#[test]
fn what_stops_says_so_itself_and_takes_nothing_out_that_serves_it() {
    let mut review = serving(Verdict::Changes);
    let words = "a webhook said no";
    let listener = review.items.get_mut(&id("listener")).unwrap();
    std::sync::Arc::make_mut(listener).verdict = Verdict::Refused(words.into());
    let states = review.states();
    assert_eq!(states[&id("listener")], ItemState::Refused(words.into()));
    assert_eq!(
        states[&id("mark")],
        ItemState::LeftOut(LeftOut::HangsOn(id("listener")))
    );
    assert_eq!(states[&id("policy")], ItemState::Ready);
    // Once the user leaves it out, the rest goes with it.
    review.toggle(&id("listener"));
    assert_eq!(approved(&review), ["beside"]);
}

#[test]
fn what_serves_one_of_several_stays_until_the_last_is_left_out() {
    let mut review = serving(Verdict::Changes);
    let both = vec![id("mark"), id("beside")];
    review.plan.serves.insert(id("policy"), both.clone());
    review.plan.serves.insert(id("listener"), both);
    review.toggle(&id("mark"));
    assert_eq!(approved(&review), ["policy", "listener", "beside"]);
    review.toggle(&id("beside"));
    assert_eq!(
        review.approve(Word::default()).unwrap_err(),
        NotApprovable::NothingToDo
    );
}

#[test]
fn a_change_is_named_by_its_object() {
    assert_eq!(id("mark").object(), "ConfigMap n/mark");
    let space = ObjectRef::new(Kind::Namespace, "", "shop");
    let label = ChangeId::new(&space, Part::Injection);
    assert_eq!(label.object(), "Namespace shop");
    assert_eq!(label.object(), space.to_string());
}
