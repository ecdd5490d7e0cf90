//! Every inbound filter chain of a workload before it is secured and after: its ports, matches, filters and clusters,
//! over workloads whose ports are declared in all the ways that istiod knows. And a client that waits for the server
//! to speak first, as those of MySQL and SMTP do.

use crate::evidence;
use crate::objects::{list, text};
use crate::program::Program;
use crate::report::{Checks, Stop};
use crate::shell::{apply, exec, get, kubectl, pause, until};
use crate::world::{self, documents};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::time::Duration;

pub struct Cell {
    pub name: &'static str,
    /// Of the namespace.
    mode: &'static str,
}

pub const CELLS: &[Cell] = &[
    Cell {
        name: "inbound-disable",
        mode: "DISABLE",
    },
    Cell {
        name: "inbound-permissive",
        mode: "PERMISSIVE",
    },
];

/// A port on which the server speaks first, and whose protocol is TCP by no declaration, or by the oldest.
const GREETS: &[(&str, &[u16])] = &[
    ("mail", &[3306, 2525, 4000]),
    ("store", &[7000]),
    ("node", &[7000, 5701, 7100]),
    ("web", &[8080]),
];

/// Ports that only some pods of a workload have today, and all have together afterwards.
const SHARED: &[(&str, u16)] = &[("node", 5701), ("node", 5702), ("web", 5005)];

/// What listens: it greets, then echoes.
const SERVER: &str = r#"$SIG{CHLD}="IGNORE"; $SIG{TERM}=sub{exit 0}; for my $p (@ARGV){ next if fork;
    my $s=IO::Socket::INET->new(LocalPort=>$p,Listen=>50,ReuseAddr=>1) or die $!;
    while(my $c=$s->accept){ if(!fork){ print $c "HELLO $p\n"; $c->flush; while(<$c>){ print $c "echo $_"; $c->flush } exit } close $c } } sleep 1e9"#;

fn container(named: &[(&str, u16)]) -> Value {
    let image = std::env::var("MESH_BASE_IMAGE").unwrap_or_else(|_| "meshscrape/base:1".into());
    let ports = [
        3306, 2525, 4000, 7000, 5701, 5702, 7100, 8080, 5005, 9090, 7002,
    ];
    let mut command = vec![
        "perl".to_owned(),
        "-MIO::Socket::INET".into(),
        "-e".into(),
        SERVER.into(),
    ];
    command.extend(ports.map(|port| port.to_string()));
    let named: Vec<Value> = named
        .iter()
        .map(|(name, port)| json!({"name": name, "containerPort": port}))
        .collect();
    json!({"name": "app", "image": image, "imagePullPolicy": "IfNotPresent", "command": command, "ports": named})
}

fn workload(kind: &str, name: &str, replicas: u32, named: &[(&str, u16)]) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "serviceName": name,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": {"prometheus.io/scrape": "true"}},
                "spec": {"terminationGracePeriodSeconds": 1, "containers": [container(named)]},
            },
        },
    })
}

fn workloads() -> Vec<Value> {
    let mut all = vec![
        workload("Deployment", "mail", 1, &[]),
        workload("Deployment", "store", 1, &[("late", 7002)]),
        workload(
            "StatefulSet",
            "node",
            2,
            &[("peer", 5701), ("tcp-extra", 7100)],
        ),
        workload("Deployment", "web", 1, &[]),
    ];
    for object in &mut all {
        if object["kind"] == "Deployment" {
            object["spec"]
                .as_object_mut()
                .map(|spec| spec.remove("serviceName"));
        }
    }
    all.push(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "bare", "labels": {"app": "web", "debug": "yes"}, "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container(&[])]},
    }));
    all
}

impl Cell {
    pub fn namespace(&self) -> String {
        format!("mesh-{}", self.name)
    }

    pub fn about(&self) -> Vec<(&'static str, String)> {
        let what = "every inbound filter chain and cluster as before, but for 15091; servers that speak first";
        vec![("mode", self.mode.into()), ("what", what.into())]
    }

    fn choices(&self) -> Vec<String> {
        let namespace = self.namespace();
        let words =
            format!("-n {namespace} --prometheus {namespace}/Deployment/prometheus --timeout 90");
        words.split_whitespace().map(str::to_owned).collect()
    }

    pub fn evidence(&self) -> String {
        evidence::of(&self.namespace(), &self.choices(), &[])
    }

