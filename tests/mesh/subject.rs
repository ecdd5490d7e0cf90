//! A workload or gateway of a cell, and everything that must hold of it once it is secured.

use crate::objects::text;
use crate::probe::{AS_PROMETHEUS, AS_STRANGER, From, ask};
use crate::prom::{Prom, Target, pod};
use crate::report::Checks;
use crate::shell::{exec, until};
use crate::world::GATEWAY;
use std::cell::RefCell;
use std::time::Duration;

/// The job that scrapes over mutual TLS.
const JOB: &str = "istio-secure-merged-metrics";
const SECURE: u16 = 15091;
/// A scrape every 5 s, and discovery, which gathers what changes for 5 s.
const SCRAPED: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sidecar,
    Gateway,
}

pub struct Subject {
    pub kind: Kind,
    pub namespace: String,
    pub pod: String,
    pub ip: String,
    /// 15020 or 15090.
    pub port: u16,
    /// Of the namespace.
    pub mode: String,
    /// An ALLOW policy of others lets Prometheus in to the metrics alone.
    pub allowed_alone: bool,
}

/// Envoy's counters by name.
type Counts = std::collections::BTreeMap<String, u64>;

impl Subject {
    pub fn of(kind: Kind, namespace: &str, port: u16, mode: &str) -> Result<Subject, String> {
        let labels = match kind {
            Kind::Sidecar => "app=httpbin".to_owned(),
            Kind::Gateway => format!("istio={namespace}-{GATEWAY}"),
        };
        let found = pod(namespace, &labels)?;
        Ok(Subject {
            kind,
            namespace: namespace.into(),
            pod: text(&found["metadata"]["name"]).into(),
            ip: text(&found["status"]["podIP"]).into(),
            port,
            mode: mode.into(),
            allowed_alone: false,
        })
    }

    /// Before anything was written, and again after the undo: read in plaintext by the old job, nothing on 15091.
    pub fn plain(&self, prom: &Prom, checks: &mut Checks) {
        checks.add("old scraping works", || {
            until(SCRAPED, || {
                self.only(prom, "kubernetes-pods", "http", 15020)
            })
        });
        let asked = ask(
            &From::Stranger,
            &[
                ("plain", self.url("http", 15020, "/stats/prometheus")),
                ("secure", self.url("http", SECURE, "/stats/prometheus")),
            ],
        );
        // A harness that could not read metrics in plaintext would see refusals everywhere.
        checks.add("plaintext is read on 15020", || {
            asked.clone()?["plain"].gives_metrics()
        });
        checks.add("nothing on 15091", || {
            let answer = &asked.clone()?["secure"];
            match answer.series == 0 && answer.status != 200 {
                true => Ok(answer.words()),
                false => Err(answer.words()),
            }
        });
        self.app(checks);
    }

    /// What was promised of a secured one.
    pub fn secured(&self, prom: &Prom, checks: &mut Checks) {
        checks.add("UP over https on a new connection", || {
            until(SCRAPED, || self.up(prom))
        });
        // On a busy machine a single scrape breaks off now and then, and its series are stale until the next.
        checks.add("the series behind the port", || {
            until(SCRAPED, || self.series(prom))
        });
        checks.add("scraped once", || self.once(prom));
        self.refused(checks);
        self.paths(prom, checks);
        self.app(checks);
        checks.add("a meshed client reaches Prometheus", || {
            let url = format!("http://prometheus.{}:9090/-/ready", self.namespace);
            ask(&From::Meshed, &[("ready", url)])?["ready"].gives(200)
        });
    }

    fn url(&self, scheme: &str, port: u16, path: &str) -> String {
        format!("{scheme}://{}:{port}{path}", self.ip)
    }

    pub fn up(&self, prom: &Prom) -> Result<String, String> {
        let wanted = self.url("https", SECURE, "/stats/prometheus");
        let targets = prom.targets(&self.ip)?;
        let target = targets
            .iter()
            .find(|t| t.url == wanted)
            .ok_or_else(|| format!("no target {wanted}; there are:\n{}", words(&targets)))?;
        match target.health == "up" && target.job == JOB {
            true => Ok(format!("{} {}", target.job, target.url)),
            false => Err(target.words()),
        }
    }

