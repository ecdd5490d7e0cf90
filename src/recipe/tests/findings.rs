//! What a plan says of itself, by code: each brought about, and absent from the plan of the sample.

use super::*;
use crate::answers::{Annotate, MetricsPort};
use crate::mesh::objects::{AuthorizationPolicy, EnvoyFilter, Meta, NetworkPolicy};
use crate::mesh::{Listed, Progress, SidecarState, Storage};
use crate::problems::tests::absent;
use crate::problems::{Declared, Lost, Subject};
use crate::reach::injector::MERGE;
use crate::recipe::testing::*;
use crate::recipe::{Choice, forbidden};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is said of the sample's plan without a change.
const OF_THE_SAMPLE: [Code; 5] = [
    Code::ServerNameNotVerified,
    Code::StartNeedsIstiod,
    Code::JobLabelChanges,
    Code::UndoLosesHistory,
    Code::PortsAsOfToday,
];

fn codes(plan: &Plan) -> BTreeSet<Code> {
    findings(plan).map(Problem::code).collect()
}

/// The sample's plan after `edit` says this, and without it does not.
fn brings(code: Code, edit: impl FnOnce(&mut Mesh, &mut Answers)) -> Problem {
    let (mut mesh, mut answers) = (mesh(), answers(false));
    assert_eq!(
        codes(&plan(&mesh, &answers)),
        OF_THE_SAMPLE.into_iter().collect()
    );
    assert!(!OF_THE_SAMPLE.contains(&code), "{code}");
    edit(&mut mesh, &mut answers);
    let plan = plan(&mesh, &answers);
    let found = findings(&plan).find(|problem| problem.code() == code);
    found.unwrap_or_else(|| panic!("{code}: {plan:#?}")).clone()
}

/// The sample's plan no longer says this after `edit`.
fn takes_away(code: Code, edit: impl FnOnce(&mut Mesh, &mut Answers)) {
    assert!(OF_THE_SAMPLE.contains(&code), "{code}");
    let (mut mesh, mut answers) = (mesh(), answers(false));
    edit(&mut mesh, &mut answers);
    assert_eq!(said(&plan(&mesh, &answers), code), [""; 0]);
}

fn httpbin() -> Subject {
    (&id("demo", "httpbin")).into()
}

/// What the sample's plan says after `edit`, which stops short of what brings a code about.
fn beside(edit: impl FnOnce(&mut Mesh, &mut Answers)) -> Vec<Problem> {
    let (mut mesh, mut answers) = (mesh(), answers(false));
    edit(&mut mesh, &mut answers);
    let plan = plan(&mesh, &answers);
    findings(&plan).chain(&plan.skipped).cloned().collect()
}

fn of_workload(edit: impl FnOnce(&mut crate::mesh::Workload)) -> Vec<Problem> {
    beside(|mesh, _| with_workload(mesh, edit))
}

fn of_prometheus(edit: impl FnOnce(&mut crate::mesh::Prometheus)) -> Vec<Problem> {
    beside(|mesh, _| with_prometheus(mesh, edit))
}

fn of_config(more: &str) -> Vec<Problem> {
    beside(|mesh, _| with_config(mesh, &format!("{SAMPLE}{more}")))
}

#[test]
fn beside_what_brings_it_about_nothing_is_said_of_prometheus() {
    let listed = |list| beside(|mesh, _| _ = mesh.progress.insert(list, Progress::Complete));
    absent(Code::FiltersNotRead, listed(Listed::EnvoyFilters));
    absent(Code::ReadersNotRead, listed(Listed::Pods));
    let own = "cluster.local/ns/istio-system/sa/prometheus";
    absent(
        Code::OthersAdmitted,
        of_workload(|w| w.admits = vec![own.into()]),
    );
    absent(
        Code::ReadersRemoved,
        beside(|mesh, answers| {
            with_workload(mesh, |w| w.admits = vec![own.into()]);
            answers.options.only_this_prometheus = true;
        }),
    );
    let injected = |p: &mut crate::mesh::Prometheus| {
        p.sidecar = true;
        p.certificates = Some("/etc/istio-certs".into());
    };
    absent(Code::StartNeedsIstiod, of_prometheus(injected));
    // Of a Prometheus that is none of the plan's nothing is said: an export without its part.
    let mut without = plan(&mesh(), &answers(false));
    let own_part = crate::recipe::order::of_prometheus(&id("istio-system", "prometheus"));
    without.findings.retain(|found| !own_part.contains(found));
    absent(Code::ServerNameNotVerified, without.findings);
    let lasting = || Storage::Lasting("data".into());
    absent(
        Code::UndoLosesHistory,
        of_prometheus(|p| p.storage = lasting()),
    );
    absent(
        Code::StorageNotKnown,
        of_prometheus(|p| p.storage = lasting()),
    );
    absent(
        Code::VolumeMayBlock,
        of_prometheus(|p| p.storage = lasting()),
    );
    absent(
        Code::ConfigReadAtStart,
        of_prometheus(|p| p.reloader = false),
    );
    absent(Code::OutboundStaysCaptured, of_prometheus(injected));
    absent(Code::InboundStaysCaptured, of_prometheus(injected));
    absent(Code::MeshExclusionsReplaced, of_prometheus(injected));
}

