//! What keys are called, what they do, and why one does nothing here.

use crate::words::texts::texts;

texts! {
    KEY_SPACE = "space";
    KEY_ENTER = "enter";
    KEY_ESC = "esc";
    KEY_BACKSPACE = "backspace";
    KEY_TAB = "tab";
    KEY_SHIFT_TAB = "shift-tab";
    KEY_UP = "up";
    KEY_DOWN = "down";
    KEY_LEFT = "left";
    KEY_RIGHT = "right";
    KEY_PAGE_UP = "page up";
    KEY_PAGE_DOWN = "page down";
    KEY_HOME = "home";
    KEY_END = "end";
    key_ctrl(letter: char) = "ctrl-{letter}";

    // Whatever is on the screen.
    STOP_OR_QUIT = "stop or quit";
    SUSPEND_TO_SHELL = "suspend to the shell";
    SCROLL = "scroll";
    SCROLL_DOWN = "scroll down";
    SCROLL_UP = "scroll up";
    ROW_UP = "up";
    PAGE_UP = "page up";
    PAGE_DOWN = "page down";
    FIRST_ROW = "first";
    LAST_ROW = "last";
    NEXT_ROW = "next row";
    PREVIOUS_ROW = "previous row";
    NO_OTHER_ROW = "there is no other row";
    CLOSE_HELP = "close";
    CLOSE_DETAIL = "close detail";
    SHOW_DETAIL = "detail";
    NO_ROW_SELECTED = "no row is selected";
    DETAIL_IS_BESIDE = "the detail is shown on the right";
    TEXT_IS_VISIBLE = "the whole text is visible";
    GO_BACK = "back";
    SHOW_HELP = "help";
    QUIT = "quit";
    MOUSE_OFF = "mouse off: the terminal selects text";
    USE_MOUSE = "use the mouse: a click selects, a second click acts";
    FILTER = "filter";
    KEEP_FILTER = "keep the filter";
    CLEAR_THE_FILTER = "clear the filter";
    CLEAR_FILTER = "clear filter";
    NO_ROW_TO_FILTER = "there is no row to filter";

    // On a dialog.
    NEXT = "next";
    PREVIOUS_BUTTON = "previous button";
    UNDO_THIS_WORKLOAD = "undo this workload";
    RETRY_CHANGE = "retry";
    UNDO = "undo";
    UNDO_RUN = "undo the run";

    // Steps 1 to 5.
    NO_ROW_YET = "there is no row yet";
    USE_THIS_CONTEXT = "use this context";
    SHOW_PROBLEMS = "problems";
    RESUME_UNDO = "resume the undo";
    APPLY_RUN_AGAIN = "apply that run again";
    RESUME_RUN = "resume";
    UNDO_IT = "undo it";
    NO_CHOICES_RECORDED = "its record does not hold its choices";
    REFRESH = "refresh";
    NOTHING_ASKED = "nothing has been asked yet";
    ALREADY_READING = "the cluster is already being read";
    OTHER_CONTEXT = "other context";
    NO_OTHER_CONTEXT = "there is no other context to choose";
    CHOOSE = "choose";
    ALL_OR_NONE = "all/none";
    UNFOLD = "open";
    FOLD = "fold";
    NOTHING_FOLDED = "nothing is folded here";
    GATEWAYS_ONLY = "gateways only";
    FORCE_OWNERSHIP = "force ownership";
    force_ownership_of(tool: &str) = "force ownership: {tool} …";
    stop_forcing(tool: &str) = "stop forcing {tool}";
    or_press_t(why: &str) = "{why} Or press t to make it available.";

    // Options.
    CHANGE = "change";
    NEXT_CHOICE = "next choice";
    PREVIOUS_CHOICE = "previous choice";
    TO_ANNOTATION = "annotation";
    TO_PORT = "port";
    LAST_CHOICE = "this is the last choice of the row";
    FIRST_CHOICE = "this is the first choice of the row";
    FOR_ALL = "for all";
    PER_ITEM = "per item";
    TO_REVIEW = "review";

    // Review.
    NO_CHANGE_HERE = "there is no change here";
    INCLUDE = "include";
    SKIP = "skip";
    depends_on_skipped(object: &str) = "depends on {object}, which is skipped";
    NOTHING_CHANGES_HERE = "no changes here";
    SHOW_LIST = "list";
    SHOW_DIFF = "diff";
    SHOW_UNIFIED = "unified";
    SHOW_SIDE_BY_SIDE = "side by side";
    FOR_ITS_OWNER = "for its owner";
    NO_OTHER_OWNER = "this change has no other owner";
    DIFF_IS_COMPUTED = "the diff is being computed";
    NEXT_WARNING = "next warning";
    NO_WARNING_HERE = "no change here has a warning";
    NEXT_DELETION = "next deletion";
    NO_DELETION_HERE = "no change here deletes anything";
    BREAK_LOCK = "break the lock";
    KEEP_LOCK = "keep the lock";
    NO_CONFLICT_HERE = "no field conflict here";
    EXPORT_REVIEW = "export";
    SAVE_ANSWERS = "save answers";
    REVIEW_AGAIN = "review again";
    REVIEW_IN_PROGRESS = "the review is in progress";
    ASK_TO_APPLY = "apply …";
    ASK_TO_UNDO = "undo …";

    // A run, and the monitor.
    STOP_RUN = "stop";
    NO_RUN_IN_PROGRESS = "no run is in progress";
    ENTER_TO_DECIDE = "the run has stopped: enter to decide";
    STOPS_AFTER_WRITE = "the run stops after the current write";
    DECIDE = "decide …";
    TO_STATUS = "status";
    SHOW_ALL = "show all";
    FREEZE = "freeze";
    UNFREEZE = "unfreeze";
    RELOAD_PROMETHEUS = "reload Prometheus";
    READ_ONLY = "read-only: nothing is written";
    RUN_IS_BEING_UNDONE = "the run is being undone";
    RUN_STILL_IN_PROGRESS = "the run is still in progress";
    RUN_WAS_UNDONE = "the run was undone";
}
