//! Texts of targets, of the steps of a run, and of how it ended.

use crate::words::texts::texts;

texts! {
    // The table.

    NAMESPACE = "NAMESPACE";
    WORKLOAD = "WORKLOAD";
    POD = "POD";
    STATE = "STATE";
    PLAINTEXT = "PLAINTEXT";

    UP = "UP mTLS";
    UP_NOT_GUARDED = "UP mTLS, not guarded";
    up_double(job: &str) = "UP mTLS, and in plaintext by {job}";
    unsettled(until: &str) = "UP, confirmed after {until} (connection from before a policy change)";
    down(error: &str) = "DOWN {error}";
    waiting(on: &str) = "waiting: {on}";
    plaintext(job: &str) = "plaintext only, by {job}";
    not_covered(why: &str) = "not covered: {why}";

    NOT_ASKED = "not asked";
    REFUSED = "refused";
    SERVED = "SERVED";
    unknown(why: &str) = "unknown: {why}";

    // Under the table.

    last_update(since: &str, why: &str) = "Last update at {since}: {why}";
    why_down(pod: &str, why: &str) = "Why is {pod} DOWN? {why}";
    why_not_secured(pod: &str, why: &str) = "Why is {pod} not secured? {why}";
    secured_unknown(pod: &str, why: &str) = "Whether {pod} is secured is not known: {why}";
    shared_account(others: &str) =
        "Prometheus's ServiceAccount is also used by {others}: they can also read the secure ports.";
    OWN_ACCOUNT = "give Prometheus its own ServiceAccount";
    pods_not_covered(pods: &str, kind: &str, place: &str, why: &str) =
        "not covered: {pods} of {kind} {place} in plaintext: {why}";

    // The sum.

    up_of(up: usize, targets: &str) = "{up} of {targets} UP over mTLS";
    all_down(count: usize) = "{count} DOWN";
    all_waiting(count: usize) = "{count} waiting";
    all_plaintext(count: usize) = "{count} plaintext only";
    all_not_covered(count: usize) = "{count} not covered";
    all_double(count: usize) = "{count} also scraped in plaintext";
    all_unguarded(count: usize) = "{count} not guarded";
    all_skipped(count: usize) = "{count} skipped";
    SECURED = "secured: every target refuses plaintext";
    secured(count: usize) = "{count} secured (plaintext refused)";
    others_in_plaintext(pods: &str) = "{pods} of other owners in plaintext";

    // Steps of a run.

    waiting_for(on: &str) = "waiting for {on}";
    APPLYING = "applying";
    rollout(updated: u32, ready: u32, desired: u32) = "rollout: {updated} updated, {ready} ready of {desired}";
    DONE = "done";
    failed(why: &str) = "failed: {why}";
    undone(why: &str) = "undone: {why}";
    held(why: &str) = "held: {why}";
    targets(sum: &str) = "targets: {sum}";
    stopped_at(change: &str, why: &str) = "stopped at {change}: {why}";

    // How it ended.

    run_undone(changes: &str) = "Run undone: {changes}.";
    all_applied(changes: &str) = "{changes} applied.";
    some_applied(changes: &str, others: usize) = "{changes} applied, {others} not applied.";
    STOPPED_BEFORE_ANY = "Stopped: no changes applied.";
    stopped(changes: &str, others: usize) = "Stopped: {changes} applied, {others} not applied.";
    FAILED_AND_UNDONE = "Failed: every change of this run was undone.";
    one_applied(change: &str) = "applied      {change}";
    one_not_applied(change: &str) = "not applied  {change}";
    one_undone(change: &str) = "undone       {change}";
    SEE_AN_UNDO = "See an undo with: meshscrape undo --demo --yes";
    run_can_be_undone(run: &str) = "Run {run}; undo: meshscrape undo {run} --yes";
    run_can_go_on(run: &str) =
        "Run {run}; resume: meshscrape apply --resume --yes; undo: meshscrape undo {run} --yes";
}
