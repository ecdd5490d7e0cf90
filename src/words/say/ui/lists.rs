//! Texts of the steps that choose: cluster, Prometheus, namespaces, workloads, gateways.

use crate::words::texts::texts;

// src/ui/cluster.rs
texts! {
    READING_KUBECONFIG = "reading the kubeconfig …";
    connecting_to(context: &str) = "connecting to {context} …";
    CONNECTING = "connecting to the cluster …";
    RETRIES = "retries; no choices are lost";
    CURRENT = "current";
    WHAT_IS_NEEDED = "What is needed";
    NO_REQUEST_YET =
        "No request is sent before you choose a context, and nothing is written before you have seen it as a diff.";
    NOTHING_BEFORE_REVIEW = "Nothing is written before you review its diff and confirm.";
    MEANS_SERVER = "meshscrape reads and writes everything through the API server.";
    MEANS_ISTIO = "The Istio version and revision decide which settings the proxies support.";
    MEANS_DATA_PLANE = "Port 15091 is opened by a workload's sidecar, or by a gateway.";
    MEANS_TRUST_DOMAIN = "The first part of Prometheus's SPIFFE identity (spiffe://TRUST-DOMAIN/…).";
    MEANS_ROOT_NAMESPACE = "Sidecars and policies in this namespace apply to the whole mesh.";
    MEANS_MESH_MODE = "The default mTLS mode of workloads without their own policy. Port 15091 always gets STRICT.";
    MEANS_PROMETHEUS = "The server that will scrape over mTLS. You choose it in step 2.";
    MEANS_READING = "The lists that the next steps show, read from the API server.";
    MEANS_PERMISSIONS = "Your permissions, from access reviews. These write nothing.";
    MEANS_INTERRUPTED = "A run that its record shows as interrupted.";
    MEANS_CONTACT = "Queries to the chosen Prometheus. They show which targets are UP.";
    MEANS_PROBLEMS = "What blocks or endangers the set-up in this cluster.";
}

// src/ui/rows.rs
texts! {
    NEW_JOB = "new job";
    PLAINTEXT_JOBS = "plaintext jobs";
    WHY = "why?";
    secure_and_plaintext(port: u16) = "secure and plaintext {port}";
    SECURE = "secure 15091";
    SECURE_PODS_ONLY = "secure 15091, pods only";
    NO_SIDECAR_YET = "no sidecar yet";
    SIDECAR_AT_RESTART = "sidecar at next restart";
    plaintext_on(port: u16) = "plaintext {port}";
    of_revision(versions: &str, revision: &str) = "{versions}, revision {revision}";
    sidecars_partly(with: usize, all: usize) = "in {with} of {all} pods; the others need a restart";
    SIDECAR_BY_LABEL = "none yet: added with a label and a restart";
    SIDECAR_AFTER_RESTART = "added at the next restart";
    SIDECAR_IMPOSSIBLE = "not possible";
    NO_POD_RUNS = "no pod runs";
    no_permission(what: &str) = "no permission: {what}";
    r_asks_again(why: &str) = "{why}; r asks again";
    cluster_has_no(list: &str) = "this cluster has no {list}";
    seen_of_about(seen: &str, about: &str, list: &str) = "{seen} of about {about} {list}";
    seen_so_far(seen: &str, list: &str) = "{seen} {list} so far";
    nothing_matches(filter: &str) = "Nothing matches “{filter}”; esc clears the filter.";
}