    fn build(&self) -> Result<String, String> {
        let name = self.namespace();
        world::clear(&name, true)?;
        apply(&world::namespace(&name, Some(self.mode)))?;
        let here = |mut objects: Vec<Value>| {
            for object in &mut objects {
                object["metadata"]["namespace"] = name.as_str().into();
            }
            objects
        };
        let text = include_str!("data/inbound.yaml");
        let (early, late) = text.split_once("# later\n").ok_or("no second part")?;
        apply(&here(documents(early)?))?;
        apply(&here(workloads()))?;
        apply(&world::prometheus(&name)?)?;
        // Kubernetes gives whole seconds: only then is the second half younger.
        pause(1100);
        apply(&here(documents(late)?))?;
        for of in [
            "deployment/mail",
            "deployment/store",
            "deployment/web",
            "statefulset/node",
            "deployment/prometheus",
        ] {
            kubectl(&["rollout", "status", "-n", &name, of, "--timeout=200s"])?;
        }
        kubectl(&[
            "wait",
            "-n",
            &name,
            "pod/bare",
            "--for=condition=Ready",
            "--timeout=100s",
        ])?;
        Ok(name)
    }

    /// A client that says nothing until the server has. Under PERMISSIVE no plaintext one is served, secured or not:
    /// the proxy looks for TLS first.
    fn greeted(&self, checks: &mut Checks, when: &str) {
        if self.mode != "DISABLE" {
            return;
        }
        let namespace = self.namespace();
        for (app, ports) in GREETS {
            for port in *ports {
                checks.add(&format!("{when}: {app} speaks first on {port}"), || {
                    until(Duration::from_secs(20), || greeting(&namespace, app, *port))
                });
            }
        }
    }

    pub fn run(&self, checks: &mut Checks) -> Result<(), Stop> {
        let name = self.namespace();
        checks.must("the workloads stand", || self.build())?;
        let mut before = BTreeMap::new();
        checks.must("before: the chains that istiod makes", || {
            before = until(Duration::from_secs(60), || whole(&name))?;
            Ok(told(&before))
        })?;
        self.greeted(checks, "before");
        let program = Program::new(self.name, &self.choices());
        let Ok(program) = &program else {
            return checks.must("a state folder", || program.map(|_| String::new()));
        };
        // The bare pod, which nothing annotates, holds nobody back.
        checks.must("apply exits 0", || program.apply()?.well())?;
        checks.add("after: the chains are as before", || {
            until(Duration::from_secs(60), || {
                let after = whole(&name)?;
                alike(&before, &after).map(|()| told(&after))
            })
        });
        self.greeted(checks, "after");
        checks.must("undo exits 0", || program.undo()?.well())?;
        checks.add("after the undo: the chains are as before", || {
            until(Duration::from_secs(60), || {
                let again = whole(&name)?;
                let same = again.iter().all(|(pod, now)| before.get(pod) == Some(now));
                same.then(|| told(&again))
                    .ok_or_else(|| format!("{before:#?}\n{again:#?}"))
            })
        });
        Ok(())
    }
}

fn greeting(namespace: &str, app: &str, port: u16) -> Result<String, String> {
    let pods = list(&get(&[
        "-n",
        namespace,
        "pods",
        "-l",
        &format!("app={app}"),
    ])?);
    let pod = pods
        .iter()
        .find(|pod| pod["metadata"]["deletionTimestamp"].is_null())
        .ok_or("no pod")?;
    let ip = text(&pod["status"]["podIP"]);
    let failed = |error: std::io::Error| format!("{ip}:{port}: {error}");
    let stream = TcpStream::connect((ip, port)).map_err(failed)?;
    let limit = Some(Duration::from_secs(4));
    stream.set_read_timeout(limit).map_err(failed)?;
    let mut line = String::new();
    BufReader::new(stream)
        .read_line(&mut line)
        .map_err(failed)?;
    match line.trim() {
        said if said == format!("HELLO {port}") => Ok(said.to_owned()),
        said => Err(format!("{ip}:{port} says {said:?}")),
    }
}

/// By port: chains and clusters without what a Sidecar renames.
type Chains = BTreeMap<u64, BTreeSet<String>>;

/// Of every meshed pod: a Deployment's by its app, others by name.
fn whole(namespace: &str) -> Result<BTreeMap<String, Chains>, String> {
    let mut all = BTreeMap::new();
    for pod in list(&get(&["-n", namespace, "pods"])?) {
        let meta = &pod["metadata"];
        let (name, app) = (text(&meta["name"]), text(&meta["labels"]["app"]));
        if app.is_empty() || !meta["deletionTimestamp"].is_null() {
            continue;
        }
        let by_name = name == "bare" || app == "node";
        let key = if by_name { name } else { app };
        all.insert(key.to_owned(), chains(namespace, name)?);
    }
    match all.len() {
        6 => Ok(all),
        _ => Err(format!("not the six pods: {:?}", all.keys())),
    }
}

