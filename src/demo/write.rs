//! Writes: create, update, the four kinds of patch, delete; each with its dry run.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answers::{self, Reply};
use super::api::Call;
use super::fields;
use super::json::{as_map, at, list, map_at, name, name_part, namespace, text, uid};
use super::kinds::{self, Kind};
use super::routes::Objects;
use super::world::{World, pods};
use super::{defaults, ownership, patches, validation};

pub fn handle(world: &mut World, call: &Call, to: &Objects) -> Reply {
    if to.kind.namespaced && to.namespace.is_empty() {
        return answers::not_simulated(&call.method, &call.path);
    }
    match call.method.as_str() {
        "POST" => create(world, call, to),
        "PUT" => update(world, call, to),
        "PATCH" => patch(world, call, to),
        _ => delete(world, call, to),
    }
}

/// The manager of an ordinary write: as given, else what the client calls itself.
fn manager(call: &Call) -> String {
    let agent = call.agent.split('/').next().unwrap_or("");
    match (call.query.get("fieldManager"), agent) {
        (Some(manager), _) => manager.to_owned(),
        (None, "") => "unknown".to_owned(),
        (None, agent) => agent.to_owned(),
    }
}

fn body(call: &Call) -> Result<Value, Reply> {
    let yaml = call.content_type.contains("yaml");
    let parsed: Result<Value, String> = if yaml {
        serde_yaml::from_slice(&call.body).map_err(|e| e.to_string())
    } else {
        serde_json::from_slice(&call.body).map_err(|e| e.to_string())
    };
    parsed.map_err(|why| answers::bad_request(format!("error decoding the body: {why}")))
}

/// What must agree between the path and the body.
fn fits_path(object: &mut Value, to: &Objects) -> Result<(), Reply> {
    let (version, kind) = (
        text(object, "/apiVersion").to_owned(),
        text(object, "/kind").to_owned(),
    );
    if version != to.kind.api_version() || kind != to.kind.kind {
        return Err(answers::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {}: expected {} in {}",
            to.kind.kind,
            to.kind.kind,
            to.kind.api_version()
        )));
    }
    let ns = namespace(object).to_owned();
    if !ns.is_empty() && ns != to.namespace {
        return Err(answers::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request: {ns} {}",
            to.namespace
        )));
    }
    let own = name(object).to_owned();
    if !to.name.is_empty() && !own.is_empty() && own != to.name {
        return Err(answers::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({})",
            to.name
        )));
    }
    let meta = map_at(object, &["metadata"]);
    if to.kind.namespaced {
        meta.insert("namespace".into(), json!(to.namespace));
    }
    if !to.name.is_empty() {
        meta.insert("name".into(), json!(to.name));
    }
    Ok(())
}

fn namespace_exists(world: &World, to: &Objects) -> Result<(), Reply> {
    let there = !to.kind.namespaced
        || world
            .store
            .get(&kinds::NAMESPACE, "", &to.namespace)
            .is_some();
    if there {
        Ok(())
    } else {
        Err(answers::not_found(&kinds::NAMESPACE, &to.namespace))
    }
}

fn create(world: &mut World, call: &Call, to: &Objects) -> Reply {
    let made = (|| {
        let mut object = body(call)?;
        fits_path(&mut object, to)?;
        namespace_exists(world, to)?;
        let base = text(&object, "/metadata/generateName").to_owned();
        if name(&object).is_empty() && !base.is_empty() {
            let own = format!(
                "{base}{}",
                name_part(&format!("{base}{}", world.unique()), 5)
            );
            map_at(&mut object, &["metadata"]).insert("name".into(), json!(own));
        }
        if world
            .store
            .get(to.kind, &to.namespace, name(&object))
            .is_some()
        {
            return Err(answers::exists(to.kind, name(&object)));
        }
        if !text(&object, "/metadata/resourceVersion").is_empty() {
            return Err(answers::failure(
                500,
                "InternalError",
                "resourceVersion should not be set on objects to be created",
                Value::Null,
            ));
        }
        let meta = map_at(&mut object, &["metadata"]);
        meta.remove("managedFields");
        meta.remove("uid");
        meta.remove("creationTimestamp");
        let object = ownership::update(to.kind, None, object, &manager(call), &world.stamp());
        store(world, to.kind, None, object, call.query.dry_run())
    })();
    answer(made, 201)
}

fn answer(result: Result<Value, Reply>, code: u16) -> Reply {
    match result {
        Ok(object) => Reply::json(code, &object),
        Err(reply) => reply,
    }
}

fn existing(world: &World, to: &Objects) -> Result<Arc<Value>, Reply> {
    world
        .store
        .get(to.kind, &to.namespace, &to.name)
        .cloned()
        .ok_or_else(|| answers::not_found(to.kind, &to.name))
}

