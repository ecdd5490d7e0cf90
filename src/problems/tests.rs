use super::*;
use crate::words;
use std::collections::BTreeSet;

#[test]
fn every_code_stands_once_with_a_text_and_an_explanation() {
    let mut seen = BTreeSet::new();
    let mut last = "";
    for code in Code::ALL {
        let text = code.text();
        assert!(seen.insert(text), "{text} twice");
        assert!(last < text, "{text} stands after {last}");
        last = text;
        let number = text.strip_prefix("MS").expect("MS…");
        assert!(number.len() == 3 && number.parse::<u16>().is_ok(), "{text}");
        assert_eq!(Code::named(&text.to_lowercase()), Some(*code));
        assert_eq!(Code::named(code.name()), Some(*code));
        assert!(!words::title(*code).is_empty(), "{text}");
        assert!(!words::explanation(*code).is_empty(), "{text}");
        assert!(words::explained(*code).contains(text));
        assert!(words::table().contains(text));
    }
}

#[test]
fn evidence_is_named_as_in_the_table() {
    let problem = Problem::OwnSidecar {
        of: Subject::new("Deployment", "shop", "cart"),
        sidecar: ObjectRef::new(crate::mesh::kinds::Kind::Sidecar, "shop", "mine"),
    };
    let values = problem.values();
    assert_eq!(
        values,
        [("sidecar".to_owned(), "Sidecar shop/mine".to_owned())]
    );
    assert_eq!(problem.of().to_string(), "Deployment shop/cart");
    assert!(words::reason(&problem).contains("shop/mine"));
}

/// `INSTA_UPDATE=always cargo test --lib problems` writes it anew.
#[test]
fn the_readme_has_the_table_of_codes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(file).expect("README.md");
    let begin = "<!-- codes: made from src/problems/table.rs -->\n";
    let (before, rest) = text.split_once(begin).expect("the beginning");
    let (table, after) = rest.split_once("<!-- end of codes -->").expect("the end");
    let made = format!("\n{}\n", words::table());
    if words::LANGUAGE == words::Language::Pseudo {
        return;
    }
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        let text = format!("{before}{begin}{made}<!-- end of codes -->{after}");
        std::fs::write(file, text).expect("written");
    } else {
        assert_eq!(table, made);
    }
}

/// Codes that no cluster's objects bring about, with the tests that do, and that see them absent.
const BY_TESTS: &[(Code, &str)] = &[
    (Code::RolloutPaused, "plan::hurdles, journeys::hurdles"),
    (Code::RolloutOnDelete, "plan::hurdles, journeys::hurdles"),
    (Code::RolloutPartition, "plan::hurdles, journeys::hurdles"),
    (Code::QuotaTooSmall, "plan::hurdles, journeys::hurdles"),
    (Code::BudgetNotAsked, "plan::hurdles, journeys::hurdles"),
    (Code::QuotaUsedUp, "engine::rollout::stuck"),
    (Code::PodSecurityForbids, "engine::rollout::stuck"),
    (Code::PodsRefused, "engine::rollout::stuck"),
    (Code::NoNode, "engine::rollout::stuck"),
    (Code::ImageNotPulled, "engine::rollout::stuck"),
    (Code::ContainerCrashes, "engine::rollout::stuck"),
    (Code::ContainerNotStarted, "engine::rollout::stuck"),
    (Code::ContainerNotReady, "engine::rollout::stuck"),
    (
        Code::CertificatesLate,
        "targets::after_a_change, worlds::late",
    ),
    (
        Code::CertificatesMissing,
        "targets::after_a_change, worlds::late",
    ),
    (Code::NetworkPolicyStops, "targets::reaching"),
    (Code::PolicyRefuses, "targets::reaching"),
    (Code::PolicyMayRefuse, "targets::reaching"),
    (Code::PolicyAsksProvider, "targets::reaching"),
    (Code::ProxyProtocolExpected, "targets::reaching"),
    (Code::FilterMayRefuse, "targets::reaching"),
    (Code::TargetLost, "recipe::forecast"),
    (Code::PodsNotListed, "worlds::rights"),
    (Code::SecureTargetMissing, "recipe::forecast"),
    (Code::SecureTargetDoubled, "recipe::forecast"),
    (Code::LabelsChange, "recipe::forecast"),
    (Code::TargetsNotComputed, "recipe::forecast"),
    (Code::TargetsDiffer, "mesh::observed"),
    (Code::AppMetricsLost, "recipe::forecast"),
    (Code::JobLabelRead, "recipe::forecast"),
    (Code::ScrapedByOtherDiscovery, "recipe::forecast"),
    (Code::JobNotStarted, "targets::after_a_change"),
    (Code::TargetElsewhere, "targets::where_it_leads"),
    (Code::AnnotationChanged, "worlds::annotated"),
    (Code::ObjectGone, "targets::standing"),
    (Code::ObjectAltered, "targets::standing"),
    (Code::ObjectOverruled, "targets::standing"),
    (Code::GuardGone, "targets::standing, worlds::check"),
    (Code::GuardAltered, "targets::standing"),
];

