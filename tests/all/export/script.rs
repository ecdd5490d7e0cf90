//! The exported script without a shell: each call of its last part, by the request that kubectl makes of it.

use meshscrape::demo::Simulation;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct Script {
    folder: PathBuf,
    /// Name and arguments of every call, in order.
    calls: Vec<Vec<String>>,
}

/// The words of one line, quoted as a POSIX shell quotes: what stands outside of single quotes must be plain.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().expect("a quote is closed on its line") {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().unwrap()),
            ' ' => words.extend(word.take()),
            c if c.is_ascii_alphanumeric() || "_=".contains(c) => {
                word.get_or_insert_default().push(c);
            }
            c => panic!("{c:?} stands outside of quotes in {line}"),
        }
    }
    words.extend(word);
    words
}

impl Script {
    pub fn read(folder: &Path) -> Script {
        let text = std::fs::read_to_string(folder.join("apply.sh")).unwrap();
        let (_, body) = text.split_once("\n# What is done, in order.\n").unwrap();
        Script {
            folder: folder.to_owned(),
            calls: body.lines().filter(|l| !l.is_empty()).map(words).collect(),
        }
    }

    pub async fn run(&self, on: &Simulation) {
        self.try_run(on).await.unwrap();
    }

    /// # Errors
    /// What the script would have stopped with.
    pub async fn try_run(&self, on: &Simulation) -> Result<(), String> {
        let kubectl = Kubectl(on);
        for call in &self.calls {
            let words: Vec<&str> = call.iter().map(String::as_str).collect();
            self.one(&kubectl, &words)
                .await
                .map_err(|why| format!("{words:?}: {why}"))?;
        }
        Ok(())
    }

    fn file(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.join(path)).unwrap()
    }

    fn yaml(&self, path: &str) -> Value {
        serde_yaml::from_str(&self.file(path)).unwrap()
    }

    async fn one(&self, kubectl: &Kubectl<'_>, words: &[&str]) -> Result<(), String> {
        match *words {
            ["made_for" | "step" | "say" | "prometheus", ..] => {}
            [assign] if assign.starts_with("jobs=") => {}
            ["create", path] => kubectl.apply(&self.yaml(path)).await?,
            ["change", kind, ns, name, at, path] => {
                kubectl.get(&url(kind, ns, name)).await?;
                kubectl.apply_at(at, &self.yaml(path), false).await?;
            }
            ["take", kind, ns, name, at, path, conflicts] => {
                kubectl.get(&url(kind, ns, name)).await?;
                let Err(why) = kubectl.apply_at(at, &self.yaml(path), false).await else {
                    return Ok(());
                };
                let named = self.file(conflicts);
                let fields = why.split_whitespace().filter(|word| word.starts_with('.'));
                for field in fields {
                    if !named.lines().any(|line| line == field) {
                        return Err(format!("{field} is not one of {named}"));
                    }
                }
                kubectl.apply_at(at, &self.yaml(path), true).await?;
            }
            ["edit", kind, ns, name, path] => {
                let body: Value = serde_json::from_str(&self.file(path)).unwrap();
                kubectl
                    .patch(&url(kind, ns, name), "json-patch+json", &body)
                    .await?;
            }
            ["remove", path, uid] => {
                let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}});
                kubectl.send("DELETE", path, "json", &body).await?;
            }
            ["annotate_pod", ns, name, uid, at, path] => {
                let pod = kubectl.get(&url("pods", ns, name)).await?;
                if pod["metadata"]["uid"] == uid {
                    kubectl.apply_at(at, &self.yaml(path), false).await?;
                }
            }
            ["text", ns, name, key, before, after, ref places @ ..] => {
                self.text(
                    kubectl,
                    &url("configmaps", ns, name),
                    (key, before, after),
                    places,
                )
                .await?;
            }
            ["read_back", kind, ns, name] => drop(kubectl.get(&url(kind, ns, name)).await?),
            ["pause", seconds] => {
                tokio::time::sleep(Duration::from_secs(seconds.parse().unwrap())).await;
            }
            // The simulation needs seconds for all of these.
            ["rollout" | "config_has" | "targets_up", ..] => {
                tokio::time::sleep(Duration::from_secs(90)).await;
            }
            ["by_eye", "MESHSCRAPE_LOSE_HISTORY", _] => {}
            ["by_eye", ..] => return Err("nobody answers".into()),
            _ => return Err("no such function".into()),
        }
        Ok(())
    }

    async fn text(
        &self,
        kubectl: &Kubectl<'_>,
        url: &str,
        (key, before, after): (&str, &str, &str),
        places: &[&str],
    ) -> Result<(), String> {
        let map = kubectl.get(url).await?;
        let mut text = map["data"][key].as_str().unwrap().as_bytes().to_vec();
        let hash = |text: &[u8]| -> String {
            Sha256::digest(text)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect()
        };
        if hash(&text) == after {
            return Ok(());
        }
        if hash(&text) != before {
            return Err(format!("{key} was changed since the export"));
        }
        for place in places {
            let [at, cut, path] = place.splitn(3, ':').collect::<Vec<_>>()[..] else {
                return Err(format!("{place} is no place"));
            };
            let at: usize = at.parse().unwrap();
            let cut: usize = cut.parse().unwrap();
            text.splice(at..at + cut, self.file(path).into_bytes());
        }
        if hash(&text) != after {
            return Err(format!("{key} would not be what the export saw"));
        }
        let version = &map["metadata"]["resourceVersion"];
        let body = json!({"metadata": {"resourceVersion": version},
            "data": {key: String::from_utf8(text).unwrap()}});
        kubectl.patch(url, "merge-patch+json", &body).await
    }
}

