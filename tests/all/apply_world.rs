//! The simulated cluster with httpbin's whole recipe as a plan, for journeys of apply and undo.

use meshscrape::answers::MetricsPort;
use meshscrape::cluster::Cluster;
use meshscrape::demo::Simulation;
use meshscrape::engine::apply::{ApplyOptions, Control, apply};
use meshscrape::engine::event::{ApplyEvent, Outcome};
use meshscrape::engine::session::{Clock, Session};
use meshscrape::engine::undo::plan_undo;
use meshscrape::engine::watch::Watched;
use meshscrape::journal::MemoryJournal;
use meshscrape::mesh::kinds::{Kind, ObjectRef, WorkloadRef};
use meshscrape::mesh::objects::{Template, TemplateMeta};
use meshscrape::mesh::{Prometheus, PrometheusFlavour, Storage};
use meshscrape::plan::review::{Approved, Review, RunId, Word};
use meshscrape::plan::scrape_config::TextEdit;
use meshscrape::plan::{Action, Await, Change, ChangeId, Part, Plan};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const JOB: &str = "istio-secure-merged-metrics";

pub struct World {
    pub simulation: Simulation,
    pub session: Session,
    pub journal: Arc<MemoryJournal>,
    pub events: Arc<Mutex<Vec<ApplyEvent>>>,
    /// Moments at which a listener of ours stood without its policies.
    pub naked: Arc<Mutex<Vec<String>>>,
}

pub fn world() -> World {
    let simulation = Simulation::builtin();
    simulation.latency(false);
    let journal = Arc::new(MemoryJournal::new());
    let session = Session {
        cluster: Cluster::new(simulation.client(), "demo"),
        journal: journal.clone(),
        clock: Clock::default(),
        who: meshscrape::engine::session::here(),
    };
    let naked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&naked);
    simulation.on_write(Box::new(move |simulation| {
        for listener in simulation.objects("Sidecar", "") {
            let (ns, name) = (
                &listener["metadata"]["namespace"],
                &listener["metadata"]["name"],
            );
            let (ns, name) = (ns.as_str().unwrap(), name.as_str().unwrap());
            let policies = ["PeerAuthentication", "AuthorizationPolicy"];
            if name.starts_with("meshscrape-")
                && policies
                    .iter()
                    .any(|kind| simulation.object(kind, ns, name).is_none())
            {
                seen.lock().unwrap().push(format!("{ns}/{name}"));
            }
        }
    }));
    World {
        simulation,
        session,
        journal,
        events: Arc::default(),
        naked,
    }
}

pub fn httpbin() -> WorkloadRef {
    WorkloadRef::new("default", Kind::Deployment, "httpbin")
}

pub fn prometheus() -> Arc<Prometheus> {
    Arc::new(Prometheus {
        id: WorkloadRef::new("istio-system", Kind::Deployment, "prometheus"),
        flavour: PrometheusFlavour::IstioSample,
        owner: None,
        desired: 1,
        pods: Vec::new(),
        template: Template {
            metadata: TemplateMeta {
                labels: BTreeMap::from([("app.kubernetes.io/name".into(), "prometheus".into())]),
                annotations: BTreeMap::new(),
            },
            ..Template::default()
        },
        pod_home: meshscrape::mesh::PodHome::Template,
        service_account: "prometheus".into(),
        shared_with: Vec::new(),
        container: "prometheus-server".into(),
        http_port: 9090,
        route_prefix: String::new(),
        web_config: false,
        uid: String::new(),
        config: None,
        looks: None,
        reloader: true,
        lifecycle: true,
        storage: Storage::EmptyDir,
        strategy: "Recreate".into(),
        sidecar: false,
        outbound: None,
        certificates: None,
        obstacles: Vec::new(),
        faults: Vec::new(),
    })
}

fn change(kind: Kind, namespace: &str, name: &str, part: Part, action: Action) -> Change {
    let object = ObjectRef::new(kind, namespace, name);
    Change {
        item: (namespace == "default").then(httpbin),
        ..Change::new(
            object,
            part,
            action,
            meshscrape::plan::purpose::Purpose::SecureJob,
        )
    }
}

fn intent(kind: Kind, namespace: &str, name: &str, rest: Value) -> Action {
    let mut intent = json!({
        "apiVersion": kind.api_version(), "kind": kind.name(),
        "metadata": {"namespace": namespace, "name": name},
    });
    for (field, value) in rest.as_object().unwrap() {
        intent[field] = value.clone();
    }
    Action::Apply { intent }
}

fn ours(kind: Kind, part: Part, spec: Value) -> Change {
    let rest = json!({"spec": spec});
    let name = "meshscrape-httpbin";
    change(
        kind,
        "default",
        name,
        part,
        intent(kind, "default", name, rest),
    )
}

/// The first change with this part.
pub fn id(plan: &Plan, part: Part) -> ChangeId {
    let of_part = plan.changes.iter().find(|change| change.part == part);
    of_part.unwrap().id.clone()
}

