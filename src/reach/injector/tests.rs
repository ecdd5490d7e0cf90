use super::*;

const NEW: Plane = Plane {
    version: Some((1, 31)),
    merge: true,
    status_port: 15020,
};

fn pairs(text: &str) -> Labels {
    let own = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap();
        (key.to_owned(), value.to_owned())
    };
    text.split_whitespace().map(own).collect()
}

#[test]
fn the_policy_decides_as_istio_has_it() {
    let never = "policy: enabled\nneverInjectSelector: [{matchLabels: {app: jobs}}, {}]\n\
                 alwaysInjectSelector: [{matchLabels: {app: jobs}}]\ntemplates: {sidecar: 'spec: {{ x }}'}\n";
    let disabled = "policy: disabled\nalwaysInjectSelector: [{matchExpressions: [{key: mesh, operator: Exists}]}]\n";
    for (policy, labels, annotations, expected) in [
        ("policy: enabled", "app=web", "", "injects"),
        (
            "policy: enabled",
            "sidecar.istio.io/inject=false",
            "",
            "said",
        ),
        (
            "policy: enabled",
            "",
            "sidecar.istio.io/inject=false",
            "said",
        ),
        (
            "policy: enabled",
            "sidecar.istio.io/inject=true",
            "sidecar.istio.io/inject=false",
            "injects",
        ),
        (
            "policy: enabled",
            "sidecar.istio.io/inject=no",
            "",
            "injects",
        ),
        (never, "app=jobs", "", "never"),
        (
            never,
            "app=jobs sidecar.istio.io/inject=true",
            "",
            "injects",
        ),
        (never, "app=web", "", "injects"),
        (disabled, "app=web", "", "disabled"),
        (disabled, "app=web mesh=1", "", "injects"),
        (
            disabled,
            "app=web sidecar.istio.io/inject=true",
            "",
            "injects",
        ),
        (
            "policy: enabled\nneverInjectSelector:\nalwaysInjectSelector:\n",
            "app=web",
            "",
            "injects",
        ),
        ("policy: on", "sidecar.istio.io/inject=true", "", "illegal"),
        ("{}", "sidecar.istio.io/inject=true", "", "illegal"),
    ] {
        let policy = Policy::read(policy).unwrap();
        let said = match injects(&policy, &pairs(labels), &pairs(annotations)) {
            Ok(()) => "injects",
            Err(LeftAlone::Said) => "said",
            Err(LeftAlone::Never(_)) => "never",
            Err(LeftAlone::Disabled) => "disabled",
            Err(LeftAlone::Illegal(_)) => "illegal",
        };
        assert_eq!(said, expected, "{policy:?} {labels} {annotations}");
    }
}

#[test]
fn versions_are_read_off_tags() {
    for (tag, expected) in [
        ("1.31.0", Some((1, 31))),
        ("v1.30.2-distroless", Some((1, 30))),
        ("1.31-alpha.b943409680a7", Some((1, 31))),
        ("1.9", Some((1, 9))),
        ("latest", None),
        ("by digest", None),
        ("asm-1204-2", None),
        ("", None),
    ] {
        assert_eq!(version(tag), expected, "{tag}");
    }
}

