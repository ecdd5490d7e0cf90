//! Texts of what talks to Prometheus.

use crate::words::texts::texts;
use std::fmt::Display;

texts! {
    // prometheus.rs
    NOT_RELOADED_READ_ONLY = "Prometheus was not reloaded: this is read-only";
    READING_FAILED = "reading Prometheus's answer failed";
    cannot_be_reached(url: &str) = "Prometheus ({url}) cannot be reached";
    CHECK_THE_URL = "check the URL (--prometheus-url), and the authority of its certificate (--prometheus-ca)";

    pod_on_port(namespace: &str, pod: &str, port: u16) = "{namespace}/{pod} on port {port}";

    // way.rs
    no_pod_runs(prometheus: &dyn Display) = "no pod of Prometheus {prometheus} is running";
    is_ending(pod: &str) = "{pod} is ending";

    // answer.rs
    cut_off(place: &str, bytes: usize) = "Prometheus ({place}) sent a response that was cut off after {bytes} bytes";
    not_its_api(place: &str) = "Prometheus ({place}) sent an answer that is not Prometheus's API";
    web_page(place: &str) = "Prometheus ({place}) answered with a web page in place of its API";
    answered_with_an_error(place: &str) = "Prometheus ({place}) answered with an error";
    asks_for_credentials(place: &str) = "Prometheus ({place}) asks for credentials (basic auth in its --web.config.file)";
    refused_the_request(place: &str) = "Prometheus ({place}) refused the request";
    no_such_path(place: &str) = "Prometheus ({place}) does not know this path";
    not_ready(place: &str) = "Prometheus ({place}) is not ready yet: it is starting, or reads its log again";
    answered(place: &str, status: u16) = "Prometheus ({place}) answered {status}";
    unreached(place: &str) = "Prometheus ({place}) cannot be reached through the API server";
    takes_no_reloads(place: &str) = "Prometheus ({place}) does not take reload requests";
    refused_its_configuration(place: &str) = "Prometheus ({place}) refused its configuration file";
    answered_a_reload(place: &str, status: u16) = "Prometheus ({place}) answered {status} to a reload";
    configuration_unreadable(place: &str) = "Prometheus ({place}) sent its running configuration in a form that cannot be read";
    SOMETHING_LIMITS_ANSWERS = "try again; if it stays so, something between the API server and Prometheus limits answers";
    SEE_ITS_LOG = "its log says more";
    CHECK_IT_IS_PROMETHEUS = "check that this is Prometheus, and its --web.route-prefix and --web.external-url: another product, or another path, answers there";
    ASK_BY_URL = "ask it by its URL, with credentials from a file: --prometheus-url, --prometheus-user, --prometheus-password-file";
    PROXY_REFUSES = "a proxy or its own web configuration refuses requests";
    WAIT = "wait; it answers when it is ready";
    STARTING_OR_ANOTHER_PORT = "Prometheus is starting, or listens on another port (--web.listen-address)";
    SIDECAR_DEMANDS_MTLS = "its sidecar demands mTLS on the port. Forward it (kubectl port-forward POD 9090), and ask it there: --prometheus-url http://127.0.0.1:9090";
    NETWORK_OR_NODE = "a NetworkPolicy may block the API server, or the node is down: query it directly (--prometheus-url)";
    POD_IS_GONE = "the pod no longer exists; the next check finds its replacement";
    SEE_THE_SAME_PATH = "kubectl get --raw on the same path shows the same";
    ASK_FOR_CREATE = "ask for `create` on pods/proxy in its namespace (the README holds a ready ClusterRole)";
    ASK_FOR_GET = "ask for `get` on pods/proxy in its namespace (the README holds a ready ClusterRole)";
    could_not_be_asked(place: &str) = "Prometheus ({place}) could not be asked";
    SET_LIFECYCLE = "set --web.enable-lifecycle, or restart it: kubectl rollout restart";
    SEE_THE_FILE = "the running configuration stays; look at the file";
    SEE_IN_PROMETHEUS = "look at it in Prometheus itself, under Status";
}