fn prometheus_pod() -> Change {
    let id = prometheus().id.clone();
    let template = json!({"spec": {"template": {
        "metadata": {
            "labels": {"sidecar.istio.io/inject": "true", "security.istio.io/tlsMode": "disabled"},
            "annotations": {
                "traffic.sidecar.istio.io/includeInboundPorts": "",
                "traffic.sidecar.istio.io/includeOutboundIPRanges": "",
                "sidecar.istio.io/userVolumeMount": "[{\"name\": \"istio-certs\", \"mountPath\": \"/etc/istio-certs\"}]",
                "proxy.istio.io/config": "{\"proxyMetadata\": {\"OUTPUT_CERTS\": \"/etc/istio-certs\"}}",
                "prometheus.istio.io/merge-metrics": "false",
            },
        },
        "spec": {
            "containers": [{"name": "prometheus-server", "volumeMounts": [
                {"name": "istio-certs", "mountPath": "/etc/istio-certs", "readOnly": true}]}],
            "volumes": [{"name": "istio-certs", "emptyDir": {"medium": "Memory"}}],
        },
    }}});
    let action = intent(Kind::Deployment, "istio-system", "prometheus", template);
    Change {
        then: vec![Await::Rollout(id)],
        ..change(
            Kind::Deployment,
            "istio-system",
            "prometheus",
            Part::PrometheusPod,
            action,
        )
    }
}

fn scrape_job() -> Change {
    let job = json!({
        "job_name": JOB, "honor_labels": true, "metrics_path": "/stats/prometheus", "scheme": "https",
        "tls_config": {"ca_file": "/etc/istio-certs/root-cert.pem", "cert_file": "/etc/istio-certs/cert-chain.pem",
            "key_file": "/etc/istio-certs/key.pem", "insecure_skip_verify": true},
        "enable_http2": false,
        "kubernetes_sd_configs": [{"role": "pod"}],
        "relabel_configs": [
            {"source_labels": ["__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port"], "action": "keep", "regex": "\\d+"},
            {"source_labels": ["__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port", "__meta_kubernetes_pod_ip"],
             "action": "replace", "regex": "(\\d+);((([0-9]+?)(\\.|$)){4})", "replacement": "$2:$1", "target_label": "__address__"},
            {"source_labels": ["__meta_kubernetes_pod_phase"], "action": "drop", "regex": "Pending|Succeeded|Failed|Completed"},
            {"source_labels": ["__meta_kubernetes_namespace"], "action": "replace", "target_label": "namespace"},
            {"source_labels": ["__meta_kubernetes_pod_name"], "action": "replace", "target_label": "pod"},
        ],
    });
    let name = JOB.to_owned();
    let action = Action::Text {
        key: "prometheus.yml".into(),
        edits: vec![TextEdit::InsertJob { name, job }],
    };
    Change {
        then: vec![Await::ConfigLoaded {
            prometheus: prometheus().id.clone(),
            job: JOB.into(),
        }],
        ..change(
            Kind::ConfigMap,
            "istio-system",
            "prometheus",
            Part::ScrapeJob,
            action,
        )
    }
}

fn old_jobs() -> Change {
    let edits = ["kubernetes-pods", "kubernetes-pods-slow"].map(|job| TextEdit::EndPlaintext {
        job: job.into(),
        items: vec![httpbin()],
    });
    let action = Action::Text {
        key: "prometheus.yml".into(),
        edits: edits.into(),
    };
    Change {
        before: vec![Await::TargetsUp(vec![httpbin()])],
        ..change(
            Kind::ConfigMap,
            "istio-system",
            "prometheus",
            Part::PlaintextJobs,
            action,
        )
    }
}

/// The corrected recipe for httpbin on 15020, in the order of writing.
pub fn plan() -> Plan {
    let labels = json!({"app": "httpbin", "version": "v1"});
    let peer = json!({
        "selector": {"matchLabels": labels}, "portLevelMtls": {"15091": {"mode": "STRICT"}},
    });
    let deny = json!({
        "selector": {"matchLabels": labels}, "action": "DENY",
        "rules": [
            {"from": [{"source": {"notPrincipals": ["cluster.local/ns/istio-system/sa/prometheus"]}}],
             "to": [{"operation": {"ports": ["15091"]}}]},
            {"to": [{"operation": {"ports": ["15091"], "notPaths": ["/stats/prometheus"]}}]},
        ],
    });
    let sidecar = json!({
        "workloadSelector": {"labels": labels},
        "ingress": [
            {"port": {"number": 15091, "name": "http-metrics", "protocol": "HTTP"}, "defaultEndpoint": "127.0.0.1:15020"},
            {"port": {"number": 8080, "name": "http", "protocol": "HTTP"}},
        ],
    });
    let annotation = json!({"spec": {"template": {"metadata": {
        "annotations": {"prometheus.istio.io/secure-port": "15091"}}}}});
    let annotation = intent(Kind::Deployment, "default", "httpbin", annotation);

    let pod = prometheus_pod();
    let mut job = scrape_job();
    job.needs = vec![pod.id.clone()];
    let mut policies = [
        ours(Kind::PeerAuthentication, Part::Policy, peer),
        ours(Kind::AuthorizationPolicy, Part::Policy, deny),
    ];
    for policy in &mut policies {
        policy.then = vec![Await::ReadBack];
    }
    let [peer, deny] = policies;
    let mut listener = ours(Kind::Sidecar, Part::Listener, sidecar);
    listener.needs = vec![peer.id.clone(), deny.id.clone()];
    listener.before = vec![Await::Settle(Duration::from_secs(1))];
    let mut annotation = change(
        Kind::Deployment,
        "default",
        "httpbin",
        Part::Annotation,
        annotation,
    );
    annotation.needs = vec![listener.id.clone(), job.id.clone()];
    annotation.then = vec![Await::Rollout(httpbin())];
    let mut old = old_jobs();
    old.needs = vec![job.id.clone(), annotation.id.clone()];
    Plan {
        changes: vec![pod, job, peer, deny, listener, annotation, old],
        ..Plan::default()
    }
}

