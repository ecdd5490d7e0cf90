//! Options: rows, choices, what each costs and risks.

use crate::words::texts::texts;

texts! {
    ROW_PORT = "Port";
    MERGED_PORT = "15020 merged: Envoy, agent and your app";
    ENVOY_PORT = "15090 Envoy only";
    NO_APP_METRICS = "no app metrics over mTLS; plaintext jobs keep scraping apps with metrics";
    ROW_ANNOTATE = "Annotate";
    ANNOTATE_TEMPLATE = "the pod template: permanent";
    RESTARTS_ONE_POD = "restarts 1 pod";
    restarts_pods(pods: usize) = "restarts {pods} pods";
    ANNOTATE_PODS = "running pods: no restart";
    ANNOTATION_LOST_WITH_POD = "annotation is lost with the pod: new pods are not scraped over mTLS";
    ROW_SIDECAR = "Sidecar";
    label_on_template(workloads: &str) = "label on the pod template of {workloads}";
    LABEL_ON_NAMESPACE = "label on the namespace";
    RESTARTS_THEIR_PODS = "restarts their pods";
    OTHERS_GET_SIDECAR = "every other pod that restarts in the namespace also gets a sidecar";
    ROW_PLAINTEXT_JOBS = "Plaintext jobs";
    STOP_ONCE_UP = "stop for secured pods once UP";
    KEEP = "keep";
    COUNTED_TWICE = "secured pods are scraped and counted twice";
    ROW_EXISTING = "Existing set-up";
    FIX_LEFTOVERS = "fix what the published task left";
    STAYS_BROKEN = "the existing set-up stays broken";

    ROW_ROLLOUT = "Rollout";
    ONE_AT_A_TIME = "one at a time";
    rollouts_one_by_one(count: usize) = "{count} rollouts one at a time: the total time is the sum of all";
    CANARY = "canary";
    UP_AFTER_EACH_WORKLOAD = "after each workload, targets must be UP before the next one starts: 1 to 2 min more each";
    UP_AFTER_THE_ROLLOUT = "after the rollout, targets must be UP before the next one starts: 1 to 2 min more each";
    rollouts_with_canary(count: usize) = "{count} rollouts one at a time; after each, targets must be UP before the next one starts: 1 to 2 min more each";
    IN_PARALLEL = "parallel";
    restart_in_parallel(count: usize) = "{count} workloads restart in parallel: their surge pods need capacity at the same time";
    SHARED_FAULT = "a shared fault appears only after every workload started to restart";

    skipped_in_plan(reason: &str) = "skipped: {reason}";
}
