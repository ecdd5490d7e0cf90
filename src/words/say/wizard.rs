//! Texts of the wizard's state.

mod apply;
mod choices;
mod cluster;
mod dialogs;
mod keys;
mod options;
mod refusals;
mod review;
mod terminal;

pub use apply::*;
pub use choices::*;
pub use cluster::*;
pub use dialogs::*;
pub use keys::*;
pub use options::*;
pub use refusals::*;
pub use review::*;
pub use terminal::*;
