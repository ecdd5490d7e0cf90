use super::*;
use crate::mesh::kinds::ObjectRef;
use crate::plan::{Action, Change, Part};

fn id(namespace: &str, name: &str) -> WorkloadRef {
    WorkloadRef::new(namespace, Kind::Deployment, name)
}

#[test]
fn restarts_are_summed_and_a_lost_history_is_said_with_its_pause() {
    let of = id("istio-system", "prometheus");
    let restart = |workload: &WorkloadRef, pods| Impact::Restarts {
        workload: workload.clone(),
        pods,
    };
    let plan = Plan {
        impacts: vec![
            restart(&of, 1),
            Impact::ScrapeGap {
                prometheus: of.clone(),
            },
            Impact::LosesHistory { prometheus: of },
            restart(&id("shop", "cart"), 2),
        ],
        ..Plan::default()
    };
    let said = all(&plan);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].contains("history")
            && said[0].contains("is lost")
            && said[0].contains("alerting pause")
    );
    assert_eq!(
        said[1],
        "2 pods of 1 workload and 1 pod of Prometheus restart"
    );
    // A gateway is none of the workloads that were counted in the steps before.
    let edge = id("istio-system", "edge");
    let mut with_gateway = plan;
    with_gateway.changes.push(Change {
        item: Some(edge.clone()),
        ..Change::new(
            ObjectRef::new(Kind::Gateway, "istio-system", "meshscrape-edge"),
            Part::Listener,
            Action::Delete { uid: String::new() },
            crate::plan::purpose::Purpose::SecureJob,
        )
    });
    with_gateway.impacts.push(restart(&edge, 1));
    assert_eq!(
        all(&with_gateway)[1],
        "3 pods of 1 workload and 1 gateway, and 1 pod of Prometheus restart"
    );
}

#[test]
fn prometheus_is_no_workload_in_what_restarts() {
    let restarts = |workload: WorkloadRef, pods| Impact::Restarts { workload, pods };
    let prometheus = id("istio-system", "prometheus");
    let mut plan = Plan {
        impacts: vec![
            restarts(prometheus.clone(), 1),
            Impact::ScrapeGap { prometheus },
        ],
        ..Plan::default()
    };
    assert!(all(&plan).contains(&"1 pod of Prometheus restarts".to_owned()));
    plan.impacts.push(restarts(id("default", "httpbin"), 2));
    let both = "2 pods of 1 workload and 1 pod of Prometheus restart";
    assert!(all(&plan).contains(&both.to_owned()), "{:?}", all(&plan));
}
