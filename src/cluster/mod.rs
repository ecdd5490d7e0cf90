//! The one client stack, for the real and the simulated cluster.

pub mod api;
pub mod error;
pub mod tls;

pub use api::Cluster;
pub use error::ApiError;
