//! A Prometheus that is in the mesh already: what it sends through its sidecar goes on; and one whose certificates
//! come later than its configuration.

use crate::evidence;
use crate::objects::{objects, same, text};
use crate::program::Program;
use crate::prom::{Prom, pod};
use crate::report::{Checks, Stop};
use crate::shell::{apply, get, http, kubectl, pause, rolled_out, until};
use crate::world::{self, httpbin};
use serde_json::{Value, json};
use std::time::Duration;

pub struct Cell {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Cell, &mut Checks) -> Result<(), Stop>,
    /// It takes istiod away: nothing else may be at work.
    pub alone: bool,
}

pub const CELLS: &[Cell] = &[
    Cell {
        name: "meshed-prometheus",
        about: "a Prometheus in the mesh goes on sending alerts and remote write to what demands mTLS",
        run: meshed,
        alone: false,
    },
    Cell {
        name: "late-certificates",
        about: "istiod is away while Prometheus restarts: the cause is told, and an apply cures it",
        run: late,
        alone: true,
    },
    Cell {
        name: "late-watched",
        about: "istiod is away while Prometheus restarts: its reloader, which watches the certificates, cures it",
        run: late_watched,
        alone: true,
    },
];

const SHORT: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(150);
/// Seconds after which a firing alert is sent again; else a minute.
const RESENT: u8 = 5;
const EXCLUDED: &str = "traffic.sidecar.istio.io/excludeOutboundPorts";

impl Cell {
    pub fn namespace(&self) -> String {
        format!("mesh-{}", self.name)
    }

    fn choices(&self) -> Vec<String> {
        let namespace = self.namespace();
        let words = format!(
            "-w {namespace}/Deployment/httpbin --prometheus {namespace}/Deployment/prometheus --timeout 120"
        );
        words.split_whitespace().map(str::to_owned).collect()
    }

    pub fn evidence(&self) -> String {
        evidence::of(&self.namespace(), &self.choices(), &[])
    }

    /// Namespace under STRICT, httpbin, and the sample Prometheus after some changes to its Deployment and its
    /// configuration.
    fn build(
        &self,
        change: impl Fn(&mut Value),
        config: impl Fn(&str) -> String,
    ) -> Result<(), String> {
        let namespace = self.namespace();
        world::clear(&namespace, true)?;
        apply(&world::namespace(&namespace, Some("STRICT")))?;
        let mut all = httpbin(&namespace)?;
        all.extend(world::prometheus(&namespace)?);
        for object in &mut all {
            let prometheus = object["metadata"]["name"] == "prometheus";
            if object["kind"] == "Deployment" && prometheus {
                change(&mut object["spec"]["template"]);
            }
            if object["kind"] == "ConfigMap" && prometheus {
                let sample = text(&object["data"]["prometheus.yml"]).to_owned();
                object["data"]["prometheus.yml"] = config(&sample).into();
                let rule = "groups:\n- name: g\n  interval: 5s\n  rules: [{alert: Always, expr: vector(1)}]\n";
                object["data"]["alerting_rules.yml"] = rule.into();
            }
        }
        apply(&all)?;
        rolled_out(&namespace, "httpbin")?;
        rolled_out(&namespace, "prometheus")
    }
}

/// One of Prometheus's own counters, over all its labels.
fn counter(prom: &Prom, name: &str) -> Result<f64, String> {
    let (_, body) = http("GET", &prom.ip, 9090, "/metrics")?;
    let values = body.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let of = rest.starts_with([' ', '{']);
        of.then(|| line.rsplit(' ').next()?.parse::<f64>().ok())?
    });
    Ok(values.sum())
}

/// What was sent so far, and what went wrong.
struct Sent {
    alerts: f64,
    samples: f64,
    /// Alerts that failed, samples that failed or were tried again.
    wrong: f64,
}

impl Sent {
    fn now(prom: &Prom) -> Result<Sent, String> {
        let mut wrong = 0.0;
        for name in [
            "prometheus_notifications_errors_total",
            "prometheus_remote_storage_samples_failed_total",
            "prometheus_remote_storage_samples_retried_total",
        ] {
            wrong += counter(prom, name)?;
        }
        Ok(Sent {
            alerts: counter(prom, "prometheus_notifications_sent_total")?,
            samples: counter(prom, "prometheus_remote_storage_samples_total")?,
            wrong,
        })
    }

    fn words(&self) -> String {
        let Sent {
            alerts,
            samples,
            wrong,
        } = self;
        format!("alerts {alerts}, samples {samples}, failed or retried {wrong}")
    }
}