#[test]
fn beside_what_brings_it_about_nothing_is_said_of_jobs() {
    let job = |rules: &str| {
        format!(
            "- job_name: other\n  kubernetes_sd_configs: [{{role: pod}}]\n  relabel_configs:\n{rules}"
        )
    };
    let by = |annotation: &str| {
        job(&format!(
            "  - {{source_labels: [__meta_kubernetes_pod_annotation_{annotation}], action: keep, regex: .+}}\n"
        ))
    };
    absent(
        Code::EnvoyPortJobStays,
        of_config(&by("prometheus_istio_io_port")),
    );
    absent(
        Code::JobReplaced,
        of_config(&by("prometheus_istio_io_port")),
    );
    absent(
        Code::SecureJobStays,
        of_config(&by("prometheus_istio_io_secure_port")),
    );
    absent(
        Code::JobNotFixed,
        beside(|_, answers| answers.options.repair = false),
    );
    absent(Code::OtherClusterNotScraped, of_config(&job("")));
    absent(Code::JobsFoldIntoOne, of_config(&by("example_org_scrape")));
    absent(Code::NotCopied, of_config("  honor_timestamps: true\n"));
    absent(
        Code::PlaintextJobsStay,
        beside(|_, answers| answers.options.stop_plaintext_jobs = Some(true)),
    );
    absent(
        Code::JobLabelChanges,
        beside(|_, answers| answers.options.stop_plaintext_jobs = Some(false)),
    );
}

#[test]
fn beside_what_brings_it_about_nothing_is_said_of_workloads() {
    let envoy = |lose: bool| {
        beside(|mesh, answers| {
            with_workload(mesh, |w| w.scraped.plaintext = Some(15090));
            answers.options.port = MetricsPort::Envoy;
            answers.options.stop_plaintext_jobs = lose.then_some(true);
        })
    };
    absent(Code::PlaintextScrapeStays, envoy(false));
    absent(Code::PlaintextScrapeLost, envoy(true));
    absent(Code::PlaintextUntilPodsRun, of_workload(|w| w.desired = 1));
    absent(
        Code::PlaintextAgain,
        of_workload(|w| w.scraped.secure = true),
    );
    absent(
        Code::AnnotatedByOthers,
        beside(|mesh, _| {
            let mut other = workload("demo", "other");
            (other.scraped.secure, other.secured_port) = (true, Some(15020));
            mesh.workloads.push(Arc::new(other));
        }),
    );
    absent(Code::PortsAsOfToday, of_workload(|w| w.services.clear()));
    let annotations = || beside(|_, answers| answers.options.annotate = Annotate::Pods);
    absent(Code::NoPodToAnnotate, annotations());
    absent(
        Code::AnnotationEndsWithPod,
        beside(|_, answers| answers.options.annotate = Annotate::Template),
    );
    absent(
        Code::OneProtocolKept,
        of_workload(|w| w.services.push(port(8001, 8080, Some("http-two")))),
    );
    absent(Code::StrayPods, of_workload(|w| w.pods.push(pod("debug"))));
    let switchable = SidecarState::Switchable { revision: None };
    absent(
        Code::AppNotMerged,
        beside(|mesh, answers| {
            with_workload(mesh, |w| w.sidecar = switchable);
            answers.first_sidecar.insert(id("demo", "httpbin"));
        }),
    );
    absent(
        Code::NoSidecarYet,
        beside(|_, answers| {
            answers.workloads.clear();
            answers.namespaces.insert("demo".into());
        }),
    );
    absent(
        Code::NothingInNamespace,
        beside(|_, answers| _ = answers.namespaces.insert("demo".into())),
    );
    absent(
        Code::OthersInPlaintext,
        crate::mesh::others::stay_in_plaintext("demo", &[]),
    );
    absent(
        Code::PortCloses,
        beside(|mesh, _| mesh.workloads.push(Arc::new(workload("demo", "other")))),
    );
    let of_choice = || forbidden(&mesh(), &answers(false)).into_iter();
    let why = || of_choice().flat_map(|found| found.why);
    absent(Code::AnnotationEndsScrape, why());
    absent(Code::StatusPortOff, why());
    absent(Code::RestartRemovesAnnotation, why());
    absent(Code::MetricsInsidePodOnly, why());
}

