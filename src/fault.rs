//! Errors of the system and of libraries in the user's words: by their kind, and never by what they print.

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
        NotFound => "there is no such file or folder",
        PermissionDenied => "permission denied",
        AlreadyExists => "it exists already",
        IsADirectory => "it is a folder",
        NotADirectory => "a part of the path is not a folder",
        StorageFull => "the disk is full",
        QuotaExceeded => "this user's quota on the disk is used up",
        ReadOnlyFilesystem => "the disk is mounted read-only",
        ConnectionRefused => "the connection is refused: nothing listens at that address and port",
        ConnectionReset => "the connection was reset",
        ConnectionAborted => "the connection was aborted",
        HostUnreachable => "there is no route to the host",
        NetworkUnreachable | NetworkDown => "the network cannot be reached",
        TimedOut => "no answer in time",
        BrokenPipe => "the other side closed the connection",
        UnexpectedEof => "the connection ended in the middle of an answer",
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
        return format!("TLS failed: {error}");
    };
    match bad {
        Bad::UnknownIssuer => {
            "the server's certificate is signed by an authority that is not trusted here"
        }
        Bad::Expired | Bad::ExpiredContext { .. } => "the server's certificate has expired",
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet: compare the clocks"
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            "the server's certificate is for another name"
        }
        Bad::Revoked => "the server's certificate is revoked",
        other => return format!("the server's certificate is refused: {other:?}"),
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
        assert!(
            connection(&refused).contains("nothing listens"),
            "{refused}"
        );
        let odd = io::Error::from_raw_os_error(95);
        assert!(!io(&odd).contains("os error"), "{}", io(&odd));
        let wrapped = io::Error::other(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer,
        ));
        assert!(connection(&wrapped).contains("not trusted"));
        let plain = io::Error::other("what a library says");
        assert_eq!(connection(&plain), "what a library says");
    }
}