fn chains(namespace: &str, pod: &str) -> Result<Chains, String> {
    let dump = exec(
        namespace,
        pod,
        "istio-proxy",
        "pilot-agent request GET config_dump",
    )?;
    let dump: Value = serde_json::from_str(&dump).map_err(|error| error.to_string())?;
    let mut found = Chains::new();
    let parts = dump["configs"].as_array().cloned().unwrap_or_default();
    for part in &parts {
        for listener in part["dynamic_listeners"].as_array().into_iter().flatten() {
            let listener = &listener["active_state"]["listener"];
            if listener["name"] != "virtualInbound" {
                continue;
            }
            for chain in listener["filter_chains"].as_array().into_iter().flatten() {
                // Those without a port are the passthrough's, which take what no other does.
                let port = chain["filter_chain_match"]["destination_port"]
                    .as_u64()
                    .unwrap_or(0);
                found
                    .entry(port)
                    .or_default()
                    .insert(chain_of(chain).to_string());
            }
        }
        for cluster in part["dynamic_active_clusters"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let cluster = &cluster["cluster"];
            let mut name = text(&cluster["name"]).split('|');
            if name.next() == Some("inbound") {
                let port = name.next().and_then(|port| port.parse().ok()).unwrap_or(0);
                let seen = json!([
                    "cluster",
                    cluster["name"],
                    cluster["type"],
                    cluster["typed_extension_protocol_options"]
                ]);
                found.entry(port).or_default().insert(seen.to_string());
            }
        }
    }
    Ok(found)
}

/// The policy on 15091 is a filter of every chain, which asks for the port first.
fn guards(filter: &Value) -> bool {
    text(&filter["name"]).ends_with(".rbac")
}

/// Match, TLS, filters by name, and where they lead; names, stat prefixes and routes are left out.
fn chain_of(chain: &Value) -> Value {
    let filters = chain["filters"].as_array().cloned().unwrap_or_default();
    let filters: Vec<Value> = filters
        .iter()
        .filter(|filter| !guards(filter))
        .map(|filter| {
            let config = &filter["typed_config"];
            let routes = config.pointer("/route_config/virtual_hosts/0/routes");
            let routes = routes.and_then(Value::as_array).into_iter().flatten();
            let routes: Vec<&Value> = routes.map(|route| &route["route"]["cluster"]).collect();
            let http = config["http_filters"].as_array().into_iter().flatten();
            let http = http.filter(|filter| !guards(filter));
            let http: Vec<&Value> = http.map(|filter| &filter["name"]).collect();
            json!([
                filter["name"],
                config["@type"],
                config["codec_type"],
                config["cluster"],
                routes,
                http
            ])
        })
        .collect();
    json!([
        chain["filter_chain_match"],
        !chain["transport_socket"].is_null(),
        filters
    ])
}

fn told(all: &BTreeMap<String, Chains>) -> String {
    let ports = |of: &Chains| of.keys().map(u64::to_string).collect::<Vec<_>>().join(" ");
    let each: Vec<String> = all
        .iter()
        .map(|(pod, of)| format!("{pod}: {}", ports(of)))
        .collect();
    each.join("; ")
}

fn alike(
    before: &BTreeMap<String, Chains>,
    after: &BTreeMap<String, Chains>,
) -> Result<(), String> {
    let none = BTreeSet::new();
    let mut differ = Vec::new();
    for (pod, was) in before {
        let is = after.get(pod).ok_or_else(|| format!("no {pod}"))?;
        let app = match pod.as_str() {
            "bare" => "web",
            node if node.starts_with("node") => "node",
            app => app,
        };
        let ports: BTreeSet<&u64> = was.keys().chain(is.keys()).collect();
        for port in ports {
            let shared = SHARED
                .iter()
                .any(|(of, number)| *of == app && u64::from(*number) == *port);
            let (was, is) = (
                was.get(port).unwrap_or(&none),
                is.get(port).unwrap_or(&none),
            );
            let fits = match *port {
                15091 => !is.is_empty(),
                _ => was == is || (was.is_empty() && shared),
            };
            if !fits {
                let gone: Vec<&String> = was.difference(is).collect();
                let new: Vec<&String> = is.difference(was).collect();
                differ.push(format!("{pod} {port}:\n  gone {gone:?}\n  new  {new:?}"));
            }
        }
    }
    match differ.is_empty() {
        true => Ok(()),
        false => Err(differ.join("\n")),
    }
}
