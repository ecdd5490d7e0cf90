//! meshscrape: Prometheus scraping of an Istio mesh over mutual TLS, set up, proved and taken back.

pub mod answers;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod demo;
pub mod engine;
pub mod error;
pub mod fault;
pub mod journal;
pub mod mesh;
pub mod plan;
pub mod problems;
pub mod program;
pub mod prometheus;
pub mod reach;
pub mod recipe;
pub mod runtime;
pub mod targets;
pub mod term;
pub mod text;
pub mod ui;
pub mod wizard;
pub mod words;
pub mod world;
