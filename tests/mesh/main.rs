//! The proof on a real mesh. `cargo test --test mesh -- --ignored` runs every cell against the cluster of KUBECONFIG;
//! a word after it runs the cells whose names contain it. Without `--ignored` nothing runs: it needs a mesh.
//!
//! A runner of its own, since the cells wait far more than they work: all of them run at the same time, each in a
//! namespace of its own, and a table of them is printed at the end.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod controls;
mod evidence;
mod matrix;
mod objects;
mod probe;
mod program;
mod prom;
#[path = "../pty.rs"]
#[allow(dead_code)] // the other suite uses the rest
mod pty;
mod report;
mod shell;
mod subject;
mod wizard;
mod world;

use report::{Checks, Row, Stop};
use std::sync::Mutex;
use std::time::Instant;

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
    /// It disturbs no other.
    with_the_first: bool,
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
            with_the_first: true,
        })
        .collect();
    all.push(Test {
        name: wizard::NAME.into(),
        about: vec![("what", "the wizard, by keys in a terminal".into())],
        run: Box::new(wizard::run),
        evidence: Box::new(wizard::evidence),
        namespace: Some(wizard::namespace()),
        with_the_first: false,
    });
    all.extend(controls::CONTROLS.iter().map(|control| Test {
        name: control.name.into(),
        about: vec![("what", control.about.into())],
        run: Box::new(|checks| (control.run)(&control.namespace(), checks)),
        evidence: Box::new(|| control.evidence()),
        namespace: Some(control.namespace()),
        with_the_first: false,
    }));
    all
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
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
    if let Err(why) = world::clients() {
        eprintln!("the clients do not stand:\n{why}");
        std::process::exit(1);
    }
    let rows = run(&chosen);
    print!("\n{}", report::table(&rows));
    for row in rows.iter().filter(|row| !row.holds()) {
        eprint!("{}", report::failure(row));
    }
    match report::write(&rows, &evidence::versions()) {
        Ok(file) => println!("\n{file}"),
        Err(why) => eprintln!("{why}"),
    }
    if rows.iter().any(|row| !row.holds()) {
        std::process::exit(1);
    }
}

/// The matrix's cells all at the same time, then the others: what a control leaves lying about is the whole mesh's
/// to see, and two cores hold no more at once. In the order of the list.
fn run(tests: &[Test]) -> Vec<Row> {
    let (first, then) = tests.split_at(tests.iter().take_while(|t| t.with_the_first).count());
    let mut rows = together(first);
    rows.extend(together(then));
    rows
}

fn together(tests: &[Test]) -> Vec<Row> {
    let begun = Instant::now();
    let rows: Mutex<Vec<(usize, Row)>> = Mutex::default();
    std::thread::scope(|scope| {
        for (at, test) in tests.iter().enumerate() {
            let rows = &rows;
            scope.spawn(move || {
                let row = one(test);
                let word = if row.holds() {
                    "holds"
                } else {
                    "DOES NOT HOLD"
                };
                println!("{:>4} s  {} {word}", begun.elapsed().as_secs(), row.cell);
                if let Ok(mut rows) = rows.lock() {
                    rows.push((at, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap_or_default();
    rows.sort_by_key(|(at, _)| *at);
    rows.into_iter().map(|(_, row)| row).collect()
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
