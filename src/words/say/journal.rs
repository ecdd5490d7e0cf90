//! Texts of the journal and of records.

use crate::words::texts::texts;
use std::fmt::Display;

texts! {
    // journal.rs
    NO_RUN_TO_UNDO = "there is no run to undo";
    NOTHING_NOT_UNDONE = "the journal holds no run that wrote something and has not been undone";
    no_such_run(run: &str) = "there is no run `{run}` in the journal";
    JOURNAL_IS_EMPTY = "the journal is empty";
    newest_runs(runs: &str) = "newest runs: {runs}";

    // copy.rs
    LINE_NOT_WRITTEN = "a line of the record cannot be written";
    does_not_fit(run: &str) = "the record of run {run} does not fit into a Secret";
    one_change_takes(bytes: usize) = "one change alone takes {bytes} bytes";
    SKIP_THE_SECRET = "skip the Secret in the review: the run is then recorded on this machine only";
    part_is_missing(name: &str) = "the part before Secret {name} is missing";
    holds_no_readable(name: &str, key: &str) = "Secret {name} holds no readable {key}";
    line_of_secret(name: &str, line: usize, why: &dyn Display) = "Secret {name}, line {line}: {why}";

    // file.rs
    cannot_be_read(path: &dyn Display) = "{path} cannot be read";
    MAKE_FOLDER_READABLE = "make the folder readable for you";
    journal_not_written(folder: &dyn Display) = "the journal in {folder} cannot be written";
    MAKE_ROOM = "make room on that disk, or set XDG_STATE_HOME to another one";
    MAKE_FOLDER_WRITABLE = "make the folder writable, or set XDG_STATE_HOME to another place";
    ANOTHER_RUN = "another run is in progress in this cluster";
    it_holds(path: &dyn Display) = "it holds {path}";
    WAIT_THEN_REVIEW = "wait until it has ended, then review again";
    torn_line_dropped(run: &str) = "the last line of run {run} was torn and has been dropped";
    journal_cannot_be_read(folder: &dyn Display) = "the journal in {folder} cannot be read";
    MAKE_FILE_READABLE = "make the file readable for you";
    of_a_newer_meshscrape(path: &dyn Display) = "{path} is of a newer meshscrape";
    version_is_newer(version: &dyn Display, known: &dyn Display) = "version {version}; this one knows {known}";
    UNDO_WITH_THE_NEWER = "undo it with the meshscrape that wrote it";
    torn_line_ignored(run: &str) = "the last line of run {run} is torn and is ignored";
    line_is_damaged(path: &dyn Display, line: usize) = "{path}, line {line} is damaged";
    FIX_THE_LINE = "fix or remove that line; the lines around it say what was written";
    run_is_ignored(run: &str, what: &str, causes: &str) = "run {run} is ignored: {what}, {causes}";
    kept_on_the_machine(folder: &dyn Display) = "runs are kept on the machine that applied them; here in {folder}";
    NO_PLACE_FOR_THE_JOURNAL = "no place is known for the journal";
    SET_HOME = "set HOME or XDG_STATE_HOME";
}