fn update(world: &mut World, call: &Call, to: &Objects) -> Reply {
    let made = (|| {
        let mut object = body(call)?;
        fits_path(&mut object, to)?;
        let old = existing(world, to)?;
        preconditions(to.kind, &old, &object)?;
        carry(&old, &mut object, to);
        let object = ownership::update(to.kind, Some(&old), object, &manager(call), &world.stamp());
        store(world, to.kind, Some(&old), object, call.query.dry_run())
    })();
    answer(made, 200)
}

/// `uid` and `resourceVersion` in a body lock.
fn preconditions(kind: &Kind, old: &Value, sent: &Value) -> Result<(), Reply> {
    let wanted = text(sent, "/metadata/uid");
    if !wanted.is_empty() && wanted != uid(old) {
        return Err(answers::precondition(
            kind,
            name(old),
            "UID",
            wanted,
            uid(old),
        ));
    }
    let wanted = text(sent, "/metadata/resourceVersion");
    if !wanted.is_empty() && wanted != text(old, "/metadata/resourceVersion") {
        return Err(answers::modified(kind, name(old)));
    }
    Ok(())
}

/// What a write of the object itself cannot change: identity, and the status.
fn carry(old: &Value, object: &mut Value, to: &Objects) {
    for field in [
        "uid",
        "creationTimestamp",
        "generation",
        "resourceVersion",
        "deletionTimestamp",
    ] {
        let value = at(old, &format!("/metadata/{field}")).clone();
        let meta = map_at(object, &["metadata"]);
        if value.is_null() {
            meta.remove(field);
        } else {
            meta.insert(field.to_owned(), value);
        }
    }
    if to.subresource.is_empty() {
        match old.get("status") {
            Some(status) => as_map(object).insert("status".into(), status.clone()),
            None => as_map(object).remove("status"),
        };
    }
}

fn patch(world: &mut World, call: &Call, to: &Objects) -> Reply {
    let kind = call.content_type.split(';').next().unwrap_or("").trim();
    if matches!(
        kind,
        "application/apply-patch+yaml" | "application/apply-patch+cbor"
    ) {
        return apply(world, call, to);
    }
    let made = (|| {
        let change = body(call)?;
        let old = existing(world, to)?;
        let mut object = (*old).clone();
        match kind {
            "application/json-patch+json" => {
                patches::apply(&mut object, &change).map_err(|_| {
                    answers::failure(
                        422,
                        "Invalid",
                        "the server rejected our request due to an error in our request",
                        json!({}),
                    )
                })?
            }
            "application/merge-patch+json" => patches::merge(&mut object, &change),
            "application/strategic-merge-patch+json" if to.kind.is_builtin() => {
                object = fields::merge(&object, &change, true);
            }
            _ => {
                return Err(answers::failure(
                    415,
                    "UnsupportedMediaType",
                    "the body of the request was in an unknown format - accepted media types include: \
                     application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                    Value::Null,
                ));
            }
        }
        fits_path(&mut object, to)?;
        preconditions(to.kind, &old, &object)?;
        carry(&old, &mut object, to);
        let object = ownership::update(to.kind, Some(&old), object, &manager(call), &world.stamp());
        store(world, to.kind, Some(&old), object, call.query.dry_run())
    })();
    answer(made, 200)
}

fn apply(world: &mut World, call: &Call, to: &Objects) -> Reply {
    let mut code = 200;
    let made = (|| {
        // JSON is YAML too, and clients send either under this type.
        let mut sent: Value = serde_json::from_slice(&call.body)
            .or_else(|_| serde_yaml::from_slice(&call.body).map_err(|e| e.to_string()))
            .map_err(|why| answers::bad_request(format!("error decoding YAML: {why}")))?;
        let Some(manager) = call.query.get("fieldManager") else {
            return Err(answers::failure(
                422,
                "Invalid",
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
                Value::Null,
            ));
        };
        if !list(&sent, "/metadata/managedFields").is_empty() {
            return Err(answers::bad_request("metadata.managedFields must be nil"));
        }
        fits_path(&mut sent, to)?;
        let old = world.store.get(to.kind, &to.namespace, &to.name).cloned();
        match &old {
            Some(old) => preconditions(to.kind, old, &sent)?,
            None => {
                namespace_exists(world, to)?;
                let wanted = text(&sent, "/metadata/uid");
                if !wanted.is_empty() {
                    return Err(answers::failure(
                        409,
                        "Conflict",
                        format!(
                            "Operation cannot be fulfilled on {} {:?}: uid mismatch: the provided object \
                             specified uid {wanted}, and no existing object was found",
                            to.kind.qualified(),
                            to.name
                        ),
                        json!({"name": to.name, "group": to.kind.group, "kind": to.kind.plural}),
                    ));
                }
                // A resourceVersion does not keep an apply from making an object; seen on 1.36.
                code = 201;
            }
        }
        let mut body = sent;
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
            map_at(&mut body, &["metadata"]).remove(field);
        }
        if to.subresource.is_empty() {
            as_map(&mut body).remove("status");
        }
        let force = matches!(call.query.get("force"), Some("true" | "1"));
        let stamp = world.stamp();
        let merged = ownership::apply(to.kind, old.as_deref(), &body, manager, force, &stamp)
            .map_err(|conflicts| answers::conflicts(&conflicts))?;
        store(world, to.kind, old.as_ref(), merged, call.query.dry_run())
    })();
    answer(made, code)
}

