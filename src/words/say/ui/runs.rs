//! Texts of a run as it goes, and of the targets after it.

use crate::words::texts::texts;

// src/ui/apply.rs
texts! {
    APPLY = "Apply";
    APPLYING = "Applying";
    UNDOING = "Undoing";
    UNDONE = "Undone";
    done_of(done: usize, all: usize) = "{done} of {all}";
    stopped_at(object: &str) = "Stopped at {object}: decide what to do.";
    QUITTING_AFTER_WRITE = "Quitting after the current write.";
    STOPPING_AFTER_WRITE = "Stopping after the current write.";
    /// `since`: a comma and the time that went by, or nothing.
    waiting_for_targets(up: usize, all: usize, since: &str) =
        "All changes applied; waiting for targets: {up} of {all} UP{since}";
    waiting_up_to(limit: &str, up: usize, all: usize, since: &str) =
        "All changes applied; waiting up to {limit} for targets: {up} of {all} UP{since}";
    undoing_in_order(since: &str) = "Undoing the changes in order{since}. Stopping is safe.";
    applying_in_order(since: &str) = "Applying the approved changes in order{since}. Stopping is safe.";
    OLDER_RUN_APPLIED = "Run undone. An older run is still applied.";
    RUN_UNDONE = "Run undone.";
    ALL_APPLIED = "Every approved change is applied.";
    INTERRUPTED = "Interrupted: applied changes stay in the cluster.";
    FAILED_UNDONE = "Failed: every change of this run was undone.";
    RUN_FAILED = "The run failed.";
    NO_RUN = "No run is in progress.";
    NOT_VERIFIED = "applied, not verified";
    NOT_WRITTEN = "not written";
    PENDING = "pending";
    waiting_for(what: &str) = "waiting for {what}";
    WRITING = "writing";
    ready_of(ready: u32, desired: u32) = "{ready} of {desired} ready";
    DONE = "done";
    undone_why(why: &str) = "undone: {why}";
    not_written_why(why: &str) = "not written: {why}";
    NO_RUN_YET = "No run yet. Press enter in the review to apply the changes.";
    targets_more(number: usize) = "targets more: {number}";
    WHAT_STOPPED_IT = "What stopped it";
    LOG = "Log";
    HOW_IT_ENDED = "How it ended";
    run(id: &str) = "run {id}";
    AGAINST_CURRENT = "The change against the current object";
    REVIEW_OR_UNDO = "esc: review the remaining changes and resume · u: undo what was applied";
    undo_older(run: &str) = "u: undo the older run {run}";
    LOG_EMPTY = "The log is empty.";
}

// src/ui/status.rs: the line under the title
texts! {
    STATUS = "Status";
    STATUS_AFTER_UNDO = "Status after the undo";
    up_over_mtls(up: &str, targets: &str) = "{up} of {targets} UP over mTLS";
    FROZEN = "frozen";
    last_update(old: &str, why: &str) = "last update {old} ago: {why}";
    does_not_answer(pod: &str, why: &str) = "{pod} does not answer: {why}";
    ASKING_PROMETHEUS = "asking Prometheus …";
    PLAINTEXT_AGAIN = "Run undone: pods are scraped in plaintext again, as before.";
    secured(number: &str) = "{number} secured";
    also_plaintext(number: &str) = "{number} also plaintext";
    not_guarded(number: &str) = "{number} not guarded";
    down(number: &str) = "{number} DOWN";
    waiting(number: &str) = "{number} waiting";
    plaintext_only(number: &str) = "{number} plaintext only";
    not_covered(number: &str) = "{number} not covered";
    skipped(number: &str) = "{number} skipped";
    others_in_plaintext(number: &str) = "{number} pods of other owners in plaintext";
    EVERY_TARGET_UP = "every target is UP";
    every_target_up(those: &str) = "every target is UP: {those}";
    up(those: &str) = "UP: {those}";
    undoing_object(object: &str) = "Undoing the run: {object}.";
    UNDOING_RUN = "Undoing the run.";
}

// src/ui/status.rs: the table
texts! {
    POD = "pod";
    LAST = "last";
    TOOK = "took";
    TREND = "trend";
    ROW_UNDONE = "undone";
    ROW_UNDOING = "undoing";
    UNDO_PENDING = "undo pending";
    UP_NOT_GUARDED = "UP, not guarded";
    UP_ALSO_PLAINTEXT = "UP, also plaintext";
    UP_SECURED = "UP   mTLS, secured";
    UP_PLAINTEXT_SERVED = "UP, plaintext served";
    UP = "UP   mTLS";
    UP_CONFIRMING = "UP, confirming";
    DOWN = "DOWN";
    WAITING = "waiting";
    PLAINTEXT_ONLY = "plaintext only";
    NOT_COVERED = "not covered";
    ASKING_FOR_TARGETS = "asking Prometheus for its targets …";
    NO_PROBLEM = "No target has a problem; p shows all.";
    NONE_ANNOTATED = "No pod is annotated with secure-port: nothing is scraped over mTLS yet.";
}

// src/ui/status.rs: the detail
texts! {
    TARGET = "Target";
    which_undone(workload: &str) = "Which changes are undone for {workload}?";
    why_down(pod: &str) = "Why is {pod} DOWN?";
    what_waits(pod: &str) = "What does {pod} wait for?";
    why_plaintext(pod: &str) = "Why is {pod} not scraped over mTLS?";
    why_not_covered(pod: &str) = "Why is {pod} not covered?";
    AFTER_UNDO = "After this undo the pod is scraped in plaintext, as before.";
    SKIPPED_IN_REVIEW = "Skipped in the review: nothing was applied for this workload.";
    also_scrapes(job: &str) = "Job {job} also scrapes the pod in plaintext: its series are counted twice.";
    NEXT_APPLY_ENDS = "The next apply with all targets UP ends this plaintext scrape, unless metrics would be lost.";
    up_on(port: u16) = "UP over mTLS on 15091 → {port}";
    A_MINUTE = "a minute";
    confirmed_after(time: &str) =
        "UP over a connection from before a policy change: confirmed if the target stays UP for {time}.";
    FIX = "fix";
    UNKNOWN_CAUSE = "Unknown cause. Error from Prometheus:";
    undone_plaintext(job: &str) = "Run undone: job {job} scrapes the pod in plaintext.";
    no_job_mtls(job: &str) = "Job {job} scrapes the pod in plaintext; no job scrapes it over mTLS.";
    GUARD = "guard";
    policies_unread(why: &str) = "its policies could not be read: {why}";
    READERS = "readers";
    who_reads(others: &str) = "Prometheus and other pods with its ServiceAccount: {others}";
    NOT_CHECKED = "not checked (--no-probe)";
    REFUSED_SECURED = "refused on 15091: secured";
    REFUSED_ON = "refused on 15091";
    SERVED_ON = "served on 15091: not secured";
    not_checked_why(why: &str) = "could not be checked: {why}";
    SCRAPED = "scraped";
    ago(time: &str) = "{time} ago";
    ago_took(time: &str, took: &str) = "{time} ago, duration {took}";
    NEXT = "next";
    scrape_in(time: &str) = "scrape in {time}";
}
