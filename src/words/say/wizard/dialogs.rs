//! The questions that lie over a step, with their buttons.

use crate::words::texts::texts;

texts! {
    CANCEL = "Cancel";
    CLOSE = "Close";
    cause(cause: &str) = "Cause: {cause}";
    to_try(hint: &str) = "Try: {hint}";
    and_more(count: usize) = "… and {count} more";

    // A run has stopped.
    stopped_at(object: &str) = "Stopped at {object}";
    run_waits(written: usize) = "Applied changes of this run: {written}. The run waits for your decision.";
    VIEW_DETAILS = "View details";
    APPLY_AS_SHOWN = "Apply as shown";
    RETRY = "Retry";
    UNDO_ITS_ANNOTATION = "Undo its annotation";
    UNDO_THIS_CHANGE = "Undo this change";
    SKIP_AND_CONTINUE = "Skip and continue";
    SKIP_IT = "Skip it";
    applied_for_item(item: &str, count: usize) = "Applied changes for {item}: {count}. You can undo only these; the run then continues.";
    undo_all_of(item: &str) = "Undo all of {item}";
    UNDO_THE_RUN = "Undo the run";
    STOP_HERE = "Stop here";
    CHANGE_AGAINST_CURRENT = "The change against the current object:";
    ONE_MORE_LINE = "… and 1 more line";
    more_lines(count: usize) = "… and {count} more lines";
    UNDO_EVERY_CHANGE = "Undo every change of this run?";
    ALL_UNDONE_AT_ONCE = "All are undone at once, in reverse order. To see each as a diff first, choose Stop here, then u.";
    OLD_JOBS_COUNT_TWICE = "The plaintext jobs keep scraping every pod, so UP targets are counted twice until the next complete apply.";
    HISTORY_IS_LOST = "History is lost: undoing the run restarts Prometheus, which stores its data in an emptyDir.";

    // Before anything is written.
    NO_POD_RESTARTS = "No pod restarts.";
    ONE_POD_RESTARTS = "1 pod restarts.";
    pods_restart(pods: usize) = "{pods} pods restart.";
    pods_restart_one_by_one(pods: usize) = "{pods} pods restart, one workload at a time.";
    pods_restart_with_canary(pods: usize) = "{pods} pods restart, one workload at a time, each UP before the next.";
    pods_restart_in_parallel(pods: usize) = "{pods} pods restart, all workloads in parallel.";
    HISTORY_CONFIRMED_APART = "Prometheus loses its history. You confirm this separately.";
    LOCK_IS_BROKEN = "The lock is broken: if its holder still runs, both runs write at the same time.";
    filters_stop(filters: &str) = "▲ EnvoyFilters stop matching, because they select renamed listeners: {filters}.";
    deleted(objects: &str) = "Deleted: {objects}.";
    ONE_FIELD_OVERWRITTEN = "1 field that a person set with kubectl is overwritten; see it in the review.";
    fields_overwritten(count: usize) = "{count} fields that a person set with kubectl are overwritten; see them in the review.";
    ONE_CHANGE_SKIPPED = "1 change is skipped.";
    changes_skipped(count: usize) = "{count} changes are skipped.";
    undo_run_on(run: &str, context: &str, changes: &str) = "Undo run {run} on {context}? {changes}.";
    undo_changes(changes: &str) = "Undo {changes}";
    apply_changes_to(changes: &str, context: &str) = "Apply {changes} to {context}?";
    apply_changes(changes: &str) = "Apply {changes}";
    APPLY_UNVERIFIED = "Apply without verification";
    not_verifiable(why: &str) = "{why}: targets cannot be verified.";
    DOES_NOT_WAIT = "The apply does not wait for targets, and the plaintext jobs stay.";

    // Confirmations of their own.
    LOSE_HISTORY = "Lose Prometheus's history?";
    history_in_pod(prometheus: &str) = "{prometheus} stores its data in its pod (an emptyDir) and must restart.";
    HISTORY_DELETED = "All history is deleted by the restart. This cannot be undone.";
    HISTORY_DELETED_AGAIN = "An undo restarts Prometheus again and deletes the history gathered until then.";
    UNDO_AND_LOSE_HISTORY = "Undo and lose history";
    APPLY_AND_LOSE_HISTORY = "Apply and lose history";
    HISTORY_KEPT = "no changes applied; give Prometheus a persistent volume, or skip its change";
    OPEN_TO_PLAINTEXT = "Open port 15091 to plaintext again?";
    REOPEN_PORT = "Reopen port 15091";
    MADE_IN_THIS_CLUSTER = "Was this run made in this cluster?";
    SAME_CLUSTER = "Same cluster: undo the run";
    RESTART_UNCHECKED_PODS = "Restart pods without an admission check?";
    pods_not_checked(workloads: &str) = "The new pods could not be checked against admission: {workloads}.";
    IF_ADMISSION_REJECTS = "If admission rejects them, the rollout stops, and a Recreate workload is down.";
    PERMISSION_TO_CHECK = "Permission to create pods (used for dry runs only) enables this check.";
    RESTART_UNCHECKED = "Restart unchecked";

    // Owners.
    force_from_question(manager: &str) = "Force ownership from {manager}?";
    owns_these_fields(manager: &str) = "{manager} owns these fields and may revert them:";
    force_from(manager: &str) = "Force ownership from {manager}";
    change_owned_question(tool: &str) = "Change what {tool} owns?";
    belongs_to(tool: &str, name: &str) = "This object belongs to {tool} ({name}).";
    REVIEW_SHOWS_SOURCE = "The review shows each change, and the matching change for its source (o).";
    ONE_OTHER_ITEM = "1 other item";
    other_items(count: usize) = "{count} other items";
    applies_to_all_owned(tool: &str, others: &str) = "This applies to everything {tool} owns here: {others}.";
    MAKE_AVAILABLE = "Make it available";
    one_field_forced(manager: &str, objects: &str) = "1 field is forced over {manager}, which may revert it: {objects}.";
    fields_forced(count: usize, manager: &str, objects: &str) = "{count} fields are forced over {manager}, which may revert them: {objects}.";
    one_object_owned(owner: &str) = "1 object belongs to {owner}, which may revert it; flagged in the review.";
    objects_owned(count: usize, owner: &str) = "{count} objects belong to {owner}, which may revert them; flagged in the review.";

    // A first sidecar.
    add_sidecar_question(workload: &str) = "Add a sidecar to {workload}?";
    not_in_mesh_yet(workload: &str) = "{workload} is not in the mesh yet.";
    joining_restarts_pod(name: &str) = "To join, its pod restarts with istio-proxy, and all traffic of {name} then goes through the sidecar.";
    joining_restarts_pods(pods: usize, name: &str) = "To join, its {pods} pods restart with istio-proxy, and all traffic of {name} then goes through the sidecar.";
    ADD_SIDECAR = "Add a sidecar";

    // The way out.
    RUN_IN_PROGRESS = "A run is in progress";
    steps_done(done: usize, all: usize) = "{done} of {all} steps are done.";
    QUITTING_STOPS_RUN = "Quitting stops the run after the current write. Applied changes stay and can be undone later.";
    KEEP_APPLYING = "Keep applying";
    STOP_APPLYING_AND_QUIT = "Stop applying and quit";
    QUIT_LOSES_CHOICES = "Quit? Your choices are lost";
    NO_RUN = "No run is in progress.";
    SAVE_ANSWERS_FIRST = "Save answers first";
    QUIT_AND_LOSE_CHOICES = "Quit and lose choices";

    // Files.
    SAVE_ANSWERS_TO_FILE = "Save the answers to a file";
    REUSE_ANSWERS = "Reuse them with: meshscrape plan --answers FILE";
    SAVE = "Save";
    FILE_EXISTS = "The file already exists";
    replace_question(path: &str) = "Replace {path}?";
    REPLACE_FILE = "Replace the file";
    EXPORT_TO_FOLDER = "Export to a folder";
    EXPORT_HOLDS = "YAML with a kustomization, patches, a script of kubectl commands, and a README that explains each file.";
    EXPORT_WRITES_NOTHING = "Nothing is written to the cluster.";
    EXPORT = "Export";
    EXPORTED = "Exported";
    HOLDS_EARLIER_EXPORT = "The folder holds an earlier export. Other files in it stay.";
    REPLACE_EXPORT = "Replace the export";
    more_in_readme(count: usize) = "… and {count} more; README.md has all";

    // Problems of the cluster.
    PROBLEMS_IN_CLUSTER = "Problems in this cluster";
    more_of_code(count: usize) = "  and {count} more";
    check_lists_all(count: usize) = "{count} more: meshscrape check lists them all";
    choose_to_fix(count: usize) = "Choose {count} to fix";
    chosen_to_fix(workloads: &str) = "chosen: {workloads}; the review shows their changes";
}