/// Each error that Prometheus reports, and what the item is.
fn by_error() -> Vec<Problem> {
    use crate::targets::{About, Policy, cause};
    let strict = About {
        policy: Policy::Strict,
        ..About::default()
    };
    let gateway = About {
        gateway: true,
        ..About::default()
    };
    let plain = About::default();
    let errors = [
        ("doesn't contain any IP SANs", plain),
        ("server gave HTTP response to HTTPS client", plain),
        ("certificate required", plain),
        ("unknown certificate authority", plain),
        ("certificate has expired", plain),
        ("too many colons in address", plain),
        ("connection refused", gateway),
        ("connection refused", plain),
        ("expected value after metric", plain),
        ("sample limit exceeded", plain),
        ("unsupported Content-Type", plain),
        ("i/o timeout", plain),
        ("no route to host", plain),
        ("HTTP status 503", plain),
        ("HTTP status 403", plain),
        ("HTTP status 404", plain),
        ("HTTP status 429", plain),
        ("http2: client conn could not be established", plain),
        ("connection reset by peer", gateway),
        ("connection reset by peer", strict),
        ("connection reset by peer", plain),
    ];
    let of = || Subject::new("Pod", "shop", "cart-1");
    let found = errors.map(|(error, about)| cause(error, of(), &about).expect(error));
    assert_eq!(cause("the moon is in the way", of(), &plain), None);
    found.to_vec()
}

/// What a board shows of one pod.
fn by_board() -> Vec<Problem> {
    use crate::targets::{Board, Expected, Guard, Probe, ReplicaNote, Row, State};
    let row = |state: State, probe: Probe, guard: Guard| Row {
        expected: Expected {
            item: "shop/Deployment/cart".parse().expect("a name"),
            gateway: false,
            pod: "cart-1".into(),
            uid: "u".into(),
            ip: None,
            phase: "Running".into(),
            ready: true,
            sidecar: true,
            secure_port: Some("15091".into()),
            template_port: None,
            started: None,
            port: crate::answers::MetricsPort::Merged,
            behind: 15020,
            labels: Default::default(),
            native: false,
        },
        state,
        probe,
        guard,
        last_scrape: None,
        took: None,
        trend: Vec::new(),
        next_scrape: None,
        left_out: false,
    };
    let up = || State::Up { double: None };
    let job = || "old".to_owned();
    let well = row(up(), Probe::Refused, Guard::Stands);
    let board = |rows: Vec<Row>, error: Option<&str>| Board {
        rows: rows.into_iter().map(std::sync::Arc::new).collect(),
        replicas: vec![ReplicaNote {
            pod: "prometheus-0".into(),
            error: error.map(str::to_owned),
            ..ReplicaNote::default()
        }],
        ..Board::default()
    };
    assert_eq!(of_board(&board(vec![well.clone()], None)), []);
    let down = State::Down {
        error: "the moon is in the way".into(),
        cause: None,
    };
    let double = State::Up {
        double: Some(job()),
    };
    let rows = vec![
        row(down, Probe::NotAsked, Guard::Stands),
        row(double, Probe::Refused, Guard::Stands),
        row(
            State::Plaintext { job: job() },
            Probe::NotAsked,
            Guard::Stands,
        ),
        row(up(), Probe::Served, Guard::Stands),
        row(up(), Probe::Refused, Guard::Unknown("denied".into())),
    ];
    of_board(&board(rows, Some("no answer")))
}

#[test]
fn every_code_is_brought_about_by_a_test() {
    let mut brought = crate::mesh::tests::codes::brought();
    let by_values = by_error().into_iter().chain(by_board());
    brought.extend(by_values.map(|problem| problem.code()));
    brought.extend(BY_TESTS.iter().map(|(code, _)| *code));
    let missing: Vec<&Code> = Code::ALL.iter().filter(|c| !brought.contains(c)).collect();
    assert_eq!(missing, Vec::<&Code>::new());
}

/// A list of names proves nothing by itself: each test file that it names has to name the code.
#[test]
fn the_tests_that_are_named_name_their_code() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("tests/all")];
    let mut tests = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .strip_prefix(root)
                .expect("inside")
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.contains("test") {
                tests.push((name, std::fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    for (code, named) in BY_TESTS {
        for named in named.split(", ") {
            let of =
                |(path, _): &&(String, String)| named.split("::").all(|part| path.contains(part));
            let names = |(_, text): &(String, String)| {
                text.contains(code.name()) || text.contains(code.text())
            };
            assert!(
                tests.iter().filter(of).any(names),
                "{named} does not name {} ({})",
                code.name(),
                code.text()
            );
        }
    }
}
