//! Which keys hold credentials, and what of what stands under them is shown all the same.
//!
//! Sources: `HTTPClientConfig`, `Headers`, `TLSConfig`, `ProxyConfig` (prometheus/common, config/http_config.go),
//! `ScrapeConfig` (prometheus, config/config.go), the `Secret` fields of the service discoveries.

use regex::Regex;
use std::sync::LazyLock;

/// A pattern of our own. One that does not compile would let credentials through: it stops the program.
pub(super) fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|why| panic!("the mask's pattern {pattern}: {why}"))
}

/// Words that make a key's value a credential.
pub(super) const WORDS: &str = r"passw(?:or)?d|passphrase|secret|token|credentials?|api[-_]?key|access[-_]?key|private[-_]?key|account[-_]?key|certificate[-_]?key|consumer[-_]?key|routing[-_]?key|service[-_]?key|signing[-_]?key|user[-_]?key|auth[-_]?key|authorization|basic[-_]?auth|bearer|cookie|webhook|conn(?:ection)?[-_]?string|(?:^|[-_.])(?:pass|pwd|jwt|dsn|auth)(?:$|[-_.])";

static KEY: LazyLock<Regex> = LazyLock::new(|| compiled(&format!("(?i){WORDS}")));

/// Keys that only name or point at a credential.
static POINTER: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)(?:name|names|file|files|path|ref|refs|url|uri|key_?ref|mode|type|namespace|seconds|audience|id)$",
    )
});

/// Everything below is a value that authenticates, or may.
const HIDDEN: &[&str] = &[
    "http_headers",
    "proxy_connect_header",
    "params",
    "endpoint_params",
    "basic_auth_users",
];

/// Settings of an authorization: what does not point elsewhere is hidden.
const CREDENTIAL: &[&str] = &[
    "basic_auth",
    "authorization",
    "oauth2",
    "sigv4",
    "azuread",
    "google_iam",
    "tls_config",
];

/// Of an authorization: settings that are no credential.
const SHOWN: &[&str] = &[
    "cloud",
    "grant_type",
    "insecure_skip_verify",
    "max_version",
    "min_version",
    "profile",
    "region",
    "role_arn",
    "scopes",
    "signature_algorithm",
];

/// Where a value stands, by the keys that lead to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Inside {
    /// Nothing special.
    Plain,
    /// The value of a key that is called like a credential; a mapping there is gone into.
    Named,
    /// An authorization: only what points elsewhere is shown.
    Credential,
    /// Nothing is shown but the names of files.
    Hidden,
}

/// What the keys stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// An object of the API, whose fields have their own meaning.
    Object,
    /// A file, such as prometheus.yml.
    File,
}

/// A part of each of [`WORDS`]: most texts have none, and are not asked of by a pattern.
const PARTS: &[&str] = &[
    "pass",
    "secret",
    "token",
    "credential",
    "key",
    "auth",
    "bearer",
    "cookie",
    "webhook",
    "conn",
    "pwd",
    "jwt",
    "dsn",
];

/// May one of the words be in it?
pub(super) fn may_name_one(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    PARTS.iter().any(|part| lower.contains(part))
}

/// Does a key like this hold a credential?
pub(super) fn is_credential(key: &str) -> bool {
    may_name_one(key) && KEY.is_match(key) && !POINTER.is_match(key)
}

/// Where the value of this key stands.
pub(super) fn under(inside: Inside, key: &str, of: Of) -> Inside {
    // A merge key stands for keys of the mapping that it is in.
    if key == "<<" {
        return inside;
    }
    match inside {
        Inside::Hidden if key == "files" => Inside::Plain,
        Inside::Hidden => Inside::Hidden,
        _ if HIDDEN.contains(&key) || key.starts_with("__param_") => Inside::Hidden,
        _ if key == "headers" && of == Of::File => Inside::Hidden,
        _ if CREDENTIAL.contains(&key) => Inside::Credential,
        Inside::Credential if SHOWN.contains(&key) || POINTER.is_match(key) => Inside::Plain,
        Inside::Credential => Inside::Credential,
        Inside::Plain | Inside::Named if is_credential(key) => Inside::Named,
        Inside::Plain | Inside::Named => Inside::Plain,
    }
}

