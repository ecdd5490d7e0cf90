//! The matrix: mTLS mode × port × marking, each in a namespace of its own, with a sidecar and a gateway.
//! Each is secured by the real program, looked at from outside it, and taken back.

use crate::evidence;
use crate::objects::{objects, same, text};
use crate::program::{Program, Told};
use crate::prom::Prom;
use crate::report::{Checks, Stop};
use crate::shell::{exec, get, kubectl, until};
use crate::subject::{Kind, Subject};
use crate::user::ROOT;
use crate::world::{self, GATEWAY};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// PERMISSIVE, STRICT or DISABLE, of the whole namespace.
    pub mode: &'static str,
    pub port: u16,
    /// `template` or `pods`.
    pub mark: &'static str,
}

/// Every cell: all modes and ports marked on the template, and each port once on running pods.
pub const CELLS: &[Cell] = &[
    cell("PERMISSIVE", 15020, "template"),
    cell("PERMISSIVE", 15090, "template"),
    cell("STRICT", 15020, "template"),
    cell("STRICT", 15090, "template"),
    cell("DISABLE", 15020, "template"),
    cell("DISABLE", 15090, "template"),
    cell("PERMISSIVE", 15020, "pods"),
    cell("STRICT", 15090, "pods"),
];

const fn cell(mode: &'static str, port: u16, mark: &'static str) -> Cell {
    Cell { mode, port, mark }
}

/// The cluster's lock.
const LOCK: &str = "meshscrape";

impl Cell {
    /// The name to run it by; its namespace carries it too.
    pub fn name(&self) -> String {
        let (mode, port) = (self.mode.to_lowercase(), self.port);
        match self.mark {
            "template" => format!("{mode}-{port}"),
            mark => format!("{mode}-{port}-{mark}"),
        }
    }

    pub fn about(&self) -> Vec<(&'static str, String)> {
        vec![
            ("mode", self.mode.into()),
            ("port", self.port.to_string()),
            ("mark", format!("marked on {}", self.mark)),
            ("route", "resources".into()),
            ("what", "sidecar and gateway".into()),
        ]
    }

    pub fn namespace(&self) -> String {
        format!("mesh-{}", self.name())
    }

    fn subjects(&self) -> Result<[Subject; 2], String> {
        let of = |kind| Subject::of(kind, &self.namespace(), self.port, self.mode);
        Ok([of(Kind::Sidecar)?, of(Kind::Gateway)?])
    }

    fn choices(&self) -> Vec<String> {
        let namespace = self.namespace();
        choices(&namespace, self.port, self.mark)
    }

    pub fn run(&self, checks: &mut Checks) -> Result<(), Stop> {
        let namespace = self.namespace();
        checks.must("the samples stand", || {
            world::build(&namespace, self.mode).map(|()| namespace.clone())
        })?;
        let before = all_plain(self, "before", checks)?;
        let program = match self.administrator() {
            true => Program::of_administrator(&self.name(), &self.choices()),
            false => Program::new(&self.name(), &self.choices()),
        };
        let Ok(program) = &program else {
            return checks.must("a state folder", || program.map(|_| String::new()));
        };
        checks.add("plan says whether the cluster's lock is taken", || {
            lock_planned(program, &namespace, self.administrator())
        });
        let mut run = None;
        let mut apply = || {
            let told = program.apply()?;
            let well = told.well();
            run = Some(told);
            well
        };
        match self.administrator() {
            true => rivals(checks, apply)?,
            false => checks.must("apply exits 0", &mut apply)?,
        }
        checks.add("apply says all UP and plaintext refused", || {
            says_secured(run)
        });
        secured(checks, &namespace, || self.subjects())?;
        again(checks, program);
        checks.must("undo exits 0", || program.undo()?.well())?;
        checks.add("the objects are as before", || {
            same(&before, &objects(&namespace)?)
        });
        all_plain(self, "after undo", checks)?;
        Ok(())
    }

    /// One cell is run by an administrator, who takes the cluster's lock.
    fn administrator(&self) -> bool {
        self.name() == "strict-15020"
    }

    pub fn evidence(&self) -> String {
        let subjects = self.subjects().map(Vec::from).unwrap_or_default();
        evidence::of(&self.namespace(), &self.choices(), &subjects)
    }
}

/// The program's flags for one namespace's httpbin, gateway and Prometheus.
pub fn choices(namespace: &str, port: u16, mark: &str) -> Vec<String> {
    let words = format!(
        "-w {namespace}/Deployment/httpbin -g {namespace}/{GATEWAY} --prometheus {namespace}/Deployment/prometheus \
         --port {port} --annotate {mark} --timeout 300"
    );
    words.split_whitespace().map(str::to_owned).collect()
}

