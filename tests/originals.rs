//! Cases that both the original programs and the rules of `src/reach` decide: read here, for tests/mesh, which asks
//! the originals and keeps what they answer, and for `cargo test`, which asks the rules.

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Answers by the name of their case.
pub type Answers = BTreeMap<String, Vec<String>>;

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/originals")
        .join(name)
}

pub fn cases<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let file = path(&format!("{name}.yaml"));
    let text = std::fs::read_to_string(&file).expect("cases");
    serde_yaml::from_str(&text).expect("cases")
}

pub fn answers(name: &str) -> Answers {
    let text = std::fs::read_to_string(path(&format!("{name}.json"))).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Whether this run writes what the originals answer, in place of comparing it.
pub fn is_recording() -> bool {
    std::env::var_os("MESHSCRAPE_RECORD").is_some()
}

/// One line a case, so that a difference reads well.
pub fn record(name: &str, answers: &Answers) -> Result<(), String> {
    let lines: Vec<String> = answers
        .iter()
        .map(|(case, all)| format!("  {}: {}", json!(case), json!(all)))
        .collect();
    let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
    std::fs::write(path(&format!("{name}.json")), text).map_err(|error| error.to_string())
}

/// A text in which places have names, with what stands there.
pub fn filled(of: &Value, places: &[(&str, String)]) -> Value {
    match of {
        Value::String(text) => {
            let mut text = text.clone();
            for (name, place) in places {
                text = text.replace(name, place);
            }
            text.into()
        }
        Value::Array(all) => all.iter().map(|one| filled(one, places)).collect(),
        Value::Object(all) => {
            let fields = all.iter();
            let fields = fields.map(|(key, value)| (key.clone(), filled(value, places)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

#[derive(Deserialize)]
pub struct Authorization {
    pub default: Vec<String>,
    pub cases: Vec<Decided>,
}

#[derive(Deserialize)]
pub struct Decided {
    pub name: String,
    pub policies: Vec<Value>,
    pub asks: Option<Vec<String>>,
    pub unknown: Option<String>,
}

/// Where the pods of these cases live, and Istio's root namespace.
pub const DOORS: &str = "authz-door";
pub const ROOT: &str = "istio-system";

impl Decided {
    /// The policies as objects, for the pod labelled `door: SLOT`.
    pub fn objects(&self, slot: &str, places: &[(&str, String)]) -> Vec<Value> {
        let mut places = places.to_vec();
        places.push(("$SLOT", slot.to_owned()));
        let all = self.policies.iter().enumerate().map(|(at, policy)| {
            let mut spec = filled(policy, &places);
            let mut take = |field: &str| spec.as_object_mut().and_then(|of| of.remove(field));
            let root = take("root").is_some();
            let annotations = take("annotations").unwrap_or_else(|| json!({}));
            if spec.get("selector").is_none() && spec.get("targetRefs").is_none() {
                spec["selector"] = json!({"matchLabels": {"door": slot}});
            }
            json!({
                "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                "metadata": {
                    "name": format!("{slot}-{at}"), "namespace": if root { ROOT } else { DOORS },
                    "labels": {"originals": "authorization"}, "annotations": annotations,
                },
                "spec": spec,
            })
        });
        all.collect()
    }

    pub fn asks<'a>(&'a self, default: &'a [String]) -> Vec<Ask> {
        let all = self.asks.as_deref().unwrap_or(default);
        all.iter().map(|ask| Ask::read(ask)).collect()
    }
}

/// A request of a case.
#[derive(Clone, Debug)]
pub struct Ask {
    pub who: String,
    pub port: u16,
    pub path: String,
    pub method: String,
    pub host: Option<String>,
    pub headers: Vec<(String, String)>,
}

impl Ask {
    fn read(text: &str) -> Ask {
        let mut words = text.split(' ');
        let mut ask = Ask {
            who: words.next().unwrap_or_default().to_owned(),
            port: 15091,
            path: "/stats/prometheus".into(),
            method: "GET".into(),
            host: None,
            headers: vec![
                ("user-agent".into(), "Prometheus/3.10.0".into()),
                ("accept".into(), "text/plain".into()),
                ("accept-encoding".into(), "gzip".into()),
                ("x-prometheus-scrape-timeout-seconds".into(), "10".into()),
            ],
        };
        while let Some(word) = words.next() {
            if let Some(name) = word.strip_suffix(':') {
                let value = words.next().unwrap_or_default();
                ask.headers.push((name.into(), value.into()));
                continue;
            }
            let (key, value) = word.split_once('=').expect("KEY=VALUE");
            match key {
                "port" => ask.port = value.parse().expect("a port"),
                "path" => ask.path = value.into(),
                "method" => ask.method = value.into(),
                "host" => ask.host = Some(value.into()),
                other => panic!("no such word: {other}"),
            }
        }
        ask
    }
}

#[derive(Deserialize)]
pub struct Injection {
    pub policies: Vec<Policies>,
}

/// What the injector's ConfigMap says, and pods that are made then.
#[derive(Deserialize)]
pub struct Policies {
    pub name: String,
    pub policy: Value,
    pub cases: Vec<Made>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Made {
    pub name: String,
    /// Labels of the namespace.
    pub namespace: BTreeMap<String, String>,
    /// A namespace that is there, in place of one with these labels.
    #[serde(rename = "in")]
    pub place: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub host_network: bool,
}

/// The webhooks that were there when the answers were recorded.
pub fn hooks() -> Vec<Value> {
    let text = std::fs::read_to_string(path("injection.hooks.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[derive(Deserialize)]
pub struct Peers {
    pub cases: Vec<Answered>,
}

#[derive(Deserialize)]
pub struct Answered {
    pub name: String,
    #[serde(default)]
    pub root: Vec<Value>,
    pub here: Vec<Value>,
}

impl Answered {
    /// The objects of a case, with the field `wave` where one is made later.
    pub fn objects(&self, namespace: &str) -> Vec<Value> {
        let here = self.here.iter().map(|one| (namespace, one));
        let root = self.root.iter().map(|one| (ROOT, one));
        let mut all: Vec<Value> = root
            .chain(here)
            .map(|(place, one)| object(place, one))
            .collect();
        if !all.iter().any(|one| one["kind"] == "Sidecar") {
            let own =
                json!({"workloadSelector": {"labels": {"app": "door"}}, "ingress": [15091, 15092]});
            all.push(object(
                namespace,
                &json!({"kind": "Sidecar", "name": "door", "spec": own}),
            ));
        }
        all
    }
}

fn object(namespace: &str, of: &Value) -> Value {
    let mut spec = of["spec"].clone();
    if let Some(ports) = spec.get("ingress").and_then(Value::as_array) {
        let entry = |port: &Value| {
            json!({"port": {"number": port, "name": format!("http-{port}"), "protocol": "HTTP"},
                "defaultEndpoint": "127.0.0.1:15020"})
        };
        spec["ingress"] = ports.iter().map(entry).collect();
    }
    let version = match of["kind"] == "Sidecar" {
        true => "networking.istio.io/v1",
        false => "security.istio.io/v1",
    };
    json!({
        "apiVersion": version, "kind": of["kind"], "wave": of["wave"],
        "metadata": {"name": of["name"], "namespace": namespace, "labels": {"originals": "peers"}},
        "spec": spec,
    })
}
