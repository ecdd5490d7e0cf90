//! The negative controls: the published recipe on the same mesh. Each look here is one that a secured cell passes,
//! and it must fail here in the way that the recipe's fault says: so the harness is known to see failures.
//! At the end the program recognises what was applied, repairs it, and brings it back as it was.

mod rows;

use crate::evidence;
use crate::matrix::{again, choices, says_secured, secured};
use crate::objects::{made_anew, objects, same, text};
use crate::probe::{From, ask};
use crate::program::Program;
use crate::prom::Prom;
use crate::report::{Checks, Stop};
use crate::shell::{apply, get, kubectl, until};
use crate::subject::{Kind, Subject};
use crate::world::{self, GATEWAY, documents};
use rows::{fails_by, row_eleven, rows, stopped};
use serde_json::{Value, json};
use std::time::Duration;

pub struct Control {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&str, &mut Checks) -> Result<(), Stop>,
}

pub const CONTROLS: &[Control] = &[
    Control {
        name: "published",
        about: "the published recipe fails, row by row; then it is repaired and brought back",
        run: published,
    },
    Control {
        name: "published-pod",
        about: "the published Prometheus pod, once it is injected, hangs; its capture setting does nothing",
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
