//! Texts of what talks to the API server.

use crate::words::texts::texts;
use std::fmt::Display;

texts! {
    // connect.rs
    NO_CREDENTIALS_OF_POD = "the credentials of this pod cannot be read";
    CLIENT_NOT_CREATED = "the client could not be created";
    NO_KUBECONFIG = "there is no kubeconfig";
    NO_KUBECONFIG_NAMED = "neither --kubeconfig nor KUBECONFIG names one, and ~/.kube/config does not exist";
    NAME_A_KUBECONFIG = "name one with --kubeconfig FILE, or see everything without a cluster: meshscrape --demo";
    NO_CURRENT_CONTEXT = "the kubeconfig has no current context";
    no_such_context(context: &str) = "there is no context `{context}` in the kubeconfig";
    did_you_mean(near: &str) = "did you mean `{near}`?";
    context_unusable(context: &str) = "the context `{context}` of the kubeconfig cannot be used";
    SEE_THE_CONTEXT = "kubectl config view --minify --context shows what it refers to";
    KUBECONFIG_WITHOUT_CONTEXTS = "the kubeconfig names no context at all: kubectl config set-context makes one";
    choose_a_context(contexts: &str) = "choose one with --context: {contexts}";
    no_credentials(context: &str) = "could not get credentials for the context `{context}`";
    plugin_must_not_ask(command: &str, context: &str) = "the plugin {command} must answer without asking: log in first, for instance by kubectl --context {context} get namespaces";
    CHECK_CREDENTIALS = "check the certificates, keys and tokens that the kubeconfig names";

    // direct.rs
    file_unusable(path: &dyn Display) = "{path} cannot be used";
    IS_EMPTY = "it is empty";
    URL_UNUSABLE = "the URL of --prometheus-url cannot be used";
    GIVE_THE_URL_AS = "give it as https://HOST[:PORT][/PREFIX]";
    IS_NO_URL = "it is no URL";
    NO_HTTP = "it begins with neither http:// nor https://";
    CARRIES_CREDENTIALS = "it carries credentials, which others would see";
    NAME_THE_USER = "name the user with --prometheus-user, and the password in a file with --prometheus-password-file";
    HAS_A_QUERY = "it has a query";
    CREDENTIALS_IN_PLAINTEXT = "credentials would go over the network in plaintext";
    USE_HTTPS = "use https, or forward its port to this machine: kubectl port-forward";
    ca_file_cannot_be_read(path: &dyn Display) = "the CA file {path} cannot be read";
    ca_file_is_empty(path: &dyn Display) = "the CA file {path} holds no certificate";
    PROMETHEUS_CREDENTIALS_UNUSABLE = "the credentials for Prometheus cannot be used";
    prometheus_client_not_created(url: &str) = "the client for Prometheus at {url} could not be created";

    // error.rs
    no_answer_within(seconds: u64) = "no answer within {seconds} s";
    answer_broke_off(why: &dyn Display) = "the answer broke off: {why}";
    answer_not_of_the_api(why: &dyn Display) = "the answer is not what the API promises: {why}";
    CHECK_THE_CLUSTER = "check that the cluster is up and that this machine reaches it: kubectl version";
    SERVER_IS_SLOW = "the API server is slow or unreachable: try again, or run kubectl get --raw /readyz";
    PROXY_MAY_CHANGE_ANSWERS = "a proxy before the API server may change responses: try kubectl get --raw on the same path";
    LOG_IN_AGAIN = "the credentials are missing or expired: log in again, then run this again";
    GET_THE_PERMISSION = "get the permission (see the ClusterRole in the README)";
    FIX_THE_CAUSE = "fix the cause named above, or skip the change";
    DELETED_OR_NOT_INSTALLED = "the object was deleted, or its kind is not installed";
    FORCE_OR_SKIP = "force the ownership (--force-owner MANAGER), or skip the change";
    CHANGED_REVIEW_AGAIN = "the object changed since the review: review again";
    LIST_TOO_OLD = "the list is too old: read it again";
    SEE_WHICH_FIELD = "the server's words above say which field";
    SERVER_IS_BUSY = "the API server is busy: wait a little, then try again";
    REMOVE_READ_ONLY = "remove --read-only to apply the changes";
    SEE_THE_LOG = "look at the API server's or the webhook's log";
    request_failed(method: &dyn Display, path: &str) = "{method} {path} failed";

    // kubeconfig.rs
    kubeconfig_cannot_be_read(path: &dyn Display) = "the kubeconfig {path} cannot be read";
    CHECK_THE_PATH = "check the path and its permissions";
    kubeconfig_is_broken(path: &dyn Display) = "the kubeconfig {path} is broken";
    FIX_THE_FILE = "fix the file at that line; kubectl config view shows what kubectl makes of it";

    // transport.rs
    not_a_proxy(proxy: &dyn Display) = "a proxy is http, https or socks5, and not {proxy}";

    // stack.rs
    not_sent(method: &dyn Display, path: &str) = "{method} {path} was not sent: --read-only is set";
    /// A line of `--log`.
    answered_in(request: &str, answer: &dyn Display, milliseconds: u128) = "{request}: {answer} in {milliseconds} ms";
}
