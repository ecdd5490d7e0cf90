//! Texts of errors that belong to no one command: how they are printed, those of the system, of files, of the answers.

use crate::words::texts::texts;

texts! {
    error(what: &str) = "error: {what}";
    cause(why: &str) = "cause: {why}";
    hint(way: &str) = "try: {way}";

    NO_THREADS = "the program's threads could not be started";
    log_not_written(file: &str) = "the log file {file} cannot be written";
    no_password(user: &str) = "there is no password for the user {user} of Prometheus";
    name_a_password(variable: &str) = "name a file with --prometheus-password-file, or set {variable}";

    // The system.

    NOT_FOUND = "there is no such file or folder";
    PERMISSION_DENIED = "permission denied";
    EXISTS = "it exists already";
    IS_FOLDER = "it is a folder";
    NO_FOLDER = "a part of the path is not a folder";
    DISK_FULL = "the disk is full";
    QUOTA_USED_UP = "this user's quota on the disk is used up";
    READ_ONLY_DISK = "the disk is mounted read-only";
    CONNECTION_REFUSED = "the connection is refused: nothing listens at that address and port";
    CONNECTION_RESET = "the connection was reset";
    CONNECTION_ABORTED = "the connection was aborted";
    NO_ROUTE = "there is no route to the host";
    NO_NETWORK = "the network cannot be reached";
    TIMED_OUT = "no answer in time";
    CLOSED = "the other side closed the connection";
    ENDED_EARLY = "the connection ended in the middle of an answer";

    tls_failed(error: &str) = "TLS failed: {error}";
    UNKNOWN_ISSUER = "the server's certificate is signed by an authority that is not trusted here";
    EXPIRED = "the server's certificate has expired";
    NOT_VALID_YET = "the server's certificate is not valid yet: compare the clocks";
    OTHER_NAME = "the server's certificate is for another name";
    REVOKED = "the server's certificate is revoked";
    certificate_refused(why: &str) = "the server's certificate is refused: {why}";

    // The answers.

    answers_not_read(file: &str) = "the answers file {file} cannot be read";
    WIZARD_WRITES_ANSWERS = "the wizard writes one: press s in its Review step";
    answers_not_valid(file: &str) = "the answers file {file} is not valid";
    FIX_ANSWERS = "fix that line, or save the file again in the wizard (s in the Review step)";
    answers_not_saved(file: &str) = "the answers could not be saved to {file}";
    CHOOSE_ANOTHER_PLACE = "choose another place";
    other_version(version: u32, known: u32) = "its version is {version}; this program knows version {known}";
    lacks_version(known: u32) = "it lacks `version: {known}`";
    not_a_gateway(text: &str) =
        "`{text}` is not NAMESPACE/NAME of a gateway's Deployment, such as istio-system/istio-ingressgateway";
    not_a_metrics_port(port: u16) =
        "port {port} is neither 15020 (merged: Envoy, agent and app) nor 15090 (Envoy only)";
}
