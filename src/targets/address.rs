//! Where a target's URL leads, held against the pod that it is said to be of.

use super::{Expected, Target};

/// Scheme, host and port of a URL as Prometheus shows it; IPv6 without its brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub scheme: &'a str,
    pub host: &'a str,
    pub port: u16,
}

/// `None`: it is no URL of http or https.
pub fn place(url: &str) -> Option<Place<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let default = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None => default,
    };
    Some(Place { scheme, host, port })
}

/// Whether a scrape of this URL proves the pod's own mTLS: `https`, to the pod's own address, at the port that its
/// annotation names. Job and labels prove nothing: whoever writes the configuration writes them as well.
pub(super) fn is_secure_port_of(url: &str, one: &Expected) -> bool {
    let wanted = one
        .secure_port
        .as_deref()
        .and_then(|port| port.parse().ok());
    place(url).is_some_and(|at| {
        at.scheme == "https" && Some(at.host) == one.ip.as_deref() && Some(at.port) == wanted
    })
}

pub(super) fn is_plaintext(target: &Target) -> bool {
    place(&target.url).is_some_and(|at| at.scheme == "http")
}

/// One of the proxy's own plaintext ports.
pub(super) fn is_proxys_port(target: &Target, one: &Expected) -> bool {
    place(&target.url).is_some_and(|at| matches!(at.port, 15020 | 15090) || at.port == one.behind)
}

#[cfg(test)]
mod tests {
    use super::super::tests::pod;
    use super::*;

    #[test]
    fn only_https_to_the_pod_itself_at_its_secure_port() {
        let of = |ip: &str, port: &str| Expected {
            ip: Some(ip.into()),
            secure_port: Some(port.into()),
            ..pod("cart-1")
        };
        let four = of("10.0.0.9", "15091");
        for (url, is) in [
            ("https://10.0.0.9:15091/stats/prometheus", true),
            ("https://10.0.0.9:15091/stats/prometheus?x=http://y", true),
            ("http://10.0.0.9:15091/stats/prometheus", false),
            ("http://10.0.0.9:15020/stats/prometheus", false),
            // A proxy, a Service, another pod, another port.
            ("https://gateway.shop:15091/stats/prometheus", false),
            ("https://10.0.0.90:15091/stats/prometheus", false),
            ("https://10.0.0.9:8443/stats/prometheus", false),
            ("https://10.0.0.9/stats/prometheus", false),
            ("https://10.0.0.9:15091@evil.example/stats", false),
            ("10.0.0.9:15091", false),
            ("", false),
        ] {
            assert_eq!(is_secure_port_of(url, &four), is, "{url}");
        }
        let six = of("fd00::9", "15092");
        assert!(is_secure_port_of("https://[fd00::9]:15092/stats", &six));
        assert!(!is_secure_port_of("https://[fd00::9]:15091/stats", &six));
        // What is not known is not taken for right.
        let nowhere = Expected {
            ip: None,
            ..four.clone()
        };
        assert!(!is_secure_port_of("https://10.0.0.9:15091/", &nowhere));
        let unannotated = Expected {
            secure_port: None,
            ..four
        };
        assert!(!is_secure_port_of("https://10.0.0.9:15091/", &unannotated));
    }
}