pub async fn review(cluster: &Cluster, plan: Plan, run: &str) -> Review {
    let review = Review::new(cluster.context.clone(), RunId(run.into()), plan);
    meshscrape::engine::review::review(cluster, review, &|_| {}).await
}

impl World {
    pub async fn approved(&self, plan: Plan, run: &str) -> Approved {
        let review = review(&self.session.cluster, plan, run).await;
        review.approve(Word { lose_history: true }).unwrap()
    }

    pub fn watched(&self) -> Vec<Watched> {
        vec![Watched {
            item: httpbin(),
            gateway: false,
            port: MetricsPort::Merged,
            behind: 15020,
            selector: BTreeMap::from([("app".into(), "httpbin".into())]),
            template_port: None,
        }]
    }

    pub async fn apply(&self, approved: Approved, control: Control) -> Outcome {
        self.apply_with(approved, control, &ApplyOptions::default())
            .await
    }

    pub async fn apply_with(
        &self,
        approved: Approved,
        control: Control,
        options: &ApplyOptions,
    ) -> Outcome {
        let events = Arc::clone(&self.events);
        let report = move |event| events.lock().unwrap().push(event);
        let watched = self.watched();
        let outcome = apply(
            &self.session,
            approved,
            prometheus(),
            watched,
            options,
            control,
            &report,
        )
        .await;
        assert_eq!(
            *self.naked.lock().unwrap(),
            [""; 0],
            "listeners without policies"
        );
        outcome
    }

    /// The user's log and the steps' states, for a failing test to show.
    pub fn told(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events
            .iter()
            .filter_map(|event| match event {
                ApplyEvent::Step { id, state } => Some(format!("{id}: {state:?}")),
                ApplyEvent::Log(line) => Some(line.clone()),
                ApplyEvent::Stopped { id, error } => Some(format!("{id} stopped: {error}")),
                _ => None,
            })
            .collect()
    }

    /// Objects that a run may touch, without what the server keeps for itself.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        let kinds = [
            "Deployment",
            "ConfigMap",
            "Sidecar",
            "PeerAuthentication",
            "AuthorizationPolicy",
        ];
        let mut all = BTreeMap::new();
        for object in kinds.iter().flat_map(|k| self.simulation.objects(k, "")) {
            let mut object = object;
            let metadata = object["metadata"].as_object_mut().unwrap();
            for field in ["resourceVersion", "generation", "managedFields"] {
                metadata.remove(field);
            }
            if let Some(annotations) = metadata.get_mut("annotations") {
                let annotations = annotations.as_object_mut().unwrap();
                annotations.remove("deployment.kubernetes.io/revision");
                if annotations.is_empty() {
                    metadata.remove("annotations");
                }
            }
            object.as_object_mut().unwrap().remove("status");
            let name = format!(
                "{} {}/{}",
                object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]
            );
            all.insert(name, object);
        }
        all
    }

    /// Undoes a run by the way that a person takes: plan, review, approve, apply.
    pub async fn undo(&self, run: Option<&str>, as_run: &str) -> Outcome {
        let undo = plan_undo(&self.session, &[], run, &[]).await.unwrap();
        assert_eq!(undo.notes, []);
        let approved = self.approved(undo.plan, as_run).await;
        let options = ApplyOptions {
            undoes: Some(undo.run),
            ..ApplyOptions::default()
        };
        self.apply_with(approved, Control::alone().1, &options)
            .await
    }

    /// Requests that changed something: no dry runs, no questions.
    pub fn writes(&self) -> Vec<String> {
        self.simulation
            .requests()
            .into_iter()
            .filter(|request| request.method != "GET" && request.status < 300)
            .filter(|request| !request.path.contains("dryRun") && !request.path.contains("/proxy/"))
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }
}
