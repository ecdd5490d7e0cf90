//! Texts of the options and the review.

use crate::words::texts::texts;

// src/ui/options.rs
texts! {
    not_available(why: &str) = "Not available: {why}";
    THIS_CHOICE = "This choice";
    COMPUTING_IMPACT = "computing the impact";
    TOTAL_IMPACT = "Total impact";
    NO_IMPACT = "no restarts, no cut connections";
    MERGED_PORT = "15020 merged";
    TEMPLATE = "template";
    RUNNING_PODS = "running pods";
    NO_WORKLOADS_CHOSEN = "No workloads chosen.";
    OWN_SETTING = "own setting";
    SAME_AS_ALL = "same as the options for all";
}

// src/ui/picture.rs, whose columns are narrow: what stands in them is not broken.
texts! {
    PROMETHEUS_IN = "Prometheus in";
    pod_of(workload: &str) = "a pod of {workload}";
    CHOSEN_POD = "a chosen pod";
    OWN_CERTIFICATE = "mTLS, its own certificate";
    ENVOY_AGENT_APP = "Envoy, agent, app";
    ENVOY_ONLY = "Envoy only";
    JOBS_SKIP = "plaintext jobs skip the pod";
    JOBS_STAY = "plaintext jobs stay: scraped twice";
    REFUSES_PLAINTEXT = ":15091 refuses plaintext";
    still_answers(port: &str) = "{port} still answers anyone";
    TEMPLATE_ANNOTATED = "pod template annotated: new pods are scraped too";
    PODS_ANNOTATED = "running pods annotated: new pods are not scraped over mTLS";
}

// src/ui/review.rs
texts! {
    blocked(number: &str) = "blocked: {number}";
    deleted(number: &str) = "{number} deleted";
    new(number: &str) = "{number} new";
    patched(number: &str) = "{number} patched";
    asking_about(number: &str) = "asking about {number}";
    of_owner(tool: &str) = "of {tool}";
    SKIPPED_DEPENDS = "skipped: depends";
    conflict(managers: &str) = "conflict: {managers}";
    REFUSED = "refused";
    NOT_SAFE = "not safe to edit";
    NO_ANSWER = "no answer";
    NOT_DRY_RUN = "not dry-run";
    DRY_RUNNING = "dry-running each change on the API server …";
    MORE_NOTES = "more notes: press enter to see them before confirming";
    hangs_on(object: &str) = "Skipped: depends on {object}, which is skipped.";
    SKIPPED_BY_YOU = "Skipped by you; space includes it.";
    CHANGE = "Change";
    AS_DIFF = "diff";
    AS_SIDES = "before │ after";
    AS_YAML = "YAML as sent";
    AS_KUBECTL = "as kubectl";
    FOR_OWNER = "for its owner";
    WAITING_FOR_DRY_RUN = "waiting for the dry run …";
    COMPUTING_DIFF = "computing the diff";
}
