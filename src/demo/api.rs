//! Requests: who may, what is read, and where the rest goes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::answers::{self, Reply};
use super::json::{as_map, at, list as items, name, namespace, text, uid};
use super::kinds::{self, KINDS, Kind};
use super::rights::Asked;
use super::routes::{Objects, Query, Route, route};
use super::watch::{Filter, From};
use super::world::World;
use super::{Simulation, locked, proxied, selectors, write};

/// A request, read.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub query: Query,
    pub content_type: String,
    pub accept: String,
    pub agent: String,
    pub body: Bytes,
}

pub enum Answer {
    Whole(Reply),
    Watch(From),
}

impl std::convert::From<Reply> for Answer {
    fn from(reply: Reply) -> Answer {
        Answer::Whole(reply)
    }
}

pub fn handle(simulation: &Simulation, call: &Call) -> Answer {
    let expired = locked(&simulation.inner.rules).expired;
    let mut world = simulation.world();
    if expired || world.settings.expired_token {
        return answers::unauthorized().into();
    }
    let method = call.method.as_str();
    match route(&call.path) {
        Route::Version if method == "GET" => version(&world).into(),
        Route::CoreVersions => {
            Reply::json(200, &json!({"kind": "APIVersions", "versions": ["v1"]})).into()
        }
        Route::Groups => groups(&world).into(),
        Route::Resources { group, version } => resources(&world, &group, &version).into(),
        Route::Reviews(review) if method == "POST" => {
            reviews(simulation, &world, &review, call).into()
        }
        Route::Objects(to) => {
            if world
                .settings
                .absent_groups
                .iter()
                .any(|group| group == to.kind.group)
            {
                return answers::no_such_path().into();
            }
            let verb = verb(call, &to);
            if let Some(refusal) = refusal(simulation, &world, verb, &to) {
                return refusal.into();
            }
            if matches!(to.subresource.as_str(), "proxy") {
                return proxied::handle(&mut world, call, &to).into();
            }
            if !matches!(to.subresource.as_str(), "" | "status") {
                return answers::not_simulated(method, &call.path).into();
            }
            match verb {
                "list" | "watch" => collection(&world, call, &to),
                "get" => one(&world, call, &to).into(),
                "create" | "update" | "patch" | "delete" => {
                    let before = world.store.revision();
                    let reply = write::handle(&mut world, call, &to);
                    let changed = world.store.revision() != before;
                    if changed {
                        let now = world.now;
                        world.advance(now);
                    }
                    drop(world);
                    if changed {
                        simulation.written();
                    }
                    reply.into()
                }
                _ => answers::not_simulated(method, &call.path).into(),
            }
        }
        Route::Missing => answers::no_such_path().into(),
        _ => answers::not_simulated(method, &call.path).into(),
    }
}

fn verb(call: &Call, to: &Objects) -> &'static str {
    let watch = matches!(call.query.get("watch"), Some("1" | "true"));
    match (call.method.as_str(), to.name.is_empty()) {
        ("GET", true) if watch => "watch",
        ("GET", true) => "list",
        ("GET", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", false) => "delete",
        ("DELETE", true) => "deletecollection",
        _ => "",
    }
}

fn refusal(simulation: &Simulation, world: &World, verb: &str, to: &Objects) -> Option<Reply> {
    let resource = match to.subresource.as_str() {
        "" => to.kind.plural.to_owned(),
        sub => format!("{}/{sub}", to.kind.plural),
    };
    simulation
        .denied(verb, (to.kind.group, &resource), &to.namespace)
        .then(|| {
            answers::forbidden(
                &world.settings.user,
                verb,
                to.kind,
                &to.subresource,
                &to.namespace,
                &to.name,
            )
        })
}

fn version(world: &World) -> Reply {
    let git = &world.settings.kubernetes_version;
    let mut parts = git.split('.');
    Reply::json(
        200,
        &json!({
            "major": parts.next(), "minor": parts.next(), "gitVersion": format!("v{git}"),
            "gitCommit": "", "gitTreeState": "clean", "buildDate": "2026-07-15T00:00:00Z",
            "goVersion": "go1.26", "compiler": "gc", "platform": "linux/amd64",
        }),
    )
}

fn present<'a>(world: &'a World) -> impl Iterator<Item = &'static Kind> + 'a {
    KINDS.iter().copied().filter(|kind| {
        let unused = kind.is_of_a_vendor() && world.store.all(kind).next().is_none();
        !unused
            && !world
                .settings
                .absent_groups
                .iter()
                .any(|group| group == kind.group)
    })
}

