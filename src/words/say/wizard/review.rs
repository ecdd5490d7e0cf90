//! The review: what a filter finds, what a key did, what is said before a diff.

use crate::words::texts::texts;

texts! {
    // What a filter finds a change by.
    FIND_NEW = "new";
    FIND_PATCHED = "patched";
    FIND_DELETED = "deleted";
    FIND_UNCHANGED = "unchanged";
    FIND_CONFLICT = "conflict";
    FIND_WARNING = "warning";
    FIND_SKIPPED = "skipped";
    ONLY_WARNING = "this is the only warning";
    ONLY_DELETION = "this is the only deletion";

    ONE_MORE_SKIPPED = "skipped; also skipped: 1 change that depends on it";
    more_skipped(count: usize) = "skipped; also skipped: {count} changes that depend on it";
    LOCK_WILL_BE_BROKEN = "the lock will be broken: if its holder still runs, both runs write at once";
    LOCK_WILL_STAY = "the lock will not be broken: a run in progress blocks the apply";
    READING_RUN = "reading the changes of the run …";
    NO_VALUE = "nothing";
    field_becomes(object: &str, field: &str, theirs: &str, ours: &str) = "{object} {field}: {theirs} becomes {ours}";
    ONE_MUST_BE_FORCED = "1 change must be forced or skipped first";
    several_must_be_forced(count: usize) = "{count} changes must be forced or skipped first";
    ONE_NOT_CHECKED = "admission was not checked for 1 workload's new pods: restarting them requires a separate confirmation";
    several_not_checked(count: usize) = "admission was not checked for {count} workloads' new pods: restarting them requires a separate confirmation";
    HISTORY_NOT_CONFIRMED = "Prometheus loses its history: a separate confirmation is required";

    // Before a diff.
    object_is_deleted(object: &str) = "# {object} is deleted";
    rejected(words: &str) = "Rejected by the API server: {words}";
    dry_run_failed(words: &str) = "The dry run failed: {words}";
    not_dry_run(why: &str) = "Not dry-run yet: {why}";
    paste_by_hand(why: &str) = "The text cannot be edited safely: {why}. This change is not applied; paste this by hand:";
    set_by_hand(field: &str, manager: &str) = "{field} was set by hand with {manager}; only the lines shown change.";
    overwrites_by_hand(field: &str, theirs: &str, manager: &str, ours: &str) = "Overwrites a value set by hand: {field} is {theirs}, set with {manager}; it becomes {ours}.";
    forced_becomes(field: &str, theirs: &str, manager: &str, ours: &str) = "{field} is {theirs} by {manager}; forced, it becomes {ours}.";
    conflict(field: &str, theirs: &str, manager: &str, ours: &str) = "Conflict: {field} is {theirs} by {manager}, and would be {ours}. t forces ownership, space skips the change.";
    belongs_see_source(owner: &str, reverts: &str) = "This object belongs to {owner}. {reverts} Press o for the change to its source.";
    ADMITTED_WITH_SIDECAR = "New pods are admitted, with a sidecar.";
    ADMITTED_WITH_OWN_PROXY = "New pods are admitted, with their own proxy.";
    ADMITTED_WITHOUT_SIDECAR = "New pods are admitted, without a sidecar.";
    server_warns(warning: &str) = "Warning from the API server: {warning}";
    to_do(what: &str) = "To do: {what}";
    hidden_fields(count: usize) = "Hidden: {count} fields added by the API server or a webhook.";
}
