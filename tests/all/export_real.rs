//! The same end on a real API server: the exported script, run by bash and kubectl, the exported kustomizations, and
//! what an apply left.
//!
//! By hand, or from the mesh's harness, on a mesh that holds Istio's samples unmodified:
//! `KUBECONFIG=… EXPORT_CHOICE="-w NS/Deployment/NAME" cargo test --test all export_real -- --ignored`

use meshscrape::plan::leaves::leaves;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const KINDS: [&str; 11] = [
    "namespaces",
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "configmaps",
    "peerauthentications.security.istio.io",
    "authorizationpolicies.security.istio.io",
    "sidecars.networking.istio.io",
    "gateways.networking.istio.io",
    "virtualservices.networking.istio.io",
    "serviceentries.networking.istio.io",
];

fn ran(command: &mut Command) -> String {
    let out = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        out.status.success(),
        "{command:?}: {}\n{}{}",
        out.status,
        text(&out.stdout),
        text(&out.stderr)
    );
    text(&out.stdout)
}

fn meshscrape(state: &Path, words: &[&str]) -> String {
    ran(Command::new(env!("CARGO_BIN_EXE_meshscrape"))
        .args(words)
        .env("XDG_STATE_HOME", state))
}

/// What lasts: no counters of the server, no record of a run. Which managers own what is part of it.
fn objects() -> Vec<Value> {
    let mut all = Vec::new();
    for kind in KINDS {
        let text = ran(Command::new("kubectl").args([
            "get",
            kind,
            "-A",
            "-o",
            "json",
            "--show-managed-fields",
        ]));
        let list: Value = serde_json::from_str(&text).unwrap();
        for mut object in list["items"].as_array().unwrap().iter().cloned() {
            let meta = object["metadata"].as_object_mut().unwrap();
            // Its holder changes by itself.
            let leader = "control-plane.alpha.kubernetes.io/leader";
            if meta
                .get("annotations")
                .is_some_and(|a| !a[leader].is_null())
            {
                continue;
            }
            for field in ["resourceVersion", "generation", "uid", "creationTimestamp"] {
                meta.remove(field);
            }
            let managers: Vec<Value> = meta
                .remove("managedFields")
                .and_then(|list| list.as_array().cloned())
                .into_iter()
                .flatten()
                .filter(|entry| entry["manager"] == "meshscrape" && entry["operation"] == "Apply")
                .map(|entry| entry["fieldsV1"].clone())
                .collect();
            let without_run = |fields: Value| -> Value {
                let text = fields
                    .to_string()
                    .replace(r#""f:meshscrape.dev/run":{}"#, "");
                let text = text
                    .replace(r#""f:annotations":{},"#, "")
                    .replace(r#","f:annotations":{}"#, "");
                serde_json::from_str(&text).unwrap_or(fields)
            };
            let managers: Vec<Value> = managers.into_iter().map(without_run).collect();
            if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
                for field in [
                    "meshscrape.dev/run",
                    "deployment.kubernetes.io/revision",
                    "kubectl.kubernetes.io/last-applied-configuration",
                ] {
                    annotations.remove(field);
                }
                if annotations.is_empty() {
                    meta.remove("annotations");
                }
            }
            object.as_object_mut().unwrap().remove("status");
            all.push(json!({"object": object, "meshscrape": managers}));
        }
    }
    all
}

/// The objects that are not the same, each with the places that differ.
fn apart(one: &[Value], other: &[Value]) -> Vec<String> {
    fn by_name(all: &[Value]) -> BTreeMap<String, &Value> {
        let name = |value: &Value| {
            let o = &value["object"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let meta = &o["metadata"];
            let place = format!("{}/{}", text(&meta["namespace"]), text(&meta["name"]));
            format!("{} {place}", text(&o["kind"]))
        };
        all.iter().map(|value| (name(value), value)).collect()
    }
    let (one, other) = (by_name(one), by_name(other));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let mut out = Vec::new();
    for name in names {
        match (one.get(name), other.get(name)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => {
                let places: Vec<String> = leaves(Some(a), Some(b))
                    .iter()
                    .map(|leaf| leaf.path.to_string())
                    .collect();
                out.push(format!("{name}: {}", places.join(", ")));
            }
            (one, _) => out.push(format!(
                "{name}: only {}",
                ["after", "before"][usize::from(one.is_some())]
            )),
        }
    }
    out
}

/// Namespaces of an earlier test may still be going, and their objects with them.
fn nothing_goes_by_itself() {
    let list = ran(Command::new("kubectl").args(["get", "namespaces", "-o", "json"]));
    let list: Value = serde_json::from_str(&list).unwrap();
    for namespace in list["items"].as_array().unwrap() {
        if !namespace["metadata"]["deletionTimestamp"].is_null() {
            let name = namespace["metadata"]["name"].as_str().unwrap();
            ran(Command::new("kubectl").args([
                "wait",
                "--for=delete",
                &format!("namespace/{name}"),
                "--timeout=400s",
            ]));
        }
    }
}

#[test]
#[ignore = "needs a real mesh: KUBECONFIG, EXPORT_CHOICE, bash and kubectl"]
fn the_script_and_kustomize_end_where_an_apply_ends_on_the_real_api_server() {
    let choice =
        std::env::var("EXPORT_CHOICE").expect("EXPORT_CHOICE, such as: -w demo/Deployment/httpbin");
    let choice: Vec<&str> = choice.split_whitespace().collect();
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let folder = home.path().join("out");
    let folder = folder.to_str().unwrap();
    nothing_goes_by_itself();
    let before = objects();

    meshscrape(&state, &[&["export", folder], &choice[..]].concat());
    let script = format!("{folder}/apply.sh");
    let told = ran(Command::new(&script).env("MESHSCRAPE_LOSE_HISTORY", "yes"));
    assert!(told.contains("Done."), "{told}");
    let scripted = objects();
    assert_ne!(
        apart(&before, &scripted),
        [""; 0],
        "the script wrote something"
    );
    // A second time it finds everything as it is to be, and the program finds nothing to change.
    meshscrape(&state, &[&["plan"], &choice[..]].concat());
    let nothing = meshscrape(
        &state,
        &[&["export", folder, "--overwrite"], &choice[..]].concat(),
    );
    assert!(nothing.contains("No changes"), "{nothing}");

    // Back by hand: what the script made is taken away, and what it changed gets its old text.
    put_back(&before, &scripted);
    let again = objects();
    let bare = |all: &[Value]| -> Vec<Value> {
        all.iter().map(|v| json!({"object": v["object"]})).collect()
    };
    assert_eq!(apart(&bare(&before), &bare(&again)), [""; 0], "put back");
    meshscrape(
        &state,
        &[&["apply", "--yes", "--lose-history"], &choice[..]].concat(),
    );
    let applied = objects();
    meshscrape(&state, &["undo", "--yes", "--lose-history"]);
    assert_eq!(
        apart(&scripted, &applied),
        [""; 0],
        "the script and an apply end apart"
    );

    kustomized(home.path(), &before, &scripted);
    let by_kustomize = objects();
    // The configuration's text is no patch's: only the script writes it.
    let others = |all: &[Value]| -> Vec<Value> {
        let mut all = bare(all);
        all.retain(|v| v["object"]["kind"] != "ConfigMap");
        all.iter_mut().for_each(in_order);
        all
    };
    let differ = apart(&others(&scripted), &others(&by_kustomize));
    put_back(&before, &by_kustomize);
    assert_eq!(differ, [""; 0], "the script and kustomize end apart");
}

/// Lists whose items have names, by these: kustomize puts what it patches first.
fn in_order(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(in_order),
        Value::Array(list) => {
            list.iter_mut().for_each(in_order);
            let key = |item: &Value| {
                let of = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
                [of("mountPath"), of("name")]
            };
            list.sort_by_key(key);
        }
        _ => {}
    }
}

/// What a repository would do: the component over the objects that it holds already, then the new objects.
fn kustomized(home: &Path, before: &[Value], scripted: &[Value]) {
    let base = home.join("base");
    std::fs::create_dir(&base).unwrap();
    let mut kustomization = String::from("components: [../out/patches]\nresources:\n");
    let changed = before.iter().filter(|value| !scripted.contains(value));
    for (at, value) in changed.enumerate() {
        if value["object"]["kind"] == "ConfigMap" {
            continue;
        }
        std::fs::write(base.join(format!("{at}.json")), value["object"].to_string()).unwrap();
        kustomization += &format!("- {at}.json\n");
    }
    std::fs::write(base.join("kustomization.yaml"), kustomization).unwrap();
    let apply = |words: &[&str], folder: &Path| {
        ran(Command::new("kubectl")
            .args(["apply", "--server-side"])
            .args(words)
            .arg("-k")
            .arg(folder))
    };
    apply(&["--field-manager=repository", "--force-conflicts"], &base);
    apply(&["--field-manager=meshscrape"], &home.join("out"));
}

/// Replaces changed objects by what they were, and deletes new ones.
fn put_back(before: &[Value], after: &[Value]) {
    for changed in after.iter().filter(|value| !before.contains(value)) {
        let object = &changed["object"];
        let same = |other: &&Value| {
            let o = &other["object"];
            o["kind"] == object["kind"]
                && o["metadata"]["name"] == object["metadata"]["name"]
                && o["metadata"]["namespace"] == object["metadata"]["namespace"]
        };
        let mut kubectl = Command::new("kubectl");
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("object.json");
        match before.iter().find(same) {
            Some(old) => {
                std::fs::write(&file, old["object"].to_string()).unwrap();
                ran(kubectl.args(["replace", "-f"]).arg(&file));
                if object["kind"] != "ConfigMap" && object["kind"] != "Namespace" {
                    let name = object["metadata"]["name"].as_str().unwrap();
                    let ns = object["metadata"]["namespace"].as_str().unwrap();
                    let kind = object["kind"].as_str().unwrap().to_lowercase();
                    ran(Command::new("kubectl").args([
                        "-n",
                        ns,
                        "rollout",
                        "status",
                        &format!("{kind}/{name}"),
                        "--timeout=180s",
                    ]));
                }
            }
            None => {
                std::fs::write(&file, object.to_string()).unwrap();
                ran(kubectl.args(["delete", "-f"]).arg(&file));
            }
        }
    }
}