#[test]
fn ports_that_the_injector_refuses() {
    let no = |text: &str| match takes(&pairs(text), &NEW) {
        Takes::No(refusal) => Some(refusal.why),
        Takes::Yes => None,
        other => panic!("{text}: {other:?}"),
    };
    for good in [
        "",
        "prometheus.io/port=8080",
        "prometheus.io/port=+8080",
        "prometheus.io/port=08080",
        "prometheus.io/port=15020",
        "prometheus.io/port=15014",
        "prometheus.io/port=",
        "prometheus.io/scrape=false prometheus.io/port=15090",
        "prometheus.io.scrape=0 prometheus.io/port=15090",
        "prometheus.istio.io/merge-metrics=false prometheus.io/port=15090",
        "prometheus.istio.io/merge-metrics=F prometheus.io/port=metrics",
        "prometheus.istio.io/scrape-targets=8080:/a,9102 prometheus.io/port=metrics",
    ] {
        assert_eq!(no(good), None, "{good}");
    }
    for (bad, why) in [
        (
            "prometheus.io/port=15090",
            Why::Reserved(15090, RESERVED[8].1),
        ),
        (
            "prometheus.io.port=15021",
            Why::Reserved(15021, RESERVED[6].1),
        ),
        (
            "prometheus-io/port=15006",
            Why::Reserved(15006, RESERVED[3].1),
        ),
        (
            "prometheus.io/scrape=nonsense prometheus.io/port=15090",
            Why::Reserved(15090, RESERVED[8].1),
        ),
        ("prometheus.io/port=http-metrics", Why::NoPort),
        ("prometheus.io/port=0", Why::NoPort),
        ("prometheus.io/port=-1", Why::NoPort),
        ("prometheus.io/port=65536", Why::NoPort),
        ("prometheus.io/port=015020", Why::AgentPort(15020)),
        (
            "prometheus.istio.io/scrape-targets=8080,15020:/x",
            Why::AgentPort(15020),
        ),
        (
            "prometheus.istio.io/scrape-targets=:/x prometheus.io/port=m",
            Why::NoPort,
        ),
        ("prometheus.istio.io/scrape-targets=web:/x", Why::NoPort),
        ("prometheus.istio.io/merge-metrics=maybe", Why::NoValue),
        ("sidecar.istio.io/interceptionMode=OFF", Why::NoValue),
        (
            "traffic.sidecar.istio.io/includeInboundPorts=8080,http",
            Why::NoValue,
        ),
        (
            "traffic.sidecar.istio.io/excludeOutboundIPRanges=10.0.0.1",
            Why::NoValue,
        ),
        ("status.sidecar.istio.io/port=off", Why::NoValue),
    ] {
        assert_eq!(no(bad), Some(why), "{bad}");
    }
    let moved = Plane {
        status_port: 15999,
        ..NEW
    };
    let of = |port: &str| takes(&pairs(&format!("prometheus.io/port={port}")), &moved);
    assert_eq!(of("15999"), Takes::Yes);
    assert!(matches!(of("15020"), Takes::No(_)));
}

#[test]
fn who_refuses_depends_on_version_and_merging() {
    let bad = pairs("prometheus.io/port=15090");
    let of = |version, merge| {
        let plane = Plane {
            version,
            merge,
            ..NEW
        };
        takes(&bad, &plane)
    };
    assert_eq!(of(Some((1, 30)), true), Takes::Yes);
    assert_eq!(of(Some((1, 31)), false), Takes::Yes);
    assert!(matches!(of(Some((1, 31)), true), Takes::No(_)));
    assert!(matches!(of(Some((2, 0)), true), Takes::No(_)));
    assert!(matches!(of(None, true), Takes::Unknown(_)));
    // Merging that the pod itself asks for.
    let asks = pairs("prometheus.io/port=15090 prometheus.istio.io/merge-metrics=true");
    let off = Plane {
        merge: false,
        ..NEW
    };
    assert!(matches!(takes(&asks, &off), Takes::No(_)));
    // A value that no version takes.
    let wrong = pairs("prometheus.istio.io/merge-metrics=yes");
    let old = Plane {
        version: Some((1, 20)),
        ..NEW
    };
    assert!(matches!(takes(&wrong, &old), Takes::No(_)));
}

#[test]
fn ranges_are_read_as_go_reads_them() {
    for (text, good) in [
        ("10.0.0.0/8", true),
        ("::1/128", true),
        ("10.0.0.0/08", false),
        ("10.0.0.0/33", false),
        ("10.0.0.0", false),
        ("x/8", false),
    ] {
        assert_eq!(range(text), good, "{text}");
    }
}
