//! Errors of the system and of libraries in the user's words: by their kind, and never by what they print.

use crate::words::say::commands::errors as say;
use std::error::Error;
use std::io;

/// A failed read or write of a file or of a connection, without error numbers.
pub fn io(error: &io::Error) -> String {
    known(error.kind()).map_or_else(
        || {
            let text = error.to_string();
            match error.raw_os_error() {
                Some(number) => text
                    .trim_end_matches(&format!(" (os error {number})"))
                    .to_owned(),
                None => text,
            }
        },
        str::to_owned,
    )
}

fn known(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind::*;
    Some(match kind {
        NotFound => say::NOT_FOUND,
        PermissionDenied => say::PERMISSION_DENIED,
        AlreadyExists => say::EXISTS,
        IsADirectory => say::IS_FOLDER,
        NotADirectory => say::NO_FOLDER,
        StorageFull => say::DISK_FULL,
        QuotaExceeded => say::QUOTA_USED_UP,
        ReadOnlyFilesystem => say::READ_ONLY_DISK,
        ConnectionRefused => say::CONNECTION_REFUSED,
        ConnectionReset => say::CONNECTION_RESET,
        ConnectionAborted => say::CONNECTION_ABORTED,
        HostUnreachable => say::NO_ROUTE,
        NetworkUnreachable | NetworkDown => say::NO_NETWORK,
        TimedOut => say::TIMED_OUT,
        BrokenPipe => say::CLOSED,
        UnexpectedEof => say::ENDED_EARLY,
        _ => return None,
    })
}

/// Why no connection came about: the innermost cause, which is the one that says something.
pub fn connection(error: &(dyn Error + 'static)) -> String {
    let mut at = Some(error);
    let mut last = error.to_string();
    while let Some(error) = at {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return self::tls(tls);
        }
        if let Some(found) = error.downcast_ref::<io::Error>() {
            // An io::Error around another names the inner one's source as its own.
            if let Some(inner) = found.get_ref() {
                let inner: &(dyn Error + 'static) = inner;
                return connection(inner);
            }
            return io(found);
        }
        last = error.to_string();
        at = error.source();
    }
    last
}

fn tls(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else {
        return say::tls_failed(&error.to_string());
    };
    match bad {
        Bad::UnknownIssuer => say::UNKNOWN_ISSUER,
        Bad::Expired | Bad::ExpiredContext { .. } => say::EXPIRED,
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => say::NOT_VALID_YET,
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => say::OTHER_NAME,
        Bad::Revoked => say::REVOKED,
        other => return say::certificate_refused(&format!("{other:?}")),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::CertificateError;

    #[test]
    fn an_error_is_told_by_its_kind_and_without_its_number() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(connection(&refused), say::CONNECTION_REFUSED, "{refused}");
        let odd = io::Error::from_raw_os_error(95);
        assert!(!io(&odd).contains("os error"), "{}", io(&odd));
        let wrapped = io::Error::other(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer,
        ));
        assert_eq!(connection(&wrapped), say::UNKNOWN_ISSUER);
        let plain = io::Error::other("what a library says");
        assert_eq!(connection(&plain), "what a library says");
    }
}
