//! The proof on a real mesh. `cargo test --test mesh -- --ignored` runs every cell against the cluster of KUBECONFIG;
//! a word after it runs the cells whose names contain it. Without `--ignored` nothing runs: it needs a mesh.
//!
//! A runner of its own, since the cells wait far more than they work: many of them run at the same time, each in a
//! namespace of its own, and a table of them is printed at the end.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod controls;
mod disturbed;
mod ended;
mod evidence;
mod forecast;
mod governed;
mod guards;
mod inbound;
mod injector;
mod matrix;
mod meshed;
mod objects;
mod operator;
mod originals;
mod probe;
mod program;
mod prom;
#[path = "../pty.rs"]
#[allow(dead_code)] // the other suite uses the rest
mod pty;
#[path = "../originals.rs"]
#[allow(dead_code)] // the other suite uses the rest
mod read;
mod refused;
mod report;
mod shell;
#[path = "../spoils.rs"]
#[allow(dead_code)] // the other suite uses the rest
mod spoils;
mod subject;
mod transcripts;
mod user;
mod wizard;
mod world;

use report::{Checks, Row, Stop};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

type Cell = fn(&mut Checks) -> Result<(), Stop>;
type Run = Box<dyn Fn(&mut Checks) -> Result<(), Stop> + Send + Sync>;

/// Something that is proven.
struct Test {
    name: String,
    about: Vec<(&'static str, String)>,
    run: Run,
    /// What to print where it fails.
    evidence: Box<dyn Fn() -> String + Send + Sync>,
    /// Taken away where it held.
    namespace: Option<String>,
    turn: Turn,
}

/// Cells wait far more than they work; two cores, on which others build, hold so many of them.
const AT_ONCE: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Beside others, at most [`AT_ONCE`].
    Beside,
    /// When all others have ended, since it takes something away that all need.
    Alone,
}

fn tests() -> Vec<Test> {
    let mut all: Vec<Test> = matrix::CELLS
        .iter()
        .map(|cell| Test {
            name: cell.name(),
            about: cell.about(),
            run: Box::new(|checks| cell.run(checks)),
            evidence: Box::new(|| cell.evidence()),
            namespace: Some(cell.namespace()),
            turn: Turn::Beside,
        })
        .collect();
    all.push(Test {
        name: transcripts::NAME.into(),
        about: vec![(
            "what",
            "the real API server answers as it was recorded".into(),
        )],
        run: Box::new(transcripts::run),
        evidence: Box::new(String::new),
        namespace: None,
        turn: Turn::Beside,
    });
    all.push(Test {
        name: refused::NAME.into(),
        about: vec![(
            "what",
            "a Gateway API gateway cannot hold yet (it needs native ports): refused, with the reason".into(),
        )],
        run: Box::new(refused::run),
        evidence: Box::new(String::new),
        namespace: None,
        turn: Turn::Beside,
    });
    all.push(Test {
        name: operator::NAME.into(),
        about: vec![(
            "what",
            "a Prometheus of the real operator: secured, its monitors' plaintext ended, taken back"
                .into(),
        )],
        run: Box::new(operator::run),
        evidence: Box::new(operator::evidence),
        namespace: Some(operator::namespace()),
        turn: Turn::Beside,
    });
    let cells: [(&str, &str, Cell); 2] = [
        (
            injector::REFUSES,
            "pods that the injector refuses: as the rule has it, and known before anything is written",
            injector::refuses,
        ),
        (
            injector::POLICY,
            "pods that the injector's own policy leaves out: as the rule has it, and a blocker",
            injector::policy,
        ),
    ];
    all.extend(cells.map(|(name, what, run)| Test {
        name: name.into(),
        about: vec![("what", what.into())],
        run: Box::new(run),
        evidence: Box::new(String::new),
        namespace: Some(injector::namespace(name)),
        turn: Turn::Beside,
    }));
    all.extend(inbound::CELLS.iter().map(|cell| Test {
        name: cell.name.into(),
        about: cell.about(),
        run: Box::new(|checks| cell.run(checks)),
        evidence: Box::new(|| cell.evidence()),
        namespace: Some(cell.namespace()),
        turn: Turn::Beside,
    }));
    let originals: [(&str, &str, Cell, Option<&str>); 3] = [
        (
            originals::authorization::NAME,
            "policies as istiod and Envoy decide them, as recorded in tests/originals",
            originals::authorization::run,
            Some(read::DOORS),
        ),
        (
            originals::injection::NAME,
            "sidecars where the real webhooks give them, as recorded in tests/originals",
            originals::injection::run,
            None,
        ),
        (
            originals::peers::NAME,
            "what ports answer under PeerAuthentications and Sidecars, as recorded in tests/originals",
            originals::peers::run,
            None,
        ),
    ];
    all.extend(originals.map(|(name, what, run, namespace)| Test {
        name: name.into(),
        about: vec![("what", what.into())],
        run: Box::new(run),
        evidence: Box::new(String::new),
        namespace: namespace.map(str::to_owned),
        // The mesh's settings are changed for them.
        turn: Turn::Alone,
    }));
    all.push(Test {
        name: wizard::NAME.into(),
        about: vec![("what", "the wizard, by keys in a terminal".into())],
        run: Box::new(wizard::run),
        evidence: Box::new(wizard::evidence),
        namespace: Some(wizard::namespace()),
        turn: Turn::Beside,
    });
    all.extend(governed::CELLS.iter().map(|cell| Test {
        name: cell.name.into(),
        about: cell.about(),
        run: Box::new(|checks| cell.run(checks)),
        evidence: Box::new(|| cell.evidence()),
        namespace: Some(cell.namespace()),
        turn: Turn::Beside,
    }));
    all.push(Test {
        name: guards::NAME.into(),
        about: vec![(
            "what",
            "what guards a port is deleted or altered: status names it, apply brings it back"
                .into(),
        )],
        run: Box::new(guards::run),
        evidence: Box::new(guards::evidence),
        namespace: Some(guards::namespace()),
        turn: Turn::Beside,
    });
    all.push(Test {
        name: ended::NAME.into(),
        about: vec![(
            "what",
            "15020 and 15090 together, with a pod of nobody and a Deployment without pods".into(),
        )],
        run: Box::new(ended::run),
        evidence: Box::new(ended::evidence),
        namespace: Some(ended::namespace()),
        turn: Turn::Beside,
    });
    all.extend(disturbed::CELLS.iter().map(|cell| Test {
        name: cell.name.into(),
        about: vec![("what", cell.about.into())],
        run: Box::new(|checks| (cell.run)(cell, checks)),
        evidence: Box::new(|| cell.evidence()),
        namespace: Some(cell.namespace()),
        turn: Turn::Beside,
    }));
    all.extend(meshed::CELLS.iter().map(|cell| Test {
        name: cell.name.into(),
        about: vec![("what", cell.about.into())],
        run: Box::new(|checks| (cell.run)(cell, checks)),
        evidence: Box::new(|| cell.evidence()),
        namespace: Some(cell.namespace()),
        turn: match cell.alone {
            true => Turn::Alone,
            false => Turn::Beside,
        },
    }));
    all.extend(controls::CONTROLS.iter().map(|control| Test {
        name: control.name.into(),
        about: vec![("what", control.about.into())],
        run: Box::new(|checks| (control.run)(&control.namespace(), checks)),
        evidence: Box::new(|| control.evidence()),
        namespace: Some(control.namespace()),
        turn: Turn::Beside,
    }));
    all
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|word| word == disturbed::inner::WORD)
    {
        std::process::exit(disturbed::inner::run());
    }
    let flag = |name: &str| arguments.iter().any(|word| word == name);
    let words: Vec<&String> = arguments.iter().filter(|w| !w.starts_with('-')).collect();
    let exact = flag("--exact");
    let mut chosen = tests();
    chosen.retain(|test| {
        let fits = |word: &String| match exact {
            true => test.name == *word,
            false => test.name.contains(word.as_str()),
        };
        words.is_empty() || words.iter().any(|word| fits(word))
    });
    if flag("--list") {
        for test in &chosen {
            println!("{}: test", test.name);
        }
        return;
    }
    if !(flag("--ignored") || flag("--include-ignored")) {
        let count = chosen.len();
        println!("{count} cells ignored: they need a mesh (tests/mesh/README.md), and --ignored");
        return;
    }
    if chosen.is_empty() {
        println!("no cell of that name");
        std::process::exit(1);
    }
    let ready = world::clients();
    if let Err(why) = ready {
        eprintln!("the mesh is not ready:\n{why}");
        std::process::exit(1);
    }
    let rows = run(&chosen);
    let failed: Vec<&Row> = rows.iter().filter(|row| !row.holds()).collect();
    for row in &failed {
        println!("\n== evidence of {}\n{}", row.cell, row.evidence);
    }
    print!("\n{}", report::table(&rows));
    // Last, since of a long log the end is what is kept and read.
    for row in &failed {
        print!("{}", report::failure(row));
    }
    match report::write(&rows, &evidence::versions()) {
        Ok(file) => println!("\n{file}"),
        Err(why) => eprintln!("{why}"),
    }
    if !failed.is_empty() {
        std::process::exit(1);
    }
}