    /// 15020 has the agent's series beside Envoy's, 15090 Envoy's alone.
    fn series(&self, prom: &Prom) -> Result<String, String> {
        let of = format!("job=\"{JOB}\",pod=\"{}\"", self.pod);
        let envoy = prom.count(&format!("count({{__name__=~\"envoy_.*\",{of}}})"))?;
        let agent = prom.count(&format!("count({{__name__=~\"istio_agent_.*\",{of}}})"))?;
        let words = format!("{envoy} of Envoy, {agent} of the agent");
        match envoy > 0.0 && (agent > 0.0) == (self.port == 15020) {
            true => Ok(words),
            false => Err(words),
        }
    }

    /// With 15090 the old job stays, since it alone brings the metrics of the agent and the app.
    pub fn once(&self, prom: &Prom) -> Result<String, String> {
        // That it is UP was seen before; here only who scrapes it counts.
        let targets = prom.targets(&self.ip)?;
        if self.port == 15020 {
            let url = self.url("https", SECURE, "/stats/prometheus");
            return match &targets[..] {
                [one] if one.job == JOB && one.url == url => Ok(format!("{JOB} alone")),
                _ => Err(format!("not {JOB} alone:\n{}", words(&targets))),
            };
        }
        let count = |job: &str| targets.iter().filter(|t| t.job == job).count();
        match count(JOB) == 1 && count("kubernetes-pods") == 1 && targets.len() == 2 {
            true => {
                Ok("by the old job as well, which brings the agent's and the app's metrics".into())
            }
            false => Err(words(&targets)),
        }
    }

    fn only(&self, prom: &Prom, job: &str, scheme: &str, port: u16) -> Result<String, String> {
        let targets = prom.targets(&self.ip)?;
        let url = self.url(scheme, port, "/stats/prometheus");
        match &targets[..] {
            [one] if one.job == job && one.url == url && one.health == "up" => {
                Ok(format!("{job} alone"))
            }
            _ => Err(format!("not {job} alone:\n{}", words(&targets))),
        }
    }

    /// Others get nothing: not in plaintext, and not with another workload's certificate.
    pub fn refused(&self, checks: &mut Checks) {
        let (http, https) = (
            |path: &str| self.url("http", SECURE, path),
            |path: &str| format!("{AS_STRANGER} {}", self.url("https", SECURE, path)),
        );
        let asked = ask(
            &From::Stranger,
            &[
                ("plain", http("/stats/prometheus")),
                ("quit", format!("-X POST {}", http("/quitquitquit"))),
                ("other", https("/stats/prometheus")),
                ("otherquit", format!("-X POST {}", https("/quitquitquit"))),
                (
                    "none",
                    format!(
                        "-k --http1.1 {}",
                        self.url("https", SECURE, "/stats/prometheus")
                    ),
                ),
            ],
        );
        for (check, name) in [
            ("plaintext to 15091 is broken off", "plain"),
            ("plaintext /quitquitquit is broken off", "quit"),
            ("TLS without a certificate is broken off", "none"),
        ] {
            checks.add(check, || asked.clone()?[name].broken_off());
        }
        for (check, name) in [
            ("another workload's certificate gets no metrics", "other"),
            ("another workload cannot stop the proxy", "otherquit"),
        ] {
            checks.add(check, || {
                let answer = &asked.clone()?[name];
                match self.kind {
                    Kind::Sidecar => answer.gives(403),
                    Kind::Gateway => answer.broken_off(),
                }
            });
        }
    }

    /// Prometheus itself gets the metrics and no other path.
    fn paths(&self, prom: &Prom, checks: &mut Checks) {
        let url = |path: &str| format!("{AS_PROMETHEUS} {}", self.url("https", SECURE, path));
        let asked = ask(
            &From::Prometheus(prom),
            &[
                ("metrics", url("/stats/prometheus")),
                ("quit", format!("-X POST {}", url("/quitquitquit"))),
                ("ready", url("/healthz/ready")),
                ("debug", url("/debug/pprof/cmdline")),
            ],
        );
        checks.add("Prometheus's certificate gets the metrics", || {
            asked.clone()?["metrics"].gives_metrics()
        });
        let refusal = match self.kind {
            Kind::Gateway if !self.allowed_alone => 404,
            _ => 403,
        };
        for (check, name) in [
            ("/quitquitquit is refused to Prometheus too", "quit"),
            ("/healthz/ready is refused", "ready"),
            ("/debug is refused", "debug"),
        ] {
            checks.add(check, || asked.clone()?[name].gives(refusal));
        }
    }

