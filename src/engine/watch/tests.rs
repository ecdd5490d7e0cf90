use super::*;
use crate::cluster::Cluster;
use crate::engine::session::{Clock, Journal, RunNote};
use crate::mesh::kinds::Kind;
use crate::mesh::{PrometheusFlavour, Storage};
use crate::plan::record::Entry;
use crate::problems::Problem;
use crate::targets::{Probe, State, Waits};
use crate::words::say::prometheus as said;
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};

const JOB: &str = "istio-secure-merged-metrics";

/// A cluster as the watch sees it, told by hand.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Scene>>);

struct Scene {
    clock: Clock,
    /// Prometheus pods that run.
    proms: Vec<&'static str>,
    prom_error: Option<(u16, String)>,
    job_loaded: bool,
    pool: bool,
    health: &'static str,
    /// Seconds since the last scrape began.
    scraped: i64,
    strict: bool,
    policy_gone: bool,
    /// Status and body of a plaintext request to the secure port.
    plaintext: (u16, String),
    replicas: u32,
    pods: Vec<&'static str>,
    probes: usize,
}

impl Default for Scene {
    fn default() -> Self {
        Scene {
            clock: Clock::default(),
            proms: vec!["prometheus-5d-a"],
            prom_error: None,
            job_loaded: true,
            pool: true,
            health: "up",
            scraped: 5,
            strict: true,
            policy_gone: false,
            plaintext: (503, reset()),
            replicas: 1,
            pods: vec!["cart-1"],
            probes: 0,
        }
    }
}

fn reset() -> String {
    json!({"kind": "Status", "code": 503, "message": "error trying to reach service: read tcp: read: connection reset by peer"}).to_string()
}

fn denied() -> String {
    json!({"kind": "Status", "code": 403, "message": "pods \"cart-1\" is forbidden: cannot get resource \"pods/proxy\""}).to_string()
}

impl Script {
    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, probe: bool) -> Watch {
        let script = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (status, body) = script.scene().answer(&request.uri().to_string());
            async move {
                let response = Response::builder().status(status);
                let response = response.body(Body::from(body.into_bytes()));
                Ok::<_, Infallible>(response.expect("a response"))
            }
        });
        let session = Session {
            cluster: Cluster::new(kube::Client::new(service, "default"), "test"),
            journal: Arc::new(NoJournal),
            clock: self.scene().clock,
            who: crate::engine::session::here(),
        };
        let watched = Watched {
            item: cart(),
            gateway: false,
            port: MetricsPort::Merged,
            behind: 15020,
            selector: BTreeMap::from([("app".into(), "cart".into())]),
            template_port: None,
        };
        Watch::new(&session, Arc::new(prometheus()), vec![watched], probe)
    }
}

impl Scene {
    fn answer(&mut self, uri: &str) -> (u16, String) {
        let path = uri.split('?').next().unwrap_or_default();
        match path {
            "/api/v1/namespaces/shop/pods" => {
                (200, list(self.pods.iter().map(|name| meshed(name))))
            }
            "/apis/apps/v1/namespaces/shop/deployments/cart" => (
                200,
                json!({"spec": {"replicas": self.replicas}}).to_string(),
            ),
            "/api/v1/namespaces/mon/pods" => {
                let proms = self.proms.iter();
                (
                    200,
                    list(proms.map(
                        |name| json!({"metadata": {"name": name}, "status": {"phase": "Running"}}),
                    )),
                )
            }
            "/apis/apps/v1/namespaces/mon/deployments/prometheus" => (
                200,
                json!({"spec": {"selector": {"matchLabels": {"app": "p"}}}}).to_string(),
            ),
            "/apis/security.istio.io/v1/namespaces/shop/peerauthentications" => {
                let mode = if self.strict { "STRICT" } else { "PERMISSIVE" };
                let spec = json!({"selector": {"matchLabels": {"app": "cart"}}, "portLevelMtls": {"15091": {"mode": mode}}});
                (200, list([ours(spec)].into_iter()))
            }
            "/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies" => {
                let rules = json!([
                    {"from": [{"source": {"notPrincipals": ["cluster.local/ns/mon/sa/prometheus"]}}], "to": [{"operation": {"ports": ["15091"]}}]},
                    {"to": [{"operation": {"ports": ["15091"], "notPaths": ["/stats/prometheus"]}}]},
                ]);
                let spec = json!({"action": "DENY", "rules": rules});
                let there = (!self.policy_gone).then(|| ours(spec));
                (200, list(there.into_iter()))
            }
            "/apis/networking.istio.io/v1/namespaces/shop/sidecars" => {
                let spec = json!({
                    "workloadSelector": {"labels": {"app": "cart"}},
                    "ingress": [{"port": {"number": 15091}, "defaultEndpoint": "127.0.0.1:15020"}],
                });
                (200, list([ours(spec)].into_iter()))
            }
            "/api/v1/namespaces/shop/pods/http:cart-1:15091/proxy/stats/prometheus" => {
                self.probes += 1;
                self.plaintext.clone()
            }
            _ => self.prometheus(uri),
        }
    }

