//! The steps, and the checklist of the first.

use crate::words::texts::texts;

texts! {
    STEP_CLUSTER = "Cluster";
    STEP_NAMESPACES = "Namespaces";
    STEP_WORKLOADS = "Workloads";
    STEP_GATEWAYS = "Gateways";
    STEP_OPTIONS = "Options";
    STEP_REVIEW = "Review";
    STEP_APPLY = "Apply";
    STEP_STATUS = "Status";
    WHICH_CLUSTER = "Which cluster, and does it meet the requirements?";
    WHICH_PROMETHEUS = "Which Prometheus should scrape the mesh over mTLS?";
    WHICH_NAMESPACES = "Which namespaces hold the workloads?";
    WHICH_WORKLOADS = "Which workloads should Prometheus scrape over mTLS?";
    WHICH_GATEWAYS = "Which gateways should Prometheus scrape over mTLS?";
    HOW_TO_SCRAPE = "How should Prometheus scrape them?";
    REVIEW_CHANGES = "Review the changes.";
    APPLYING_IN_ORDER = "Applying the approved changes in order";
    IS_EVERYTHING_SCRAPED = "Is every target scraped over mTLS?";

    ABOUT_SERVER = "API server";
    ABOUT_DATA_PLANE = "Data plane";
    ABOUT_TRUST_DOMAIN = "Trust domain";
    ABOUT_ROOT_NAMESPACE = "Root namespace";
    ABOUT_MESH_MODE = "Mesh-wide mTLS";
    ABOUT_CONTACT = "Prometheus API";
    ABOUT_READING = "Reading";
    ABOUT_PERMISSIONS = "Permissions";
    ABOUT_PROBLEMS = "Problems";
    ABOUT_INTERRUPTED = "Interrupted run";

    UNREADABLE_ARE_MISSING = "unreadable objects are missing from the steps; apply the ClusterRole in the README";
    U_RESUMES_UNDO = "u: resume the undo, after a review";
    O_RESUMES_U_UNDOES = "o: resume with the same choices · u: undo what was applied. Both start with a review";
    U_UNDOES = "u: undo it, after a review";
    P_LISTS_PROBLEMS = "p: list the problems and their fixes";
    not_known(why: &str) = "not known: {why}";
    pass_flag(flag: &str) = "pass {flag}, or get permission to read that ConfigMap";
    IS_BEING_READ = "is being read";
    IS_BEING_ASKED = "is being asked";
    LOG_IN_AGAIN = "log in again (the credentials are missing or expired), then press r";
    CHECK_NETWORK = "check that this machine reaches the cluster (kubectl version), then press r";
    IS_LOOKED_FOR = "is being looked for";
    NO_ISTIOD = "no istiod was found (a Deployment labelled app=istiod)";
    INSTALL_ISTIO = "install Istio (istioctl install), or choose the cluster that has it, then press r";
    control_plane(version: &str, revision: &str, namespace: &str) = "{version} (revision {revision} in {namespace})";
    control_plane_not_ready(version: &str, revision: &str, namespace: &str) = "{version} (revision {revision} in {namespace}, not ready)";
    ISTIOD_MUST_BE_READY = "istiod must be ready before new settings reach the proxies";
    SIDECARS = "sidecars";
    SIDECARS_AND_AMBIENT = "sidecars; ambient in some namespaces";
    AMBIENT_HAS_NO_SIDECAR = "ambient workloads have no sidecar for port 15091; step 4 lists each with a fix";
    mode_by(mode: &str, object: &str) = "{mode}, by {object}";
    mode_by_default(mode: &str) = "{mode}, Istio's default";
    PORT_GETS_STRICT = "port 15091 gets STRICT; all other ports keep their mode";
    NO_PROMETHEUS = "none was found";
    INSTALL_PROMETHEUS = "install one, such as Istio's sample: kubectl apply -f samples/addons/prometheus.yaml; step 2 waits for it";
    prometheus_found_checking(count: usize) = "{count} found; checking which are available";
    prometheus_found_closed(count: usize) = "{count} found, none available";
    STEP_2_SHOWS_WHY = "step 2 shows the reason for each";
    prometheus_found(count: usize, free: usize) = "{count} found, {free} available";
    read_of_about(seen: usize, about: usize, what: &str) = "{seen} of about {about} {what}";
    lists_read(read: usize, all: usize) = "{read} of {all} lists read";
    R_ASKS_AGAIN = "press r to ask again";

    ARE_BEING_ASKED = "are being asked";
    COULD_NOT_BE_ASKED = "could not be asked";
    MISSING_SHOWS_IN_REVIEW = "what is missing shows in the review";
    permission_in(verb: &str, resource: &str, namespace: &str) = "{verb} {resource} in {namespace}";
    COSTS_MONITOR = "step 9 cannot query Prometheus or check the pods";
    COSTS_DRY_RUN = "step 7 cannot dry-run the new pods";
    COSTS_READING = "steps 2 to 5 are incomplete";
    COSTS_WRITING = "step 8 cannot apply the change";
    none_missing_so_far(done: usize, all: usize) = "{done} of {all} checked, none missing so far";
    all_granted(count: usize) = "all granted ({count})";
    granted_but(count: usize, unknown: usize) = "{count} granted, {unknown} could not be checked";
    missing(permissions: &str) = "missing: {permissions}";
    missing_so_far(permissions: &str) = "missing so far: {permissions}";
    apply_cluster_role(costs: &str) = "{costs}; apply the ClusterRole in the README";

    // Whether Prometheus answers.
    answers_at(url: &str) = "answers at {url}";
    ANSWERS_THROUGH_SERVER = "answers through the API server";
    answers_at_without(url: &str, jobs: &str) = "answers at {url}, but does not scrape by job {jobs}";
    answers_through_server_without(jobs: &str) = "answers through the API server, but does not scrape by job {jobs}";
    replicas_behind(replicas: usize) = "replicas behind this URL: {replicas}; only one answers each query";
    LOADED_BEFORE_CERTIFICATES = "the job loaded before its certificates existed; r in step 9 reloads Prometheus";
    ONCE_PROMETHEUS_RUNS = "targets appear once Prometheus runs";
    apply_asks_apart(hint: &str) = "targets cannot be verified, so apply asks for a separate confirmation; {hint}";
}
