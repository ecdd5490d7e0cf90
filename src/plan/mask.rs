//! Credentials taken out of what is shown: Secrets, password-like fields, and text inside ConfigMaps.

use super::path::{LeafPath, Step};
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// What stands in a credential's place.
pub const MASK: &str = "••••••";

/// Words that make a key's value a credential.
const WORDS: &str = r"passw(?:or)?d|passphrase|secret|token|credentials?|api[-_]?key|access[-_]?key|private[-_]?key|account[-_]?key|authorization|proxy[-_]?authorization|basic[-_]?auth|bearer";

static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&format!("(?i){WORDS}")).ok());

/// Keys that only name or point at a credential.
static POINTER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:name|names|file|files|path|ref|refs|url|uri|key_?ref|mode|type|namespace|seconds|audience|id)$").ok()
});

/// `key: value` in YAML, JSON or flow text. 1: key, quotes included; 2: separator; 3: value.
static FIELD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r#"(?i)(["']?[\w.\-]*(?:{WORDS})[\w.\-]*["']?)(\s*[:=]\s*)("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s,{{}}\[\]#'"|>&*!][^,{{}}#\n]*)"#
    ))
    .ok()
});

/// A block scalar or a value of its own line behind a credential's key.
static BLOCK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r#"(?i)^(\s*(?:-\s+)*)(["']?[\w.\-]*(?:{WORDS})[\w.\-]*["']?)\s*:\s*(?:[|>][-+0-9]*)\s*(?:#.*)?$"#
    ))
    .ok()
});

static USERINFO: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)([a-z][a-z0-9+.\-]*://)[^/\s@"']+@"#).ok());

static BEARER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b(bearer|basic)(\s+)([a-z0-9+/=_.~\-]{8,})").ok());

/// A bcrypt hash, as Prometheus's web configuration keeps passwords.
static BCRYPT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{20,}").ok());

fn is_match(regex: &LazyLock<Option<Regex>>, text: &str) -> bool {
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}

/// Does a key like this hold a credential?
fn secret_key(key: &str) -> bool {
    is_match(&KEY, key) && !is_match(&POINTER, key)
}

/// Text with credentials masked: `key: value` of password-like keys, block scalars under them, userinfo in
/// URLs, bearer tokens, private keys. Lines stay lines.
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Indentation of the key whose block is hidden; inside a PEM block.
    let mut hidden: Option<usize> = None;
    let mut pem = false;
    for line in text.split_inclusive('\n') {
        let (body, end) = match line.strip_suffix('\n') {
            Some(body) => (
                body.strip_suffix('\r').unwrap_or(body),
                if body.ends_with('\r') { "\r\n" } else { "\n" },
            ),
            None => (line, ""),
        };
        let indent = body.len() - body.trim_start().len();
        if let Some(key) = hidden {
            if body.trim().is_empty() || indent > key {
                if !body.trim().is_empty() {
                    out.push_str(&body[..indent]);
                    out.push_str(MASK);
                }
                out.push_str(end);
                continue;
            }
            hidden = None;
        }
        if pem || body.contains("PRIVATE KEY-----") {
            let ends = body.contains("-----END");
            pem = !ends;
            out.push_str(&body[..indent]);
            out.push_str(MASK);
            out.push_str(end);
            continue;
        }
        if let Some(found) = BLOCK.as_ref().and_then(|regex| regex.captures(body))
            && secret_key(found[2].trim_matches(['"', '\'']))
        {
            hidden = Some(found[1].len());
        }
        out.push_str(&line_masked(body));
        out.push_str(end);
    }
    out
}

fn line_masked(line: &str) -> String {
    let mut masked = line.to_owned();
    if let Some(regex) = USERINFO.as_ref() {
        masked = regex
            .replace_all(&masked, format!("${{1}}{MASK}@"))
            .into_owned();
    }
    if let Some(regex) = BEARER.as_ref() {
        masked = regex
            .replace_all(&masked, format!("${{1}}${{2}}{MASK}"))
            .into_owned();
    }
    if let Some(regex) = BCRYPT.as_ref() {
        masked = regex.replace_all(&masked, MASK).into_owned();
    }
    if let Some(regex) = FIELD.as_ref() {
        masked = regex
            .replace_all(&masked, |found: &regex::Captures| {
                let key = found[1].trim_matches(['"', '\'']);
                if secret_key(key) {
                    format!("{}{}{MASK}", &found[1], &found[2])
                } else {
                    found[0].to_owned()
                }
            })
            .into_owned();
    }
    masked
}

/// Both sides of a diff with credentials masked; one that differs says so on both sides.
pub fn pair(before: Option<Value>, after: Option<Value>) -> (Option<Value>, Option<Value>) {
    let secret = [&before, &after]
        .iter()
        .any(|side| side.as_ref().is_some_and(|value| value["kind"] == "Secret"));
    let masked_before = before
        .clone()
        .map(|value| object(value, after.as_ref(), " (before)", secret));
    let masked_after = after.map(|value| object(value, before.as_ref(), " (after)", secret));
    (masked_before, masked_after)
}

/// An object with credentials masked.
pub fn masked(value: &Value) -> Value {
    object(value.clone(), None, "", value["kind"] == "Secret")
}

fn object(value: Value, other: Option<&Value>, side: &str, secret: bool) -> Value {
    let mut out = value;
    if secret {
        for field in ["data", "stringData"] {
            let theirs = other.and_then(|other| other.get(field));
            if let Some(Value::Object(data)) = out.get_mut(field) {
                for (key, value) in data.iter_mut() {
                    hide(value, theirs.and_then(|theirs| theirs.get(key)), side);
                }
            }
        }
    }
    walk(&mut out, other, side);
    out
}

