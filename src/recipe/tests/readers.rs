//! Who may read the secure port beside the chosen Prometheus.

use super::*;
use crate::recipe::testing::*;
use std::sync::Arc;

const OWN: &str = "cluster.local/ns/istio-system/sa/prometheus";
const OTHER: &str = "cluster.local/ns/mon/sa/second";

/// What another Prometheus with this configuration, and its identity among the readers, leads to: the principals, and
/// how many changes say that somebody loses access.
fn of(config: Result<&str, &str>, only: bool) -> (Vec<String>, usize) {
    let mut mesh = mesh();
    let mut other = prometheus(SAMPLE);
    other.id = id("mon", "second");
    other.service_account = "second".into();
    if let Some(of) = &mut other.config {
        of.text = config
            .map(Arc::from)
            .map_err(|why| crate::mesh::Unread::Failed(why.to_owned()));
    }
    mesh.prometheus_servers.push(Arc::new(other));
    for admits in [
        &mut Arc::make_mut(&mut mesh.workloads[0]).admits,
        &mut Arc::make_mut(&mut mesh.gateways[0]).workload.admits,
    ] {
        *admits = vec![OTHER.into(), "cluster.local/ns/x/sa/collector".into()];
    }
    let mut answers = answers(true);
    answers.prometheus = Some(id("istio-system", "prometheus"));
    answers.options.only_this_prometheus = only;
    let plan = plan(&mesh, &answers);
    let text = |value: &Value| -> Vec<String> {
        let list = value.as_array().expect("a list").iter();
        list.map(|one| one.as_str().expect("text").to_owned())
            .collect()
    };
    let policy = intent(super::of(
        &plan,
        Kind::AuthorizationPolicy,
        "meshscrape-httpbin",
    ));
    let principals = text(&policy["spec"]["rules"][0]["from"][0]["source"]["notPrincipals"]);
    let gateway = plan
        .changes
        .iter()
        .find(|change| change.object.kind == Kind::Gateway)
        .map(intent)
        .expect("a Gateway");
    let names = text(&gateway["spec"]["servers"][0]["tls"]["subjectAltNames"]);
    let spiffe: Vec<String> = principals.iter().map(|p| format!("spiffe://{p}")).collect();
    assert_eq!(names, spiffe);
    let losing = said(&plan, Code::ReadersRemoved).len();
    (principals, losing)
}

#[test]
fn who_may_still_scrape_stays_in_the_order_in_which_it_stands() {
    let secure = "scrape_configs:\n- job_name: s\n  kubernetes_sd_configs: [{role: pod}]\n  relabel_configs:\n  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], action: keep, regex: '\\d+'}\n";
    let collector = "cluster.local/ns/x/sa/collector";
    let all = vec![OTHER.to_owned(), collector.into(), OWN.into()];
    assert_eq!(of(Ok(secure), false), (all.clone(), 0));
    assert_eq!(of(Err("no permission"), false), (all, 0));
    // Its jobs are known, and none has a use for the port; whose the third is, is not known.
    assert_eq!(
        of(Ok(SAMPLE), false),
        (vec![collector.to_owned(), OWN.into()], 2)
    );
    assert_eq!(of(Ok(secure), true), (vec![OWN.to_owned()], 2));
}
