//! What guards a secured port is taken away or altered, object by object: `status` names it, and `apply` brings it back.
//! Beside it a workload whose own proxy opens its port, which needs none of these objects.

use crate::evidence;
use crate::matrix::{choices, says_secured};
use crate::probe::{AS_STRANGER, From, ask};
use crate::program::Program;
use crate::report::{Checks, Stop};
use crate::shell::{apply, kubectl, rolled_out, until};
use crate::subject::{Kind, Subject};
use crate::world::{self, GATEWAY};
use serde_json::{Value, json};
use std::time::Duration;

pub const NAME: &str = "guards";
const POLICY: &str = "authorizationpolicy";

pub fn namespace() -> String {
    format!("mesh-{NAME}")
}

/// Kind as kubectl has it, name of the object, a patch (none: it is deleted), and the field that is told.
type Case = (&'static str, String, Option<Value>, Option<&'static str>);

/// Each is added to the ones before: one apply brings all of them back.
fn cases() -> Vec<Case> {
    let web = || "meshscrape-httpbin".to_owned();
    let edge = || format!("meshscrape-{GATEWAY}");
    let replace =
        |path: &str, value: Value| Some(json!([{"op": "replace", "path": path, "value": value}]));
    let everybody = replace("/spec/rules/0/from/0/source/notPrincipals", json!(["*"]));
    let permissive = replace("/spec/portLevelMtls/15091/mode", json!("PERMISSIVE"));
    let anyone = Some(json!([{"op": "remove", "path": "/spec/servers/0/tls/subjectAltNames"}]));
    let principals = Some("spec.rules.from.source.notPrincipals");
    let names = Some("spec.servers.tls.subjectAltNames");
    vec![
        (POLICY, web(), everybody, principals),
        (
            "peerauthentication",
            web(),
            permissive,
            Some("spec.portLevelMtls"),
        ),
        ("gateways.networking.istio.io", edge(), anyone, names),
        (POLICY, web(), None, None),
        ("peerauthentication", web(), None, None),
        ("sidecar", web(), None, None),
        ("virtualservice", edge(), None, None),
    ]
}

pub fn run(checks: &mut Checks) -> Result<(), Stop> {
    let space = namespace();
    checks.must("the samples stand", || {
        world::build(&space, "PERMISSIVE").map(|()| space.clone())
    })?;
    checks.must("a workload with a native port stands", || native(&space))?;
    let mut program = None;
    checks.must("apply exits 0 and says secured", || {
        let made = Program::new(NAME, &choices(&space, 15020, "template"))?;
        let told = made.apply()?;
        told.well()?;
        program = Some(made);
        says_secured(Some(told))
    })?;
    let Some(program) = program else {
        return Err(Stop);
    };
    checks.must("status exits 0", || secured(&program))?;
    for (kind, name, patch, field) in cases() {
        checks.of = format!("{kind} {}", field.unwrap_or("deleted"));
        checks.must("it is done", || match &patch {
            None => kubectl(&["delete", kind, &name, "-n", &space]),
            Some(patch) => {
                let patch = patch.to_string();
                kubectl(&[
                    "patch", kind, &name, "-n", &space, "--type", "json", "-p", &patch,
                ])
            }
        })?;
        checks.add("status names it, and exits 3", || {
            let object = format!("{} {space}/{name}", word(kind));
            named(&program, &object, field)
        });
        if kind == POLICY && patch.is_some() {
            checks.add("by then another identity reads the port", || {
                stranger_reads(&space)
            });
        }
    }
    checks.of.clear();
    checks.must("one apply brings all of it back", || {
        let told = program.apply()?;
        told.well()?;
        says_secured(Some(told))
    })?;
    checks.must("status exits 0 again", || secured(&program))?;
    checks.of = "native port".into();
    let workload = format!("{space}/Deployment/native");
    checks.add(
        "it is UP, and the 503 of the passthrough is a refusal",
        || {
            let prometheus = format!("{space}/Deployment/prometheus");
            let words = ["-w", &workload, "--prometheus", &prometheus].map(str::to_owned);
            let program = Program::new("guards-native", &words)?;
            until(Duration::from_secs(60), || secured(&program))
        },
    );
    checks.of.clear();
    checks.must("undo exits 0", || program.undo()?.well())?;
    Ok(())
}

pub fn evidence() -> String {
    let space = namespace();
    let of = |kind| Subject::of(kind, &space, 15020, "PERMISSIVE");
    let subjects: Vec<Subject> = [of(Kind::Sidecar), of(Kind::Gateway)]
        .into_iter()
        .flatten()
        .collect();
    evidence::of(&space, &choices(&space, 15020, "template"), &subjects)
}

/// httpbin once more, under another name, with Istio's own secure port.
fn native(space: &str) -> Result<String, String> {
    let objects = world::httpbin(space)?;
    let deployment = objects
        .into_iter()
        .find(|object| object["kind"] == "Deployment");
    let mut deployment = deployment.ok_or("the sample has no Deployment")?;
    deployment["metadata"]["name"] = "native".into();
    deployment["spec"]["selector"]["matchLabels"] = json!({"app": "native"});
    let template = &mut deployment["spec"]["template"]["metadata"];
    template["labels"] = json!({"app": "native"});
    template["annotations"]["proxy.istio.io/config"] =
        json!(r#"{"proxyMetadata": {"ENVOY_SECURE_MERGED_METRICS_PORT": "15092"}}"#);
    apply(&[deployment])?;
    rolled_out(space, "native").map(|_| "native".into())
}

fn secured(program: &Program) -> Result<String, String> {
    let (code, status) = program.status()?;
    let counts = &status["summary"];
    match code == 0 && counts["secured"] == counts["all"] {
        true => Ok(format!("{} secured", counts["secured"])),
        false => Err(format!("exit {code}: {status}")),
    }
}

/// As the program names a kind.
fn word(kind: &str) -> &'static str {
    match kind {
        POLICY => "AuthorizationPolicy",
        "peerauthentication" => "PeerAuthentication",
        "sidecar" => "Sidecar",
        "virtualservice" => "VirtualService",
        _ => "Gateway",
    }
}

/// Some target's fault is this object, with this field.
fn named(program: &Program, name: &str, field: Option<&str>) -> Result<String, String> {
    until(Duration::from_secs(60), || {
        let (code, status) = program.status()?;
        let targets = status["targets"].as_array().cloned().unwrap_or_default();
        let faults = targets
            .iter()
            .filter_map(|target| target["faults"].as_array())
            .flatten();
        let is = |fault: &&Value| {
            let of = &fault["evidence"]["object"];
            let part = |at: &str| of[at].as_str().unwrap_or_default();
            let object = format!("{} {}/{}", part("kind"), part("namespace"), part("name"));
            object == name && fault["evidence"]["field"].as_str() == field
        };
        match faults.clone().find(is) {
            Some(fault) if code == 3 => Ok(fault["message"].to_string()),
            _ => Err(format!("exit {code}: {status}")),
        }
    })
}

fn stranger_reads(space: &str) -> Result<String, String> {
    let subject = Subject::of(Kind::Sidecar, space, 15020, "PERMISSIVE")?;
    let url = format!(
        "{AS_STRANGER} https://{}:15091/stats/prometheus",
        subject.ip
    );
    until(Duration::from_secs(60), || {
        ask(&From::Stranger, &[("read", url.clone())])?["read"].gives_metrics()
    })
}
