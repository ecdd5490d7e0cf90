//! Kills and faults before the real API server: a sample of those that the simulation is put through. The program
//! runs in a process of its own over the client stack's fault layer, and after each of its writes the live
//! listeners are looked at.

pub mod inner;

use crate::evidence;
use crate::forecast;
use crate::matrix::choices;
use crate::objects::{Objects, objects, same, text};
use crate::program::{beside, folder};
use crate::report::{Checks, Stop};
use crate::shell::{run, tail};
use crate::{user, world};
use inner::{AFTER, ANSWER_LOST, BEFORE, Order, Trouble};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub struct Cell {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Cell, &mut Checks) -> Result<(), Stop>,
}

pub const CELLS: &[Cell] = &[
    Cell {
        name: "killed",
        about: "killed at a sample of its writes, again and again: the run goes on, the undo too, each to the same end",
        run: killed,
    },
    Cell {
        name: "faults",
        about: "a sample of faults before the API server: words and a way out, then the same end and the same beginning",
        run: faults,
    },
];

/// The program killed by itself; no exit code.
const KILLED: i32 = -1;
const LIMIT: Duration = Duration::from_secs(240);

/// What the kinds of requests are called is in `spoils.rs`. In the order of the plan, so that each is still to come
/// when the run goes on.
const APPLY_KILLS: &[(&str, usize, &str)] = &[
    ("write", 1, AFTER),
    ("PATCH deployments", 1, ANSWER_LOST),
    ("PATCH configmaps", 1, BEFORE),
    ("PATCH sidecars", 1, AFTER),
    ("PATCH deployments", 1, ANSWER_LOST),
    ("PATCH gateways", 1, BEFORE),
    ("PATCH configmaps", 1, ANSWER_LOST),
];

const UNDO_KILLS: &[(&str, usize, &str)] = &[
    ("PATCH configmaps", 1, ANSWER_LOST),
    ("PATCH deployments", 1, BEFORE),
    ("DELETE sidecars", 1, AFTER),
    ("DELETE peerauthentications", 1, ANSWER_LOST),
    ("DELETE secrets", 1, BEFORE),
];

/// Each ends a run, or an undo, before its end.
const STOPPERS: &[(&str, usize, &str)] = &[
    ("PATCH dry run", 3, "401"),
    ("PATCH peerauthentications", 1, "422"),
    ("PATCH sidecars", 1, "403"),
    ("PATCH deployments", 1, "403"),
];

/// Through these a run comes to its end by itself.
const PASSED: &[(&str, usize, &str)] = &[
    ("GET object", 3, "503"),
    ("PATCH deployments", 1, "half an answer"),
    // A look after it finds nobody whose field that would be.
    ("PATCH serviceentries", 1, "409 with causes"),
    ("PATCH virtualservices", 1, "garbage"),
    ("PATCH gateways", 1, "connection broken after it was done"),
    ("PATCH deployments", 2, "no answer after it was done"),
    ("PATCH configmaps", 1, "409 stale"),
];

const UNDO_STOPPERS: &[(&str, usize, &str)] = &[
    ("PATCH configmaps", 1, "403"),
    ("DELETE sidecars", 1, "422"),
    ("DELETE authorizationpolicies", 1, "404"),
];

const UNDO_PASSED: &[(&str, usize, &str)] = &[
    ("GET object", 3, "500"),
    (
        "DELETE peerauthentications",
        1,
        "connection broken after it was done",
    ),
    ("PATCH configmaps", 1, "half an answer"),
    ("PATCH deployments", 1, "429"),
];

fn trouble(&(kind, nth, what): &(&str, usize, &str)) -> Trouble {
    Trouble {
        kind: kind.into(),
        nth,
        what: what.into(),
    }
}

const UNDO: &str = "meshscrape undo --yes --lose-history";

impl Cell {
    pub fn namespace(&self) -> String {
        format!("mesh-{}", self.name)
    }

