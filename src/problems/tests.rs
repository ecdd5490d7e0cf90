mod rollouts;

use super::*;
use crate::words;
use std::collections::BTreeSet;

/// The evidence of a problem, for other rooms' tests.
pub(crate) fn told(of: &Problem) -> String {
    let values = of.values().into_iter();
    let values: Vec<String> = values
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    values.join(" ")
}

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
        why: Unmerged::SelectsMore,
    };
    let values = problem.values();
    assert_eq!(
        values,
        [
            ("sidecar".to_owned(), "Sidecar shop/mine".to_owned()),
            ("why".to_owned(), "selectsMore".to_owned()),
        ]
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
    (Code::OperatorPaused, "worlds::operator"),
    (Code::Sharded, "worlds::operator"),
    (
        Code::RolloutPaused,
        "plan::rollout_problems, journeys::rollout_problems",
    ),
    (
        Code::RolloutOnDelete,
        "plan::rollout_problems, journeys::rollout_problems",
    ),
    (
        Code::RolloutPartition,
        "plan::rollout_problems, journeys::rollout_problems",
    ),
    (
        Code::QuotaTooSmall,
        "plan::rollout_problems, journeys::rollout_problems",
    ),
    (
        Code::BudgetNotAsked,
        "plan::rollout_problems, journeys::rollout_problems",
    ),
    (Code::QuotaUsedUp, "engine::rollout::stuck"),
    (Code::PodSecurityForbids, "engine::rollout::stuck"),
    (Code::PodsRefused, "engine::rollout::stuck"),
    (Code::NoNode, "engine::rollout::stuck"),
    (Code::NoSidecarAdded, "engine::review::pods"),
    (Code::PortLeadsNowhere, "engine::review::pods"),
    (Code::PortNeverReached, "engine::review::pods"),
    (Code::PodsNotChecked, "all::review"),
    (Code::QuotaRefusesOneMore, "journeys::rollout_problems"),
    (Code::PodsRefusedAnyway, "worlds::entering"),
    (Code::SidecarNotChecked, "engine::review::pods"),
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
    (Code::FiltersNotRead, "recipe::choices"),
    (Code::ReadersNotRead, "recipe::findings"),
    (Code::OthersAdmitted, "recipe::findings"),
    (Code::ServerNameNotVerified, "recipe::faults"),
    (Code::StartNeedsIstiod, "recipe::findings"),
    (Code::JobNotFixed, "recipe::job"),
    (Code::SecureJobStays, "worlds::jobs"),
    (Code::TodaysJobsUnknown, "worlds::operator"),
    (Code::SecretJobStays, "worlds::operator"),
    (Code::SharedMonitorStays, "worlds::operator"),
    (Code::EnvoyPortJobStays, "recipe::findings"),
    (Code::OtherClusterNotScraped, "recipe::findings"),
    (Code::JobsFoldIntoOne, "recipe::job"),
    (Code::NotCopied, "recipe::job, worlds::secrets"),
    (Code::PlaintextJobsStay, "recipe::findings"),
    (Code::JobLabelChanges, "recipe::findings"),
    (Code::JobReplaced, "recipe::findings"),
    (Code::ConfigReadAtStart, "recipe::findings"),
    (Code::UndoLosesHistory, "recipe::findings"),
    (Code::StorageNotKnown, "recipe::findings"),
    (Code::VolumeMayBlock, "recipe::findings"),
    (Code::OutboundStaysCaptured, "recipe::pod"),
    (Code::InboundStaysCaptured, "recipe::pod"),
    (Code::MeshExclusionsReplaced, "recipe::pod"),
    (Code::NoSidecarYet, "worlds::entering"),
    (Code::NothingInNamespace, "recipe::choices"),
    (Code::OthersInPlaintext, "worlds::others"),
    (Code::PortsAsOfToday, "recipe::findings"),
    (Code::NoPodToAnnotate, "recipe::findings"),
    (
        Code::PlaintextScrapeStays,
        "recipe::ended, worlds::entering",
    ),
    (Code::PlaintextScrapeLost, "recipe::ended"),
    (Code::PlaintextUntilPodsRun, "recipe::ended"),
    (Code::AnnotatedByOthers, "recipe::findings"),
    (Code::PlaintextAgain, "recipe::ended"),
    (Code::OneProtocolKept, "recipe::findings"),
    (Code::StrayPods, "recipe::findings"),
    (Code::AppNotMerged, "recipe::findings"),
    (Code::AnnotationEndsWithPod, "recipe::findings"),
    (Code::PortCloses, "recipe::repairs"),
    (Code::ReadersRemoved, "recipe::findings"),
    (Code::SidecarCopied, "recipe::merged"),
    (Code::SidecarCopyStale, "worlds::merged"),
    (Code::NetworkPolicyWouldStop, "worlds::reached"),
    (Code::NetworkPolicyByAddress, "worlds::reached"),
    (Code::NodeNetwork, "recipe::findings"),
    (Code::OtherNetworkPolicies, "worlds::reached"),
    (Code::FilterOnSecurePort, "worlds::reached"),
    (Code::ProviderDecides, "worlds::reached"),
    (Code::PolicyRestsOn, "worlds::reached"),
    (Code::AnnotationEndsScrape, "recipe::findings"),
    (Code::StatusPortOff, "recipe::findings"),
    (Code::RestartRemovesAnnotation, "recipe::findings"),
    (Code::MetricsInsidePodOnly, "recipe::findings"),
    (Code::JobNotStarted, "targets::after_a_change"),
    (Code::TargetElsewhere, "targets::where_it_leads"),
    (Code::AnnotationChanged, "worlds::annotated"),
    (Code::ObjectGone, "targets::standing"),
    (Code::ObjectAltered, "targets::standing"),
    (Code::ObjectOverruled, "targets::standing"),
    (Code::GuardGone, "targets::standing, worlds::check"),
    (Code::GuardAltered, "targets::standing"),
];

