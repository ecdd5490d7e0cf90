//! Texts of the wizard's state.