    fn prometheus(&self, uri: &str) -> (u16, String) {
        if let Some(error) = &self.prom_error {
            return error.clone();
        }
        let now = self.clock.now();
        let data = if uri.contains("/api/v1/status/config") {
            json!({"yaml": if self.job_loaded { CONFIG } else { "scrape_configs: []" }})
        } else if uri.contains("/api/v1/scrape_pools") {
            let pools: &[&str] = if self.pool && self.job_loaded {
                &[JOB]
            } else {
                &[]
            };
            json!({"scrapePools": pools})
        } else if uri.contains("/api/v1/query?query=time%28%29") {
            let now = format!("{}", now.as_millisecond() as f64 / 1000.0);
            json!({"resultType": "scalar", "result": [0, now]})
        } else if uri.contains("/api/v1/targets?state=active&scrapePool=") {
            let scraped = now.saturating_sub(jiff::SignedDuration::from_secs(self.scraped));
            let scraped = scraped.unwrap_or(now);
            json!({"activeTargets": [{
                "discoveredLabels": {"__meta_kubernetes_namespace": "shop", "__meta_kubernetes_pod_name": "cart-1"},
                "scrapePool": JOB, "scrapeUrl": "https://10.0.0.9:15091/stats/prometheus", "health": self.health,
                "lastError": if self.health == "down" { "EOF" } else { "" },
                "lastScrape": scraped.to_string(), "lastScrapeDuration": 0.01, "scrapeInterval": "15s",
            }]})
        } else {
            return (501, format!("not told: {uri}"));
        };
        (200, json!({"status": "success", "data": data}).to_string())
    }
}

const CONFIG: &str = "
scrape_configs:
- job_name: istio-secure-merged-metrics
  kubernetes_sd_configs:
  - role: pod
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]
    action: keep
    regex: \\d+
";

fn list(items: impl Iterator<Item = Value>) -> String {
    json!({"metadata": {}, "items": items.collect::<Vec<_>>()}).to_string()
}

fn ours(spec: Value) -> Value {
    json!({"metadata": {"name": "meshscrape-cart", "namespace": "shop"}, "spec": spec})
}

