//! Texts of targets.