    /// The app answers as before, whatever the port of the metrics does.
    pub fn app(&self, checks: &mut Checks) {
        match self.kind {
            Kind::Sidecar => self.app_of_sidecar(checks),
            Kind::Gateway => self.app_of_gateway(checks),
        }
    }

    fn app_of_sidecar(&self, checks: &mut Checks) {
        let asked = || {
            let url = format!("http://httpbin.{}:8000/status/200", self.namespace);
            ask(&From::Meshed, &[("app", url)])?["app"].gives(200)
        };
        let last = RefCell::new(self.requests_counted());
        checks.add("the app answers through its Service", asked);
        checks.add("its HTTP statistics count", || {
            // A connection that the client's proxy keeps open is still served by a listener that went (45 s of
            // drain), whose counts go with it: so each round asks again, and compares with the round before.
            until(Duration::from_secs(60), || {
                let before = last.borrow().clone()?;
                let after = self.requests_counted()?;
                *last.borrow_mut() = Ok(after.clone());
                // By name: the listener is another after an undo.
                let of = |counts: &Counts, name: &str| counts.get(name).copied().unwrap_or(0);
                let grown = after
                    .keys()
                    .find(|name| of(&after, name) > of(&before, name));
                match grown {
                    Some(name) => Ok(format!("{} → {}", of(&before, name), of(&after, name))),
                    None => {
                        asked()?;
                        Err(format!("{before:?} → {after:?}"))
                    }
                }
            })
        });
        checks.add("its inbound cluster is there", || {
            let clusters = self.envoy("clusters")?;
            match clusters.contains("inbound|8080||::") {
                true => Ok("inbound|8080||".into()),
                false => Err("no inbound|8080||".into()),
            }
        });
        checks.add("plaintext to the app as its mode has it", || {
            let url = self.url("http", 8080, "/status/200");
            let answer = &ask(&From::Stranger, &[("app", url)])?["app"];
            match self.mode.as_str() {
                "STRICT" => answer.broken_off(),
                _ => answer.gives(200),
            }
        });
    }

    fn app_of_gateway(&self, checks: &mut Checks) {
        let asked = ask(
            &From::Stranger,
            &[
                (
                    "app",
                    format!("http://{GATEWAY}.{}/status/200", self.namespace),
                ),
                (
                    "metrics",
                    format!("http://{GATEWAY}.{}/stats/prometheus", self.namespace),
                ),
            ],
        );
        checks.add("the app answers through the gateway", || {
            asked.clone()?["app"].gives(200)
        });
        checks.add("no metrics on the public port", || {
            asked.clone()?["metrics"].gives(404)
        });
    }

    /// Requests that the proxy's inbound side has counted, by whatever name its filter chain has.
    fn requests_counted(&self) -> Result<Counts, String> {
        let stats = self.envoy("stats?filter=http.inbound.*downstream_rq_2xx")?;
        let numbers = stats.lines().filter_map(|line| line.rsplit_once(": "));
        Ok(numbers
            .filter_map(|(name, number)| Some((name.to_owned(), number.trim().parse().ok()?)))
            .collect())
    }

    fn envoy(&self, path: &str) -> Result<String, String> {
        let script = format!("pilot-agent request GET '{path}' 2>/dev/null");
        exec(&self.namespace, &self.pod, "istio-proxy", &script)
    }

    /// The proxy's listeners, for a failure's evidence.
    pub fn listeners(&self) -> String {
        self.envoy("listeners").unwrap_or_else(|error| error)
    }
}

fn words(targets: &[Target]) -> String {
    let all: Vec<String> = targets.iter().map(Target::words).collect();
    match all.is_empty() {
        true => "no target".into(),
        false => all.join("\n"),
    }
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Sidecar => "sidecar",
            Kind::Gateway => "gateway",
        }
    }
}
