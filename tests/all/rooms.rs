//! The rooms of the house keep apart: what is pure stays pure, the face knows no cluster.

use std::path::{Path, PathBuf};

/// Room, and what its files must not name.
const RULES: &[(&str, &[&str])] = &[
    ("mesh", PURE),
    ("reach", PURE),
    ("recipe", PURE),
    ("plan", PURE),
    ("targets", PURE),
    ("problems", PURE),
    ("words", PURE),
    ("reach", REACH),
    ("wizard", WIZARD),
    (
        "ui",
        &[
            "kube",
            "tokio",
            "crate::cluster",
            "crate::prometheus",
            "crate::journal",
            "crate::demo",
            "crate::runtime",
        ],
    ),
    (
        "demo",
        &[
            "crate::recipe",
            "crate::plan",
            "crate::targets",
            "crate::engine",
            "crate::mesh",
            "crate::problems",
            "crate::words",
            "crate::wizard",
            "ratatui",
        ],
    ),
    (
        "cluster",
        &[
            "ratatui",
            "crate::wizard",
            "crate::ui",
            "crate::recipe",
            "crate::engine",
        ],
    ),
    (
        "engine",
        &[
            "ratatui",
            "crossterm",
            "crate::wizard",
            "crate::ui",
            "crate::commands",
            "crate::demo",
        ],
    ),
    ("commands", &["ratatui", "crossterm", "crate::ui"]),
];
const PURE: &[&str] = &[
    "kube",
    "tokio",
    "ratatui",
    "crossterm",
    "crate::cluster",
    "crate::engine",
    "crate::prometheus",
    "crate::journal",
    "crate::wizard",
    "crate::ui",
    "crate::demo",
    "crate::commands",
    "std::fs",
    "std::net",
];
/// Rules of others know no plan of ours.
const REACH: &[&str] = &[
    "kube",
    "tokio",
    "ratatui",
    "crossterm",
    "crate::answers",
    "crate::cluster",
    "crate::engine",
    "crate::prometheus",
    "crate::journal",
    "crate::wizard",
    "crate::ui",
    "crate::demo",
    "crate::commands",
    "crate::recipe",
    "crate::plan",
    "crate::targets",
    "crate::problems",
    "crate::words",
    "std::fs",
    "std::net",
];
/// The engine's events are values; its functions are not the wizard's to call.
const WIZARD: &[&str] = &[
    "kube",
    "tokio",
    "ratatui",
    "crossterm",
    "crate::cluster",
    "crate::prometheus",
    "crate::journal",
    "crate::ui",
    "crate::demo",
    "crate::runtime",
    "std::fs",
    "std::net",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The lines that bring names in, tests aside.
fn uses(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[cfg(test)]")
        .next()
        .unwrap_or_default()
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
}

#[test]
fn no_room_reaches_into_one_that_it_must_not_know() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    for (room, forbidden) in RULES {
        let mut found = Vec::new();
        files(&src.join(room), &mut found);
        assert!(!found.is_empty(), "no room {room}");
        for file in found {
            // Tests may read files, and know who uses the room.
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with("tests.rs") || name == "testing.rs" {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            for line in uses(&text) {
                for name in *forbidden {
                    let reached = line.contains(&format!("{name}::"))
                        || line.starts_with(&format!("use {name};"))
                        || line.starts_with(&format!("use {name} "));
                    let own = name.starts_with("crate::") || !line.contains(&format!("_{name}::"));
                    if reached && own && !line.contains(&format!("crate::{name}")) {
                        broken.push(format!("{}: {line}", file.display()));
                    }
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
