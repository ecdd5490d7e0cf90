//! Texts of runs, as they happen.

use crate::words::texts::texts;
use std::fmt::Display;

texts! {
    // apply.rs
    reviewed_elsewhere(context: &str, now: &str) = "the changes were reviewed on {context}, and this is {now}";
    REVIEW_ON_THIS_CLUSTER = "review them on this cluster";
    NOT_WRITTEN_READ_ONLY = "nothing was written: --read-only is set";
    cluster_not_recorded(why: &dyn Display) = "the record cannot identify the cluster, so an undo will require --this-cluster: {why}";
    ROLLOUT_AT_THE_END = "its rollout, with the others at the end";
    skipped(why: &str) = "skipped: {why}";
    is_not_applied(change: &str, why: &str) = "{change} is not applied: {why}";
    PROMETHEUS_NOT_QUERIED = "Prometheus cannot be queried for the state of the targets";
    targets_not_up_within(change: &str, seconds: u64) = "the targets behind {change} are not UP after {seconds} s";
    SEE_WHY_NOT_UP = "see why each target is waiting or DOWN: meshscrape status";
    undone_as_not_up_within(change: &str, seconds: u64) = "the targets of {change} were not UP after {seconds} s, so the change was undone";
    waits_for_its_undo(why: &str) = "its undo: {why}";
    could_not_be_undone(change: &str) = "{change} could not be undone";
    UNDO_THE_RUN = "undo the run";
    was_undone(change: &str, why: &str) = "{change} was undone: {why}";

    // apply/ending.rs
    not_up_why(items: &str, why: &str) = "not UP: {items}: {why}";
    not_up(items: &str) = "not UP: {items}";
    plaintext_stays(why: &str) = "the plaintext scrape stays: {why}";
    UNDO_STOPPED = "the undo was stopped before it was complete";
    NOT_ALL_UNDONE = "some changes could not be undone";
    reason_for_the_undo(why: &str) = "reason for the undo: {why}";
    UNDONE = "undone";
    CHECKING_THE_TARGETS = "checking the targets: only scrapes started after the last change count";

    // apply/pace.rs
    resume_the_undo(run: &str) = "then resume the undo: meshscrape undo {run} --yes (reverted changes are not written again)";
    undo_this_workload_only(run: &str, item: &dyn Display) = "undo this workload only: meshscrape undo {run} --only {item} --yes";

    // apply/sending.rs
    is_deleted(change: &str) = "{change} is deleted";
    is_reverted(change: &str) = "{change} is reverted";
    is_written(change: &str) = "{change} is written";

    // apply/standing.rs
    WAS_DELETED = "it was deleted";
    IS_BEING_DELETED = "it is being deleted";
    WAS_RECREATED = "it was deleted and recreated";
    depends_on_what_is_missing(change: &str) = "it depends on {change}, which is not in place";
    changed_since_the_review(object: &dyn Display) = "{object} changed since the review";
    REVIEW_AGAIN_FOR_THE_STATE = "review again to see the new state";
    policy_is_gone(object: &dyn Display, policy: &dyn Display) = "{object} is not applied: its policy {policy} no longer exists";
    UNPROTECTED_WITHOUT_THE_POLICY = "without the policy, anyone could read the port in plaintext";
    REVIEW_AGAIN_FOR_THE_POLICY = "review again: the policy is then applied first";

    // compare.rs
    EXISTS_NOW = "it did not exist then, and exists now";
    text_changed(key: &str) = "the text of {key} changed";
    field_changed(field: &dyn Display, before: &str, after: &str) = "{field} was {before}, and now is {after}";
    ABSENT = "absent";
    insert_by_hand(lines: &str) = "insert this by hand:\n{lines}";
    text_cannot_be_edited(object: &dyn Display) = "the text in {object} cannot be edited safely";

    // discover/running.rs
    NO_POD_RUNS = "none of its pods is running";

    // event.rs
    not_as_reviewed(may: bool) = "not as reviewed; may be written: {may}";
    finished(written: usize, unchanged: usize, not_written: usize, undone: usize) = "finished: {written} written, {unchanged} unchanged, {not_written} not written, {undone} undone";

    // folder.rs
    is_a_file(path: &dyn Display) = "{path} is a file, not a folder";
    NAME_A_NEW_FOLDER = "name a folder that is not there yet, or an empty one";
    folder_not_empty(folder: &dyn Display) = "the folder {folder} is not empty";
    REPLACE_THAT_EXPORT = "to replace that export: --overwrite";
    holds_other_files(folder: &dyn Display) = "the folder {folder} holds files that no export wrote";
    holds_no_list(list: &str) = "it has no list {list} of exported files";
    not_of_an_export(path: &dyn Display) = "{path} was not written by an export";
    MOVE_IT_AWAY = "move it away, or name another folder";
    no_folder_name(path: &dyn Display) = "{path} is not a valid folder name";
    NAME_A_FOLDER = "name a folder, such as ./meshscrape-export";
    /// The first line of the list of files.
    FILES_OF_THE_EXPORT = "Files that meshscrape export wrote here; only these are replaced by --overwrite.";
    folder_not_written(folder: &dyn Display) = "the folder {folder} could not be written";
    NAME_ANOTHER_PLACE = "name another place";

    // found.rs
    NO_PROMETHEUS_TO_UNDO = "no Prometheus server found whose set-up could be undone";
    operated_keeps_what_was_written(resource: &dyn Display) = "{resource} keeps what was written to it, and so do PodMonitors and ServiceMonitors: without a record it is not known what was there before";
    NOTHING_OF_OURS_FOUND = "no changes of meshscrape were found in this cluster";
    NOTHING_IS_OURS = "no object has meshscrape's label, and no readable field is owned by meshscrape alone";
    records_stay(why: &dyn Display) = "records of runs in the cluster stay: {why}";
    kind_not_listed(kind: &str, why: &dyn Display) = "{kind} objects cannot be listed, so meshscrape's own stay: {why}";
    cannot_be_read(object: &dyn Display) = "{object} cannot be read";

    // identity.rs
    HAS_NO_UID = "it has no uid";
    made_in_another_cluster(run: &str) = "run {run} was made in another cluster";
    made_on(context: &str, namespace: &str, uid: &str) = "the run was made on context {context}, whose {namespace} has uid {uid}";
    this_is(context: &str, namespace: &str, uid: &str) = "this is context {context}, whose {namespace} has uid {uid}";
    CHOOSE_THAT_CLUSTER = "choose that cluster with --context or --kubeconfig";
    LIST_THE_RUNS = "list the runs: meshscrape undo --list";
    cluster_not_verified(run: &str) = "cannot verify that run {run} was made in this cluster";
    namespace_cannot_be_read(namespace: &str, why: &dyn Display) = "namespace {namespace} cannot be read: {why}";
    RECORD_NAMES_NO_CLUSTER = "its record does not name the cluster";
    made_on_and_this_is(context: &str, now: &str) = "the run was made on context {context}, and this is context {now}";
    CONFIRM_THE_CLUSTER = "to confirm that it was made in this cluster: --this-cluster";

    // keep.rs
    RECORD_NOT_KEPT = "the record of this run cannot be kept in the cluster";
    RECORD_NOT_DELETED = "the record in the cluster could not be deleted";
    lock_not_released(why: &dyn Display, seconds: u32) = "could not release the lock: {why}; it expires in {seconds} s";
    was_not_written(object: &dyn Display) = "{object} was not written";

    // lock.rs
    lock_of(holder: &str, still: u64, patience: u64) = "the lock that {holder} holds: {still} s without a renewal, of {patience} s";
    SOMEBODY = "somebody";
    UNKNOWN_TIME = "an unknown time";
    holds_the_lock(holder: &str, object: &dyn Display, since: &str, renewed: &str) = "{holder} has held {object} since {since}, renewed at {renewed}";
    BREAK_ITS_LOCK = "if that run no longer exists, break its lock: --break-lock";
    lock_not_acquired(object: &dyn Display) = "{object} could not be acquired";
    OR_SKIP_THE_LOCK = "or skip the lock in the review";

    // lock/held.rs
    acquired_by_another(object: &dyn Display) = "{object} was acquired by another run";
    LOCK_BROKEN = "another run broke the lock, or this machine slept for longer than the lock lasts";
    WAIT_FOR_THAT_RUN = "wait until that run has ended, then review again";
    may_have_expired(object: &dyn Display) = "{object} may have expired";
    not_renewed(seconds: u32, why: &dyn Display) = "it was not renewed for {seconds} s, and cannot be read: {why}";
    RUN_AGAIN = "run this again: changes already in place are skipped";

    // outcome.rs
    NO_CHANGES = "No changes.";
    ONE_APPLIED = "1 change applied.";
    so_many_applied(changes: usize) = "{changes} changes applied.";
    FAILED_AND_ONE_UNDONE = "Failed: 1 change undone.";
    failed_and_undone(changes: usize) = "Failed: {changes} changes undone.";
    STOPPED_WITHOUT_CHANGES = "Stopped: no changes applied.";
    stopped_after_one(not_applied: usize) = "Stopped: 1 change applied, {not_applied} not applied.";
    stopped_part_way(applied: usize, not_applied: usize) = "Stopped: {applied} changes applied, {not_applied} not applied.";
    APPLIED_ONES = "Applied";
    NOT_APPLIED_ONES = "Not applied";
    UNDONE_ONES = "Undone";
    ONE_IN_PLACE = "1 change already in place.";
    already_in_place(changes: usize) = "{changes} changes already in place.";
    targets_up(up: usize, all: usize) = "{up} of {all} targets UP over mTLS.";
    PLAINTEXT_REFUSED_SECURED = "Plaintext is refused: secured.";
    PLAINTEXT_REFUSED = "Plaintext is refused at every target.";
    PLAINTEXT_NOT_REFUSED = "Plaintext was not refused at every target.";
    PLAINTEXT_NOT_CHECKED = "Plaintext was not checked, so no target is reported as secured.";

    // release.rs
    fields_not_released(object: &dyn Display, why: &str) = "the fields of {object} could not be released: {why}";

    // review.rs
    changes_too_fast(last: &str) = "it changes faster than it can be reviewed: {last}; review again";
    TEXT_BY_CONFIGMAP = "text is reviewed by ConfigMap";
    deleted_since_the_plan(object: &dyn Display) = "{object} was deleted since the plan: nothing to annotate";
    another_exists(object: &dyn Display) = "another {object} exists already";
    namespace_comes(namespace: &str) = "the namespace {namespace} comes with an earlier step of this plan";
    no_namespace(namespace: &str) = "the namespace {namespace} does not exist";
    kind_not_known(kind: &str, version: &str, why: &str) = "{kind} ({version}) is not known to this cluster: {why}";
    does_not_exist(object: &dyn Display) = "{object} does not exist";
    plan_again(why: &dyn Display) = "{why}: plan again";
    another_stays(object: &dyn Display) = "another {object} exists since the plan: it stays";
    has_no_key(object: &dyn Display, key: &str) = "{object} has no {key}";

    // review/conflicts.rs
    WHOLE_OBJECT = "the whole object";

    // review/keeping.rs
    lock_is_held(holder: &str, since: &str, renewed: &str) = "{holder} has held the lock since {since}, renewed {renewed}; while that run is in progress, no changes are applied";

    // rollout.rs
    NOT_SEEN_YET = "the change is not seen by the controller yet";
    past_its_deadline(why: &str) = "the rollout exceeded its progress deadline: {why}";
    PAUSED = "the Deployment is paused: its pods are replaced when it is resumed (kubectl rollout resume)";
    new_pod_made(part: u32) = "{part} of 1 new pod was made";
    new_pods_made(part: u32, all: u32) = "{part} of {all} new pods were made";
    ONE_OLD_POD_ENDS = "1 old pod still ends";
    old_pods_end(old: u32) = "{old} old pods still end";
    new_pod_available(part: u32) = "{part} of 1 new pod is available";
    new_pods_available(part: u32, all: u32) = "{part} of {all} new pods are available";
    PODS_CANNOT_BE_MADE = "pods cannot be made";
    pod_ready(part: u32) = "{part} of 1 pod is ready";
    pods_ready(part: u32, all: u32) = "{part} of {all} pods are ready";
    pod_above_the_partition_new(part: u32) = "{part} of 1 pod above the partition is new";
    pods_above_the_partition_new(part: u32, all: u32) = "{part} of {all} pods above the partition are new";
    first_pod_keeps(partition: u32) = "the StatefulSet has partition {partition}: its first pod keeps the old template until the partition is lowered";
    first_pods_keep(partition: u32, first: u32) = "the StatefulSet has partition {partition}: its first {first} pods keep the old template until the partition is lowered";
    pod_new(part: u32) = "{part} of 1 pod is new";
    pods_new(part: u32, all: u32) = "{part} of {all} pods are new";
    one_pod_at_revision(revision: &str) = "1 pod is at revision {revision}";
    pods_at_revision(pods: u32, revision: &str) = "{pods} pods are at revision {revision}";
    ONE_OLD_POD_STAYS = "its update strategy is OnDelete: 1 pod keeps the old template until you delete it";
    old_pods_stay(old: u32) = "its update strategy is OnDelete: {old} pods keep the old template until you delete them";

    // runs.rs
    record_torn(run: &str, why: &str) = "the record of run {run} in the cluster: {why}";
    records_cannot_be_read(namespace: &str, why: &dyn Display) = "records in namespace {namespace} cannot be read: {why}";
    recorded_only_in_the_cluster(lost: usize) = "{lost} writes are recorded only in the cluster: the journal of this machine lost them";
    NO_RECORD_HERE = "this machine has no record of the run";
    read_from_the_cluster(run: &str, why: &str) = "run {run} is read from its record in the cluster: {why}";
    undo_interrupted(run: &str, undone: usize, all: usize, applied: usize) = "the undo of run {run} was interrupted: {undone} of {all} changes are undone, {applied} are still applied";
    undo_interrupted_of(by: &str, run: &str, undone: usize, all: usize, applied: usize) = "the undo of {by} of run {run} was interrupted: {undone} of {all} changes are undone, {applied} are still applied";
    run_interrupted(run: &str, applied: usize, all: usize, not_applied: usize) = "run {run} was interrupted: {applied} of {all} changes are applied, {not_applied} are not";
    run_interrupted_of(run: &str, by: &str, applied: usize, all: usize, not_applied: usize) = "run {run} of {by} was interrupted: {applied} of {all} changes are applied, {not_applied} are not";
    others_changed(interrupted: &str, changes: usize) = "{interrupted}, {changes} were changed by others";
    newer_run_is_applied(run: &str, newer: &str) = "run {run} cannot be undone while the newer run {newer} is applied";
    both_need(shared: &str) = "both need {shared}";
    undo_the_newer_first(newer: &str) = "undo the newer run first: meshscrape undo {newer}";

    // settle.rs
    nothing_left_to_do(run: &str) = "run {run} was interrupted after its last change: nothing is left to do";
    lock_released(namespace: &str) = "released the lock that a killed run left in namespace {namespace}";
    lock_not_checked(namespace: &str, why: &dyn Display) = "could not check namespace {namespace} for the lock of a killed run: {why}; such a lock expires";

    // steps.rs
    write_interrupted(object: &dyn Display) = "the write of {object} was interrupted";
    CHECK_THE_OBJECT = "check the object, then run this again: changes already in place are skipped";
    attempts_failed(attempts: u32) = "{attempts} attempts failed: the API server was busy, or the object had just changed";
    TRY_AGAIN = "try again";
    was_not_deleted(object: &dyn Display) = "{object} was not deleted";
    CALLED_GONE_BUT_THERE = "the API server answered that the object does not exist, but it does";
    CHECK_PROXIES = "check proxies between this machine and the API server, then try again";
    REVIEW_AGAIN = "review again";
    STILL_AS_BEFORE = "the object still is as before";
    NOT_READ_AFTERWARDS = "the object could not be read afterwards, so it may or may not have been written";
    write_not_answered(object: &dyn Display) = "the write of {object} got no answer";
    exists_no_more(object: &dyn Display) = "{object} does not exist any more";
    would_force_more(object: &dyn Display) = "{object} would force ownership of fields that were not approved";
    now_belongs_to(field: &str, manager: &str) = "{field} now belongs to {manager}";
    belongs_no_longer_to(field: &str, manager: &str) = "{field} no longer belongs to {manager}";
    REVIEW_AGAIN_FOR_THE_OWNERS = "review again to see the fields and their owners";

    // undo.rs
    JOURNAL_LACKS_ITS_START = "the journal of that run lacks its first entries";
    CHECK_ITS_FILE = "check its file: it may have been edited";
    is_itself_an_undo(run: &str, undone: &str) = "run {run} is itself the undo of {undone}";
    APPLY_AGAIN = "to restore the changes, apply again";
    undone_already(run: &str) = "run {run} was undone already";
    older_stays_applied(older: &str) = "the older run {older} stays applied; undo it after this one: meshscrape undo {older}";
    record_stays(why: &dyn Display) = "the run's record in the cluster stays: {why}";
    PROMETHEUS_OF_RUN_UNKNOWN = "the Prometheus of that run is unknown, and no Prometheus was found";
    CHECK_YOU_MAY_LIST = "check that you may list Deployments and StatefulSets";
    prometheus_is_gone(prometheus: &dyn Display) = "Prometheus {prometheus} is gone: the rest of the run is undone";
    prometheus_and_record_gone(prometheus: &dyn Display) = "Prometheus {prometheus} is gone: the rest of the run is undone; its record went with its namespace";
    wrote_nothing_for(run: &str, item: &dyn Display) = "run {run} wrote nothing for {item}";
    it_wrote_for(items: &str) = "it wrote for {items}";
    NOT_UNDOABLE_NOW = "the run cannot be undone now";
    SEE_EACH_BLOCKER = "meshscrape undo shows each change with its blocker";
    is_undone(object: &dyn Display) = "{object} is undone";
    STOPPED_DURING_THE_UNDO = "stopped during the undo";

    // waits.rs
    ON_ISTIOD = "istiod to send the policies to the proxies";
    ON_READ_BACK = "the object to be read back";
    ON_POLICIES_READ_BACK = "its policies to be read back";
    DIFFERS = "it differs from what was written";
    IS_GONE = "it is gone";
    not_read_back(object: &dyn Display) = "{object} was written, but cannot be read back";
    FIND_WHAT_CHANGES_IT = "find what else changes the object, then try again";
    reads_when_it_restarts(prometheus: &dyn Display) = "{prometheus} reads its new configuration when it restarts";
    a_configmap_takes_time(on: &str) = "{on}; a ConfigMap takes about a minute to reach the pod";
    does_not_run_job(prometheus: &dyn Display, job: &str) = "Prometheus {prometheus} does not run job {job}";
    SET_IT_UP_AGAIN = "set it up again, then apply again";
    does_not_answer(prometheus: &dyn Display, job: &str) = "Prometheus {prometheus} does not answer, so job {job} cannot be verified";
    after_seconds(seconds: u64, why: &str) = "after {seconds} s: {why}";
    check_its_pods(namespace: &str) = "check its pods: kubectl -n {namespace} get pods; meshscrape also needs permission to get pods/proxy";
    until_it_reads_its_file(why: &str, prometheus: &dyn Display) = "{why}, until {prometheus} next reads its file";
    CHECK_ITS_LOG = "check Prometheus's log for the configuration error";
    restart_it(namespace: &str, kind: &str, name: &str) = "it has neither a reloader nor --web.enable-lifecycle: kubectl -n {namespace} rollout restart {kind} {name}";
    on_targets_dropped(item: &dyn Display) = "Prometheus to drop the targets of {item}";
    still_scrapes(item: &dyn Display) = "Prometheus still scrapes {item} over mTLS";
    removed_anyway(why: &str) = "{why}; the listener is removed anyway";
    ON_TARGETS_UP = "the targets to come UP";
    on_job_run(job: &str) = "Prometheus to run job {job}";
    on_job_dropped(job: &str) = "job {job} to leave Prometheus's running configuration";
    on_pods_skipped(jobs: &str) = "{jobs} to skip secured pods in Prometheus's running configuration";
    job_not_there_yet(job: &str) = "job {job} is not in the running configuration yet";
    job_still_there(job: &str) = "job {job} is still in the running configuration";
    still_scrape_plaintext(jobs: &str) = "{jobs} still scrape secured pods in plaintext";
    TARGETS_NOT_READ = "the targets have not been read yet";
    so_many_not_guarded(targets: usize, all: usize, names: &str) = "{targets} of {all} UP, but not guarded: {names}";
    so_many_not_up(targets: usize, all: usize, names: &str) = "{targets} of {all} not UP: {names}";
    and_more(names: &str, more: usize) = "{names}; and {more} more";
    UP = "UP";
    UP_NOT_SETTLED = "UP, but for less than a minute since its policy changed";
    down(error: &str) = "DOWN, {error}";
    plaintext_by(job: &str) = "plaintext, by job {job}";

    // waits/operated.rs
    on_the_operator(workload: &dyn Display) = "the operator to update {workload}";
    operator_has_not_updated(workload: &dyn Display) = "the Prometheus operator has not updated {workload}";
    check_the_operator(resource: &dyn Display) = "check that the operator runs, and its log; {resource} is written";
    there_is_no(object: &dyn Display) = "there is no {object}";
    TEMPLATE_NOT_UPDATED = "its pod template is not yet what the resource says";

    // waits/rollouts.rs
    rollout_not_done(object: &dyn Display) = "the rollout of {object} is not done";

    // watch.rs
    pool_missing(pod: &str, job: &str) = "Prometheus {pod} has job {job} in its configuration, but not at work yet: its certificate files may be missing";
    reloaded(pods: &str, jobs: &str) = "reloaded Prometheus {pods}: it had loaded job {jobs} before its certificates were there";
    with_a_hint(error: &str, hint: &str) = "{error}; try: {hint}";

    // watch/follow.rs
    no_such_prometheus(prometheus: &str) = "there is no Prometheus {prometheus}";
    NO_TARGETS_TO_SHOW = "no Prometheus was found whose targets could be shown";
    SEVERAL_PROMETHEUS = "several Prometheus servers found: choose one with --prometheus";

    // watch/guards.rs
    ROOT_NAMESPACE_UNKNOWN = "Istio's root namespace is not known";
    kind_could_not_be_listed(kind: &str, why: &str) = "{kind} could not be listed: {why}";

    // watch/probe.rs
    SERVED_BEFORE_THE_POLICY = "plaintext was served, perhaps over a connection from before the policy: checked again within a minute";
    NOT_CHECKED_NO_POLICY = "not checked: no policy requires mTLS on the port yet";
    not_checked_forbidden(why: &str) = "not checked: permission to get pods/proxy is missing ({why})";
    plaintext_not_tried(why: &str) = "plaintext could not be tried: {why}";
    NOTHING_LISTENS = "nothing listens on the port for the API server";
    came_to_nothing(message: &str) = "the plaintext request came to nothing: {message}";
    plaintext_answered(status: u16, start: &str) = "the port accepted plaintext and answered {status}: {start}";
}