fn meshed(name: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": name, "labels": {"app": "cart"},
            "annotations": {"prometheus.istio.io/secure-port": "15091"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-66d9"}],
        },
        "spec": {"initContainers": [{"name": "istio-proxy"}], "containers": [{"name": "app"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn cart() -> WorkloadRef {
    WorkloadRef::new("shop", Kind::Deployment, "cart")
}

fn prometheus() -> mesh::Prometheus {
    mesh::Prometheus {
        id: WorkloadRef::new("mon", Kind::Deployment, "prometheus"),
        flavour: PrometheusFlavour::Plain,
        owner: None,
        desired: 1,
        pods: Vec::new(),
        template: Default::default(),
        pod_home: mesh::PodHome::Template,
        service_account: "prometheus".into(),
        shared_with: Vec::new(),
        container: "prometheus".into(),
        http_port: 9090,
        route_prefix: String::new(),
        web_config: false,
        uid: String::new(),
        config: None,
        looks: None,
        reloader: true,
        lifecycle: false,
        storage: Storage::EmptyDir,
        strategy: "Recreate".into(),
        sidecar: true,
        outbound: None,
        certificates: None,
        obstacles: Vec::new(),
        faults: Vec::new(),
    }
}

struct NoJournal;

impl Journal for NoJournal {
    fn append(&self, _: &Entry) -> Result<(), Error> {
        Err(Error::new("a watch writes nothing"))
    }
    fn run(&self, _: Option<&str>) -> Result<Vec<Entry>, Error> {
        Ok(Vec::new())
    }
    fn runs(&self) -> Result<Vec<RunNote>, Error> {
        Ok(Vec::new())
    }
}

const UP: State = State::Up { double: None };

#[tokio::test(start_paused = true)]
async fn up_and_refused_is_secured_and_probed_once() {
    let script = Script::default();
    let mut watch = script.watch(true);
    let board = watch.look().await;
    assert_eq!(board.rows[0].state, UP);
    assert_eq!(board.rows[0].probe, Probe::Refused);
    assert_eq!((board.counts.up, board.counts.secured), (1, 1));
    assert!(board.replicas[0].job_loaded && board.stale.is_none());
    tokio::time::advance(Duration::from_secs(300)).await;
    watch.look().await;
    assert_eq!(script.scene().probes, 1);
    // A change makes it ask again, once the target is UP anew.
    watch.touched(Some(&cart()), false);
    let board = watch.look().await;
    assert!(matches!(&board.rows[0].state, State::Waiting { .. }));
    assert_eq!(script.scene().probes, 1);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(watch.look().await.counts.secured, 1);
    assert_eq!(script.scene().probes, 2);
}

#[tokio::test(start_paused = true)]
async fn no_probe_before_the_policies_stand_or_the_target_is_up() {
    let script = Script::default();
    let mut unasked = script.watch(false);
    assert_eq!(unasked.look().await.rows[0].probe, Probe::NotAsked);
    script.scene().health = "down";
    let mut watch = script.watch(true);
    let board = watch.look().await;
    assert_eq!(board.rows[0].probe, Probe::NotAsked);
    let State::Down { cause, .. } = &board.rows[0].state else {
        panic!("not DOWN");
    };
    let code = cause.as_ref().map(|cause| cause.code().name());
    assert_eq!(
        code,
        Some("HandshakeUnderStrict"),
        "the policy was read for the cause"
    );
    script.scene().health = "up";
    script.scene().strict = false;
    tokio::time::advance(Duration::from_secs(31)).await;
    let board = watch.look().await;
    assert!(
        matches!(&board.rows[0].probe, Probe::Unknown(why) if why == say::NOT_CHECKED_NO_POLICY)
    );
    assert_eq!(script.scene().probes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_goes_is_seen_by_a_watch_that_had_called_it_secured() {
    let script = Script::default();
    let mut watch = script.watch(true);
    assert_eq!(watch.look().await.counts.secured, 1);
    script.scene().policy_gone = true;
    tokio::time::advance(Duration::from_secs(16)).await;
    let board = watch.look().await;
    assert_eq!(
        (
            board.counts.up,
            board.counts.secured,
            board.counts.unguarded
        ),
        (1, 0, 1)
    );
    let Problem::GuardGone { object, .. } = &board.rows[0].guard.faults()[0] else {
        panic!("{:?}", board.rows[0].guard);
    };
    assert_eq!(
        object.to_string(),
        "AuthorizationPolicy shop/meshscrape-cart"
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_may_not_be_made_says_what_it_needs() {
    let script = Script::default();
    script.scene().plaintext = (403, denied());
    let board = script.watch(true).look().await;
    assert_eq!(board.rows[0].state, UP);
    assert!(matches!(&board.rows[0].probe, Probe::Unknown(why) if why.contains("pods/proxy")));
    assert_eq!(board.counts.secured, 0);
}

#[tokio::test(start_paused = true)]
async fn when_prometheus_is_away_old_figures_are_marked_old() {
    let script = Script::default();
    let mut watch = script.watch(true);
    let fresh = watch.look().await;
    script.scene().prom_error = Some((503, "Service Unavailable".into()));
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(10)).await;
        let old = watch.look().await;
        let (why, since) = old.stale.clone().expect("stale");
        let place = said::pod_on_port("mon", "prometheus-5d-a", 9090);
        assert!(why.contains(&said::not_ready(&place)), "{why}");
        assert_eq!((Some(since), &old.rows), (fresh.at, &fresh.rows));
    }
    script.scene().proms.clear();
    let (why, _) = watch.look().await.stale.clone().expect("stale");
    assert!(
        why.contains(&said::no_pod_runs(&"mon/Deployment/prometheus")),
        "{why}"
    );
    script.scene().proms.push("prometheus-5d-b");
    script.scene().prom_error = None;
    let back = watch.look().await;
    assert_eq!((back.stale.as_ref(), back.counts.up), (None, 1));
    assert_eq!(back.replicas[0].pod, "prometheus-5d-b");
}

#[tokio::test(start_paused = true)]
async fn a_first_look_without_prometheus_still_shows_the_pods() {
    let script = Script::default();
    script.scene().prom_error = Some((401, "Unauthorized".into()));
    let board = script.watch(true).look().await;
    assert!(board.stale.is_some());
    assert_eq!(board.rows.len(), 1);
    assert!(matches!(&board.rows[0].state, State::Waiting { .. }));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_expected_of_what_is_scaled_to_zero() {
    let script = Script::default();
    script.scene().pods.clear();
    let mut watch = script.watch(true);
    let board = watch.look().await;
    assert!(matches!(
        &board.rows[0].state,
        State::Waiting {
            on: Waits::NoPod,
            ..
        }
    ));
    script.scene().replicas = 0;
    assert!(watch.look().await.rows.is_empty());
}

#[tokio::test(start_paused = true)]
async fn until_looks_again_and_ends_in_time() {
    let script = Script::default();
    script.scene().job_loaded = false;
    let mut watch = script.watch(false);
    watch.touched(None, false);
    let boards = Arc::new(Mutex::new(0));
    let report = {
        let (script, boards) = (script.clone(), Arc::clone(&boards));
        move |_: Arc<Board>| {
            let mut boards = boards.lock().unwrap_or_else(PoisonError::into_inner);
            *boards += 1;
            if *boards == 5 {
                script.scene().job_loaded = true;
            }
        }
    };
    let begun = Instant::now();
    let all_up = |board: &Board| board.counts.up == board.counts.all();
    let every = Duration::from_secs(2);
    let deadline = begun + Duration::from_secs(60);
    let board = watch.until(every, deadline, &report, all_up).await;
    assert_eq!(
        (board.counts.up, begun.elapsed()),
        (1, Duration::from_secs(10))
    );
    let deadline = Instant::now() + Duration::from_secs(5);
    let begun = Instant::now();
    watch.until(every, deadline, &report, |_| false).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn whether_a_job_is_loaded() {
    let script = Script::default();
    let watch = script.watch(false);
    assert_eq!(watch.job_loaded(JOB).await, Ok(Loaded::Yes));
    assert_eq!(watch.job_dropped(JOB).await, Ok(false));
    script.scene().pool = false;
    let missing = watch.job_loaded(JOB).await;
    assert!(matches!(missing, Ok(Loaded::NoPool(_))), "{missing:?}");
    script.scene().job_loaded = false;
    assert_eq!(watch.job_loaded(JOB).await, Ok(Loaded::NotYet));
    assert_eq!(watch.job_dropped(JOB).await, Ok(true));
    script.scene().proms.clear();
    assert!(watch.job_loaded(JOB).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_monitor_goes_on_by_itself() {
    let script = Script::default();
    let (sender, mut boards) = tokio::sync::mpsc::unbounded_channel();
    let monitor = monitor(script.watch(true), Duration::from_secs(5), move |board| {
        _ = sender.send(board);
    });
    // Spawned: the whole watch can cross threads.
    let task = tokio::spawn(monitor);
    let first = boards.recv().await.expect("a board");
    let second = boards.recv().await.expect("a board");
    let apart = second
        .at
        .expect("a time")
        .duration_since(first.at.expect("a time"));
    assert_eq!(apart.as_secs(), 5);
    task.abort();
}
