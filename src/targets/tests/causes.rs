use super::*;

#[test]
fn causes_by_what_prometheus_says() {
    let rows = [
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": dial tcp 10.0.0.9:15091: connect: connection refused",
            "NotListening",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": context deadline exceeded",
            "NoAnswer",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": dial tcp 10.0.0.9:15091: i/o timeout",
            "NoAnswer",
        ),
        (
            "Get \"https://10.0.0.9:15020/stats/prometheus\": http: server gave HTTP response to HTTPS client",
            "PlaintextPort",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": remote error: tls: certificate required",
            "NoClientCertificate",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": write tcp 10.0.0.1:1->10.0.0.9:15091: write: broken pipe",
            "NoClientCertificate",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": remote error: tls: unknown certificate authority",
            "OtherRoot",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "OtherRoot",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": remote error: tls: expired certificate",
            "CertificateExpired",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": tls: failed to verify certificate: x509: cannot validate certificate for 10.0.0.9 because it doesn't contain any IP SANs",
            "CertificateWithoutIp",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": EOF",
            "HandshakeReset",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": unexpected EOF",
            "HandshakeReset",
        ),
        (
            "Get \"https://10.0.0.9:15091/stats/prometheus\": http2: client conn could not be established",
            "ConnectionStale",
        ),
        (
            "server returned HTTP status 503 Service Unavailable",
            "NothingBehind",
        ),
        (
            "server returned HTTP status 403 Forbidden",
            "PrometheusForbidden",
        ),
        ("server returned HTTP status 404 Not Found", "PathNotFound"),
        (
            "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target",
            "NotMetrics",
        ),
        (
            "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target",
            "NotMetrics",
        ),
        (
            "expected value after metric, got \"\\n\" (\"INVALID\") while parsing: \"\\n\"",
            "MergeBroken",
        ),
        ("sample limit exceeded", "LimitExceeded"),
        ("body size limit exceeded", "LimitExceeded"),
        (
            "Get \"https://fd00::9:15091/stats/prometheus\": dial tcp: address fd00::9:15091: too many colons in address",
            "AddressWithoutBrackets",
        ),
    ];
    for (error, code) in rows {
        let found = cause(error, a_pod(), &About::default()).map(|cause| cause.code().name());
        assert_eq!(found, Some(code), "{error}");
    }
    assert_eq!(
        cause("the moon is in the way", a_pod(), &About::default()),
        None
    );
}

#[test]
fn a_reset_is_told_by_the_policy() {
    let code = |policy, gateway| {
        let about = About {
            gateway,
            policy,
            ..About::default()
        };
        cause("read: connection reset by peer", a_pod(), &about).map(|cause| cause.code().name())
    };
    assert_eq!(code(Policy::Strict, false), Some("HandshakeUnderStrict"));
    assert_eq!(code(Policy::Unknown, false), Some("HandshakeReset"));
    assert_eq!(code(Policy::Strict, true), Some("GatewayHandshake"));
    let about = About {
        behind: 15999,
        ..About::default()
    };
    let unanswered = cause("server returned HTTP status 503 x", a_pod(), &about);
    assert!(matches!(
        unanswered,
        Some(Problem::NothingBehind { port: 15999, .. })
    ));
}

#[test]
fn equal_failures_read_equal_without_local_ports() {
    let error = |port: u16| {
        group(&format!(
            "Get \"https://10.0.0.9:15091/stats/prometheus\": read tcp 10.0.0.1:{port}->10.0.0.9:15091: read: connection reset by peer"
        ))
    };
    assert_eq!(error(41_000), error(52_000));
    let dial = "dial tcp 10.0.0.9:15091: connect: connection refused";
    assert_eq!(group(dial), dial);
    assert_eq!(
        group("server returned HTTP status 403 Forbidden"),
        "server returned HTTP status 403 Forbidden"
    );
}