// src/ui/prometheus.rs
texts! {
    ISTIO_SAMPLE = "Istio's sample";
    COMMUNITY_CHART = "community chart";
    OF_THE_OPERATOR = "of the operator";
    PLAIN = "plain";
    AGENT = "agent";
    OPERATOR = "operator";
    RESTART_LOSES_HISTORY = "restart loses history";
    HISTORY_STAYS = "history stays";
    STORAGE_UNKNOWN = "storage unknown";
    EXPORT_ONLY = "export only";
    NO_PROMETHEUS = "No Prometheus was found in this cluster.";
    INSTALL_ONE = "Install one. Istio's sample is enough to begin with; from the folder of Istio's release:";
    WAITING_FOR_PROMETHEUS = "waiting for Prometheus: this list updates automatically";
    SUPPORTED_PROMETHEUS = "Supported Prometheus";
    WHICH_IS_SUPPORTED =
        "A Deployment or StatefulSet that no other tool manages (no Helm, no operator, no GitOps), whose \
         --config.file comes from a ConfigMap. Others are listed too, with the reason.";
    CHECKING_AVAILABLE = "checking whether it is available …";
    NO_OWNER = "none: no tool reverts changes";
    CONFIG = "config";
    config_key(config_map: &str, key: &str) = "{config_map}, key {key}";
    CONFIG_BY_OPERATOR = "written by its operator";
    NO_CONFIG_MAP = "in no ConfigMap";
    RELOAD = "reload";
    RELOAD_AUTOMATIC = "automatic when the file changes";
    RELOAD_SUB_PATH = "restart only: the file is mounted by subPath";
    RELOAD_BY_RESTART = "with a restart";
    certificates_in(path: &str) = "yes, certificates in {path}";
    CERTIFICATES_TO_MOUNT = "yes; its certificates will be mounted into the Prometheus container";
    NO = "no";
    SIDECAR_TO_ADD = "no; one will be added, for certificates only";
    STORAGE = "storage";
    UNKNOWN = "unknown";
    HISTORY_IS_LOST = "History is lost: Prometheus stores its data in an emptyDir. You confirm this separately.";
}

// src/ui/namespaces.rs
texts! {
    INJECTION_ON = "on";
    rev(revision: &str) = "rev {revision}";
    INJECTION_OFF = "off";
    AMBIENT = "ambient";
    BY_POD = "by pod";
    NEVER = "never";
    AVAILABLE = "available";
    NO_NAMESPACE_READ = "No namespace could be read; r asks again.";
    TITLE_NAMESPACE = "Namespace";
    pods_of_others(pods: &str, names: &str) = "{pods} of other owners: {names}";
    OTHERS = "others";
    EVERY_POD = "every pod gets a sidecar";
    by_revision(revision: &str) = "by revision {revision}";
    DISABLED = "disabled: pod labels have no effect";
    AMBIENT_NO_SIDECARS = "ambient, without sidecars";
    NO_LABEL = "no label: injected only if the pod has the label";
    ISTIO_EXCLUDES = "never: Istio excludes this namespace";
    mode_by(mode: &str, object: &str) = "{mode}, by {object}";
    mode_by_default(mode: &str) = "{mode}, Istio's default";
    POD_SECURITY = "pod security";
    BEING_DELETED = "This namespace is being deleted.";
}

// src/ui/workloads.rs
texts! {
    NO_NAMESPACE_CHOSEN = "No namespace is chosen. esc: choose some · enter: continue with gateways";
    NO_WORKLOADS_THERE = "The chosen namespaces hold no Deployment, StatefulSet or DaemonSet.";
    chosen_of_available(chosen: &str, available: &str, all: &str) =
        "chosen: {chosen}, available: {available} of {all}";
    owned_by(tool: &str) = "{tool}'s";
    pods_in(kind: &str, namespace: &str, pods: &str) = "{kind} in {namespace}, {pods}";
    available(number: &str) = "{number} available";
    in_all(number: &str) = "{number} in all";
    SPACE_CHOOSES_ALL = "space chooses all workloads in the mesh, or none.";
    TITLE_WORKLOAD = "Workload";
    ready_in(kind: &str, namespace: &str, ready: u32, pods: &str) = "{kind} in {namespace}, {ready} of {pods} ready";
    TODAY = "Today";
    AFTER = "After";
    PROXY = "proxy";
    SERVICE = "service";
    make_available(tool: &str) = "t: make the objects of {tool} available.";
    APP_HAS_METRICS = "The app serves its own metrics.";
    APP_IN_PLAINTEXT = "15090 has Envoy's metrics only. The app is still scraped in plaintext.";
    NO_RESTART = "No restart. New pods are not annotated.";
    FIRST_SIDECAR = "First sidecar: the workload joins the mesh; its traffic goes through istio-proxy.";
    stops_matching(filter: &str) = "{filter} stops matching: it selects listener names that change.";
}

// src/ui/gateways.rs
texts! {
    CLASSIC = "classic";
    WAYPOINT = "waypoint";
    ROLE = "role";
    HEAD_TODAY = "today";
    NO_GATEWAY = "No gateway found in this cluster. enter: continue";
    TITLE_GATEWAY = "Gateway";
    SELECTOR = "selector";
    serves_already(object: &str) = "{object} already has a server on 15091.";
}
