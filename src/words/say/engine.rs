//! Texts of runs, as they happen.
