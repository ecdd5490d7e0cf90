//! Policies before real listeners: pods with three of them, two identities that ask, and a batch of cases at a time,
//! each on a pod of its own.

use super::compare;
use crate::read::{Answers, Ask, Authorization, DOORS, Decided, ROOT, cases};
use crate::report::{Checks, Stop};
use crate::shell::{apply, exec, get, kubectl, rolled_out, until};
use crate::world::{clear, documents, namespace};
use serde_json::{Value, json};
use std::time::Duration;

pub const NAME: &str = "originals-authorization";
const MON: &str = "authz-mon";
const OTHER: &str = "authz-other";
/// As many cases are tried at once.
const SLOTS: usize = 10;
const MAP: [&str; 4] = ["-n", ROOT, "configmap", "istio"];

type Places = Vec<(&'static str, String)>;

fn image() -> Result<String, String> {
    std::env::var("MESH_BASE_IMAGE").map_err(|_| "MESH_BASE_IMAGE is not set".to_owned())
}

fn door(slot: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("door-{slot}"), "namespace": DOORS, "labels": {"app": "door", "door": slot}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [{
            "name": "app", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["/bin/sleep", "infinity"],
        }]},
    })
}

fn client(namespace: &str, account: &str, image: &str) -> Result<Vec<Value>, String> {
    let mut objects = documents(include_str!("../data/stranger.yaml"))?;
    for object in &mut objects {
        object["metadata"]["namespace"] = namespace.into();
        if object["kind"] == "ServiceAccount" {
            object["metadata"]["name"] = account.into();
        } else {
            let spec = &mut object["spec"]["template"]["spec"];
            spec["serviceAccountName"] = account.into();
            spec["containers"][0]["image"] = image.into();
        }
    }
    Ok(objects)
}

fn listeners() -> Vec<Value> {
    let port = |number: u16, protocol: &str| {
        json!({
            "port": {"number": number, "name": format!("{protocol}-{number}").to_lowercase(), "protocol": protocol},
            "defaultEndpoint": "127.0.0.1:15020",
        })
    };
    vec![
        json!({"apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
            "metadata": {"name": "door", "namespace": DOORS},
            "spec": {"workloadSelector": {"labels": {"app": "door"}},
                "ingress": [port(15091, "HTTP"), port(15092, "TCP"), port(15093, "HTTP")]}}),
        json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"name": "door", "namespace": DOORS},
            "spec": {"selector": {"matchLabels": {"app": "door"}}, "portLevelMtls": {
                "15091": {"mode": "STRICT"}, "15092": {"mode": "STRICT"}, "15093": {"mode": "DISABLE"}}}}),
    ]
}

/// The mesh's settings with two providers that decide and another name of the trust domain.
fn settings(text: &str) -> Result<String, String> {
    let mut mesh: Value = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
    mesh["trustDomainAliases"] = json!(["td.old"]);
    let at = json!({"service": "httpbin.demo.svc.cluster.local", "port": 8000});
    mesh["extensionProviders"] = json!([
        {"name": "asks-http", "envoyExtAuthzHttp": at},
        {"name": "asks-grpc", "envoyExtAuthzGrpc": at},
    ]);
    serde_yaml::to_string(&mesh).map_err(|e| e.to_string())
}

fn put(text: &str) -> Result<String, String> {
    let [of, place, kind, name] = MAP;
    let patch = json!({"data": {"mesh": text}}).to_string();
    kubectl(&[
        of, place, "patch", kind, name, "--type", "merge", "-p", &patch,
    ])
}

