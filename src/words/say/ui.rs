//! Texts of screens.

use crate::words::texts::texts;

texts! {
    APPLY = "Apply";
    APPLYING = "Applying";
    UNDOING = "Undoing";
    UNDONE = "Undone";
    stopped_at(object: &str) = "✕ Stopped at {object}: decide what to do.";
}
