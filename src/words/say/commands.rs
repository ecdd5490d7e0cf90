//! Texts of the commands.

pub mod board;
pub mod check;
pub mod errors;
pub mod review;
pub mod runs;

use crate::words::texts::texts;

texts! {
    note(text: &str) = "note: {text}";
    OUTPUT_NOT_WRITTEN = "the output could not be written";

    ONE_CHANGE = "1 change";
    changes(count: usize) = "{count} changes";
    ONE_POD = "1 pod";
    pods(count: usize) = "{count} pods";
    ONE_TARGET = "1 target";
    targets(count: usize) = "{count} targets";

    SKIPPED = "skipped";
    fix(text: &str) = "Fix: {text}";
    to_do(text: &str) = "to do: {text}";

    /// Names, and how many there are besides.
    and_more(names: &str, more: usize) = "{names} and {more} more";

    // What is chosen.

    server_silent(context: &str) = "the API server of context {context} does not answer";
    NO_ISTIO = "no Istio was found in this cluster";
    INSTALL_ISTIO = "install it (istioctl install), or choose another cluster with --context";
    NOTHING_CHOSEN = "no workloads or gateways are chosen";
    NAME_SOMETHING = "name namespaces (-n), workloads (-w NAME) or gateways (-g NS/NAME)";
    OR_WIZARD = "or start the wizard: meshscrape";
    no_such_change(id: &str) = "--skip: there is no change `{id}` in this plan";
    all_changes(ids: &str) = "changes: {ids}";
    force_without_effect(name: &str) = "--force-owner {name} has no effect: no field of these changes belongs to {name}";
    no_context_in_demo(context: &str) = "there is no context `{context}` in the demo";
    leave_context_away(context: &str) = "leave --context away, or name `{context}`";

    // Status.

    NO_TARGETS = "No targets: no workload or gateway is annotated with secure-port.";
    see_plan(command: &str) = "See the possible changes with: {command}";
}
