use super::*;
use crate::mesh::kinds::Kind;
use bytes::Bytes;
use serde_json::json;

fn judged(status: u16, body: impl Into<String>) -> Probe {
    judged_of(false, status, body)
}

fn judged_of(native: bool, status: u16, body: impl Into<String>) -> Probe {
    let body = Bytes::from(body.into());
    judge(&Proxied { status, body }, native)
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
        assert!(matches!(unknown, Probe::Unclear(_)), "{unknown:?}");
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
    assert!(matches!(&probes.answers()["uid"], Probe::Unclear(_)));
    tokio::time::advance(Duration::from_secs(29)).await;
    assert!(!probes.due("uid"), "one probe in 30 s");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(probes.due("uid"));
    remember(&mut probes, Probe::Served);
    assert!(matches!(&probes.answers()["uid"], Probe::Unclear(_)));
    tokio::time::advance(Duration::from_secs(30)).await;
    remember(&mut probes, Probe::Served);
    assert_eq!(probes.answers()["uid"], Probe::Served);
    remember(&mut probes, Probe::Refused);
    assert_eq!(probes.answers()["uid"], Probe::Refused);
}

#[test]
fn the_passthrough_before_a_native_listener_tells_of_its_refusal() {
    let envoy = "upstream connect error or disconnect/reset before headers.";
    let broken = format!("{envoy} reset reason: connection termination");
    let again = format!("{envoy} retried and the latest reset reason: connection termination");
    for said in [&broken, &again] {
        assert_eq!(judged_of(true, 503, said), Probe::Refused, "{said}");
        // Before any other listener it is the app that broke off: the port took plaintext.
        assert!(matches!(judged(503, said.clone()), Probe::Unclear(_)));
    }
    let nobody = format!(
        "{envoy} reset reason: remote connection failure, transport failure reason: delayed connect error: Connection refused"
    );
    for other in [
        judged_of(true, 503, nobody),
        judged_of(true, 500, broken),
        judged_of(true, 503, "connection termination"),
        judged_of(true, 403, "RBAC: access denied"),
    ] {
        assert!(matches!(other, Probe::Unclear(_)), "{other:?}");
    }
    assert_eq!(
        judged_of(true, 200, "# TYPE envoy_x counter"),
        Probe::Served
    );
}
