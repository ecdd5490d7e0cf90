use super::*;
use bytes::Bytes;
use serde_json::json;

fn judged(status: u16, body: impl Into<String>) -> Probe {
    judge(&Proxied {
        status,
        body: Bytes::from(body.into()),
    })
}

fn on_the_way(message: &str) -> Probe {
    let status = json!({"kind": "Status", "code": 503, "message": format!("error trying to reach service: {message}")});
    judged(503, status.to_string())
}

#[test]
fn only_a_broken_connection_is_a_refusal() {
    let reset = "read tcp 10.0.0.1:41000->10.0.0.9:15091: read: connection reset by peer";
    assert_eq!(on_the_way(reset), Probe::Refused);
    // A gateway's TLS server closes without a word.
    assert_eq!(on_the_way("EOF"), Probe::Refused);
    let refused = "dial tcp 10.0.0.9:15091: connect: connection refused";
    for unknown in [
        on_the_way(refused),
        on_the_way("dial tcp 10.0.0.9:15091: i/o timeout"),
        // The proxy's own words in place of the API server's: the port took plaintext.
        judged(403, "RBAC: access denied"),
        judged(503, "upstream connect error; connection reset by peer"),
        judged(404, ""),
    ] {
        assert!(matches!(unknown, Probe::Unknown(_)), "{unknown:?}");
    }
    assert_eq!(judged(200, "# TYPE envoy_x counter"), Probe::Served);
}

fn cart() -> WorkloadRef {
    WorkloadRef::new("shop", Kind::Deployment, "cart")
}

fn remember(probes: &mut Probes, probe: Probe) {
    let memo = Memo {
        item: cart(),
        probe,
    };
    probes.take(vec![("uid".into(), memo)]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_stands_until_the_item_is_touched() {
    let mut probes = Probes::default();
    assert!(probes.due("uid"));
    remember(&mut probes, Probe::Refused);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert!(!probes.due("uid"));
    probes.forget(&WorkloadRef::new("shop", Kind::Deployment, "other"));
    assert!(!probes.due("uid"));
    probes.forget(&cart());
    assert!(probes.due("uid"));
    remember(&mut probes, Probe::Refused);
    probes.keep(&HashSet::from(["uid-of-its-successor"]));
    assert!(probes.answers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn metrics_in_plaintext_are_believed_after_a_minute() {
    let mut probes = Probes::default();
    remember(&mut probes, Probe::Served);
    assert!(matches!(&probes.answers()["uid"], Probe::Unknown(_)));
    tokio::time::advance(Duration::from_secs(29)).await;
    assert!(!probes.due("uid"), "one probe in 30 s");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(probes.due("uid"));
    remember(&mut probes, Probe::Served);
    assert!(matches!(&probes.answers()["uid"], Probe::Unknown(_)));
    tokio::time::advance(Duration::from_secs(30)).await;
    remember(&mut probes, Probe::Served);
    assert_eq!(probes.answers()["uid"], Probe::Served);
    remember(&mut probes, Probe::Refused);
    assert_eq!(probes.answers()["uid"], Probe::Refused);
}

#[test]
fn what_demands_mtls() {
    let strict = json!({"spec": {"portLevelMtls": {"15091": {"mode": "STRICT"}}}});
    assert!(demands_mtls(&strict, false));
    let other_port = json!({"spec": {"mtls": {"mode": "STRICT"}, "portLevelMtls": {"15091": {"mode": "PERMISSIVE"}}}});
    assert!(!demands_mtls(&other_port, false));
    let server = |port: u16, mode: &str| json!({"spec": {"servers": [{"port": {"number": port}, "tls": {"mode": mode}}]}});
    assert!(demands_mtls(&server(15091, "ISTIO_MUTUAL"), true));
    assert!(!demands_mtls(&server(80, "ISTIO_MUTUAL"), true));
    assert!(!demands_mtls(&server(15091, "SIMPLE"), true));
}
