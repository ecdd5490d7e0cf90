//! From `--config.file` through mount and volume to what holds the text.

use super::objects::{Container, Template, VolumeMount};
use serde_json::Value;

const DEFAULT_CONFIG: &str = "/etc/prometheus/prometheus.yml";

/// The value of an option, as `--name=value` or in the next argument; one dash works as well as two.
pub(super) fn option<'c>(container: &'c Container, name: &str) -> Option<&'c str> {
    let all: Vec<&str> = container
        .command
        .iter()
        .chain(&container.args)
        .map(String::as_str)
        .collect();
    all.iter().enumerate().find_map(|(at, arg)| {
        let rest = arg
            .strip_prefix("--")
            .or(arg.strip_prefix('-'))?
            .strip_prefix(name)?;
        match rest.strip_prefix('=') {
            Some(value) => Some(value),
            None if rest.is_empty() => all.get(at + 1).copied(),
            None => None,
        }
    })
}

pub(super) fn flag(container: &Container, name: &str) -> bool {
    let given = |arg: &String| {
        let bare = arg.trim_start_matches('-');
        bare == name || bare.strip_prefix(name) == Some("=true")
    };
    container.command.iter().chain(&container.args).any(given)
}

/// Where a mounted file comes from.
pub(super) enum Source {
    ConfigMap {
        name: String,
        key: String,
        sub_path: bool,
    },
    Secret(String),
    /// In the image (no volume), or in a volume that is not declared or that no ConfigMap fills.
    Elsewhere {
        volume: Option<String>,
        declared: bool,
    },
}

pub(super) fn volume<'t>(template: &'t Template, name: &str) -> Option<&'t Value> {
    template
        .spec
        .volumes
        .iter()
        .find(|volume| volume["name"].as_str() == Some(name))
}

/// The mount that `path` lies in: the deepest one.
pub(super) fn mount_of<'c>(
    container: &'c Container,
    path: &str,
) -> Option<(&'c VolumeMount, String)> {
    container
        .volume_mounts
        .iter()
        .filter_map(|mount| {
            let base = mount.mount_path.trim_end_matches('/');
            let rest = path.strip_prefix(base)?;
            let inside = rest.is_empty() || rest.starts_with('/');
            inside.then(|| (mount, rest.trim_start_matches('/').to_owned()))
        })
        .max_by_key(|(mount, _)| mount.mount_path.len())
}

/// The key of a ConfigMap volume that appears as this file.
fn key_of(source: &Value, file: &str) -> Option<String> {
    match source["items"].as_array() {
        Some(items) if !items.is_empty() => items
            .iter()
            .find(|item| item["path"].as_str() == Some(file))
            .and_then(|item| item["key"].as_str())
            .map(str::to_owned),
        _ => (!file.is_empty() && !file.contains('/')).then(|| file.to_owned()),
    }
}

pub(super) fn config_path(container: &Container) -> &str {
    option(container, "config.file").unwrap_or(DEFAULT_CONFIG)
}

pub(super) fn follow(template: &Template, container: &Container) -> Source {
    let path = config_path(container);
    let Some((mount, rest)) = mount_of(container, path) else {
        return Source::Elsewhere {
            volume: None,
            declared: false,
        };
    };
    let sub_path = mount.sub_path.as_deref().filter(|sub| !sub.is_empty());
    let file = match (sub_path, rest.is_empty()) {
        (Some(sub), true) => sub.to_owned(),
        (Some(sub), false) => format!("{sub}/{rest}"),
        (None, _) => rest,
    };
    let Some(volume) = volume(template, &mount.name) else {
        return Source::Elsewhere {
            volume: Some(mount.name.clone()),
            declared: false,
        };
    };
    let projected = volume["projected"]["sources"].as_array();
    let sources = projected.map_or_else(|| vec![volume], |list| list.iter().collect());
    for source in sources {
        let map = &source["configMap"];
        if let Some(name) = map["name"].as_str()
            && let Some(key) = key_of(map, &file)
        {
            return Source::ConfigMap {
                name: name.to_owned(),
                key,
                sub_path: sub_path.is_some(),
            };
        }
        let secret = &source["secret"];
        if let Some(name) = secret["secretName"].as_str().or(secret["name"].as_str()) {
            return Source::Secret(name.to_owned());
        }
    }
    Source::Elsewhere {
        volume: Some(mount.name.clone()),
        declared: true,
    }
}
