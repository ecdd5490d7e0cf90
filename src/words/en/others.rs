//! Pods that nothing here can change the template of.

/// Why pods of an owner of this kind cannot be secured, and what would let them be.
///
/// Source: the API server's validation (a Job's `spec.template` is immutable: `pkg/apis/batch/validation`), the
/// controllers (a ReplicaSet replaces no pod when its template changes: `pkg/controller/replicaset`), the kubelet
/// (a static pod comes from a file of its node).
pub fn why_not(kind: &str) -> &'static str {
    match kind {
        "Job" => {
            "the template of a Job cannot be changed once it exists, so its pods cannot get the annotation secure-port"
        }
        "CronJob" => {
            "each of its Jobs makes new pods for a short time, and meshscrape does not change the template of a CronJob"
        }
        "ReplicaSet" | "ReplicationController" => {
            "it replaces no pod when its template changes; run it as a Deployment to secure it"
        }
        "Pod" => "no controller recreates it when it changes; run it as a Deployment to secure it",
        "Node" => "it is a static pod, which comes from a file of its node",
        _ => "meshscrape cannot change the pod template of its controller",
    }
}