fn hide(value: &mut Value, other: Option<&Value>, side: &str) {
    let differs = other.is_some_and(|other| other != value);
    *value = Value::from(format!("{MASK}{}", if differs { side } else { "" }));
}

fn walk(value: &mut Value, other: Option<&Value>, side: &str) {
    match value {
        Value::Object(map) => {
            let named = map
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(secret_key);
            for (key, inner) in map.iter_mut() {
                let theirs = other.and_then(|other| other.get(key));
                let credential = secret_key(key) || (named && key == "value");
                if credential && inner.is_string() {
                    if inner.as_str().is_some_and(|text| !text.starts_with(MASK)) {
                        hide(inner, theirs, side);
                    }
                } else {
                    walk(inner, theirs, side);
                }
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter_mut().enumerate() {
                let theirs = other.and_then(|other| other.get(index));
                walk(inner, theirs, side);
            }
        }
        Value::String(words) => {
            let hidden = text(words);
            if hidden != *words {
                *words = hidden;
            }
        }
        _ => {}
    }
}

/// One leaf's value in words: masked, cut to a line.
pub fn shown(path: &LeafPath, value: &Value) -> String {
    let credential = path.0.iter().any(|step| match step {
        Step::Field(name) => secret_key(name),
        _ => false,
    });
    if credential && !value.is_object() {
        return MASK.to_owned();
    }
    let words = masked(value).to_string();
    if words.chars().count() > 120 {
        let cut: String = words.chars().take(117).collect();
        return format!("{cut}…");
    }
    words
}

/// One leaf's value, masked.
pub fn leaf(path: &LeafPath, value: &Value) -> Value {
    let credential = path
        .0
        .iter()
        .any(|step| matches!(step, Step::Field(name) if secret_key(name)));
    if credential && value.is_string() {
        Value::from(MASK)
    } else {
        masked(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn credentials_in_prometheus_text_are_masked() {
        let config = "\
scrape_configs:
- job_name: a
  basic_auth:
    username: u
    password: hunter2
  bearer_token: \"abc def\"
  authorization:
    type: Bearer
    credentials: zzz # why
  remote: https://user:pw@example.org/x
- job_name: b
  basic_auth: {username: u, password: 'flow secret', x: y}
  authorization: {credentials: tok}
  oauth2: {client_id: i, client_secret: s3}
  headers: {X: Bearer abcdefghijkl}
  basic_auth_users: {admin: $2y$10$abcdefghijklmnopqrstuvwx}
  password_file: /etc/pw
  bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
";
        let masked = text(config);
        for leaked in [
            "hunter2",
            "abc def",
            "zzz",
            "user:pw",
            "flow secret",
            "tok}",
            "s3}",
            "abcdefghijkl",
            "abcdefghijklmnopqrstuvwx",
        ] {
            assert!(!masked.contains(leaked), "{leaked} in\n{masked}");
        }
        for kept in [
            "username: u",
            "job_name: b",
            "type: Bearer\n",
            "password_file: /etc/pw",
            "example.org/x",
            "x: y}",
            "bearer_token_file: /var/run",
            "client_id: i",
            "basic_auth:\n",
            "authorization:\n",
        ] {
            assert!(masked.contains(kept), "{kept} not in\n{masked}");
        }
        assert_eq!(masked.lines().count(), config.lines().count());
    }

    #[test]
    fn blocks_and_private_keys_are_masked_line_by_line() {
        let masked = text(
            "a:\n  password: |\n    one\n    two\n  b: 1\nkey: x\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nc: 2\n",
        );
        assert_eq!(
            masked,
            format!(
                "a:\n  password: |\n    {MASK}\n    {MASK}\n  b: 1\nkey: x\n{MASK}\n{MASK}\n{MASK}\nc: 2\n"
            )
        );
    }

    #[test]
    fn secrets_show_only_that_they_differ() {
        let before = json!({"kind": "Secret", "data": {"same": "YQ==", "other": "Yg=="}});
        let after =
            json!({"kind": "Secret", "data": {"same": "YQ==", "other": "Yw==", "new": "ZA=="}});
        let (before, after) = pair(Some(before), Some(after));
        assert_eq!(
            before.unwrap()["data"],
            json!({"same": MASK, "other": format!("{MASK} (before)")})
        );
        assert_eq!(
            after.unwrap()["data"],
            json!({"same": MASK, "other": format!("{MASK} (after)"), "new": MASK})
        );
    }

    #[test]
    fn variables_by_name_and_annotations_with_json() {
        let masked = masked(&json!({"kind": "Deployment",
            "metadata": {"annotations": {"j": "{\"password\":\"p1\",\"a\":1}"}},
            "spec": {"env": [{"name": "DB_PASSWORD", "value": "p2"}, {"name": "MODE", "value": "v"}],
                "secretName": "s", "automountServiceAccountToken": false,
                "serviceAccountName": "default"}}));
        let words = masked.to_string();
        assert!(!words.contains("p1") && !words.contains("p2"), "{words}");
        assert!(words.contains("\"value\":\"v\"") && words.contains("\"secretName\":\"s\""));
        assert!(words.contains("\"serviceAccountName\":\"default\""));
    }

    #[test]
    fn istio_fields_are_not_mistaken() {
        let object = json!({"spec": {"portLevelMtls": {"15091": {"mode": "STRICT"}},
            "tls": {"mode": "ISTIO_MUTUAL", "credentialName": "c"},
            "principals": ["cluster.local/ns/istio-system/sa/prometheus"]}});
        assert_eq!(masked(&object), object);
    }
}