    fn choices(&self) -> Vec<String> {
        choices(&self.namespace(), 15020, "template")
    }

    /// The end of a run that nothing disturbs, as it would be in this cell's namespace.
    fn undisturbed(&self) -> Result<Objects, String> {
        let other = Cell {
            name: "undisturbed",
            ..*self
        };
        world::build(&other.namespace(), "PERMISSIVE")?;
        let mut machine = Machine::new(&other)?;
        machine.run(&other.apply(), Vec::new())?.well()?;
        let found = ageless(objects(&other.namespace())?);
        world::clear(&other.namespace(), false)?;
        let text = serde_json::to_string(&found).map_err(|e| e.to_string())?;
        let text = text.replace(&other.namespace(), &self.namespace());
        serde_json::from_str(&text).map_err(|e| e.to_string())
    }

    pub fn evidence(&self) -> String {
        evidence::of(&self.namespace(), &self.choices(), &[])
    }

    fn apply(&self) -> String {
        let choices = self.choices().join(" ");
        format!("meshscrape apply --yes --lose-history {choices}")
    }
}

/// What a process came to.
struct Told {
    code: i32,
    text: String,
    /// What it noted of its requests.
    notes: Vec<String>,
}

/// A machine with its state folder and the user of the namespace, on which the program runs again and again.
struct Machine {
    state: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
    runs: usize,
}

impl Machine {
    fn new(cell: &Cell) -> Result<Machine, String> {
        let state = folder().join(cell.name);
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir_all(&state).map_err(|e| format!("{}: {e}", state.display()))?;
        Ok(Machine {
            state,
            kubeconfig: user::kubeconfig(&cell.namespace())?,
            namespace: cell.namespace(),
            runs: 0,
        })
    }

    fn run(&mut self, args: &str, troubles: Vec<Trouble>) -> Result<Told, String> {
        self.runs += 1;
        let notes = self.state.join(format!("notes-{}", self.runs));
        let order = Order {
            args: args.into(),
            namespace: self.namespace.clone(),
            troubles,
            notes: notes.clone(),
        };
        let order = serde_json::to_string(&order).map_err(|e| e.to_string())?;
        let this = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = Command::new(this);
        command
            .arg(inner::WORD)
            .env(inner::ORDER, order)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("XDG_STATE_HOME", &self.state);
        let _beside = beside();
        let ran = run(&mut command, "", LIMIT);
        let text = format!("{}{}", ran.out, ran.err);
        let code = ran
            .code
            .ok_or_else(|| format!("not done in time:\n{}", tail(&text, 20)))?;
        let notes = std::fs::read_to_string(&notes).unwrap_or_default();
        let notes: Vec<String> = notes.lines().map(str::to_owned).collect();
        let told = Told { code, text, notes };
        let wrong = told.of("WRONG");
        if !wrong.is_empty() {
            return Err(wrong.join("\n"));
        }
        Ok(told)
    }
}

impl Told {
    fn of(&self, word: &str) -> Vec<&str> {
        let lines = self.notes.iter().map(String::as_str);
        lines.filter(|line| line.starts_with(word)).collect()
    }

    /// It came: each trouble is noted with the request that met it.
    fn met(&self, trouble: &Trouble) -> bool {
        let Trouble { kind, what, .. } = trouble;
        self.of("TROUBLE").iter().any(|line| {
            line.starts_with(&format!("TROUBLE {what} {kind} "))
                || (kind == "write" && line.starts_with(&format!("TROUBLE {what} ")))
        })
    }

    fn words(&self) -> String {
        format!("exit {}\n{}", self.code, tail(&self.text, 25))
    }

    fn well(self) -> Result<String, String> {
        match self.code {
            0 => Ok(format!("{} writes", self.of("WRITE").len())),
            _ => Err(self.words()),
        }
    }
}