/// The row of the cluster's lock: an administrator takes it. A user may not, and is told what is not guarded then.
fn lock_planned(program: &Program, home: &str, taken: bool) -> Result<String, String> {
    let (_, plan) = program.plan()?;
    let rows = plan["changes"].as_array().into_iter().flatten();
    let mut rows = rows.filter(|row| row["kind"] == "Lease" && row["namespace"] == ROOT);
    let row = rows
        .next()
        .ok_or_else(|| format!("no such row: {}", plan["changes"]))?;
    let (state, warnings) = (text(&row["state"]), row["warnings"].to_string());
    match (taken, state) {
        (true, "ready") => Ok("taken".into()),
        (false, "leftOut") if warnings.contains(&format!("outside namespace {home}")) => {
            Ok(warnings)
        }
        _ => Err(row.to_string()),
    }
}

/// While this run is at work a second one, for another Prometheus and another workload, is refused.
fn rivals(
    checks: &mut Checks,
    apply: impl FnMut() -> Result<String, String> + Send,
) -> Result<(), Stop> {
    let (applied, refused) = std::thread::scope(|scope| {
        let first = scope.spawn(apply);
        let refused = rival(|| first.is_finished());
        let applied = first.join().unwrap_or_else(|_| Err("it panicked".into()));
        (applied, refused)
    });
    checks.must("apply exits 0", || applied)?;
    checks.add("a second run meets the cluster's lock", || refused);
    checks.add("no lock is left", || {
        match get(&["-n", ROOT, "leases", LOCK, "--ignore-not-found"]) {
            // kubectl prints nothing.
            Err(_) => Ok(String::new()),
            Ok(lease) => Err(lease.to_string()),
        }
    });
    Ok(())
}

fn rival(over: impl Fn() -> bool) -> Result<String, String> {
    let lock = until(Duration::from_secs(240), || {
        let found = kubectl(&["get", "-n", ROOT, "leases", LOCK, "-o", "name"]);
        match over() {
            // Nothing more will come.
            true => Ok(None),
            false => found.map(Some),
        }
    })?;
    lock.ok_or("the first run was over before its lock was seen")?;
    let choices = "-w demo/Deployment/httpbin --prometheus istio-system/Deployment/prometheus";
    let choices: Vec<String> = choices.split(' ').map(str::to_owned).collect();
    let second = Program::of_administrator("rival", &choices)?;
    let (code, text) = second.refused(&["apply", "--yes", "--lose-history"])?;
    match code {
        4 if text.contains(meshscrape::words::say::journal::ANOTHER_RUN) => Ok(text),
        0 => Err(format!("it wrote: {:?}", second.undo()?.well())),
        _ => Err(format!("exit {code}\n{text}")),
    }
}

pub fn says_secured(told: Option<Told>) -> Result<String, String> {
    let last = told.ok_or("no last line")?.last;
    match last["allUp"] == true && last["plaintextRefused"] == true {
        true => Ok("allUp, plaintextRefused".into()),
        false => Err(last.to_string()),
    }
}

/// Looks at both while nothing is secured; the objects as they then are.
fn all_plain(
    cell: &Cell,
    when: &str,
    checks: &mut Checks,
) -> Result<crate::objects::Objects, Stop> {
    let namespace = cell.namespace();
    let mut found = None;
    checks.must(&format!("{when}: the pods"), || {
        let prom = until(Duration::from_secs(30), || Prom::of(&namespace))?;
        found = Some((prom, cell.subjects()?));
        Ok(String::new())
    })?;
    let Some((prom, subjects)) = found else {
        return Err(Stop);
    };
    for subject in subjects {
        checks.of = format!("{when}, {}", subject.kind.word());
        subject.plain(&prom, checks);
    }
    checks.of.clear();
    let mut all = None;
    checks.must(&format!("{when}: the objects"), || {
        let found = objects(&namespace)?;
        let words = format!("{} objects", found.len());
        all = Some(found);
        Ok(words)
    })?;
    all.ok_or(Stop)
}

/// Prometheus starts anew, then each subject is looked at.
pub fn secured(
    checks: &mut Checks,
    namespace: &str,
    subjects: impl FnOnce() -> Result<[Subject; 2], String>,
) -> Result<(), Stop> {
    let mut found = None;
    checks.must("Prometheus starts anew", || {
        let prom = Prom::of(namespace)?;
        prom.restart()?;
        found = Some((prom, subjects()?));
        Ok(String::new())
    })?;
    if let Some((prom, subjects)) = found {
        for subject in subjects {
            checks.of = subject.kind.word().into();
            subject.secured(&prom, checks);
        }
        checks.of.clear();
        checks.add("the certificates lie in Prometheus's own container", || {
            let found = exec(
                namespace,
                &prom.pod,
                "prometheus-server",
                "ls /etc/istio-certs",
            )?;
            Ok(found.split_whitespace().collect::<Vec<_>>().join(" "))
        });
    }
    Ok(())
}

/// What was applied is found to stand.
pub fn again(checks: &mut Checks, program: &Program) {
    checks.add("a second apply writes nothing", || {
        let told = program.apply()?;
        told.well()?;
        match told.written() {
            0 => Ok("0 written".into()),
            _ => Err(told.last.to_string()),
        }
    });
    checks.add("plan exits 0", || match program.plan()? {
        (0, _) => Ok("nothing to change".into()),
        (code, plan) => Err(format!("exit {code}: {}", plan["summary"])),
    });
}
