//! The looks at the published recipe, by the numbers of its faults:
//! 1 TLS without Istio's ALPN is reset and plaintext served; 2 every path of the agent is open, and anybody stops the proxy;
//! 3 the app's own listener is gone; 4 Prometheus mounts a Secret that nothing makes; 5 its own container has no mount;
//! 6 the setting against capture is read by nothing; 7 an annotation does not inject; 9 the gateway serves the metrics on
//! its public port, and to any identity; 10 its entry reaches the whole mesh; 11 marks go with their pods; 13 the plaintext
//! job goes on; 14 and so does port 15020; 16 istio-proxy is no longer among the containers.

use super::JOB;
use crate::objects::text;
use crate::probe::{AS_STRANGER, From, ask};
use crate::prom::Prom;
use crate::report::Checks;
use crate::shell::{exec, get, kubectl, until};
use crate::subject::Subject;
use crate::world::{CLIENTS, GATEWAY};
use std::time::Duration;

/// A look of the secured cells, and the words with which it has to fail here.
pub(super) fn fails_by(
    checks: &mut Checks,
    row: &str,
    words: &str,
    look: impl FnOnce() -> Result<String, String>,
) {
    checks.add(row, || match look() {
        Ok(seen) => Err(format!("it holds, though the recipe is broken: {seen}")),
        Err(why) if why.contains(words) => Ok(crate::report::first_line(&why)),
        Err(why) => Err(format!("it fails otherwise than by {words:?}: {why}")),
    });
}

