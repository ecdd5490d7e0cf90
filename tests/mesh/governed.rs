//! A workload that others govern already: with a Sidecar of its own or one of its namespace, each of which limits what
//! it reaches, a PeerAuthentication, and an ALLOW policy that leaves the secure port out.

use crate::evidence;
use crate::forecast;
use crate::matrix::{again, choices, says_secured, secured};
use crate::objects::{objects, same, text};
use crate::program::Program;
use crate::prom::pod;
use crate::report::{Checks, Stop};
use crate::shell::{apply, exec, until};
use crate::subject::{Kind, Subject};
use crate::world;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

pub struct Cell {
    pub name: &'static str,
    /// Its Sidecar selects it; else that of its namespace governs it.
    selects: bool,
    mode: &'static str,
}

pub const CELLS: &[Cell] = &[
    Cell {
        name: "governed-own",
        selects: true,
        mode: "PERMISSIVE",
    },
    Cell {
        name: "governed-namespace",
        selects: false,
        mode: "STRICT",
    },
];

impl Cell {
    pub fn namespace(&self) -> String {
        format!("mesh-{}", self.name)
    }

    pub fn about(&self) -> Vec<(&'static str, String)> {
        let sidecar = match self.selects {
            true => "a Sidecar of its own",
            false => "a Sidecar of its namespace",
        };
        let what = format!(
            "{sidecar}, a PeerAuthentication and an ALLOW policy of others: added to, and what it reaches stays as it was"
        );
        vec![("mode", self.mode.into()), ("what", what)]
    }

    fn choices(&self) -> Vec<String> {
        choices(&self.namespace(), 15020, "template")
    }

    fn theirs(&self) -> Vec<Value> {
        let of = |group: &str, kind: &str, spec: Value| {
            json!({
                "apiVersion": format!("{group}.istio.io/v1"), "kind": kind,
                "metadata": {"name": "theirs", "namespace": self.namespace()}, "spec": spec,
            })
        };
        let labels = json!({"app": "httpbin", "version": "v1"});
        let mut sidecar = json!({
            "egress": [{"hosts": ["./*", "istio-system/*"]}],
            "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"},
        });
        if self.selects {
            sidecar["workloadSelector"] = json!({"labels": labels});
        }
        vec![
            of("networking", "Sidecar", sidecar),
            of(
                "security",
                "PeerAuthentication",
                json!({"selector": {"matchLabels": labels}, "mtls": {"mode": self.mode}}),
            ),
            of(
                "security",
                "AuthorizationPolicy",
                json!({"action": "ALLOW", "rules": [{"to": [{"operation": {"notPorts": ["15091"]}}]}]}),
            ),
        ]
    }

    fn subjects(&self) -> Result<[Subject; 2], String> {
        let of = |kind| Subject::of(kind, &self.namespace(), 15020, self.mode);
        let mut all = [of(Kind::Sidecar)?, of(Kind::Gateway)?];
        for subject in &mut all {
            subject.allowed_alone = true;
        }
        Ok(all)
    }

    pub fn evidence(&self) -> String {
        let subjects = self.subjects().map(Vec::from).unwrap_or_default();
        evidence::of(&self.namespace(), &self.choices(), &subjects)
    }

    /// The clusters that the workload's Envoy knows of what it reaches.
    fn reaches(&self) -> Result<BTreeSet<String>, String> {
        let namespace = self.namespace();
        let pod = pod(&namespace, "app=httpbin")?;
        let name = text(&pod["metadata"]["name"]);
        let found = exec(
            &namespace,
            name,
            "istio-proxy",
            "pilot-agent request GET clusters",
        )?;
        let names = found.lines().filter_map(|line| line.split("::").next());
        // Our ServiceEntry for the gateway is one more in its namespace.
        let names = names.filter(|name| {
            name.starts_with("outbound|") && !name.ends_with(".metrics.meshscrape.internal")
        });
        Ok(names.map(str::to_owned).collect())
    }

    pub fn run(&self, checks: &mut Checks) -> Result<(), Stop> {
        let space = self.namespace();
        checks.must("the samples stand, and what governs them", || {
            world::build(&space, self.mode)?;
            apply(&self.theirs()).map(|()| space.clone())
        })?;
        let (mut before, mut reached) = (None, BTreeSet::new());
        checks.must("before: what it reaches is limited", || {
            reached = until(Duration::from_secs(30), || {
                let found = self.reaches()?;
                let elsewhere = found
                    .iter()
                    .find(|name| name.ends_with("kube-system.svc.cluster.local"));
                match (elsewhere, found.is_empty()) {
                    (None, false) => Ok(found),
                    (other, _) => Err(format!("{other:?} of {}", found.len())),
                }
            })?;
            before = Some(objects(&space)?);
            Ok(format!("{} clusters", reached.len()))
        })?;
        let program = Program::new(self.name, &self.choices());
        let Ok(program) = &program else {
            return checks.must("a state folder", || program.map(|_| String::new()));
        };
        let mut forecast = Value::Null;
        checks.must("the forecast", || {
            forecast = forecast::before(self.name, &self.choices())?;
            Ok(String::new())
        })?;
        let mut run = None;
        checks.must("apply exits 0", || {
            let told = program.apply()?;
            let well = told.well();
            run = Some(told);
            well
        })?;
        checks.add("apply says all UP and plaintext refused", || {
            says_secured(run)
        });
        checks.add("the forecast held", || forecast::held(&forecast));
        secured(checks, &space, || self.subjects())?;
        checks.add("it reaches what it reached", || {
            until(Duration::from_secs(30), || match self.reaches()? {
                now if now == reached => Ok(format!("{} clusters", now.len())),
                now => {
                    let differ: Vec<_> = now.symmetric_difference(&reached).take(5).collect();
                    Err(format!("{differ:?}"))
                }
            })
        });
        again(checks, program);
        checks.must("undo exits 0", || program.undo()?.well())?;
        checks.add("the objects are as before", || {
            let before = before.as_ref().ok_or("they were not read")?;
            same(before, &objects(&space)?)
        });
        Ok(())
    }
}
