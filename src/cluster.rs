//! The one client stack, for the real and the simulated cluster.

pub mod api;
pub mod connect;
pub mod direct;
pub mod error;
mod kubeconfig;
pub mod retry;
pub mod stack;
mod tls;
pub mod transport;

pub use api::Cluster;
pub use connect::{ConnectOptions, Contexts, connect, contexts};
pub use error::ApiError;
