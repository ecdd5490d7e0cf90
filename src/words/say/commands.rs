//! Texts of the commands.
