//! Texts of earlier runs: their list, a resume, an undo.

use crate::words::texts::texts;

texts! {
    // The list.

    NO_RUNS = "No runs: none on this machine, none recorded in the cluster.";
    records_not_listed(why: &str) =
        "records in the cluster cannot be listed: {why}; showing only runs of this machine, of every kube-context";
    records_not_listed_of(why: &str, context: &str) =
        "records in the cluster cannot be listed: {why}; showing only runs of this machine, of context {context}";
    WHOLE = "whole";
    UNDONE = "undone";
    INTERRUPTED = "interrupted";
    INTERRUPTED_OR_RUNNING = "interrupted, or still running";
    HERE_AND_IN_CLUSTER = "here and in the cluster";
    HERE = "here";
    IN_CLUSTER = "in the cluster";
    undo_of(run: &str, how: &str) = "undo of {run}, {how}";
    of_context(place: &str, context: &str) = "{place}, context {context}";
    of_another_cluster(place: &str) = "{place}, of another cluster";
    LIST_RUNS = "list the runs: meshscrape undo --list";

    // A run that was interrupted.

    undo_or_apply_again(run: &str) =
        "resume the undo: meshscrape undo {run} --yes; apply the run again: meshscrape apply --resume {run} --yes";
    resume_or_undo(run: &str) =
        "resume: meshscrape apply --resume {run} --yes; undo: meshscrape undo {run} --yes";
    interrupted_unknown(why: &str) = "whether an earlier run was interrupted is unknown: {why}";
    NOTHING_TO_RESUME_HERE = "there is no run to resume on this machine";
    resume_by_id(run: &str) = "resume that run by its ID: meshscrape apply --resume {run} --yes";
    NOTHING_TO_RESUME = "there is no run to resume";
    NEWEST_IS_COMPLETE = "the newest run is complete, or has no changes applied";
    INTERRUPTED_IS_UNDO = "the interrupted run is an undo";
    resume_undo(run: &str) = "resume the undo: meshscrape undo {run} --yes";
    apply_again(run: &str) = "apply the run again: meshscrape apply --resume {run} --yes";
    choices_not_recorded(run: &str) = "the record of run {run} does not say what was chosen";
    USE_THE_SAME_FLAGS =
        "undos and runs of older versions record no choices: run apply with the same flags";

    // An undo.

    no_such_run(run: &str) = "there is no run `{run}`";
    DEMO_ENDS = "each demo command simulates its own cluster, which ends with the command";
    DEMO_UNDO = "meshscrape undo --demo --yes applies first, then undoes the run";
    DEMO_APPLIES = "DEMO: applying first (with --lose-history), so that there is something to undo.";
    DEMO_UNDOES = "DEMO: now the undo (with --lose-history).";
    UNDO_WITHOUT_RECORD =
        "undo changes found in the cluster, without a record: meshscrape undo --without-record";
    CHANGED_STAYS = "fields that others changed since the run stay; --even-changed reverts them too";
    not_released(why: &str) = "the fields that the run applied were not released: {why}";
    not_recorded_as_undone(run: &str) =
        "run {run} is not recorded as undone: none of its objects was found in this cluster";
    nothing_left(run: &str) = "No changes: nothing of run {run} is left in the cluster.";
    NOTHING_TO_UNDO_HERE = "No changes: nothing to undo in this cluster.";
    WOULD_REOPEN = "nothing was written: the undo would reopen port 15091 to plaintext";
    ALLOW_REOPEN = "to allow this: --reopen";
    NO_OWN_RUN = "there is no run to undo on this machine";
    newest_is_anothers(run: &str) = "the newest run, {run}, was recorded by another machine";
    review_then_name(run: &str) = "review it first, then name it: meshscrape undo {run}";
}
