//! Texts of screens.

mod choices;
mod counts;
mod lists;
mod runs;

pub use choices::*;
pub use counts::*;
pub use lists::*;
pub use runs::*;

use crate::words::texts::texts;

// What several screens say.
texts! {
    READING = "reading …";
    ASKING = "asking …";
    ASKING_API = "asking the API server …";
    of(part: &str, all: &str) = "{part} of {all}";
    in_namespace(name: &str, namespace: &str) = "{name} in {namespace}";
    IMPACT = "Impact";
    SKIPPED = "skipped";
    IN_PLACE = "in place";
    PLAINTEXT = "plaintext";
    IN_PLAINTEXT = "in plaintext";
    NOT_SCRAPED = "not scraped";
    SIDECAR = "sidecar";
    SIDECARS = "sidecars";
    OWNER = "owner";
    PODS = "pods";
    STATE = "state";
    NAMESPACE = "namespace";
    WORKLOAD = "workload";
    GATEWAY = "gateway";
    INJECTION = "injection";
    SECURED = "secured";
    NO_CHANGES = "No changes.";
    MATCHES_CHOICES = "The cluster matches your choices.";
    CAUSE = "cause";
    TRY = "try";
}

// src/ui.rs, frame.rs, layout.rs
texts! {
    DEMO = "DEMO";
    DEMO_SIMULATED = "DEMO: a simulated cluster";
    READ_ONLY = "read-only";
    SET_UP = "Set-up";
    ALL_KEYS = "all keys";
    QUIT = "q: quit";
    QUIT_STOPS = "q or ctrl-c: stop after the current write";
    STOPPING = "stopping after the current write";
    needs_size(width: u16, height: u16, wide: u16, high: u16) =
        "meshscrape needs {width}×{height}, this is {wide}×{high}";
    EACH_QUESTION = "Which workloads need other settings?";
    EACH_HOW = "Left and right choose port or annotation.";
    UNDO_QUESTION = "Undo these changes?";
    NOTHING_UNTIL_CONFIRMED = "Nothing is written until you confirm.";
    NOTHING_APPLIED_YET = "No changes applied yet.";
    applied_before(changes: &str) = "Applied before: {changes}.";
    chosen(number: &str) = "{number} chosen";
    undo_heading(heading: &str) = "Undo: {heading}";
    NO_ROW_MATCHES = "no row matches the filter";
}

// src/ui/over.rs, diff.rs
texts! {
    lines_below(number: usize) = "lines below: {number} · page down";
    keys_of(step: &str) = "Keys of {step}";
    not_now(what: &str, why: &str) = "{what} – not now: {why}";
    ESC_CLOSE = "esc close";
    DOWN_OR_CLOSE = "down for more · esc close";
    NO_DIFFERENCE = "No difference.";
}
