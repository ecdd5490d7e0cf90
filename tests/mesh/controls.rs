//! The negative controls: the published recipe on the same mesh. Each look here is one that a secured cell passes,
//! and it must fail here in the way that the recipe's fault says: so the harness is known to see failures.
//! At the end the program recognises what was applied, repairs it, and brings it back as it was.

use crate::evidence;
use crate::matrix::{again, choices, says_secured, secured};
use crate::objects::{made_anew, objects, same, text};
use crate::probe::{AS_STRANGER, From, ask};
use crate::program::Program;
use crate::prom::Prom;
use crate::report::{Checks, Stop};
use crate::shell::{apply, exec, get, kubectl, until};
use crate::subject::{Kind, Subject};
use crate::world::{self, CLIENTS, GATEWAY, documents};
use serde_json::{Value, json};
use std::time::Duration;

pub struct Control {
    pub name: &'static str,
    pub about: &'static str,
    /// It leaves marks that the program did not set.
    pub marks: bool,
    pub run: fn(&str, &mut Checks) -> Result<(), Stop>,
}

pub const CONTROLS: &[Control] = &[
    Control {
        name: "published",
        about: "the published recipe fails, row by row; then it is repaired and brought back",
        marks: true,
        run: published,
    },
    Control {
        name: "published-pod",
        about: "the published Prometheus pod, once it is injected, hangs; its capture setting does nothing",
        marks: false,
        run: published_pod,
    },
];

impl Control {
    pub fn namespace(&self) -> String {
        format!("mesh-{}", self.name)
    }

    pub fn evidence(&self) -> String {
        let namespace = self.namespace();
        let subjects = subjects(&namespace).map(Vec::from).unwrap_or_default();
        evidence::of(
            &namespace,
            &choices(&namespace, 15020, "template"),
            &subjects,
        )
    }
}

const JOB: &str = "istio-secure-merged-metrics";

/// The job as published: it follows `prometheus.io/path`, and takes an address apart that IPv6 does not have.
const PUBLISHED_JOB: &str = "scrape_configs:
- job_name: 'istio-secure-merged-metrics' # as the page has it
  kubernetes_sd_configs:
  - role: pod
    namespaces:
      names: [NAMESPACE]
  relabel_configs:
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]
    action: keep
    regex: .+
  - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_istio_io_secure_port]
    action: replace
    target_label: __address__
    regex: (.+);(.+)
    replacement: $1:$2
  - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path]
    action: replace
    target_label: __metrics_path__
    regex: (.+)
  scheme: https
  tls_config: {ca_file: /etc/istio-certs/root-cert.pem, cert_file: /etc/istio-certs/cert-chain.pem, key_file: /etc/istio-certs/key.pem, insecure_skip_verify: true}
";

/// The Deployment's fragment, merged into the sample: the annotation in place of the label, a Secret that nothing
/// makes, a read-only mount, a setting that nothing reads.
fn fragment() -> Value {
    json!({"spec": {"template": {
        "metadata": {"annotations": {
            "sidecar.istio.io/inject": "true",
            "sidecar.istio.io/userVolumeMount":
                r#"[{"name": "istio-certs", "mountPath": "/etc/istio-certs", "readOnly": true}]"#,
            "proxy.istio.io/config":
                "proxyMetadata:\n  OUTPUT_CERTS: /etc/istio-certs\nINBOUND_CAPTURE_PORTS: \"\"\n",
        }},
        "spec": {"volumes": [
            {"name": "istio-certs", "secret": {"secretName": "istio.default", "optional": true}},
        ]},
    }}})
}

fn subjects(namespace: &str) -> Result<[Subject; 2], String> {
    let of = |kind| Subject::of(kind, namespace, 15020, "PERMISSIVE");
    Ok([of(Kind::Sidecar)?, of(Kind::Gateway)?])
}

fn apply_published(namespace: &str) -> Result<String, String> {
    let objects = include_str!("data/published.yaml")
        .replace("NAMESPACE", namespace)
        .replace("GATEWAY", GATEWAY);
    apply(&documents(&objects)?)?;
    for labels in [
        "app=httpbin".to_owned(),
        format!("istio={namespace}-{GATEWAY}"),
    ] {
        kubectl(&[
            "annotate",
            "pod",
            "-n",
            namespace,
            "-l",
            &labels,
            "--overwrite",
            "prometheus.istio.io/secure-port=15091",
        ])?;
    }
    patch(namespace, "deployment", "strategic", &fragment())?;
    let map = get(&["-n", namespace, "configmap", "prometheus"])?;
    let config = text(&map["data"]["prometheus.yml"]);
    let job = PUBLISHED_JOB.replace("NAMESPACE", namespace);
    let with = config.replacen("scrape_configs:\n", &job, 1);
    if with == config {
        return Err("the sample's configuration is not as this harness knows it".into());
    }
    let data = json!({"data": {"prometheus.yml": with}});
    patch(namespace, "configmap", "merge", &data)?;
    kubectl(&[
        "rollout",
        "status",
        "-n",
        namespace,
        "deployment/prometheus",
        "--timeout=110s",
    ])
}

fn patch(namespace: &str, kind: &str, how: &str, patch: &Value) -> Result<String, String> {
    let patch = patch.to_string();
    kubectl(&[
        "patch",
        kind,
        "prometheus",
        "-n",
        namespace,
        "--type",
        how,
        "-p",
        &patch,
    ])
}

