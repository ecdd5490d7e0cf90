//! Texts of a review, as `plan`, `apply` and `undo` print it.

use crate::words::texts::texts;

texts! {
    NO_CHANGES = "No changes. The cluster matches your choices.";
    sum(changes: &str, new: usize, patched: usize, deleted: usize, pods: &str) =
        "{changes}: {new} new, {patched} patched, {deleted} deleted; {pods} to restart.";
    forecast(prometheus: &str) = "Forecast: targets of {prometheus} after this plan";

    warning(text: &str) = "warning: {text}";
    impact(text: &str) = "impact: {text}";
    skipped(text: &str) = "skipped: {text}";
    rollout(text: &str) = "rollout: {text}";
    filter_stops(filter: &str) = "note: {filter} will stop matching, see the impact above";

    // Behind a change, in the list of all.

    conflict_with(managers: &str) = "conflict with {managers}";
    REFUSED = "refused";
    NOT_SAFE = "not safe to edit";
    NO_ANSWER = "no answer";
    warnings(count: usize) = "warnings: {count}";

    // Under a change.

    ABSENT = "absent";
    set_before(manager: &str, field: &str) = "set by {manager} before: {field}";
    was_set_by(was: &str, manager: &str, field: &str) = "was {was}, set by {manager}: {field}";
    forced_over(manager: &str, field: &str, was: &str) =
        "forced over {manager}, which may revert it: {field} was {was}";
    conflict(field: &str, manager: &str, now: &str) =
        "conflict: {field} belongs to {manager} (now {now}); it would revert the field. Force ownership with --force-owner {manager}";
    belongs_to(owner: &str, reverts: &str) = "belongs to {owner}. {reverts}";
    server_warning(text: &str) = "warning from the API server: {text}";
    REQUIRES_UNCHECKED_PODS = "apply requires --unchecked-pods";
    not_verified(why: &str) = "not verified yet: {why}";
    REFUSED_BY_SERVER = "refused by the API server";
    DRY_RUN_FAILED = "dry run failed";
    not_edited(why: &str) = "not edited: {why}";
    TO_PASTE = "to paste by hand:";
    depends_on(change: &str) = "skipped: depends on {change}, which is skipped";
    REJECTED = "skipped: the cluster rejects it";

    // Whether Prometheus can be asked.

    answers_at(url: &str) = "Prometheus answers at {url}.";
    jobs_not_run(jobs: &str) =
        "Prometheus does not run job {jobs}: it loaded the job before its certificates existed. apply --yes reloads Prometheus.";
    not_running(what: &str) = "Prometheus does not run yet: {what}";
    not_queried(what: &str) = "Prometheus cannot be queried: {what}";
    WORKS_UNQUERIED = "plan, export and undo still work; apply requires --unproven, and status shows no targets";
    replicas_behind(url: &str, replicas: usize) = "replicas behind {url}: {replicas}; only one answers each query";

    // Why nothing is written.

    BLOCKED = "nothing was written: some changes are blocked";
    force_owner(manager: &str) = "force ownership from {manager}, which may revert the change: --force-owner {manager}";
    fields_belong_to(managers: &str) = "its fields belong to {managers}";
    refused(why: &str) = "refused: {why}";
    not_safe(why: &str) = "its text cannot be edited safely: {why}";
    dry_run_failed(why: &str) = "dry run failed: {why}";
    SEE_EVERY_CHANGE = "see every change with: meshscrape plan";
    NOT_VERIFIABLE = "nothing was written: Prometheus cannot be queried, so targets cannot be verified";
    QUERY_DIRECTLY = "query it directly: --prometheus-url URL";
    APPLY_UNPROVEN =
        "apply without verification: --unproven (does not wait for targets; the plaintext jobs stay)";
    READ_ONLY = "nothing was written: --read-only is set";
    READ_ONLY_ALLOWS = "--read-only allows only reads, access reviews and dry runs";
    REMOVE_READ_ONLY = "remove --read-only, or show the changes with: meshscrape plan";
    YES_IS_MISSING = "nothing was written: --yes is missing";
    apply_the_above(command: &str) = "apply the changes above: meshscrape {command} … --yes";
    HISTORY_LOST = "nothing was written: Prometheus would lose its history";
    HISTORY_IN_POD =
        "Prometheus stores its data in its pod (emptyDir or container); restarting it deletes all history";
    ALLOW_HISTORY_LOSS =
        "to allow this: --lose-history; to avoid it, give Prometheus a persistent volume";
    UNDO_LOSES_AGAIN = "an undo restarts Prometheus again and deletes the history gathered until then";
    dry_runs_not_finished(count: usize) = "nothing was written: dry runs not finished: {count}";
    blocked_changes(count: usize) = "nothing was written: blocked changes: {count}";
    NOTHING_TO_DO = "no changes";
    PODS_NOT_CHECKED = "nothing was written: the new pods could not be checked against admission";
    GET_POD_PERMISSION =
        "get permission to create pods there, used for dry runs only (see the ClusterRole in the README)";
    RESTART_UNCHECKED =
        "restart pods unchecked: --unchecked-pods (if admission rejects them, a workload may be down)";
    UNPROVEN =
        "Prometheus cannot be queried: the apply does not wait for targets, and the plaintext jobs stay";
}