fn groups(world: &World) -> Reply {
    let mut names: Vec<(&str, Vec<&str>)> = Vec::new();
    for kind in present(world).filter(|kind| !kind.group.is_empty()) {
        match names.iter_mut().find(|(group, _)| *group == kind.group) {
            Some((_, versions)) if versions.contains(&kind.version) => {}
            Some((_, versions)) => versions.push(kind.version),
            None => names.push((kind.group, vec![kind.version])),
        }
    }
    names.push(("authorization.k8s.io", vec!["v1"]));
    let groups: Vec<Value> = names
        .into_iter()
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .into_iter()
                .map(|v| json!({"groupVersion": format!("{group}/{v}"), "version": v}))
                .collect();
            json!({"name": group, "versions": versions, "preferredVersion": versions[0]})
        })
        .collect();
    Reply::json(
        200,
        &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}),
    )
}

fn resources(world: &World, group: &str, version: &str) -> Reply {
    let mut found: Vec<Value> = Vec::new();
    for kind in present(world).filter(|k| k.group == group && k.version == version) {
        found.push(json!({
            "name": kind.plural, "singularName": kind.kind.to_lowercase(), "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        }));
    }
    if group.is_empty() {
        for name in ["pods/proxy", "services/proxy"] {
            found.push(json!({"name": name, "singularName": "", "namespaced": true,
                              "kind": "PodProxyOptions", "verbs": ["create", "get"]}));
        }
    }
    if found.is_empty() {
        return answers::no_such_path();
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    Reply::json(
        200,
        &json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": found}),
    )
}

static REVIEW: Kind = Kind {
    group: "authorization.k8s.io",
    version: "v1",
    kind: "SubjectAccessReview",
    plural: "subjectaccessreviews",
    namespaced: false,
};

fn reviews(simulation: &Simulation, world: &World, review: &str, call: &Call) -> Reply {
    let Ok(mut body) = serde_json::from_slice::<Value>(&call.body) else {
        return answers::bad_request("the body is not JSON");
    };
    match review {
        "selfsubjectaccessreviews" => {
            let wanted = at(&body, "/spec/resourceAttributes");
            let (plural, sub) = (text(wanted, "/resource"), text(wanted, "/subresource"));
            let resource = if sub.is_empty() {
                plural.to_owned()
            } else {
                format!("{plural}/{sub}")
            };
            let group = text(wanted, "/group");
            let denied = simulation.denied(
                text(wanted, "/verb"),
                (group, &resource),
                text(wanted, "/namespace"),
            );
            as_map(&mut body).insert("status".into(), json!({"allowed": !denied}));
        }
        "subjectaccessreviews" => {
            let of = ("authorization.k8s.io", "subjectaccessreviews");
            if simulation.denied("create", of, "") {
                return answers::forbidden(&world.settings.user, "create", &REVIEW, "", "", "");
            }
            let spec = at(&body, "/spec");
            let groups = items(spec, "/groups").iter().filter_map(Value::as_str);
            let allowed = world.allows(&Asked {
                user: text(spec, "/user"),
                groups: groups.collect(),
                verb: text(spec, "/resourceAttributes/verb"),
                group: text(spec, "/resourceAttributes/group"),
                resource: text(spec, "/resourceAttributes/resource"),
                namespace: text(spec, "/resourceAttributes/namespace"),
            });
            as_map(&mut body).insert("status".into(), json!({"allowed": allowed}));
        }
        "selfsubjectrulesreviews" => {
            let rules = json!({
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                // Refusals of the simulation do not show here, as those of webhooks do not on real clusters.
                "incomplete": !locked(&simulation.inner.rules).denials.is_empty(),
            });
            as_map(&mut body).insert("status".into(), rules);
        }
        "selfsubjectreviews" => {
            let user = &world.settings.user;
            as_map(&mut body).insert("status".into(), json!({"userInfo": {"username": user}}));
        }
        _ => return answers::not_simulated(&call.method, &call.path),
    }
    Reply::json(201, &body)
}

fn one(world: &World, call: &Call, to: &Objects) -> Reply {
    match world.store.get(to.kind, &to.namespace, &to.name) {
        Some(object) if call.accept.contains("as=PartialObjectMetadata") => {
            Reply::json(200, &partial(object))
        }
        Some(object) => Reply::json(200, object),
        None => answers::not_found(to.kind, &to.name),
    }
}

fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": at(object, "/metadata")})
}

fn filter(call: &Call) -> Result<Filter, String> {
    let labels = selectors::by_labels(call.query.get("labelSelector").unwrap_or(""))?;
    let fields = selectors::by_fields(call.query.get("fieldSelector").unwrap_or(""))?;
    Ok(Arc::new(move |object: &Value| {
        labels(object) && fields(object)
    }))
}

fn collection(world: &World, call: &Call, to: &Objects) -> Answer {
    let filter = match filter(call) {
        Ok(filter) => filter,
        Err(why) => return answers::bad_request(why).into(),
    };
    let all: Vec<&Arc<Value>> = world
        .store
        .all(to.kind)
        .filter(|object| to.namespace.is_empty() || namespace(object) == to.namespace)
        .filter(|object| filter(object))
        .collect();
    if verb(call, to) == "watch" {
        let given = call.query.get("resourceVersion").unwrap_or("0");
        let from_start = given == "0";
        let Ok(revision) = given.parse::<u64>() else {
            return answers::bad_request(format!("invalid resource version {given:?}")).into();
        };
        return Answer::Watch(From {
            kind: to.kind,
            namespace: to.namespace.clone(),
            filter,
            revision: if from_start {
                world.store.revision()
            } else {
                revision
            },
            first: if from_start {
                all.into_iter().cloned().collect()
            } else {
                Vec::new()
            },
            bookmarks: call.query.get("allowWatchBookmarks") == Some("true"),
            timeout: Duration::from_secs(
                call.query
                    .get("timeoutSeconds")
                    .and_then(|t| t.parse().ok())
                    .unwrap_or(1800),
            ),
        });
    }
    list(world, call, to, &all).into()
}

fn list(world: &World, call: &Call, to: &Objects, all: &[&Arc<Value>]) -> Reply {
    let limit: usize = call
        .query
        .get("limit")
        .and_then(|l| l.parse().ok())
        .unwrap_or(0);
    let token = call.query.get("continue").map(unhex).unwrap_or_default();
    let (revision, after) = match token.split_once(' ') {
        Some((revision, after)) => (revision.to_owned(), after.to_owned()),
        None => (world.store.revision().to_string(), String::new()),
    };
    let key = |object: &Value| format!("{}/{}", namespace(object), name(object));
    let order = |object: &Value| (namespace(object).to_owned(), name(object).to_owned());
    let (ns, own) = after.split_once('/').unwrap_or(("", ""));
    let last = (ns.to_owned(), own.to_owned());
    let rest: Vec<&Arc<Value>> = all
        .iter()
        .copied()
        .filter(|object| after.is_empty() || order(object) > last)
        .collect();
    let page = if limit == 0 {
        rest.len()
    } else {
        limit.min(rest.len())
    };
    let mut metadata = json!({"resourceVersion": revision});
    if page < rest.len() {
        let token = format!("{revision} {}", key(rest[page - 1]));
        metadata["continue"] = json!(hex(&token));
        // Servers count what is left only where nothing is filtered out.
        if call.query.get("labelSelector").is_none() && call.query.get("fieldSelector").is_none() {
            metadata["remainingItemCount"] = json!(rest.len() - page);
        }
    }
    let metadata_only = call.accept.contains("as=PartialObjectMetadataList");
    // Written as text at once: a list may be long, and nothing of it is changed.
    let item = |item: &Arc<Value>| {
        if metadata_only {
            return partial(item).to_string();
        }
        let named = to.kind.is_builtin();
        let fields = item.as_object().into_iter().flatten();
        let fields = fields.filter(|(key, _)| !named || !matches!(&***key, "apiVersion" | "kind"));
        let fields: Vec<String> = fields
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    };
    let items: Vec<String> = rest[..page].iter().copied().map(item).collect();
    let (version, kind) = if metadata_only {
        (
            "meta.k8s.io/v1".to_owned(),
            "PartialObjectMetadataList".to_owned(),
        )
    } else {
        (to.kind.api_version(), format!("{}List", to.kind.kind))
    };
    let items = items.join(",");
    Reply::written(format!(
        r#"{{"kind":"{kind}","apiVersion":"{version}","metadata":{metadata},"items":[{items}]}}"#
    ))
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> String {
    let bytes: Vec<u8> = (0..text.len() / 2)
        .filter_map(|i| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A pod or Service by what a proxy path calls it.
pub fn named(world: &World, to: &Objects, own: &str) -> Option<Arc<Value>> {
    let kind: &Kind = if *to.kind == kinds::SERVICE {
        &kinds::SERVICE
    } else {
        &kinds::POD
    };
    let found = world.store.get(kind, &to.namespace, own)?;
    (!uid(found).is_empty()).then(|| found.clone())
}