/// Where the keys of a mapping stand that is such a value.
pub(super) fn within(inside: Inside, of: Of) -> Inside {
    match (inside, of) {
        (Inside::Named, Of::Object) => Inside::Plain,
        (Inside::Named, Of::File) => Inside::Credential,
        (inside, _) => inside,
    }
}

/// Whether a sibling makes this key's value a credential: a variable or header by its name, a relabel rule that
/// sets a request parameter.
pub(super) fn by_sibling(key: &str, sibling: impl Fn(&str) -> Option<String>) -> bool {
    match key {
        "value" | "values" => sibling("name").is_some_and(|name| is_credential(&name)),
        "replacement" => sibling("target_label").is_some_and(|label| label.starts_with("__param_")),
        _ => false,
    }
}

/// Is a value of this kind shown in spite of where it stands? A switch is no credential.
pub(super) fn is_switch(inside: Inside, value: &str) -> bool {
    inside != Inside::Hidden && matches!(value, "true" | "false" | "null" | "~" | "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_patterns_compile() {
        for pattern in [&KEY, &POINTER] {
            let _ = pattern.as_str();
        }
    }

    #[test]
    #[should_panic(expected = "the mask's pattern")]
    fn a_pattern_that_does_not_compile_stops_the_program() {
        compiled("(");
    }

    #[test]
    fn each_word_has_its_part() {
        for word in WORDS.split('|') {
            let plain: String = word
                .replace("[-_]?", "_")
                .replace("(?:or)?", "")
                .replace("(?:ection)?", "")
                .replace("s?", "s");
            let plain = plain.trim_start_matches(|c: char| !c.is_ascii_lowercase());
            let told = word.contains('^') || word.contains('$') || may_name_one(plain);
            assert!(told || plain.is_empty(), "{word}");
        }
        for key in ["pass", "pwd", "jwt", "dsn", "auth", "db-pass", "x.auth"] {
            assert!(is_credential(key), "{key}");
        }
    }

    #[test]
    fn a_path_of_keys_leads_to_where_a_value_stands() {
        for (path, of, inside) in [
            ("basic_auth username", Of::File, Inside::Plain),
            ("basic_auth password", Of::File, Inside::Credential),
            ("authorization type", Of::File, Inside::Plain),
            ("authorization credentials_file", Of::File, Inside::Plain),
            ("authorization anything", Of::File, Inside::Credential),
            ("oauth2 scopes", Of::File, Inside::Plain),
            ("oauth2 endpoint_params audience", Of::File, Inside::Hidden),
            ("oauth2 tls_config key", Of::File, Inside::Credential),
            ("http_headers X values", Of::File, Inside::Hidden),
            ("http_headers X files", Of::File, Inside::Plain),
            ("remote_write headers X", Of::File, Inside::Hidden),
            ("match headers X", Of::Object, Inside::Plain),
            ("params module", Of::File, Inside::Hidden),
            (
                "static_configs labels __param_token",
                Of::File,
                Inside::Hidden,
            ),
            ("volumes secret", Of::Object, Inside::Named),
            ("volumes secret defaultMode", Of::Object, Inside::Plain),
            ("volumes secret a", Of::File, Inside::Credential),
            ("sigv4 role_arn", Of::File, Inside::Plain),
            ("sigv4 external", Of::File, Inside::Credential),
            ("relabel_configs regex", Of::File, Inside::Plain),
        ] {
            let found = path.split(' ').fold(Inside::Plain, |inside, key| {
                under(within(inside, of), key, of)
            });
            assert_eq!(found, inside, "{path}");
        }
    }
}
