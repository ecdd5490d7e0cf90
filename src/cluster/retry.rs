//! When a request is sent again and after how long: one policy for reads, writes, the record and the lock.

use super::error::{ApiError, Reason};
use http::HeaderMap;
use std::time::Duration;

/// How often a request is sent again.
pub const TIMES: u32 = 3;
const FIRST: Duration = Duration::from_millis(150);
/// No server keeps anybody waiting for longer, whatever it asks for.
const LONGEST: Duration = Duration::from_secs(15);

/// The pause after a failed attempt, counted from 0: what the server asked for by `Retry-After`, else three times the
/// one before.
pub fn pause(attempt: u32, asked: Option<Duration>) -> Duration {
    let own = || FIRST.saturating_mul(3_u32.saturating_pow(attempt));
    asked.unwrap_or_else(own).min(LONGEST)
}

/// `Retry-After` in seconds, the form in which an API server gives it.
pub fn asked(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

impl ApiError {
    /// The server may answer otherwise soon. What it made of the request is not known, so only one that does no harm
    /// twice may be sent again.
    pub fn may_pass(&self) -> bool {
        matches!(
            self.reason,
            Reason::TooMany
                | Reason::Server
                | Reason::Timeout
                | Reason::Garbled
                | Reason::Unreachable
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_unless_the_server_asks_for_another_and_has_an_end() {
        let own: Vec<_> = (0..TIMES).map(|n| pause(n, None).as_millis()).collect();
        assert_eq!(own, [150, 450, 1350]);
        assert_eq!(pause(9, None), LONGEST);
        assert_eq!(pause(u32::MAX, None), LONGEST);
        assert_eq!(
            pause(2, Some(Duration::from_secs(1))),
            Duration::from_secs(1)
        );
        assert_eq!(pause(0, Some(Duration::from_secs(600))), LONGEST);
    }

    #[test]
    fn retry_after_is_read_in_seconds_alone() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", value.parse().expect("a value"));
            asked(&headers)
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("Tue, 01 Dec 2026 10:00:00 GMT"), None);
        assert_eq!(asked(&HeaderMap::new()), None);
    }
}
