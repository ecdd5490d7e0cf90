//! The rooms of the house keep apart: what is pure stays pure, the face knows no cluster.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use syn::visit::Visit;
use syn::{Item, ItemUse, Macro, UseTree};

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
    ("prometheus", BELOW),
    ("journal", BELOW),
    ("runtime", &["kube", "crate::commands"]),
];
/// The edges know what they read and write, and nobody above them.
const BELOW: &[&str] = &[
    "ratatui",
    "crossterm",
    "crate::wizard",
    "crate::ui",
    "crate::commands",
    "crate::recipe",
    "crate::runtime",
    "crate::demo",
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

/// Every name that a file reaches for, in full: by `use`, by path, or inside of a macro. What is for tests alone is
/// left aside, and nothing else is.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn of(text: &str) -> BTreeSet<String> {
        let mut names = Names::default();
        names.visit_file(&syn::parse_file(text).unwrap());
        names.0
    }

    fn tree(&mut self, before: &str, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                self.tree(&format!("{before}{}::", path.ident), &path.tree);
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
            UseTree::Name(name) => {
                self.0.insert(format!("{before}{}", name.ident));
            }
            UseTree::Rename(name) => {
                self.0.insert(format!("{before}{}", name.ident));
            }
            UseTree::Glob(_) => {
                self.0.insert(format!("{before}*"));
            }
        }
    }
}

fn for_tests(item: &Item) -> bool {
    let attributes = match item {
        Item::Mod(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        _ => return false,
    };
    attributes
        .iter()
        .filter_map(|attribute| attribute.meta.require_list().ok())
        .any(|list| list.path.is_ident("cfg") && list.tokens.to_string() == "test")
}

impl<'a> Visit<'a> for Names {
    fn visit_item(&mut self, item: &'a Item) {
        if !for_tests(item) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.tree("", &item.tree);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.0.insert(segments.join("::"));
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a Macro) {
        self.visit_path(&call.path);
        let tokens = call.tokens.to_string().replace(" :: ", "::");
        let names = tokens.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
        self.0
            .extend(names.filter(|name| name.contains("::")).map(str::to_owned));
    }
}

fn reaches(name: &str, forbidden: &str) -> bool {
    name.strip_prefix(forbidden)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn no_room_reaches_into_one_that_it_must_not_know() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    for (room, forbidden) in RULES {
        let mut found = Vec::new();
        files(&src.join(room), &mut found);
        found.extend(Some(src.join(format!("{room}.rs"))).filter(|file| file.exists()));
        assert!(!found.is_empty(), "no room {room}");
        for file in found {
            // Tests may read files, and know who uses the room.
            let of_tests = |part: &std::ffi::OsStr| {
                let part = part.to_string_lossy();
                let stem = part.trim_end_matches(".rs");
                matches!(stem, "tests" | "testing") || stem.ends_with("_tests")
            };
            if file.iter().any(of_tests) {
                continue;
            }
            for name in Names::of(&std::fs::read_to_string(&file).unwrap()) {
                if forbidden.iter().any(|forbidden| reaches(&name, forbidden)) {
                    broken.push(format!("{}: {name}", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_room_has_a_rule() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms = std::fs::read_dir(src)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let without: Vec<PathBuf> = rooms
        .filter(|path| path.is_dir())
        .filter(|path| !RULES.iter().any(|(room, _)| path.ends_with(room)))
        .collect();
    assert!(without.is_empty(), "{without:?}");
}

/// What a test about tests must find, and must not.
#[test]
fn a_name_is_found_wherever_it_stands() {
    let names = Names::of(
        "use crate::{plan::Plan, mesh};\n#[cfg(test)] mod tests { use kube::Api; }\n\
         fn after() { tokio::spawn(x); println!(\"{}\", crate::ui::theme()); }",
    );
    for name in [
        "crate::plan::Plan",
        "crate::mesh",
        "tokio::spawn",
        "crate::ui::theme",
    ] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    assert!(!names.iter().any(|name| reaches(name, "kube")), "{names:?}");
    assert!(reaches("kube::Api", "kube") && !reaches("kube_core::Api", "kube"));
}
