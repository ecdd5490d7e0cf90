//! A run: its log and its end; and what the monitor is filtered by.

use crate::words::texts::texts;

texts! {
    log_stopped_at(object: &str, error: &str) = "stopped at {object}: {error}";
    pod_waits(pod: &str, on: &str) = "{pod} waits: {on}";
    pod_unsettled(pod: &str) = "{pod} is UP over a connection from before a policy change; confirmed after one more minute UP";
    pod_down(pod: &str, error: &str) = "{pod} is DOWN: {error}";
    one_target_up_over_mtls(up: usize) = "{up} of 1 target UP over mTLS";
    targets_up_over_mtls(up: usize, all: usize) = "{up} of {all} targets UP over mTLS";

    // How it ended.
    older_run_stands(run: &str) = "The older run {run} is still applied.";
    run_undone(changes: &str) = "Run undone: {changes}.";
    all_applied(changes: &str) = "Every approved change is applied: {changes}.";
    others_skipped(changes: &str) = "{changes} applied, others skipped or undone.";
    ALL_UNDONE = "Every change of this run was undone.";
    interrupted(changes: &str) = "Interrupted: {changes} applied.";
    ONE_UP_TO_DATE = "1 object is already up to date.";
    several_up_to_date(count: usize) = "{count} objects are already up to date.";
    applied(objects: &str) = "Applied: {objects}.";
    not_applied(objects: &str) = "Not applied: {objects}.";
    undone(objects: &str) = "Undone: {objects}.";
    one_target_is_up(up: usize, plaintext: &str) = "{up} of 1 target is UP over mTLS; {plaintext}.";
    targets_are_up(up: usize, all: usize, plaintext: &str) = "{up} of {all} targets are UP over mTLS; {plaintext}.";
    PLAINTEXT_REFUSED = "plaintext is refused";
    PLAINTEXT_SERVED = "plaintext is still served";
    PLAINTEXT_NOT_CHECKED = "plaintext was not checked on every target";
    to_undo(command: &str) = "To undo: {command}";
    to_see_targets(command: &str) = "To see the targets: {command}";
    to_resume(command: &str) = "To resume: {command}";

    // What it lacks.
    applied_of(applied: usize, all: usize) = "{applied} of {all} applied";
    held_back(count: usize) = "{count} held back";
    left_out(count: usize) = "{count} skipped";
    taken_back(count: usize) = "{count} undone";
    TARGETS_NOT_VERIFIED = "targets not verified";
    one_target_up(up: usize) = "{up} of 1 target UP";
    targets_up(up: usize, all: usize) = "{up} of {all} targets UP";

    // What a filter finds a target by.
    FIND_LEFT_OUT = "skipped";
    FIND_NOT_GUARDED = "not guarded";
    FIND_SECURED = "secured";
    FIND_SERVED = "plaintext served";
    FIND_ALSO_PLAINTEXT = "also plaintext";
    FIND_CONFIRMING = "confirming";
    FIND_WAITING = "waiting";
    FIND_PLAINTEXT = "plaintext only";
    FIND_NOT_COVERED = "not covered";

    // Under the screen.
    PROMETHEUS_RELOADED = "Prometheus reloaded: targets appear within seconds";
    saved_to(path: &str) = "saved to {path}";
    COPIED = "copied";
    MOUSE_ON = "mouse on: a click selects, a second click acts, the wheel scrolls";
}