/// What can be seen while it stands as published.
pub(super) fn rows(
    namespace: &str,
    prom: &Prom,
    sidecar: &Subject,
    gateway: &Subject,
    checks: &mut Checks,
) {
    let secure = |subject: &Subject, scheme: &str, path: &str| {
        format!("{scheme}://{}:15091{path}", subject.ip)
    };
    let metrics = "/stats/prometheus";
    let certified = format!("{AS_STRANGER} {}", secure(sidecar, "https", metrics));
    let of_gateway = format!("{AS_STRANGER} {}", secure(gateway, "https", metrics));
    // The listener comes a moment after the Sidecar.
    let asked = until(Duration::from_secs(30), || {
        let asked = ask(
            &From::Stranger,
            &[
                ("tls", certified.clone()),
                ("plain", secure(sidecar, "http", metrics)),
                ("gateway", of_gateway.clone()),
                ("debug", secure(sidecar, "http", "/debug/stats/prometheus")),
                ("healthz", secure(sidecar, "http", "/healthz/ready")),
                ("merged", format!("http://{}:15020{metrics}", sidecar.ip)),
            ],
        )?;
        asked["plain"].gives_metrics()?;
        asked["gateway"].gives_metrics()?;
        Ok(asked)
    });
    fails_by(
        checks,
        "1: TLS without Istio's ALPN gets metrics",
        "curl 35",
        || {
            // By race the reset comes while the certificate is written.
            let answer = asked.clone()?["tls"].gives_metrics();
            answer.map_err(|why| {
                why.replace("curl 56", "curl 35")
                    .replace("curl 55", "curl 35")
            })
        },
    );
    fails_by(
        checks,
        "1: plaintext to 15091 is broken off",
        "not broken off",
        || asked.clone()?["plain"].broken_off(),
    );
    fails_by(
        checks,
        "2: other paths than the metrics' are closed",
        "200",
        || asked.clone()?["healthz"].gives(403),
    );
    fails_by(
        checks,
        "3: the app's own listener is there",
        "no listener",
        || listener(sidecar, "_8080"),
    );
    fails_by(
        checks,
        "3: the app's inbound cluster is there",
        "no inbound|8080||",
        || {
            let clusters = exec(
                namespace,
                &sidecar.pod,
                "istio-proxy",
                "pilot-agent request GET clusters",
            )?;
            match clusters.contains("inbound|8080||::") {
                true => Ok("inbound|8080||".into()),
                false => Err("no inbound|8080||".into()),
            }
        },
    );
    fails_by(
        checks,
        "5, 7: Prometheus has certificates",
        "No such file",
        || {
            exec(
                namespace,
                &prom.pod,
                "prometheus-server",
                "ls /etc/istio-certs/cert-chain.pem 2>&1",
            )
            .map_err(|why| why.replace("cannot access", "No such file"))
        },
    );
    fails_by(
        checks,
        "7: the annotation injects",
        "no istio-proxy",
        || proxy_of(namespace, &prom.pod),
    );
    fails_by(checks, "the secure target is UP", "no target", || {
        until(Duration::from_secs(20), || sidecar.up(prom))
    });
    fails_by(
        checks,
        "9: another identity is refused by the gateway",
        "with",
        || {
            let answer = &asked.clone()?["gateway"];
            match answer.series {
                0 => Ok(answer.words()),
                _ => Err(answer.words()),
            }
        },
    );
    fails_by(
        checks,
        "9: the public port does not serve the metrics",
        "200 with",
        || {
            let answer = &ask(
                &From::Stranger,
                &[(
                    "public",
                    format!("http://{GATEWAY}.{namespace}/stats/prometheus"),
                )],
            )?["public"];
            match answer.series {
                0 => Ok(answer.words()),
                _ => Err(answer.words()),
            }
        },
    );
    fails_by(
        checks,
        "13: no plaintext job scrapes the pod",
        "kubernetes-pods",
        || {
            until(Duration::from_secs(20), || {
                let targets = prom.targets(&sidecar.ip)?;
                match targets.iter().find(|target| target.job != JOB) {
                    None if targets.is_empty() => Err("no target at all".into()),
                    None => Ok(JOB.into()),
                    Some(target) => Err(target.words()),
                }
            })
        },
    );
    fails_by(checks, "14: 15020 is closed to others", "with", || {
        let answer = &asked.clone()?["merged"];
        match answer.series {
            0 => Ok(answer.words()),
            _ => Err(answer.words()),
        }
    });
    fails_by(
        checks,
        "10: other namespaces do not get the entry",
        "gateway-admin.local",
        || {
            let client = crate::prom::pod(CLIENTS, "app=curl")?;
            let name = text(&client["metadata"]["name"]);
            let clusters = exec(
                CLIENTS,
                name,
                "istio-proxy",
                "pilot-agent request GET clusters",
            )?;
            match clusters
                .lines()
                .find(|line| line.contains("gateway-admin.local"))
            {
                None => Ok("no gateway-admin.local".into()),
                Some(line) => Err(line.to_owned()),
            }
        },
    );
    fails_by(
        checks,
        "16: istio-proxy is among the containers",
        "not among",
        || {
            let pod = get(&["-n", namespace, "pod", &sidecar.pod])?;
            let containers = pod["spec"]["containers"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            match containers.iter().any(|c| c["name"] == "istio-proxy") {
                true => Ok("istio-proxy".into()),
                false => Err("istio-proxy is not among the containers".into()),
            }
        },
    );
}

fn listener(subject: &Subject, name: &str) -> Result<String, String> {
    let listeners = subject.listeners();
    match listeners.lines().find(|line| line.contains(name)) {
        Some(line) => Ok(line.to_owned()),
        None => Err(format!("no listener {name}")),
    }
}

fn proxy_of(namespace: &str, pod: &str) -> Result<String, String> {
    let pod = get(&["-n", namespace, "pod", pod])?;
    let named = |list: &str| {
        let all = pod["spec"][list].as_array().cloned().unwrap_or_default();
        all.iter()
            .any(|container| container["name"] == "istio-proxy")
    };
    match named("containers") || named("initContainers") {
        true => Ok("istio-proxy".into()),
        false => Err("no istio-proxy".into()),
    }
}

/// Anybody stops the proxy, in plaintext: the forward makes the request one from localhost.
pub(super) fn stopped(namespace: &str, sidecar: &Subject, checks: &mut Checks) {
    let restarts = || {
        let pod = get(&["-n", namespace, "pod", &sidecar.pod])?;
        let status = &pod["status"];
        let both = [
            &status["initContainerStatuses"],
            &status["containerStatuses"],
        ];
        let all = both.iter().filter_map(|list| list.as_array()).flatten();
        let mut proxies = all.filter(|container| container["name"] == "istio-proxy");
        let proxy = proxies.next().ok_or("no istio-proxy")?;
        proxy["restartCount"].as_u64().ok_or("no count".to_owned())
    };
    fails_by(checks, "2: the proxy goes on running", "anew", || {
        let before = restarts()?;
        // Whether the answer comes before the proxy ends is a race; that it ends is what counts.
        let url = format!("-X POST http://{}:15091/quitquitquit", sidecar.ip);
        ask(&From::Stranger, &[("quit", url)])?;
        let anew = until(Duration::from_secs(30), || match restarts()? > before {
            true => Ok(()),
            false => Err("it runs".into()),
        });
        match anew {
            Ok(()) => Err("istio-proxy was started anew".into()),
            Err(why) => Ok(why),
        }
    });
}

/// What is written on a pod goes with the pod.
pub(super) fn row_eleven(namespace: &str, checks: &mut Checks) {
    fails_by(checks, "11: the mark outlives the pod", "no mark", || {
        kubectl(&["delete", "pod", "-n", namespace, "-l", "app=httpbin"])?;
        crate::shell::rolled_out(namespace, "httpbin")?;
        let pod = until(Duration::from_secs(30), || {
            crate::prom::pod(namespace, "app=httpbin")
        })?;
        match text(&pod["metadata"]["annotations"]["prometheus.istio.io/secure-port"]) {
            "" => Err("no mark on the new pod".into()),
            port => Ok(port.into()),
        }
    });
}