/// Without what differs between two runs to the same end: identities, moments, the names of runs, and the records.
fn ageless(objects: Objects) -> Objects {
    let record = |object: &Value| !object["metadata"]["labels"]["meshscrape.dev/record"].is_null();
    // A Service has addresses of its own, and is not ours to write.
    let kept = objects
        .into_iter()
        .filter(|(name, object)| !record(object) && !name.starts_with("Service/"));
    kept.map(|(name, mut object)| {
        let mut without = |place: &str, fields: &[&str]| {
            if let Some(map) = object.pointer_mut(place).and_then(Value::as_object_mut) {
                map.retain(|field, _| !fields.contains(&field.as_str()));
            }
        };
        without("/metadata", &["uid", "creationTimestamp"]);
        without("/metadata/annotations", &["meshscrape.dev/run"]);
        (name, object)
    })
    .collect()
}

/// Builds the namespace; its objects as they are before anything, and a machine.
fn begun(cell: &Cell, checks: &mut Checks) -> Result<(Objects, Machine), Stop> {
    let namespace = cell.namespace();
    let mut found = None;
    checks.must("the samples stand", || {
        world::build(&namespace, "PERMISSIVE")?;
        found = Some((objects(&namespace)?, Machine::new(cell)?));
        Ok(namespace.clone())
    })?;
    found.ok_or(Stop)
}

fn as_before(namespace: &str, before: &Objects) -> Result<String, String> {
    same(before, &objects(namespace)?)
}

/// Runs the command until a trouble is met: a run that went on after others is a run of its own, so that there may be
/// several to take back. Those that come to their end before it are none of its business.
fn until_met(machine: &mut Machine, args: &str, trouble: &Trouble) -> Result<Told, String> {
    let mut last = String::new();
    for _ in 0..=APPLY_KILLS.len() {
        let told = machine.run(args, vec![trouble.clone()])?;
        if told.met(trouble) {
            return Ok(told);
        }
        last = told.words();
        if told.code != 0 {
            break;
        }
    }
    Err(format!("no such request came: {last}"))
}

/// Killed at each of these in turn.
fn killed_again_and_again(
    checks: &mut Checks,
    machine: &mut Machine,
    args: &str,
    kills: &[(&str, usize, &str)],
) -> Result<(), Stop> {
    for kill in kills {
        let (kind, _, moment) = kill;
        checks.must(&format!("{}, {moment} {kind}", command(args)), || {
            let told = until_met(machine, args, &trouble(kill))?;
            match told.code {
                KILLED => Ok(format!("after {} writes", told.of("WRITE").len())),
                _ => Err(format!("it was not killed: {}", told.words())),
            }
        })?;
    }
    Ok(())
}

fn command(args: &str) -> &str {
    args.split(' ').nth(1).unwrap_or_default()
}

/// Every run that still stands is taken back, newest first; `troubles` come on the way, each once.
fn all_taken_back(machine: &mut Machine, mut troubles: Vec<Trouble>) -> Result<String, String> {
    let (mut writes, mut undos) = (0, 0);
    loop {
        let told = machine.run(UNDO, troubles.clone())?;
        troubles.retain(|trouble| !told.met(trouble));
        writes += told.of("WRITE").len();
        // Records of other cells' runs may be in the cluster: then it says that this machine has none.
        if told.text.contains("no run to undo") {
            break;
        }
        undos += 1;
        if told.code != 0 || undos > 12 {
            return Err(told.words());
        }
    }
    match troubles.first() {
        Some(never) => Err(format!("no such request came: {never:?}")),
        None => Ok(format!("{writes} writes in {undos} undos")),
    }
}

fn killed(cell: &Cell, checks: &mut Checks) -> Result<(), Stop> {
    std::thread::scope(|scope| {
        // Beside it, since it takes as long.
        let whole = scope.spawn(|| cell.undisturbed());
        let whole = || {
            let end = whole.join();
            end.unwrap_or_else(|_| Err("it panicked".into()))
        };
        killed_beside(cell, checks, whole)
    })
}

