//! Texts of targets.

use crate::words::texts::texts;

texts! {
    // board.rs
    pool_failed(job: &str) = "job {job} is in the configuration, but Prometheus failed to start it";
    target_is(url: &str) = "the target is {url}";

    // cause.rs
    plaintext_by(job: &str) = "scraped in plaintext by job {job}";
    NO_TARGET_OVER_MTLS = "no target over mTLS";
}
