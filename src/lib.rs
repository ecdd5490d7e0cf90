//! meshscrape: Prometheus scraping of an Istio mesh over mutual TLS, set up, proved and taken back.

pub mod demo;
