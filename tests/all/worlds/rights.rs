//! What Prometheus's ServiceAccount may list: without it nothing is discovered, whatever the jobs say.

use super::{WEB, World};
use meshscrape::problems::Code;
use serde_json::Value;

/// The rule of kube-prometheus's ClusterRole, bound to the base's Prometheus, and one more rule.
fn cluster_role(more: &str) -> String {
    format!(
        r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: prometheus-k8s}}
rules:
- {{apiGroups: [""], resources: [nodes/metrics], verbs: [get]}}
- {{nonResourceURLs: [/metrics], verbs: [get]}}
{more}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: prometheus-k8s}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: prometheus-k8s}}
subjects: [{{kind: ServiceAccount, name: prometheus, namespace: istio-system}}]
---
{WEB}"#
    )
}

const PODS: &str = r#"- {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}"#;

/// The same right in one namespace.
fn role(namespace: &str) -> String {
    format!(
        r#"
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: prometheus-k8s, namespace: {namespace}}}
rules:
{PODS}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: prometheus-k8s, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: prometheus-k8s}}
subjects: [{{kind: ServiceAccount, name: prometheus, namespace: istio-system}}]
"#
    )
}

/// The base's job, which looks in these namespaces alone.
fn looks_in(names: &str) -> String {
    let role = "      - role: pod\n";
    let base = super::BASE;
    assert!(base.contains(role));
    let own = base.split("\n---\n").find(|text| text.contains(role));
    let own = own.expect("the configuration");
    let named = format!("      - role: pod\n        namespaces: {{names: [{names}]}}\n");
    format!("\n---\n{}", own.replace(role, &named))
}

/// The problem as the plan's forecast or `check` shows it: its namespaces; `None`: it does not.
fn found(problems: &Value) -> Option<Vec<String>> {
    let all = problems.as_array().expect("problems");
    let names: Vec<&Value> = all.iter().map(|one| &one["name"]).collect();
    let one = all.iter().find(|one| one["name"] == "PodsNotListed")?;
    assert_eq!(
        (&one["code"], &one["severity"]),
        (&"MS212".into(), &"blocks".into())
    );
    assert_eq!(one["evidence"]["account"], "istio-system/prometheus");
    assert_eq!(one["subject"]["name"], "prometheus");
    // The reason is told once.
    assert!(!names.contains(&&"SecureTargetMissing".into()), "{names:?}");
    let spaces = one["evidence"]["namespaces"].as_array().expect("a list");
    let spaces = spaces.iter().filter_map(Value::as_str);
    Some(spaces.map(str::to_owned).collect())
}

impl World {
    /// What plan and check say, which is the same.
    async fn unlisted(&self) -> Option<Vec<String>> {
        let plan = self.plan("-w shop/Deployment/web").await;
        let planned = found(&plan["forecast"]["problems"]);
        let called = self.call("check --json --read-only").await;
        let check: Value = serde_json::from_str(&called.out).expect("JSON");
        assert_eq!(found(&check["problems"]), planned, "{check}");
        planned
    }

    fn asked(&self, what: &str) -> usize {
        let requests = self.simulation.requests();
        requests
            .iter()
            .filter(|one| one.path.contains(what))
            .count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_may_not_list_pods_blocks_and_says_which_rule_to_add() {
    let world = World::of(&cluster_role(""));
    assert_eq!(world.unlisted().await, Some(vec![]));
    let (code, words) = world.call("check").await.told();
    assert_eq!(code, 3, "{words}");
    for said in [
        "MS212",
        "ClusterRoleBinding",
        "resources: [pods]",
        "kubernetes-pods",
    ] {
        assert!(
            crate::tells(&words, Code::PodsNotListed, said),
            "{said}: {words}"
        );
    }
    // It scrapes nothing today either, so that nothing of today ends.
    let plan = world.plan("-w shop/Deployment/web").await;
    assert!(
        !plan["forecast"].to_string().contains("TargetLost"),
        "{plan}"
    );
}

#[tokio::test(start_paused = true)]
async fn with_the_rule_nothing_is_said_and_two_questions_are_asked() {
    let world = World::of(&cluster_role(PODS));
    world.call("check").await;
    assert_eq!(world.asked("/subjectaccessreviews"), 2);
    assert_eq!(world.unlisted().await, None);
    let (code, words) = world
        .call("apply -w shop/Deployment/web --yes")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
}

#[tokio::test(start_paused = true)]
async fn the_right_in_one_namespace_is_enough_for_jobs_that_look_there_alone() {
    let there = World::of(&(cluster_role("") + &role("shop") + &looks_in("shop")));
    assert_eq!(there.unlisted().await, None);
    let (code, words) = there
        .call("apply -w shop/Deployment/web --yes")
        .await
        .told();
    assert_eq!(code, 0, "{words}");
    let elsewhere = World::of(&(cluster_role("") + &role("kube-system") + &looks_in("shop")));
    assert_eq!(elsewhere.unlisted().await, Some(vec!["shop".to_owned()]));
    // One list of all pods is not made of lists of namespaces.
    let wide = World::of(&(cluster_role("") + &role("shop")));
    assert_eq!(wide.unlisted().await, Some(vec![]));
}

#[tokio::test(start_paused = true)]
async fn without_reviews_the_rbac_objects_tell_and_without_them_nothing_is_said() {
    let deny = |world: &World, verb: &str, resource: &str| {
        world.simulation.deny(verb, "*", resource, None);
    };
    for (text, wanted) in [
        (cluster_role(""), Some(vec![])),
        (cluster_role(PODS), None),
        (cluster_role("") + &role("shop") + &looks_in("shop"), None),
        (
            cluster_role("") + &role("kube-system") + &looks_in("shop"),
            Some(vec!["shop".to_owned()]),
        ),
    ] {
        let world = World::of(&text);
        deny(&world, "create", "subjectaccessreviews");
        assert_eq!(world.unlisted().await, wanted, "{text}");
    }
    let world = World::of(&cluster_role(""));
    deny(&world, "create", "subjectaccessreviews");
    deny(&world, "list", "clusterroles");
    assert_eq!(world.unlisted().await, None);
}
