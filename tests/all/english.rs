//! In the language of names and values, what the commands print holds no English: every word of theirs comes from
//! `src/words`.

use crate::called::call;
use meshscrape::demo::Simulation;
use meshscrape::world::Demo;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Words that are names, and of what.
const NAMES: &[(&str, &[&str])] = &[
    (
        "severities, as `--fail-on` takes them",
        &["note", "loses", "blocks"],
    ),
    ("commands", &["plan", "undo"]),
    ("a command of others", &["istioctl", "analyze"]),
    ("values of labels", &["disabled"]),
    ("fields of evidence", &["why"]),
];

/// What stands in a row that is still English, and whose it is: the row is passed over. To be emptied; a part that
/// no row holds any more has to go.
const STILL_ENGLISH: &[(&str, &str)] = &[
    (" unchanged line", "src/plan: a folded diff"),
    ("begin with README.md", "src/plan: an export"),
    (" made by apply.sh", "src/plan: an export"),
];

/// All files of a folder and of those in it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(std::fs::read_to_string(&path).unwrap()),
        }
    }
    found
}

/// The string literals of a Rust file, without the places of values.
fn literals(source: &str) -> Vec<String> {
    let code = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        match c {
            // `'"'` begins no text.
            '\'' if chars.as_str().starts_with("\"'") => {
                chars.nth(1);
            }
            '"' => {
                let (mut text, mut value) = (String::new(), false);
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    match c {
                        '\\' => {
                            chars.next();
                            text.push(' ');
                        }
                        '{' => value = true,
                        '}' => value = false,
                        c if !value => text.push(c),
                        _ => {}
                    }
                }
                found.push(text);
            }
            _ => {}
        }
    }
    found
}

/// What stands between spaces, without the signs of a sentence around it: names, paths and flags stay whole, and
/// so does the part of a change in parentheses.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let signs = |c: char| !c.is_alphanumeric() && !"-/=()".contains(c);
    text.split_whitespace()
        .map(move |token| token.trim_matches(signs))
}

fn is_word(token: &str) -> bool {
    token.len() >= 3 && token.chars().all(|c| c.is_ascii_lowercase())
}

/// Every run of letters, whatever stands around it.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphabetic())
}

fn english() -> BTreeSet<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/words");
    let texts: Vec<String> = files(&source)
        .iter()
        .flat_map(|file| literals(file))
        .collect();
    let words = texts.iter().flat_map(|text| tokens(text));
    words
        .filter(|word| is_word(word))
        .map(str::to_owned)
        .collect()
}

/// Names of objects, and of kinds and fields of theirs.
fn names(objects: &str) -> BTreeSet<String> {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo");
    let mut texts = files(&assets);
    texts.push(objects.to_owned());
    let lines = texts.iter().flat_map(|text| text.lines());
    let lines = lines.filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(pieces).map(str::to_owned).collect()
}

/// Without the names of texts, and without the fields of values.
fn nameless(said: &str) -> String {
    let mut depth = 0_usize;
    let mut out = String::new();
    for c in said.chars() {
        match c {
            '‹' | '{' => depth += 1,
            '›' | '}' => depth = depth.saturating_sub(1),
            _ if depth > 0 => continue,
            c => out.push(c),
        }
    }
    out
}

#[tokio::test(start_paused = true)]
async fn no_command_says_an_english_word() {
    let simulation = Simulation::builtin();
    simulation.quick();
    let world = Demo::new(simulation, false);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    let export = format!("export -w httpbin {}", to.display());
    let lines = [
        "plan -n default shop marketing",
        "plan -w httpbin shop/cart -g istio-system/istio-ingressgateway",
        "plan -w httpbin --annotate pods --port 15090",
        "plan",
        "check",
        "check --explain",
        "check --explain MS312",
        "check --explain MS999",
        "status",
        &export,
        &export,
        "undo --list",
        "apply -w httpbin",
        "apply -w httpbin --yes",
        "apply -w httpbin --yes --lose-history",
        "apply -w httpbin --yes",
        "apply --resume --yes",
        "status",
        "undo --list",
        "undo",
        "undo --yes --lose-history",
        "undo --yes",
        "undo r-0 --yes",
    ];
    let mut objects = String::new();
    for choice in [
        "-n default shop marketing",
        "-w httpbin -g istio-system/istio-ingressgateway",
    ] {
        let plan = call(&world, &format!("meshscrape plan --yaml {choice}")).await;
        objects += &plan.out;
    }
    let (english, mut names) = (english(), names(&objects));
    let named = NAMES.iter().flat_map(|(_, words)| words.iter());
    names.extend(named.map(|word| (*word).to_owned()));
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut met = BTreeSet::new();
    for line in lines {
        let (_, said) = call(&world, &format!("meshscrape {line}")).await.told();
        for row in said.lines() {
            let plain = nameless(row);
            let mut words = tokens(&plain)
                .filter(|word| is_word(word) && english.contains(*word) && !names.contains(*word))
                .peekable();
            if words.peek().is_none() {
                continue;
            }
            match STILL_ENGLISH.iter().find(|(part, _)| row.contains(part)) {
                Some((part, _)) => _ = met.insert(*part),
                None => found.extend(words.map(|word| (word.to_owned(), format!("{line}: {row}")))),
            }
        }
    }
    let found: Vec<String> = found
        .iter()
        .map(|(word, place)| format!("{word}  in  {place}"))
        .collect();
    assert!(found.is_empty(), "English:\n{}", found.join("\n"));
    let parts = STILL_ENGLISH.iter().map(|(part, _)| *part);
    let done: Vec<&str> = parts.filter(|part| !met.contains(part)).collect();
    assert!(done.is_empty(), "no longer English: {done:?}");
}
