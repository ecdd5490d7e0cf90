//! Which plaintext scrape ends, decided for each workload: one on 15020 and one on 15090 together, beside a pod that
//! nobody owns and a Deployment without pods. Nobody is waited for that cannot come, and nobody held back.

use crate::evidence;
use crate::objects::{list, objects, same, text};
use crate::program::Program;
use crate::prom::{Prom, Target};
use crate::report::{Checks, Stop};
use crate::shell::{apply, get, rolled_out, until};
use crate::world;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub const NAME: &str = "plaintext-ends";
const NAMESPACE: &str = "mesh-plaintext-ends";
const PLAIN: &str = "kubernetes-pods";
const SECURE: &str = "istio-secure-merged-metrics";
const SCRAPED: Duration = Duration::from_secs(60);
/// Waiting for what cannot come would take the whole of `--timeout`.
const QUICK: Duration = Duration::from_secs(240);

pub fn evidence() -> String {
    evidence::of(NAMESPACE, &choices(&["httpbin", "idle"], 15020), &[])
}

pub fn namespace() -> String {
    NAMESPACE.into()
}

fn choices(names: &[&str], port: u16) -> Vec<String> {
    let mut words: Vec<String> = names
        .iter()
        .flat_map(|name| ["-w".to_owned(), format!("{NAMESPACE}/Deployment/{name}")])
        .collect();
    let more =
        format!("--prometheus {NAMESPACE}/Deployment/prometheus --port {port} --timeout 300");
    words.extend(more.split_whitespace().map(str::to_owned));
    words
}

/// httpbin once more on 15090, once without pods, and a pod of nobody with httpbin's labels.
fn beside() -> Result<Vec<Value>, String> {
    let live = get(&["-n", NAMESPACE, "deployment", "httpbin"])?;
    let template = &live["spec"]["template"];
    let mut made = Vec::new();
    for (name, replicas) in [("envoy", 1), ("idle", 0)] {
        let mut of = template.clone();
        of["metadata"]["labels"] = json!({"app": name});
        made.push(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": of},
        }));
    }
    let mut spec = template["spec"].clone();
    spec["terminationGracePeriodSeconds"] = json!(1);
    made.push(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "bare", "namespace": NAMESPACE, "labels": template["metadata"]["labels"]},
        "spec": spec,
    }));
    Ok(made)
}

/// The jobs whose target in the workload's one pod is UP.
fn jobs_of(prom: &Prom, prefix: &str) -> Result<Vec<String>, String> {
    let pods = list(&get(&["-n", NAMESPACE, "pods"])?);
    let mut pods = pods.iter().filter(|pod| {
        text(&pod["metadata"]["name"]).starts_with(prefix)
            && pod["metadata"]["deletionTimestamp"].is_null()
    });
    let pod = pods.next().ok_or_else(|| format!("no pod {prefix}"))?;
    let targets = prom.targets(text(&pod["status"]["podIP"]))?;
    let mut jobs: Vec<String> = targets
        .iter()
        .map(|target| match target.health.as_str() {
            "up" => Ok(target.job.clone()),
            _ => Err(Target::words(target)),
        })
        .collect::<Result<_, _>>()?;
    jobs.sort();
    Ok(jobs)
}

fn scraped(prom: &Prom, prefix: &str, wanted: &[&str]) -> Result<String, String> {
    until(SCRAPED, || {
        let jobs = jobs_of(prom, prefix)?;
        match jobs == wanted {
            true => Ok(format!("by {}", jobs.join(", "))),
            false => Err(format!("by {jobs:?}")),
        }
    })
}

pub fn run(checks: &mut Checks) -> Result<(), Stop> {
    checks.must("the samples stand", || {
        world::build(NAMESPACE, "PERMISSIVE")?;
        apply(&beside()?)?;
        rolled_out(NAMESPACE, "envoy")?;
        until(SCRAPED, || {
            let pod = get(&["-n", NAMESPACE, "pod", "bare"])?;
            match text(&pod["status"]["phase"]) {
                "Running" => Ok(()),
                phase => Err(format!("bare is {phase}")),
            }
        })?;
        Ok(NAMESPACE.into())
    })?;
    let mut before = None;
    checks.must("the objects before", || {
        before = Some(objects(NAMESPACE)?);
        Ok(String::new())
    })?;
    let envoy = Program::new(&format!("{NAME}-envoy"), &choices(&["envoy"], 15090));
    let others = Program::new(NAME, &choices(&["httpbin", "idle"], 15020));
    let (Ok(envoy), Ok(others)) = (envoy, others) else {
        return checks.must("two state folders", || Err("there is none".into()));
    };
    checks.must("envoy is secured on 15090", || envoy.apply()?.well())?;
    let begun = Instant::now();
    checks.must("httpbin is secured, with idle beside it", || {
        others.apply()?.well()
    })?;
    checks.add("nobody was waited for who cannot come", || {
        match begun.elapsed() {
            took if took < QUICK => Ok(format!("{} s", took.as_secs())),
            took => Err(format!("{} s", took.as_secs())),
        }
    });
    let mut prom = None;
    checks.must("Prometheus", || {
        prom = Some(until(Duration::from_secs(30), || Prom::of(NAMESPACE))?);
        Ok(String::new())
    })?;
    let Some(prom) = prom else { return Err(Stop) };
    checks.add("httpbin is scraped once, over mutual TLS", || {
        scraped(&prom, "httpbin-", &[SECURE])
    });
    checks.add("envoy keeps its plaintext scrape beside 15090", || {
        scraped(&prom, "envoy-", &[SECURE, PLAIN])
    });
    checks.add("the pod of nobody keeps its plaintext scrape", || {
        scraped(&prom, "bare", &[PLAIN])
    });
    for (name, program) in [("httpbin", &others), ("envoy", &envoy)] {
        checks.add(&format!("plan finds {name} in place"), || {
            match program.plan()? {
                (0, _) => Ok("nothing to change".into()),
                (code, plan) => Err(format!("exit {code}: {}", plan["summary"])),
            }
        });
    }
    // An older run is not taken back from under a newer one.
    checks.must("undo of the second run", || others.undo()?.well())?;
    checks.must("undo of the first run", || envoy.undo()?.well())?;
    checks.add("the objects are as before", || {
        same(&before.unwrap_or_default(), &objects(NAMESPACE)?)
    });
    checks.add("httpbin is scraped in plaintext again", || {
        // The undo has restarted it.
        let prom = until(Duration::from_secs(30), || Prom::of(NAMESPACE))?;
        scraped(&prom, "httpbin-", &[PLAIN])
    });
    Ok(())
}
