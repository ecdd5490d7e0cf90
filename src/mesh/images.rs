//! What the known images of Prometheus bring along where the pod says nothing else.

use super::objects::Container;

/// The last part of an image's name, without its tag.
pub(super) fn last_part(image: &str) -> &str {
    let named = image.split('@').next().unwrap_or(image);
    let last = named.rsplit('/').next().unwrap_or(named);
    last.split(':').next().unwrap_or(last)
}

pub(super) struct Image {
    /// `WORKDIR`
    pub directory: &'static str,
    /// `--storage.tsdb.path` among its default arguments.
    pub data: &'static str,
    /// `--config.file` among them.
    pub config: &'static str,
}

/// The images whose defaults are known. Prometheus's own, by the Dockerfile of prometheus/prometheus (`WORKDIR
/// /prometheus`, `CMD [--config.file=…, --storage.tsdb.path=/prometheus]`), also where it was copied into another
/// registry; Bitnami's by that of bitnami/containers.
pub(super) fn image(name: &str) -> Option<Image> {
    let named = name.split('@').next().unwrap_or(name);
    let mut parts = named.rsplit('/');
    let last = parts.next().unwrap_or_default();
    let last = last.split(':').next().unwrap_or_default();
    let owner = parts.next().unwrap_or_default();
    match (owner, last) {
        ("prom" | "prometheus", "prometheus") | (_, "mirrored-prometheus-prometheus") => {
            Some(Image {
                directory: "/prometheus",
                data: "/prometheus",
                config: "/etc/prometheus/prometheus.yml",
            })
        }
        ("bitnami" | "bitnamilegacy" | "bitnamisecure", "prometheus") => Some(Image {
            directory: "/opt/bitnami/prometheus",
            data: "/opt/bitnami/prometheus/data",
            config: "/opt/bitnami/prometheus/conf/prometheus.yml",
        }),
        _ => None,
    }
}

/// The container starts Prometheus itself, by its image's entrypoint or by its command; not a script, which may start
/// it in any folder and with any arguments.
pub(super) fn starts_prometheus(container: &Container) -> bool {
    container.command.first().is_none_or(|program| {
        let name = program.rsplit('/').next().unwrap_or(program);
        name == "prometheus"
    })
}

/// Where a relative path leads: under the container's working directory, else the image's. `None`: not known.
pub(super) fn absolute(container: &Container, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return Some(normal(path));
    }
    let directory = match container.working_dir.as_str() {
        _ if !starts_prometheus(container) => return None,
        "" => image(&container.image)?.directory,
        given => given,
    };
    Some(normal(&format!("{directory}/{path}")))
}

/// The path without `.`, `..` and empty parts.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