/// Each error that Prometheus reports, and the one beside it, which has another cause.
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
    let reset = "connection reset by peer";
    let refused = "connection refused";
    let other_name = "x509: certificate is valid for a.example, not 10.0.0.9";
    let errors = [
        ("doesn't contain any IP SANs", plain, other_name, plain),
        (
            "server gave HTTP response to HTTPS client",
            plain,
            "server gave HTTP status 400 to HTTPS client",
            plain,
        ),
        ("certificate required", plain, "handshake failure", plain),
        (
            "unknown certificate authority",
            plain,
            "unknown certificate",
            plain,
        ),
        (
            "certificate has expired",
            plain,
            "certificate is not yet valid",
            plain,
        ),
        (
            "too many colons in address",
            plain,
            "missing port in address",
            plain,
        ),
        (refused, gateway, refused, plain),
        (refused, plain, refused, gateway),
        (
            "expected value after metric",
            plain,
            "expected label name",
            plain,
        ),
        (
            "sample limit exceeded",
            plain,
            "sample timestamp exceeded",
            plain,
        ),
        (
            "unsupported Content-Type",
            plain,
            "fallback Content-Type",
            plain,
        ),
        ("i/o timeout", plain, "i/o error", plain),
        ("no route to host", plain, "no such host", plain),
        ("HTTP status 503", plain, "HTTP status 502", plain),
        ("HTTP status 403", plain, "HTTP status 401", plain),
        ("HTTP status 404", plain, "HTTP status 405", plain),
        ("HTTP status 429", plain, "HTTP status 420", plain),
        (
            "http2: client conn could not be established",
            plain,
            "http2: client conn not usable",
            plain,
        ),
        (reset, gateway, reset, strict),
        (reset, strict, reset, plain),
        (reset, plain, reset, strict),
    ];
    let of = || Subject::new("Pod", "shop", "cart-1");
    let found = errors.map(|(error, about, beside, other)| {
        let found = cause(error, of(), &about).expect(error);
        absent(found.code(), cause(beside, of(), &other));
        found
    });
    assert_eq!(cause("the moon is in the way", of(), &plain), None);
    found.to_vec()
}