/// Alerts and samples arrive, and none fails meanwhile. What failed before does not count: the receiver restarts too.
fn sends(prom: &Prom) -> Result<String, String> {
    until(LONG, || {
        let first = Sent::now(prom)?;
        let more = || {
            let now = Sent::now(prom)?;
            match now.alerts > first.alerts && now.samples > first.samples {
                true => Ok(now),
                false => Err(now.words()),
            }
        };
        // Twice the time between two alerts.
        let now = until(Duration::from_secs(2 * u64::from(RESENT)), more)?;
        match now.wrong > first.wrong {
            false => Ok(format!("from {} to {}", first.words(), now.words())),
            true => Err(format!("from {} to {}", first.words(), now.words())),
        }
    })
}

fn meshed(cell: &Cell, checks: &mut Checks) -> Result<(), Stop> {
    let namespace = cell.namespace();
    let sink = format!("httpbin.{namespace}.svc:8000");
    let more = format!(
        "alerting:\n  alertmanagers:\n  - path_prefix: /anything\n    static_configs: [{{targets: ['{sink}']}}]\n\
         remote_write:\n- url: http://{sink}/anything\n"
    );
    let (mut prom, mut program, mut before) = (None, None, None);
    checks.must("a Prometheus in the mesh that sends", || {
        let meshed = |template: &mut Value| {
            template["metadata"]["labels"]["sidecar.istio.io/inject"] = "true".into();
            // So that this harness may ask it.
            let key = "traffic.sidecar.istio.io/includeInboundPorts";
            template["metadata"]["annotations"] = json!({key: ""});
            for container in template["spec"]["containers"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                if container["name"] == "prometheus-server"
                    && let Some(args) = container["args"].as_array_mut()
                {
                    args.push(format!("--rules.alert.resend-delay={RESENT}s").into());
                }
            }
        };
        cell.build(meshed, |sample| format!("{sample}{more}"))?;
        let found = until(SHORT, || Prom::of(&namespace))?;
        // An alert that comes before its receiver was discovered is lost: the next one counts.
        let words = sends(&found)?;
        program = Some(Program::new(cell.name, &cell.choices())?);
        before = Some(objects(&namespace)?);
        prom = Some(found);
        Ok(words)
    })?;
    let (Some(program), Some(before)) = (program, before) else {
        return Err(Stop);
    };
    checks.must("apply", || program.apply()?.well())?;
    checks.add("only the secure port leaves the capture", || {
        let deployment = get(&["-n", &namespace, "deployment", "prometheus"])?;
        let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
        let cut = annotations.get("traffic.sidecar.istio.io/includeOutboundIPRanges");
        match annotations[EXCLUDED] == "15091" && cut.is_none() {
            true => Ok(annotations[EXCLUDED].to_string()),
            false => Err(annotations.to_string()),
        }
    });
    checks.add("alerts and samples still arrive", || {
        sends(&until(SHORT, || Prom::of(&namespace))?)
    });
    checks.add("undo", || program.undo()?.well());
    checks.add("the objects as before", || {
        same(&before, &objects(&namespace)?)
    });
    Ok(())
}

/// Its agent is an ordinary container, and starts half a minute after the pod was admitted: time to take istiod away.
fn slow(template: &mut Value) {
    let image = std::env::var("MESH_BASE_IMAGE").unwrap_or_default();
    template["metadata"]["annotations"] = json!({"sidecar.istio.io/nativeSidecar": "false"});
    template["spec"]["initContainers"] = json!([{
        "name": "slow", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", "sleep 30"],
    }]);
    template["spec"]["terminationGracePeriodSeconds"] = 1.into();
}

/// The same without the sample's reloader, which would watch the certificates.
fn slow_alone(template: &mut Value) {
    slow(template);
    let containers = template["spec"]["containers"].as_array_mut();
    if let Some(containers) = containers {
        containers.retain(|one| one["name"] == "prometheus-server");
    }
}

/// One job, whose discovery sees httpbin's pods alone: nothing changes there while istiod is away and comes back. With any
/// change that any discovery reports, Prometheus tries again to make the pools that it could not make (`reload` in its
/// scrape/manager.go); in the sample's jobs one comes soon, if only of its own pod.
fn quiet(namespace: &str) -> String {
    include_str!("data/quiet.yaml").replace("NAMESPACE", namespace)
}

/// Istiod is away until this goes.
struct Away;

impl Drop for Away {
    fn drop(&mut self) {
        let _ = scale_istiod(1);
    }
}

fn scale_istiod(replicas: u8) -> Result<(), String> {
    let replicas = format!("--replicas={replicas}");
    kubectl(&[
        "scale",
        "-n",
        "istio-system",
        "deployment/istiod",
        &replicas,
    ])
    .map(drop)
}

