//! Paths and queries of the API.

use super::kinds::{self, Kind};

/// A query string, decoded, in order.
#[derive(Clone, Debug, Default)]
pub struct Query(pub Vec<(String, String)>);

impl Query {
    pub fn parse(query: &str) -> Query {
        let pairs = query.split('&').filter(|part| !part.is_empty());
        Query(
            pairs
                .map(|part| {
                    let (key, value) = part.split_once('=').unwrap_or((part, ""));
                    (decode(key), decode(value))
                })
                .collect(),
        )
    }

    /// The first value of a key that is not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(k, v)| k == key && !v.is_empty());
        values.next().map(|(_, value)| value.as_str())
    }

    pub fn dry_run(&self) -> bool {
        self.get("dryRun") == Some("All")
    }
}

/// Percent and plus decoding; broken escapes stay as they are.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let hex = text.get(index + 1..index + 3);
        match (
            bytes[index],
            hex.and_then(|h| u8::from_str_radix(h, 16).ok()),
        ) {
            (b'%', Some(byte)) => {
                out.push(byte);
                index += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        index += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where a request goes.
#[derive(Debug)]
pub enum Route {
    Version,
    CoreVersions,
    Groups,
    Resources {
        group: String,
        version: String,
    },
    Reviews(String),
    Objects(Objects),
    /// A path that looks like a resource nobody serves.
    Missing,
    Unknown,
}

#[derive(Debug)]
pub struct Objects {
    pub kind: &'static Kind,
    /// Empty: cluster-wide.
    pub namespace: String,
    /// Empty: the collection.
    pub name: String,
    pub subresource: String,
    /// What follows the subresource, without the leading slash.
    pub rest: String,
}

pub fn route(path: &str) -> Route {
    let parts: Vec<&str> = path.trim_matches('/').splitn(9, '/').collect();
    match parts.as_slice() {
        ["version"] => Route::Version,
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["api", version] => Route::Resources {
            group: String::new(),
            version: (*version).to_owned(),
        },
        ["apis", group, version] => Route::Resources {
            group: (*group).to_owned(),
            version: (*version).to_owned(),
        },
        ["apis", "authorization.k8s.io", "v1", review] => Route::Reviews((*review).to_owned()),
        ["api", version, ..] => objects("", version, path, 2),
        ["apis", group, version, ..] => objects(group, version, path, 3),
        _ => Route::Unknown,
    }
}

fn objects(group: &str, version: &str, path: &str, skip: usize) -> Route {
    let path = path.trim_start_matches('/');
    let mut parts = path.split('/').skip(skip).collect::<Vec<_>>();
    let mut namespace = String::new();
    if parts.first() == Some(&"namespaces") && parts.len() > 2 {
        namespace = decode(parts[1]);
        parts.drain(..2);
    }
    let Some(plural) = parts.first() else {
        return Route::Unknown;
    };
    let Some(kind) = kinds::by_path(group, version, plural) else {
        return Route::Missing;
    };
    Route::Objects(Objects {
        kind,
        namespace,
        name: parts.get(1).map(|p| decode(p)).unwrap_or_default(),
        subresource: parts.get(2).map(|p| (*p).to_owned()).unwrap_or_default(),
        rest: parts.get(3..).map(|p| p.join("/")).unwrap_or_default(),
    })
}