/// What a board shows of one pod, and does not where one thing is otherwise.
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
    let well = || row(up(), Probe::Refused, Guard::Stands);
    let board = |row: Row, error: Option<&str>| Board {
        rows: vec![std::sync::Arc::new(row)],
        replicas: vec![ReplicaNote {
            pod: "prometheus-0".into(),
            error: error.map(str::to_owned),
            ..ReplicaNote::default()
        }],
        ..Board::default()
    };
    assert_eq!(of_board(&board(well(), None)), []);
    let of = || Subject::new("Pod", "shop", "cart-1");
    let known = State::Down {
        error: "HTTP status 503".into(),
        cause: Some(Box::new(Problem::NothingBehind {
            of: of(),
            port: 15020,
        })),
    };
    let down = State::Down {
        error: "the moon is in the way".into(),
        cause: None,
    };
    let double = State::Up {
        double: Some(job()),
    };
    let plaintext = || State::Plaintext { job: job() };
    let left_out = |state| Row {
        left_out: true,
        ..row(state, Probe::NotAsked, Guard::Stands)
    };
    let unknown = Guard::Unknown("denied".into());
    let pairs = [
        (
            Code::DownUnexplained,
            board(row(down, Probe::NotAsked, Guard::Stands), None),
            board(row(known, Probe::NotAsked, Guard::Stands), None),
        ),
        (
            Code::AlsoInPlaintext,
            board(row(double, Probe::Refused, Guard::Stands), None),
            board(row(plaintext(), Probe::Refused, Guard::Stands), None),
        ),
        (
            Code::OnlyInPlaintext,
            board(row(plaintext(), Probe::NotAsked, Guard::Stands), None),
            board(left_out(plaintext()), None),
        ),
        (
            Code::ServesPlaintext,
            board(row(up(), Probe::Served, Guard::Stands), None),
            board(row(up(), Probe::NotAsked, Guard::Stands), None),
        ),
        (
            Code::GuardNotRead,
            board(row(up(), Probe::Refused, unknown), None),
            board(row(up(), Probe::Refused, Guard::NotAsked), None),
        ),
        (
            Code::PrometheusNotAsked,
            board(well(), Some("no answer")),
            board(well(), None),
        ),
    ];
    let mut all = Vec::new();
    for (code, here, beside) in pairs {
        let found = of_board(&here);
        assert!(found.iter().any(|one| one.code() == code), "{code}");
        absent(code, of_board(&beside));
        all.extend(found);
    }
    all
}

/// The code is not among them: what a test says of the situation beside the one that brings it about, by the code's name.
pub(crate) fn absent(code: Code, found: impl IntoIterator<Item = Problem>) {
    for problem in found {
        assert_ne!(problem.code(), code, "{problem:?}");
    }
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

/// By the tables that bring codes about, or by a test that says `absent(Code::X, …)`.
#[test]
fn every_code_is_seen_absent_beside_where_it_comes() {
    let mut seen: BTreeSet<Code> = crate::mesh::tests::codes::absent().collect();
    let by_values = by_error().into_iter().chain(by_board());
    seen.extend(by_values.map(|problem| problem.code()));
    for (_, text) in tests() {
        let text: String = text.split_whitespace().collect();
        let said = text.split("absent(Code::").skip(1);
        seen.extend(said.filter_map(|rest| Code::named(rest.split_once(',')?.0)));
    }
    let missing: Vec<&Code> = Code::ALL.iter().filter(|c| !seen.contains(c)).collect();
    assert_eq!(missing, Vec::<&Code>::new());
}

/// The files of tests, by name.
fn tests() -> Vec<(String, String)> {
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
    tests
}

/// A list of names proves nothing by itself: each test file that it names has to name the code.
#[test]
fn the_tests_that_are_named_name_their_code() {
    let tests = tests();
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
