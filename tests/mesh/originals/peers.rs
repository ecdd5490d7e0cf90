//! What ports answer under PeerAuthentications and Sidecars of all levels.

use super::compare;
use crate::read::{Answered, Answers, Peers, ROOT, cases};
use crate::report::{Checks, Stop};
use crate::shell::{apply, exec, get, kubectl, pause, until};
use crate::world::{CLIENTS, namespace};
use serde_json::{Value, json};
use std::time::Duration;

pub const NAME: &str = "originals-peers";
/// As many cases are tried at once.
const SLOTS: usize = 8;
const PORTS: [u16; 2] = [15091, 15092];

fn place(slot: usize) -> String {
    format!("peers-{slot}")
}

pub fn run(checks: &mut Checks) -> Result<(), Stop> {
    checks.must("doors stand", || {
        let image = std::env::var("MESH_BASE_IMAGE").map_err(|_| "MESH_BASE_IMAGE is not set")?;
        for slot in 0..SLOTS {
            apply(&namespace(&place(slot), None))?;
        }
        let doors: Vec<Value> = (0..SLOTS).map(|slot| door(slot, &image)).collect();
        until(Duration::from_secs(20), || apply(&doors))?;
        for slot in 0..SLOTS {
            let of = place(slot);
            kubectl(&[
                "wait",
                "pod/door",
                "-n",
                &of,
                "--for=condition=Ready",
                "--timeout=110s",
            ])?;
        }
        Ok(format!("{SLOTS} pods"))
    })?;
    let seen = ask_all(checks);
    checks.add("all goes", || {
        sweep()?;
        for slot in 0..SLOTS {
            kubectl(&["delete", "namespace", &place(slot), "--wait=false"])?;
        }
        Ok("gone".into())
    });
    compare(checks, "peers", &seen?);
    Ok(())
}

fn door(slot: usize, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "door", "namespace": place(slot), "labels": {"app": "door"}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [{
            "name": "app", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["/bin/sleep", "infinity"],
        }]},
    })
}

fn sweep() -> Result<(), String> {
    kubectl(&[
        "delete",
        "peerauthentications,sidecars,authorizationpolicies",
        "-A",
        "-l",
        "originals=peers",
    ])?;
    Ok(())
}

fn ask_all(checks: &mut Checks) -> Result<Answers, Stop> {
    let Peers { cases } = cases("peers");
    let mut seen = Answers::new();
    let mut rest: Vec<&Answered> = cases.iter().collect();
    while let Some(first) = rest.first() {
        // What stands in the root namespace holds for all.
        let (mut batch, mut later): (Vec<&Answered>, Vec<&Answered>) =
            rest.iter().partition(|case| case.root == first.root);
        later.splice(0..0, batch.drain(SLOTS.min(batch.len())..));
        checks.must(&format!("batch of {} is asked", batch[0].name), || {
            seen.extend(ask(&batch)?);
            Ok(format!("{} cases", batch.len()))
        })?;
        rest = later;
    }
    Ok(seen)
}

fn ask(batch: &[&Answered]) -> Result<Answers, String> {
    sweep()?;
    let mut all: Vec<Value> = Vec::new();
    for (slot, case) in batch.iter().enumerate() {
        let objects = case.objects(&place(slot));
        all.extend(
            objects
                .into_iter()
                .filter(|one| slot == 0 || one["metadata"]["namespace"] != ROOT),
        );
    }
    let mut waves: Vec<u64> = all
        .iter()
        .map(|one| one["wave"].as_u64().unwrap_or(0))
        .collect();
    waves.sort_unstable();
    waves.dedup();
    for wave in waves {
        // Ages are counted in seconds.
        pause(wave * 600);
        let now = all
            .iter()
            .filter(|one| one["wave"].as_u64().unwrap_or(0) == wave);
        let now: Vec<Value> = now
            .map(|one| {
                let mut one = one.clone();
                one.as_object_mut().map(|of| of.remove("wave"));
                one
            })
            .collect();
        apply(&now)?;
    }
    pause(1500);
    let about = batch[0]
        .name
        .replace(|c: char| !c.is_ascii_lowercase(), "-");
    let marker = format!("marker-{}-{about}", std::process::id());
    let markers: Vec<Value> = (0..batch.len())
        .map(|slot| {
            json!({
                "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                "metadata": {"name": marker, "namespace": place(slot), "labels": {"originals": "peers"}},
                "spec": {"action": "AUDIT", "rules": [{}]},
            })
        })
        .collect();
    apply(&markers)?;
    let client = get(&["pods", "-n", CLIENTS, "-l", "app=stranger"])?;
    let client = client["items"][0]["metadata"]["name"]
        .as_str()
        .ok_or("no client")?
        .to_owned();
    let mut found = Answers::new();
    for (slot, case) in batch.iter().enumerate() {
        let of = place(slot);
        let look = format!(
            "pilot-agent request GET config_dump?resource=dynamic_listeners | grep -c 'policy.{marker}.'"
        );
        until(Duration::from_secs(60), || {
            exec(&of, "door", "istio-proxy", &look)
        })?;
        let pod = get(&["pod", "door", "-n", &of])?;
        let address = pod["status"]["podIP"].as_str().ok_or("no address")?;
        let script: String = PORTS.iter().map(|port| probe(address, *port)).collect();
        let out = exec(CLIENTS, &client, "curl", &script)?;
        let mut answers = out.lines().map(str::to_owned);
        let all: Vec<String> = PORTS.iter().filter_map(|_| answers.next()).collect();
        found.insert(case.name.clone(), all);
    }
    Ok(found)
}

/// A line of what is answered: plaintext, TLS as anyone speaks it, TLS with an ALPN of Istio's.
fn probe(address: &str, port: u16) -> String {
    let curl = "curl -s -k -m 5 -o /dev/null -w '%{http_code}'";
    let (cert, key) = ("/etc/certs/cert-chain.pem", "/etc/certs/key.pem");
    format!(
        r#"said=''
[ "$({curl} http://{address}:{port}/stats/prometheus)" = 200 ] && said="$said plain"
[ "$({curl} --cert {cert} --key {key} https://{address}:{port}/stats/prometheus)" = 200 ] && said="$said mtls"
(printf 'GET /stats/prometheus HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'; sleep 1) | timeout 5 openssl s_client -quiet \
  -connect {address}:{port} -alpn istio-http/1.0 -cert {cert} -key {key} 2>/dev/null | grep -aq ' 200 ' && said="$said istio"
said=${{said# }}; echo "${{said:-nothing}}"
"#
    )
}