/// In the order of the list, whichever ended first.
fn run(tests: &[Test]) -> Vec<Row> {
    let begun = Instant::now();
    let (beside, alone): (Vec<&Test>, Vec<&Test>) =
        tests.iter().partition(|test| test.turn == Turn::Beside);
    let mut rows = in_turn(&beside, AT_ONCE, begun);
    rows.extend(in_turn(&alone, 1, begun));
    let place = |row: &Row| tests.iter().position(|test| test.name == row.cell);
    rows.sort_by_key(place);
    rows
}

/// As many at the same time as are allowed, the next when one has ended.
fn in_turn(tests: &[&Test], at_once: usize, begun: Instant) -> Vec<Row> {
    let rows: Mutex<Vec<Row>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(test) = tests.get(next.fetch_add(1, Ordering::SeqCst)) {
            let row = one(test);
            let word = if row.holds() {
                "holds"
            } else {
                "DOES NOT HOLD"
            };
            let (ended, took) = (begun.elapsed().as_secs(), row.took.as_secs());
            println!("{ended:>4} s  {} {word}, after {took} s", row.cell);
            for (look, why) in row.checks.failed() {
                println!("        {look}: {}", report::first_line(why));
            }
            if let Ok(mut rows) = rows.lock() {
                rows.push(row);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once.min(tests.len()) {
            scope.spawn(work);
        }
    });
    rows.into_inner().unwrap_or_default()
}

fn one(test: &Test) -> Row {
    let begun = Instant::now();
    let mut checks = Checks::default();
    // A stop is among the checks already.
    let _ = (test.run)(&mut checks);
    let mut row = Row {
        cell: test.name.clone(),
        about: test.about.clone(),
        checks,
        took: begun.elapsed(),
        evidence: String::new(),
    };
    if !row.holds() {
        // Its namespace stays, to be looked into.
        row.evidence = (test.evidence)();
    } else if let Some(namespace) = &test.namespace
        && std::env::var_os("MESH_KEEP").is_none()
        && let Err(why) = world::clear(namespace, false)
    {
        row.checks.add("its namespace goes", || Err(why));
    }
    row
}