#[test]
fn beside_what_brings_it_about_nothing_is_said_of_the_path() {
    let rules = |spec: serde_json::Value| {
        beside(|mesh, _| {
            let metadata = Meta {
                name: "fence".into(),
                namespace: "demo".into(),
                ..Meta::default()
            };
            Arc::make_mut(&mut mesh.rules).network = Ok(vec![NetworkPolicy { metadata, spec }]);
        })
    };
    let open = || rules(serde_json::json!({"podSelector": {}, "ingress": [{}]}));
    absent(Code::NetworkPolicyWouldStop, open());
    absent(Code::NetworkPolicyByAddress, open());
    absent(Code::OtherNetworkPolicies, open());
    let closed =
        serde_json::json!({"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {}}]}]});
    absent(Code::NodeNetwork, rules(closed));
    let elsewhere = |port: u16| {
        beside(|mesh, _| {
            let metadata = || Meta {
                name: "theirs".into(),
                namespace: "demo".into(),
                ..Meta::default()
            };
            let rule = serde_json::json!({"to": [{"operation": {"ports": [port.to_string()]}}]});
            let rules = Arc::make_mut(&mut mesh.rules);
            rules.policies = Ok(vec![AuthorizationPolicy {
                metadata: metadata(),
                spec: serde_json::json!({"action": "DENY", "rules": [rule]}),
            }]);
            rules.filters = Ok(vec![EnvoyFilter {
                metadata: metadata(),
                spec: serde_json::json!({"configPatches": [{
                    "applyTo": "HTTP_FILTER",
                    "match": {"context": "SIDECAR_INBOUND", "listener": {"portNumber": port}},
                    "patch": {"operation": "INSERT_BEFORE", "value": {"name": "envoy.filters.http.local_ratelimit"}},
                }]}),
            }]);
        })
    };
    absent(Code::FilterOnSecurePort, elsewhere(8080));
    absent(Code::ProviderDecides, elsewhere(8080));
    absent(Code::PolicyRestsOn, elsewhere(8080));
}

#[test]
fn what_holds_of_the_sample_goes_with_its_cause() {
    takes_away(Code::StartNeedsIstiod, |mesh, _| {
        with_prometheus(mesh, |p| {
            p.sidecar = true;
            p.certificates = Some("/etc/istio-certs".into());
        });
    });
    takes_away(Code::UndoLosesHistory, |mesh, _| {
        with_prometheus(mesh, |p| p.storage = Storage::Lasting("data".into()));
    });
    takes_away(Code::JobLabelChanges, |_, answers| {
        answers.options.stop_plaintext_jobs = Some(false);
    });
    takes_away(Code::PortsAsOfToday, |mesh, _| {
        with_workload(mesh, |w| w.services.clear());
    });
}

#[test]
fn of_the_restart_of_prometheus() {
    brings(Code::StorageNotKnown, |mesh, _| {
        with_prometheus(mesh, |p| p.storage = Storage::Unknown);
    });
    let lasting = |strategy: &'static str| {
        move |mesh: &mut Mesh| {
            with_prometheus(mesh, |p| {
                p.storage = Storage::Lasting("data".into());
                p.strategy = strategy.into();
            });
        }
    };
    brings(Code::VolumeMayBlock, |mesh, _| {
        lasting("RollingUpdate")(mesh)
    });
    let mut recreated = mesh();
    lasting("Recreate")(&mut recreated);
    let made = plan(&recreated, &answers(false));
    assert_eq!(said(&made, Code::VolumeMayBlock), [""; 0]);
    brings(Code::ConfigReadAtStart, |mesh, _| {
        with_prometheus(mesh, |p| (p.reloader, p.lifecycle) = (false, false));
    });
}

#[test]
fn of_who_reads_the_secure_port() {
    let denied = || Progress::Denied("may not list pods".into());
    let unread = brings(Code::ReadersNotRead, |mesh, _| {
        _ = mesh.progress.insert(Listed::Pods, denied());
    });
    assert!(unread.is_unread());
    assert_eq!(
        brings(Code::SharedIdentity, |mesh, _| {
            with_prometheus(mesh, |p| p.shared_with = vec!["Pod istio-system/x".into()]);
        }),
        Problem::SharedIdentity {
            of: (&id("istio-system", "prometheus")).into(),
            account: "prometheus".into(),
            with: vec!["Pod istio-system/x".into()],
        }
    );
    let collector = "cluster.local/ns/x/sa/collector";
    let admitted = brings(Code::OthersAdmitted, |mesh, _| {
        with_workload(mesh, |w| w.admits = vec![collector.into()]);
    });
    assert_eq!(
        admitted,
        Problem::OthersAdmitted {
            of: (&id("istio-system", "prometheus")).into(),
            principals: vec![collector.into()],
        }
    );
    let removed = brings(Code::ReadersRemoved, |mesh, answers| {
        with_workload(mesh, |w| w.admits = vec![collector.into()]);
        answers.options.only_this_prometheus = true;
    });
    assert_eq!(removed.of(), &httpbin());
}

#[test]
fn of_jobs_that_stay() {
    let jobs = |more: &str| format!("{SAMPLE}{more}");
    let envoy = "- job_name: envoys\n  kubernetes_sd_configs: [{role: pod}]\n  relabel_configs:\n  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_envoy_port], action: keep, regex: .+}\n";
    brings(Code::EnvoyPortJobStays, |mesh, _| {
        with_config(mesh, &jobs(envoy));
    });
    brings(Code::OtherClusterNotScraped, |mesh, _| {
        let other = "- job_name: blue\n  kubernetes_sd_configs: [{role: pod, api_server: 'https://blue.example.test'}]\n";
        with_config(mesh, &jobs(other));
    });
    let both = brings(Code::PlaintextJobsStay, |_, answers| {
        answers.options.stop_plaintext_jobs = Some(false);
    });
    assert_eq!(both.of().name, "prometheus");
    brings(Code::JobReplaced, |mesh, _| {
        let plain = "- job_name: theirs\n  kubernetes_sd_configs: [{role: pod}]\n  relabel_configs:\n  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], action: keep, regex: .+}\n";
        with_config(mesh, &jobs(plain));
    });
}

#[test]
fn of_the_annotation() {
    brings(Code::AnnotationEndsWithPod, |_, answers| {
        answers.options.annotate = Annotate::Pods;
    });
    brings(Code::NoPodToAnnotate, |mesh, answers| {
        answers.options.annotate = Annotate::Pods;
        with_workload(mesh, |w| w.pods.iter_mut().for_each(|p| p.proxy = None));
    });
    let of = brings(Code::AnnotatedByOthers, |mesh, _| {
        let mut other = workload("demo", "other");
        other.scraped.secure = true;
        mesh.workloads.push(Arc::new(other));
    });
    assert_eq!(of.of().name, "other");
}

#[test]
fn of_pods_and_ports_that_the_sidecar_governs() {
    let strays = brings(Code::StrayPods, |mesh, _| {
        with_workload(mesh, |w| w.strays = vec![pod("debug")]);
    });
    let Problem::StrayPods { pods, .. } = strays else {
        panic!("{strays:?}");
    };
    assert_eq!(pods, ["demo/debug"]);
    let kept = brings(Code::OneProtocolKept, |mesh, _| {
        with_workload(mesh, |w| {
            let mut second = port(8001, 8080, Some("tcp"));
            second.service = "svc-tcp".into();
            second.host = "svc-tcp.demo.svc.cluster.local".into();
            w.services.push(second);
        });
    });
    let declared = |name: &str, protocol: &str| Declared {
        object: crate::mesh::kinds::ObjectRef::new(Kind::Service, "demo", name),
        protocol: Some(protocol.into()),
    };
    let Problem::OneProtocolKept {
        kept, passed_over, ..
    } = kept
    else {
        panic!("{kept:?}");
    };
    let mut both = vec![kept];
    both.extend(passed_over);
    both.sort_by(|a, b| a.object.name.cmp(&b.object.name));
    assert_eq!(both, [declared("svc", "HTTP"), declared("svc-tcp", "TCP")]);
}

#[test]
fn of_a_path_between_pods_and_the_node() {
    let fence = |mesh: &mut Mesh, from: &str| {
        let policy = NetworkPolicy {
            metadata: Meta {
                name: "fence".into(),
                namespace: "demo".into(),
                ..Meta::default()
            },
            spec: serde_json::json!({"podSelector": {}, "ingress": [{"from": [{from: {}}]}]}),
        };
        Arc::make_mut(&mut mesh.rules).network = Ok(vec![policy]);
    };
    brings(Code::NetworkPolicyWouldStop, |mesh, _| {
        fence(mesh, "podSelector");
    });
    brings(Code::NodeNetwork, |mesh, _| {
        fence(mesh, "namespaceSelector");
        with_prometheus(mesh, |p| p.template.spec.host_network = true);
    });
}

/// An app on two ports that gets its first sidecar: the agent would ask neither.
#[test]
fn of_an_app_that_keeps_its_own_scrape() {
    let two_ports = |mesh: &mut Mesh| {
        with_workload(mesh, |w| {
            w.sidecar = SidecarState::Switchable { revision: None };
            w.pods.clear();
            w.scraped.plaintext = Some(8080);
            let annotations = &mut w.template.metadata.annotations;
            annotations.insert("prometheus.io/scrape".into(), "true".into());
            annotations.insert("prometheus.io/port".into(), "8080".into());
            annotations.insert("prometheus.io/param_format".into(), "x".into());
        });
    };
    let apart = brings(Code::AppNotMerged, |mesh, answers| {
        two_ports(mesh);
        answers.first_sidecar.insert(id("demo", "httpbin"));
    });
    assert_eq!(
        apart,
        Problem::AppNotMerged {
            of: httpbin(),
            annotation: MERGE.into(),
            strict: false,
        }
    );
    let mut mesh = mesh();
    two_ports(&mut mesh);
    let mut answers = answers(false);
    answers.first_sidecar.insert(id("demo", "httpbin"));
    let plan = plan(&mesh, &answers);
    let stays = findings(&plan).find_map(|problem| match problem {
        Problem::PlaintextScrapeStays { lost, .. } => Some(lost),
        _ => None,
    });
    let parameters = vec!["format".to_owned()];
    assert!(
        matches!(stays, Some(Lost::ByAgent(lost)) if lost.parameters == parameters),
        "{stays:?}"
    );
}

/// The codes that keep a choice from being made, and the item of each.
fn forbids(choice: Choice, edit: impl FnOnce(&mut Mesh)) -> Vec<Code> {
    let mut mesh = mesh();
    edit(&mut mesh);
    let all = forbidden(&mesh, &answers(false)).into_iter();
    let all = all.filter(|found| found.choice == choice);
    all.flat_map(|found| found.why)
        .map(|problem| problem.code())
        .collect()
}

#[test]
fn what_forbids_a_choice_has_its_code() {
    let envoy = Choice::Port(MetricsPort::Envoy);
    assert_eq!(forbids(envoy, |_| {}), []);
    assert_eq!(
        forbids(envoy, |mesh| {
            let left_out = SAMPLE.replacen(
                "  relabel_configs:\n",
                "  relabel_configs:\n  - {source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port], action: drop, regex: .+}\n",
                1,
            );
            with_config(mesh, &left_out);
        }),
        [Code::AnnotationEndsScrape]
    );
    let merged = Choice::Port(MetricsPort::Merged);
    assert_eq!(forbids(merged, |_| {}), []);
    assert_eq!(
        forbids(merged, |mesh| with_workload(mesh, |w| w.status_port = 0)),
        [Code::StatusPortOff]
    );
    let pods = Choice::Annotate(Annotate::Pods);
    assert_eq!(forbids(pods, |_| {}), []);
    assert_eq!(
        forbids(pods, |mesh| with_workload(mesh, |w| {
            let config = "{proxyMetadata: {METRICS_LOCALHOST_ACCESS_ONLY: \"true\"}}";
            let annotations = &mut w.template.metadata.annotations;
            annotations.insert("proxy.istio.io/config".into(), config.into());
        })),
        [Code::MetricsInsidePodOnly]
    );
    let mut mesh = mesh();
    with_workload(&mut mesh, |w| w.sidecar = SidecarState::AfterRestart);
    let mut answers = answers(false);
    answers.options.inject = true;
    let all = forbidden(&mesh, &answers);
    let of_pods = all.iter().find(|found| found.choice == pods).expect("one");
    assert_eq!(
        of_pods.why,
        [Problem::RestartRemovesAnnotation { of: httpbin() }]
    );
}

#[test]
fn many_workloads_of_which_the_same_holds_take_one_line() {
    let many: Vec<Problem> = (0..40)
        .map(|n| Problem::PortsAsOfToday {
            of: (&id("demo", &format!("app-{n}"))).into(),
        })
        .chain([Problem::PlaintextScrapeLost {
            of: httpbin(),
            lost: Lost::AppAndAgent,
        }])
        .collect();
    let lines = crate::words::together(&many);
    let codes: Vec<Code> = lines.iter().map(|(problem, _)| problem.code()).collect();
    assert_eq!(
        codes,
        [Code::PlaintextScrapeLost, Code::PortsAsOfToday],
        "the gravest first"
    );
}