/// Defaults, checks, admission; then, but for a dry run, the write.
fn store(
    world: &mut World,
    kind: &'static Kind,
    old: Option<&Arc<Value>>,
    mut object: Value,
    dry: bool,
) -> Result<Value, Reply> {
    defaults::fill(kind, &mut object);
    if let Some(fault) = defaults::check(kind, old.map(|o| &**o), &object) {
        return Err(answers::invalid(
            kind,
            name(&object),
            fault.field,
            &fault.message,
        ));
    }
    if let Some(why) = validation::denied(kind, &object) {
        return Err(answers::failure(400, "", why, Value::Null));
    }
    if let Some(old) = old {
        if *kind == kinds::POD && at(old, "/spec") != at(&object, "/spec") {
            return Err(answers::invalid(
                kind,
                name(old),
                "spec",
                "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,\
                 `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only \
                 additions to existing tolerations),`spec.terminationGracePeriodSeconds`",
            ));
        }
        if same_but_times(old, &object) {
            return Ok((**old).clone());
        }
    } else if *kind == kinds::POD {
        pods::admit(world, &mut object)
            .map_err(|why| answers::refused_by_admission(kind, name(&object), &why))?;
    }
    if dry {
        return Ok(as_if_written(world, kind, old, object));
    }
    if *kind == kinds::POD && old.is_none() {
        let (ns, own) = (namespace(&object).to_owned(), name(&object).to_owned());
        world.place_pod(object, super::world::fate::Fate::Well);
        return Ok(world
            .store
            .get(kind, &ns, &own)
            .map(|o| (**o).clone())
            .unwrap_or_default());
    }
    let now = world.wall_now();
    Ok((*world.store.write(kind, object, now)).clone())
}

/// An idle write leaves everything as it is, the times of its own entry included.
fn same_but_times(old: &Value, new: &Value) -> bool {
    let bare = |object: &Value| {
        let mut bare = object.clone();
        for entry in bare
            .pointer_mut("/metadata/managedFields")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            as_map(entry).remove("time");
        }
        bare
    };
    bare(old) == bare(new)
}

/// What a dry run shows: the object as it would be stored, without the write.
fn as_if_written(world: &World, kind: &Kind, old: Option<&Arc<Value>>, mut object: Value) -> Value {
    let map = as_map(&mut object);
    map.insert("apiVersion".into(), json!(kind.api_version()));
    map.insert("kind".into(), json!(kind.kind));
    let stamp = world.stamp();
    let changed = old.is_some_and(|old| old.get("spec") != object.get("spec"));
    let meta = map_at(&mut object, &["metadata"]);
    match old {
        Some(old) => {
            let generation = at(old, "/metadata/generation").as_i64();
            if let Some(generation) = generation {
                meta.insert("generation".into(), json!(generation + i64::from(changed)));
            }
        }
        None => {
            meta.insert("uid".into(), json!("00000000-0000-4000-a000-000000000000"));
            meta.insert("creationTimestamp".into(), json!(stamp));
        }
    }
    object
}

fn delete(world: &mut World, call: &Call, to: &Objects) -> Reply {
    let options: Value = if call.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&call.body).unwrap_or(Value::Null)
    };
    let old = match existing(world, to) {
        Ok(old) => old,
        Err(reply) => return reply,
    };
    for (field, word, found) in [
        ("uid", "UID", uid(&old)),
        (
            "resourceVersion",
            "ResourceVersion",
            text(&old, "/metadata/resourceVersion"),
        ),
    ] {
        let wanted = text(&options, &format!("/preconditions/{field}"));
        if !wanted.is_empty() && wanted != found {
            return answers::precondition(to.kind, &to.name, word, wanted, found);
        }
    }
    // Beside options in a body, a server does not look at those of the query.
    let dry = if options.is_null() {
        call.query.dry_run()
    } else {
        list(&options, "/dryRun").iter().any(|word| word == "All")
    };
    if *to.kind == kinds::POD {
        if !dry {
            world.stop_pod(uid(&old));
        }
        return match world.store.get(to.kind, &to.namespace, &to.name) {
            Some(pod) => Reply::json(200, pod),
            None => Reply::json(200, &old),
        };
    }
    if !dry {
        world.remove(to.kind, &to.namespace, &to.name);
    }
    let mut about = json!({"name": to.name, "kind": to.kind.plural, "uid": uid(&old)});
    if !to.kind.group.is_empty() {
        about["group"] = json!(to.kind.group);
    }
    Reply::json(
        200,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": about}),
    )
}