/// A look of the secured cells, and the words with which it has to fail here.
fn fails_by(
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

fn published(namespace: &str, checks: &mut Checks) -> Result<(), Stop> {
    checks.must("the samples stand", || {
        world::build(namespace, "PERMISSIVE").map(|()| namespace.to_owned())
    })?;
    checks.must("the published recipe is applied", || {
        apply_published(namespace)
    })?;
    let mut found = None;
    checks.must("the pods", || {
        found = Some((Prom::of(namespace)?, subjects(namespace)?));
        Ok(String::new())
    })?;
    let Some((prom, [sidecar, gateway])) = found else {
        return Err(Stop);
    };
    rows(namespace, &prom, &sidecar, &gateway, checks);
    stopped(namespace, &sidecar, checks);
    row_eleven(namespace, checks);
    repaired(namespace, checks)
}

fn rows(namespace: &str, prom: &Prom, sidecar: &Subject, gateway: &Subject, checks: &mut Checks) {
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
fn stopped(namespace: &str, sidecar: &Subject, checks: &mut Checks) {
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
fn row_eleven(namespace: &str, checks: &mut Checks) {
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

fn repaired(namespace: &str, checks: &mut Checks) -> Result<(), Stop> {
    let before = objects(namespace);
    let program = Program::new("published", &choices(namespace, 15020, "template"));
    let Ok(program) = &program else {
        return checks.must("a state folder", || program.map(|_| String::new()));
    };
    checks.add("plan recognises what the recipe left", || {
        let (code, plan) = program.plan()?;
        let all = plan.to_string();
        let names = [
            "secure-metrics",
            "httpbin-gateway",
            "gateway-admin",
            "gateway-metrics",
        ];
        match names.iter().find(|name| !all.contains(*name)) {
            None if code == 2 => Ok(names.join(", ")),
            None => Err(format!("exit {code}")),
            Some(name) => Err(format!("{name} is in no change")),
        }
    });
    let mut run = None;
    checks.must("the repair is applied: exit 0", || {
        let told = program.apply()?;
        let well = told.well();
        run = Some(told);
        well
    })?;
    checks.add("apply says all UP and plaintext refused", || {
        says_secured(run)
    });
    secured(checks, namespace, || subjects(namespace))?;
    again(checks, program);
    checks.must("undo exits 0", || program.undo_reopening()?.well())?;
    checks.add("the published objects are back, byte for byte", || {
        // The repair deletes these three, since nothing of them can stay.
        let anew = [
            "Sidecar/secure-metrics",
            "ServiceEntry/gateway-admin",
            "VirtualService/gateway-metrics",
        ];
        same(
            &made_anew(before?, &anew),
            &made_anew(objects(namespace)?, &anew),
        )
    });
    Ok(())
}

/// The same pod with the label that really injects.
fn published_pod(namespace: &str, checks: &mut Checks) -> Result<(), Stop> {
    checks.must("the samples stand", || {
        world::build(namespace, "STRICT").map(|()| namespace.to_owned())
    })?;
    let label = json!({"spec": {"template": {"metadata": {"labels": {"sidecar.istio.io/inject": "true"}}}}});
    checks.must("the published pod is injected", || {
        let mut both = fragment();
        both["spec"]["template"]["metadata"]["labels"] =
            label["spec"]["template"]["metadata"]["labels"].clone();
        patch(namespace, "deployment", "strategic", &both)
    })?;
    fails_by(checks, "4: the pod gets ready", "timed out", || {
        kubectl(&[
            "rollout",
            "status",
            "-n",
            namespace,
            "deployment/prometheus",
            "--timeout=25s",
        ])
        .map_err(|why| why.replace("exceeded its progress deadline", "timed out"))
    });
    checks.must("with a writable volume in memory it does", || {
        let volume = json!({"spec": {"template": {
            "metadata": {"annotations": {"sidecar.istio.io/userVolumeMount":
                r#"[{"name": "istio-certs", "mountPath": "/etc/istio-certs"}]"#}},
            "spec": {"volumes": [{"name": "istio-certs", "secret": null, "emptyDir": {"medium": "Memory"}}]},
        }}});
        patch(namespace, "deployment", "strategic", &volume)?;
        kubectl(&["rollout", "status", "-n", namespace, "deployment/prometheus", "--timeout=110s"])
    })?;
    let ready = || {
        let prom = Prom::of(namespace)?;
        ask(
            &From::Stranger,
            &[("ready", format!("http://{}:9090/-/ready", prom.ip))],
        )?["ready"]
            .gives(200)
    };
    fails_by(
        checks,
        "6: Prometheus answers a client outside the mesh",
        "in place of 200",
        ready,
    );
    checks.add("without capture it does", || {
        let open = json!({"spec": {"template": {"metadata": {"annotations": {
            "traffic.sidecar.istio.io/includeInboundPorts": "",
            "traffic.sidecar.istio.io/includeOutboundIPRanges": "",
        }}}}});
        patch(namespace, "deployment", "strategic", &open)?;
        kubectl(&[
            "rollout",
            "status",
            "-n",
            namespace,
            "deployment/prometheus",
            "--timeout=110s",
        ])?;
        until(Duration::from_secs(20), ready)
    });
    Ok(())
}