pub fn run(checks: &mut Checks) -> Result<(), Stop> {
    let mut before = String::new();
    let mut places = Places::new();
    checks.must("doors, clients and settings stand", || {
        build()?;
        before = get(&MAP)?["data"]["mesh"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        put(&settings(&before)?)?;
        places = addresses()?;
        Ok(format!("{places:?}"))
    })?;
    let asked = ask_all(checks, &places);
    checks.add("the mesh's settings are as they were", || put(&before));
    checks.add("policies and clients go", || {
        sweep()?;
        for namespace in [MON, OTHER] {
            clear(namespace, false)?;
        }
        Ok("gone".into())
    });
    compare(checks, "authorization", &asked?);
    Ok(())
}

fn build() -> Result<(), String> {
    let image = image()?;
    for name in [DOORS, MON, OTHER] {
        apply(&namespace(name, None))?;
    }
    let mut objects = listeners();
    objects.extend((0..SLOTS).map(|slot| door(&slot.to_string(), &image)));
    objects.extend(client(MON, "prometheus", &image)?);
    objects.extend(client(OTHER, "other", &image)?);
    apply(&objects)?;
    for namespace in [MON, OTHER] {
        rolled_out(namespace, "stranger")?;
    }
    kubectl(&[
        "wait",
        "pod",
        "-n",
        DOORS,
        "-l",
        "app=door",
        "--for=condition=Ready",
        "--timeout=110s",
    ])?;
    Ok(())
}

fn pod_of(namespace: &str) -> Result<(String, String), String> {
    let pods = get(&["pods", "-n", namespace, "-l", "app=stranger"])?;
    let pods = pods["items"].as_array().cloned().unwrap_or_default();
    let mut living = pods
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    let pod = living.next().ok_or("no client")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok((
        text(&pod["metadata"]["name"]),
        text(&pod["status"]["podIP"]),
    ))
}

fn addresses() -> Result<Places, String> {
    let (_, me) = pod_of(MON)?;
    let (_, other) = pod_of(OTHER)?;
    let net = me.rsplit_once('.').map_or("", |(net, _)| net);
    Ok(vec![
        ("$NET", format!("{net}.0/24")),
        ("$ME", me),
        ("$OTHER", other),
    ])
}

fn sweep() -> Result<String, String> {
    kubectl(&[
        "delete",
        "authorizationpolicies",
        "-A",
        "-l",
        "originals=authorization",
    ])
}

fn ask_all(checks: &mut Checks, places: &Places) -> Result<Answers, Stop> {
    let Authorization { default, cases } = cases("authorization");
    let mut seen = Answers::new();
    for (turn, batch) in cases.chunks(SLOTS).enumerate() {
        checks.must(&format!("batch {turn} is asked"), || {
            let answers = ask(turn, batch, &default, places)?;
            seen.extend(answers);
            Ok(format!("{} cases", batch.len()))
        })?;
    }
    Ok(seen)
}

fn ask(
    turn: usize,
    batch: &[Decided],
    default: &[String],
    places: &Places,
) -> Result<Answers, String> {
    sweep()?;
    let doors = get(&["pods", "-n", DOORS, "-l", "app=door"])?;
    let address = |slot: usize| {
        let name = slot.to_string();
        let doors = doors["items"].as_array()?;
        let door = doors
            .iter()
            .find(|door| door["metadata"]["labels"]["door"].as_str() == Some(&*name))?;
        door["status"]["podIP"].as_str().map(str::to_owned)
    };
    let mut objects = Vec::new();
    for (slot, case) in batch.iter().enumerate() {
        let mut places = places.clone();
        places.push(("$DOOR", address(slot).ok_or("no door")?));
        objects.extend(case.objects(&slot.to_string(), &places));
    }
    if !objects.is_empty() {
        apply(&objects)?;
    }
    // AUDIT decides nothing; istiod sees it after the others, so where it is, they are.
    let marker = format!("marker-{turn}-{}", std::process::id());
    apply(&[json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
        "metadata": {"name": marker, "namespace": DOORS, "labels": {"originals": "authorization"}},
        "spec": {"selector": {"matchLabels": {"app": "door"}}, "action": "AUDIT", "rules": [{}]},
    })])?;
    for slot in 0..batch.len() {
        let pod = format!("door-{slot}");
        let look = format!(
            "pilot-agent request GET config_dump?resource=dynamic_listeners | grep -c 'policy.{marker}.'"
        );
        until(Duration::from_secs(60), || {
            exec(DOORS, &pod, "istio-proxy", &look)
        })?;
    }
    let mut lines: Vec<(usize, usize, String)> = Vec::new();
    for (slot, case) in batch.iter().enumerate() {
        let address = address(slot).ok_or("no door")?;
        for (at, ask) in case.asks(default).iter().enumerate() {
            lines.push((slot, at, curl(ask, &address)));
        }
    }
    let mut found: Vec<Vec<String>> = batch
        .iter()
        .map(|case| vec![String::new(); case.asks(default).len()])
        .collect();
    for (who, namespace) in [("me", MON), ("other", OTHER)] {
        let (pod, _) = pod_of(namespace)?;
        let own = |slot: usize, at: usize| {
            let who_asks = &batch[slot].asks(default)[at].who;
            (who_asks == "other") == (who == "other")
        };
        let mine: Vec<&(usize, usize, String)> = lines
            .iter()
            .filter(|(slot, at, _)| own(*slot, *at))
            .collect();
        let script: Vec<&str> = mine.iter().map(|(_, _, line)| line.as_str()).collect();
        let out = exec(namespace, &pod, "curl", &script.join("\n"))?;
        let codes: Vec<&str> = out.lines().collect();
        if codes.len() != mine.len() {
            return Err(format!(
                "{} answers to {} requests: {out}",
                codes.len(),
                mine.len()
            ));
        }
        for ((slot, at, _), code) in mine.iter().zip(codes) {
            // Refused: 403 by HTTP, a connection that is closed by TCP.
            found[*slot][*at] = match code {
                "403" | "000" => "out".to_owned(),
                _ => "in".to_owned(),
            };
        }
    }
    let names = batch.iter().map(|case| case.name.clone());
    Ok(names.zip(found).collect())
}

fn curl(ask: &Ask, address: &str) -> String {
    let scheme = if ask.who == "plain" { "http" } else { "https" };
    let mut words = vec![
        "curl -s -k -o /dev/null -m 5 --path-as-is -w '%{http_code}\\n'".to_owned(),
        // Of h2 the agent behind the TCP listener understands nothing.
        "--http1.1 --cert /etc/certs/cert-chain.pem --key /etc/certs/key.pem".to_owned(),
        match ask.method.as_str() {
            "HEAD" => "-I".to_owned(),
            method => format!("-X {method}"),
        },
    ];
    words.extend(ask.host.iter().map(|host| format!("-H 'Host: {host}'")));
    words.extend(
        ask.headers
            .iter()
            .map(|(name, value)| format!("-H '{name}: {value}'")),
    );
    words.push(format!(
        "'{scheme}://{address}:{}{}' || true",
        ask.port, ask.path
    ));
    words.join(" ")
}