/// `deployments.apps` in a namespace, as kubectl finds its path.
fn url(resource: &str, ns: &str, name: &str) -> String {
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    let root = match group {
        "" => "/api/v1".to_owned(),
        group => format!("/apis/{group}/v1"),
    };
    match ns {
        "" => format!("{root}/{plural}/{name}"),
        ns => format!("{root}/namespaces/{ns}/{plural}/{name}"),
    }
}

struct Kubectl<'a>(&'a Simulation);

impl Kubectl<'_> {
    async fn send(
        &self,
        verb: &str,
        path: &str,
        body_is: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let request = http::Request::builder()
            .method(verb)
            .uri(path)
            .header("content-type", format!("application/{body_is}"))
            .body(if verb == "GET" {
                Vec::new()
            } else {
                body.to_string().into_bytes()
            })
            .unwrap();
        match self.0.client().request_text(request).await {
            Ok(text) => Ok(serde_json::from_str(&text).unwrap()),
            Err(kube::Error::Api(status)) => {
                let causes = status.details.iter().flat_map(|d| &d.causes);
                let fields: Vec<&str> = causes.map(|cause| cause.field.as_str()).collect();
                Err(format!("{} {}", status.message, fields.join(" ")))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        self.send("GET", path, "json", &Value::Null).await
    }

    async fn patch(&self, path: &str, how: &str, body: &Value) -> Result<(), String> {
        let path = format!("{path}?fieldManager=meshscrape");
        self.send("PATCH", &path, how, body).await.map(drop)
    }

    async fn apply_at(&self, path: &str, object: &Value, force: bool) -> Result<(), String> {
        let path = format!("{path}?fieldManager=meshscrape&force={force}");
        self.send("PATCH", &path, "apply-patch+yaml", object)
            .await
            .map(drop)
    }

    async fn apply(&self, object: &Value) -> Result<(), String> {
        let version = object["apiVersion"].as_str().unwrap();
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let plural = match object["kind"].as_str().unwrap() {
            "ServiceEntry" => "serviceentries".to_owned(),
            "AuthorizationPolicy" => "authorizationpolicies".to_owned(),
            kind => format!("{}s", kind.to_lowercase()),
        };
        let resource = match group {
            "" => plural,
            group => format!("{plural}.{group}"),
        };
        let meta = &object["metadata"];
        let path = url(
            &resource,
            meta["namespace"].as_str().unwrap_or_default(),
            meta["name"].as_str().unwrap(),
        );
        self.apply_at(&path, object, false).await
    }
}
