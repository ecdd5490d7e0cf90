//! meshscrape: Prometheus scraping of an Istio mesh over mutual TLS, set up, proved and taken back.

pub mod answers;
pub mod cluster;
pub mod engine;
pub mod error;
pub mod journal;
pub mod mesh;
pub mod plan;
pub mod prometheus;
pub mod runtime;
pub mod recipe;
pub mod targets;
pub mod text;
pub mod ui;
pub mod term;
pub mod wizard;
pub mod demo;
