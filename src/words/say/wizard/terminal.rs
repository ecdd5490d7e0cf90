//! The terminal, and the loop between it and the cluster.

use crate::words::texts::texts;

texts! {
    NEEDS_TERMINAL = "the wizard needs a terminal";
    WITHOUT_SCREEN = "without a screen: meshscrape plan, meshscrape apply --yes, meshscrape status --once, meshscrape undo --yes";
    WITHOUT_PIPES = "to see the wizard: run it in a terminal, without pipes";
    STDIN_NO_TERMINAL = "standard input is not a terminal";
    STDOUT_NO_TERMINAL = "standard output is not a terminal";
    TERM_IS_DUMB = "TERM is dumb: this terminal has no screen to draw on";
    TERMINAL_NOT_SET_UP = "the terminal could not be set up";
    RESTORED = "the terminal was restored after a panic";
    NO_SIGNALS = "the program cannot listen to signals";
    TERMINAL_LOST = "the terminal cannot be drawn on any more";

    NO_CONNECTION = "there is no connection to a cluster";
    PROMETHEUS_GONE = "the Prometheus of this run no longer exists";
    READ_AND_REVIEW_AGAIN = "read the cluster again (r in the first step), then review again";
    CRASHED = "meshscrape crashed (internal error)";
    WRITES_ARE_RECORDED = "every write is in the journal: meshscrape undo reverts it";
    TASK_PANICKED = "a task panicked";
}