/// The cause of the one target, which is not UP.
fn cause(program: &Program, wanted: &str) -> Result<String, String> {
    let (code, status) = program.status()?;
    match (code, text(&status["targets"][0]["cause"]["name"])) {
        (3, found) if found == wanted => Ok(wanted.to_owned()),
        _ => Err(format!("exit {code}: {}", status["targets"])),
    }
}

/// Secured with that template; then it restarts, and its agent finds no istiod.
fn without_istiod(
    cell: &Cell,
    checks: &mut Checks,
    template: fn(&mut Value),
) -> Result<(Program, Option<Away>), Stop> {
    let namespace = cell.namespace();
    let mut program = None;
    checks.must("a Prometheus whose agent is slow, secured", || {
        cell.build(template, |_| quiet(&namespace))?;
        let made = Program::new(cell.name, &cell.choices())?;
        let words = made.apply()?.well()?;
        program = Some(made);
        Ok(words)
    })?;
    let Some(program) = program else {
        return Err(Stop);
    };
    let mut away = None;
    checks.must("it restarts while istiod is away", || {
        let labels = "app.kubernetes.io/name=prometheus";
        let old = text(&pod(&namespace, labels)?["metadata"]["uid"]).to_owned();
        kubectl(&[
            "delete",
            "pods",
            "-n",
            &namespace,
            "-l",
            labels,
            "--wait=false",
        ])?;
        until(SHORT, || {
            let found = pod(&namespace, labels)?;
            match found["metadata"]["uid"] == old.as_str() {
                false => Ok(()),
                true => Err("the old pod is still there".to_owned()),
            }
        })?;
        away = Some(Away);
        scale_istiod(0)?;
        kubectl(&[
            "delete",
            "pods",
            "-n",
            "istio-system",
            "-l",
            "app=istiod",
            "--force",
            "--grace-period=0",
        ])?;
        until(SHORT, || {
            let prom = Prom::of(&namespace)?;
            let (status, _) = http("GET", &prom.ip, 9090, "/-/ready")?;
            match status {
                200 => Ok("Prometheus runs".to_owned()),
                other => Err(format!("ready: {other}")),
            }
        })
    })?;
    checks.add("without istiod that is the cause", || {
        until(LONG, || cause(&program, "CertificatesMissing"))
    });
    Ok((program, away))
}

/// Istiod is there again, and with it the certificates.
fn istiod_returns(cell: &Cell, checks: &mut Checks, away: Option<Away>) -> Result<(), Stop> {
    checks.must("istiod comes back", || {
        drop(away);
        rolled_out("istio-system", "istiod")?;
        rolled_out(&cell.namespace(), "prometheus").map(|()| String::new())
    })
}

fn late(cell: &Cell, checks: &mut Checks) -> Result<(), Stop> {
    let (program, away) = without_istiod(cell, checks, slow_alone)?;
    istiod_returns(cell, checks, away)?;
    checks.add("then it is that they came late", || {
        until(LONG, || cause(&program, "CertificatesLate"))
    });
    checks.add("Prometheus does not try again by itself", || {
        // Discovery gathers for 5 s; this is six times that.
        pause(30_000);
        cause(&program, "CertificatesLate")
    });
    checks.add("an apply that has nothing to write reloads it", || {
        let told = program.apply()?;
        told.well()?;
        match told.text.contains("reloaded") {
            true => Ok("reloaded, and all UP".into()),
            false => Err(told.text),
        }
    });
    Ok(())
}

/// The sample's own reloader watches the certificates since the apply, and nobody has to do anything.
fn late_watched(cell: &Cell, checks: &mut Checks) -> Result<(), Stop> {
    let (program, away) = without_istiod(cell, checks, slow)?;
    checks.add("its reloader watches the certificates", || {
        let namespace = cell.namespace();
        let found = get(&["-n", &namespace, "deployment", "prometheus"])?;
        let containers = found["spec"]["template"]["spec"]["containers"].to_string();
        match containers.contains("--watched-dir=/etc/istio-certs") {
            true => Ok(String::new()),
            false => Err(containers),
        }
    });
    istiod_returns(cell, checks, away)?;
    checks.add("all targets come UP with nobody's help", || {
        until(LONG, || match program.status()? {
            (0, _) => Ok("exit 0".to_owned()),
            (code, status) => Err(format!("exit {code}: {}", status["targets"])),
        })
    });
    checks.add("undo", || program.undo()?.well());
    checks.add("the watch is gone", || {
        let found = get(&["-n", &cell.namespace(), "deployment", "prometheus"])?;
        let containers = found["spec"]["template"]["spec"]["containers"].to_string();
        match containers.contains("istio-certs") {
            false => Ok(String::new()),
            true => Err(containers),
        }
    });
    Ok(())
}