fn killed_beside(
    cell: &Cell,
    checks: &mut Checks,
    whole: impl FnOnce() -> Result<Objects, String>,
) -> Result<(), Stop> {
    let (before, mut machine) = begun(cell, checks)?;
    let namespace = cell.namespace();
    let apply = cell.apply();
    let forecast = forecast::before(cell.name, &cell.choices());
    killed_again_and_again(checks, &mut machine, &apply, APPLY_KILLS)?;
    checks.must("it goes on to its end", || {
        let resume = "meshscrape apply --resume --yes --lose-history --timeout 300";
        machine.run(resume, Vec::new())?.well()
    })?;
    checks.add("its targets are as the plan had said", || {
        forecast::held(&forecast?)
    });
    checks.add("all is as if nothing had happened", || {
        same(&whole()?, &ageless(objects(&namespace)?))
    });
    killed_again_and_again(checks, &mut machine, UNDO, UNDO_KILLS)?;
    checks.must("the undo goes on to its end", || {
        all_taken_back(&mut machine, Vec::new())
    })?;
    checks.add("all is as if nothing had been applied", || {
        as_before(&namespace, &before)
    });
    Ok(())
}

/// Each fault alone ends it with words and a next step.
fn stopped_by(
    checks: &mut Checks,
    machine: &mut Machine,
    args: &str,
    stoppers: &[(&str, usize, &str)],
) -> Result<(), Stop> {
    for stopper in stoppers {
        let (kind, _, what) = stopper;
        checks.must(&format!("{}, {what} at {kind}", command(args)), || {
            let told = until_met(machine, args, &trouble(stopper))?;
            match told.code {
                1 | 4 | 5 if told.text.contains("try: ") => {
                    let said = told.text.lines().find(|line| line.starts_with("error:"));
                    let said = said.unwrap_or("said among its changes");
                    Ok(format!("exit {}, {said}", told.code))
                }
                _ => Err(told.words()),
            }
        })?;
    }
    Ok(())
}

fn faults(cell: &Cell, checks: &mut Checks) -> Result<(), Stop> {
    let (before, mut machine) = begun(cell, checks)?;
    let namespace = cell.namespace();
    let apply = cell.apply();
    let forecast = forecast::before(cell.name, &cell.choices());
    stopped_by(checks, &mut machine, &apply, STOPPERS)?;
    checks.must(
        &format!("apply comes through {} faults", PASSED.len()),
        || {
            let faults: Vec<Trouble> = PASSED.iter().map(trouble).collect();
            let told = machine.run(&apply, faults.clone())?;
            match faults.iter().find(|fault| !told.met(fault)) {
                Some(never) => Err(format!("no such request came: {never:?}, {}", told.words())),
                None => told.well(),
            }
        },
    )?;
    checks.add("its targets are as the plan had said", || {
        forecast::held(&forecast?)
    });
    checks.add("a second apply writes nothing", || {
        let told = machine.run(&apply, Vec::new())?;
        let writes = told.of("WRITE").len();
        match (told.code, writes) {
            (0, 0) => Ok("0 writes".into()),
            _ => Err(format!("{writes} writes, {}", told.words())),
        }
    });
    // Each run that was stopped part way wrote a part of the whole.
    stopped_by(checks, &mut machine, UNDO, UNDO_STOPPERS)?;
    checks.must(
        &format!("undo comes through {} faults", UNDO_PASSED.len()),
        || all_taken_back(&mut machine, UNDO_PASSED.iter().map(trouble).collect()),
    )?;
    checks.add("all is as if nothing had been applied", || {
        as_before(&namespace, &before)
    });
    checks.add("no lock is left", || {
        let leases = crate::shell::get(&["-n", &namespace, "leases"])?;
        let names: Vec<String> = crate::objects::list(&leases)
            .iter()
            .map(|lease| text(&lease["metadata"]["name"]).to_owned())
            .collect();
        match names.iter().any(|name| name == "meshscrape") {
            true => Err(names.join(", ")),
            false => Ok(String::new()),
        }
    });
    Ok(())
}
