//! From `--config.file` through mount and volume to what holds the text.

use super::images::{absolute, image, last_part, starts_prometheus};
use super::objects::{Container, Template, VolumeMount};
use serde_json::Value;

const DEFAULT_CONFIG: &str = "prometheus.yml";

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

/// Where Prometheus's configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    ConfigMap {
        /// Those that may hold the key, in the order of a projected volume: of several that do, the last one counts.
        names: Vec<String>,
        key: String,
        sub_path: bool,
    },
    Secret(String),
    /// A container of the pod writes the file, in its own way.
    Written {
        by: String,
        init: bool,
        /// ConfigMaps and Secrets that it can read.
        from: Vec<Mounted>,
    },
    /// Nothing says which file is read: a program that is not Prometheus itself starts it.
    Unnamed {
        /// `None`: the image's own.
        starts: Option<String>,
        from: Vec<Mounted>,
    },
    /// The name holds a variable of the container, so that every replica may read another file.
    Variable,
    /// In the image (no volume), or in a volume that is not declared or that no ConfigMap fills.
    Elsewhere {
        volume: Option<String>,
        declared: bool,
    },
}

/// What a volume of a pod shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mounted {
    ConfigMap(String),
    Secret(String),
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

/// The key of a ConfigMap's or Secret's volume that appears as this file.
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

/// The file that is read, as far as the container says: `--config.file`, else the one that its image names, else
/// `prometheus.yml` (cmd/prometheus/main.go) in the working directory. `None`: it does not say.
pub(super) fn config_path(container: &Container) -> Option<String> {
    if let Some(path) = option(container, "config.file") {
        return absolute(container, path).or_else(|| Some(path.to_owned()));
    }
    let bare = container.args.is_empty() && container.command.is_empty();
    match image(&container.image) {
        Some(image) if bare => Some(image.config.to_owned()),
        _ if bare || !starts_prometheus(container) => None,
        _ => absolute(container, DEFAULT_CONFIG),
    }
}

/// A file by what it is to every container of the pod: the volume, and the path in it. Also: whether by `subPath`.
struct Place {
    volume: String,
    file: String,
    sub_path: bool,
}

fn place(container: &Container, path: &str) -> Option<Place> {
    let (mount, rest) = mount_of(container, path)?;
    let sub_path = mount.sub_path.as_deref().filter(|sub| !sub.is_empty());
    let file = match (sub_path, rest.is_empty()) {
        (Some(sub), true) => sub.to_owned(),
        (Some(sub), false) => format!("{sub}/{rest}"),
        (None, _) => rest,
    };
    Some(Place {
        volume: mount.name.clone(),
        file,
        sub_path: sub_path.is_some(),
    })
}

pub(super) fn follow(template: &Template, container: &Container) -> Source {
    match config_path(container) {
        Some(path) if path.contains("$(") => Source::Variable,
        Some(path) => file(template, container, &path, RENDERINGS),
        None => Source::Unnamed {
            starts: container.command.first().cloned(),
            from: mounted(template, container),
        },
    }
}

/// One file may be rendered from another; a circle of them ends here.
const RENDERINGS: u8 = 3;
/// Options by which Thanos's sidecar and prometheus-config-reloader write a file, and those of the file that they make
/// it of: the same text but for `$(NAME)` of their environment (thanos, `pkg/reloader`).
const RENDERED: [(&str, &str); 2] = [
    ("reloader.config-envsubst-file", "reloader.config-file"),
    ("config-envsubst-file", "config-file"),
];

fn file(template: &Template, container: &Container, path: &str, renderings: u8) -> Source {
    let elsewhere = |volume: Option<&str>, declared| Source::Elsewhere {
        volume: volume.map(str::to_owned),
        declared,
    };
    let Some(place) = place(container, path) else {
        return elsewhere(None, false);
    };
    let Some(volume) = volume(template, &place.volume) else {
        return elsewhere(Some(&place.volume), false);
    };
    let mut names = Vec::new();
    let mut secrets = Vec::new();
    for source in sources(volume) {
        let (map, secret) = (&source["configMap"], &source["secret"]);
        if let Some(name) = map["name"].as_str()
            && let Some(key) = key_of(map, &place.file)
        {
            names.push((name.to_owned(), key));
        }
        let name = secret["secretName"].as_str().or(secret["name"].as_str());
        if let Some(name) = name
            && key_of(secret, &place.file).is_some()
        {
            secrets.push(name.to_owned());
        }
    }
    if let Some((_, key)) = names.last().cloned() {
        names.retain(|(_, of)| *of == key);
        return Source::ConfigMap {
            names: names.into_iter().map(|(name, _)| name).collect(),
            key,
            sub_path: place.sub_path,
        };
    }
    if let Some(secret) = secrets.pop() {
        return Source::Secret(secret);
    }
    written(template, container, &place, renderings)
        .unwrap_or_else(|| elsewhere(Some(&place.volume), true))
}

/// The file as another container of the pod makes it.
fn written(template: &Template, of: &Container, at: &Place, renderings: u8) -> Option<Source> {
    let spec = &template.spec;
    let others = || {
        spec.containers
            .iter()
            .chain(&spec.init_containers)
            .filter(|other| other.name != of.name)
    };
    for (other, (to, from)) in others().flat_map(|other| RENDERED.map(|pair| (other, pair))) {
        let here = option(other, to).and_then(|path| place(other, path));
        let same = here.is_some_and(|here| here.volume == at.volume && here.file == at.file);
        if same
            && let Some(path) = option(other, from)
            && renderings > 0
        {
            return Some(file(template, other, path, renderings - 1));
        }
    }
    let writes = |other: &&Container| {
        let mut mounts = other.volume_mounts.iter();
        mounts.any(|mount| mount.name == at.volume && !mount.read_only)
    };
    let init = spec.init_containers.iter().find(writes);
    let mut beside = spec.containers.iter().filter(|other| other.name != of.name);
    // One that reloads Prometheus reads what others write.
    let by = init.or_else(|| beside.find(|other| writes(other) && !reloads(other)))?;
    Some(Source::Written {
        by: by.name.clone(),
        init: init.is_some(),
        from: mounted(template, by),
    })
}

/// The container makes Prometheus load its configuration again when that changes.
pub(super) fn reloads(container: &Container) -> bool {
    let image = last_part(&container.image);
    image.contains("configmap-reload")
        || image.contains("config-reloader")
        || [
            "watched-dir",
            "volume-dir",
            "webhook-url",
            "reload-url",
            "reloader.config-file",
        ]
        .iter()
        .any(|name| option(container, name).is_some())
}

/// The parts of a projected volume, or the one that any other is.
fn sources(volume: &Value) -> Vec<&Value> {
    let projected = volume["projected"]["sources"].as_array();
    projected.map_or_else(|| vec![volume], |list| list.iter().collect())
}

fn mounted(template: &Template, container: &Container) -> Vec<Mounted> {
    let mut found = Vec::new();
    let mounts = container.volume_mounts.iter();
    for source in mounts
        .filter_map(|mount| volume(template, &mount.name))
        .flat_map(sources)
    {
        let secret = &source["secret"];
        let one = match source["configMap"]["name"].as_str() {
            Some(name) => Some(Mounted::ConfigMap(name.to_owned())),
            None => {
                let name = secret["secretName"].as_str().or(secret["name"].as_str());
                name.map(|name| Mounted::Secret(name.to_owned()))
            }
        };
        found.extend(one.filter(|one| !found.contains(one)));
    }
    found
}
