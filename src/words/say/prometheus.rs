//! Texts of what talks to Prometheus.
