//! Istio's validating webhook, in what its names allow (`pkg/config/validation`).

use serde_json::Value;

use super::json::{list, name};
use super::kinds::{self, Kind};

/// `labels.IsDNS1123Label`.
fn is_label(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=63).contains(&word.len())
        && word.chars().all(|c| plain(c) || c == '-')
        && word.starts_with(plain)
        && word.ends_with(plain)
}

/// Why the webhook denies an object, in its words.
pub fn denied(kind: &Kind, object: &Value) -> Option<String> {
    let why = if *kind == kinds::GATEWAY {
        let own = name(object);
        (!is_label(own)).then(|| format!("invalid gateway name: {own:?}"))
    } else if *kind == kinds::VIRTUAL_SERVICE {
        let bound = list(object, "/spec/gateways").iter();
        let mut names = bound
            .filter_map(Value::as_str)
            .filter_map(|bound| bound.split_once('/').map(|(_, name)| name));
        names
            .find(|name| !is_label(name))
            .map(|name| format!("invalid value for gateway name: {name:?}"))
    } else if *kind == kinds::SERVICE_ENTRY {
        let mut hosts = list(object, "/spec/hosts").iter().filter_map(Value::as_str);
        let long = |host: &&str| host.len() > 255 || host.split('.').any(|part| part.len() > 63);
        hosts
            .find(long)
            .map(|host| format!("domain name {host:?} invalid (label invalid)"))
    } else {
        None
    }?;
    Some(format!(
        "admission webhook \"validation.istio.io\" denied the request: configuration is invalid: {why}"
    ))
}
