//! Why the way to another step is closed.

use crate::words::texts::texts;

texts! {
    NOTHING_SCRAPES = "Prometheus's own changes are skipped: nothing will scrape port 15091.";
    JOB_FINDS_NOTHING = "Every workload is skipped: the secure job will find no target.";
    RECORD_NOT_KEPT = "Only this machine can undo the run: its record is not kept in the cluster.";

    KUBECONFIG_IS_READ = "the kubeconfig is being read";
    CONNECTING = "connecting to the cluster";
    READING_FOR_PROMETHEUS = "the cluster is still being read; enter works as soon as a Prometheus can be chosen";
    SEARCHING_PROMETHEUS = "searching for Prometheus";
    NO_PROMETHEUS_AVAILABLE = "no Prometheus is available yet";
    READING_WITHOUT_ROWS = "the cluster is still being read; no rows yet";
    NOTHING_CHOSEN = "no workload and no gateway is chosen";
    STILL_READING = "the cluster is still being read";
    LAST_STEP = "this is the last step";

    ENTER_DECIDES = "the run waits for your decision; press enter to decide";
    S_STOPS_RUN = "a run is in progress; s stops it after the current write";
    Q_QUITS_MONITOR = "only the monitor is open; q quits";
    FIRST_STEP = "this is the first step";
    STEP_IS_OPEN = "this step is already open";
    ONLY_MONITOR = "only the monitor is open";
    NOTHING_APPLIED_YET = "nothing has been applied yet";
    STEPS_BEFORE_FIRST = "complete the steps before it first";

    NO_EXPORT_OF_UNDO = "an undo cannot be exported";
    dry_run_in_progress(changes: &str) = "dry run in progress: {changes}";
    READ_ONLY_NOT_APPLIED = "read-only: no changes are applied";
    ONE_CONFLICTS = "1 change conflicts and must be forced or skipped first";
    several_conflict(count: usize) = "{count} changes conflict and must be forced or skipped first";
    NO_CHANGES = "no changes";

    NO_OPTIONS_YET = "no options yet";
    no_other_choice(why: &str) = "there is no other choice: {why}";
    NO_OTHER_CHOICE = "there is no other choice";

    ONE_CHANGE = "1 change";
    changes(count: usize) = "{count} changes";
}
