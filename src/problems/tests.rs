use super::*;
use crate::words;
use std::collections::BTreeSet;

#[test]
fn every_code_stands_once_with_a_text_and_an_explanation() {
    let mut seen = BTreeSet::new();
    let mut last = "";
    for code in Code::ALL {
        let text = code.text();
        assert!(seen.insert(text), "{text} twice");
        assert!(last < text, "{text} stands after {last}");
        last = text;
        let number = text.strip_prefix("MS").expect("MS…");
        assert!(number.len() == 3 && number.parse::<u16>().is_ok(), "{text}");
        assert_eq!(Code::named(&text.to_lowercase()), Some(*code));
        assert_eq!(Code::named(code.name()), Some(*code));
        assert!(!words::title(*code).is_empty(), "{text}");
        assert!(!words::explanation(*code).is_empty(), "{text}");
        assert!(words::explained(*code).contains(text));
        assert!(words::table().contains(text));
    }
}

#[test]
fn evidence_is_named_as_in_the_table() {
    let problem = Problem::OwnSidecar {
        of: Subject::new("Deployment", "shop", "cart"),
        sidecar: ObjectRef::new(crate::mesh::kinds::Kind::Sidecar, "shop", "mine"),
    };
    let values = problem.values();
    assert_eq!(
        values,
        [("sidecar".to_owned(), "Sidecar shop/mine".to_owned())]
    );
    assert_eq!(problem.of().to_string(), "Deployment shop/cart");
    assert!(words::reason(&problem).contains("shop/mine"));
}

/// `INSTA_UPDATE=always cargo test --lib problems` writes it anew.
#[test]
fn the_readme_has_the_table_of_codes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(file).expect("README.md");
    let begin = "<!-- codes: made from src/problems/table.rs -->\n";
    let (before, rest) = text.split_once(begin).expect("the beginning");
    let (table, after) = rest.split_once("<!-- end of codes -->").expect("the end");
    let made = format!("\n{}\n", words::table());
    if words::LANGUAGE == words::Language::Pseudo {
        return;
    }
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        let text = format!("{before}{begin}{made}<!-- end of codes -->{after}");
        std::fs::write(file, text).expect("written");
    } else {
        assert_eq!(table, made);
    }
}
