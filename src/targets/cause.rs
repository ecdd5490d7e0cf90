//! From Prometheus's `lastError` to a cause in plain words and what to do: a table, tried from the top.

use super::{Cause, Expected, Files, Policy};
use crate::answers::MetricsPort;

/// What is known of the item besides the error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub gateway: bool,
    pub port: MetricsPort,
    pub policy: Policy,
}

struct Rule {
    code: &'static str,
    /// Any of these, in lower case, in the error.
    says: &'static [&'static str],
    when: fn(&About) -> bool,
    cause: &'static str,
    /// `{namespace}` stands for the target's own.
    fix: &'static str,
}

const ALWAYS: fn(&About) -> bool = |_| true;

/// The order matters: an error may hold the words of several rows.
const RULES: &[Rule] = &[
    Rule {
        code: "ip-sans",
        says: &["doesn't contain any ip sans"],
        when: ALWAYS,
        cause: "Prometheus looks for an IP address in the certificate; Istio's certificates name SPIFFE identities only",
        fix: "set insecure_skip_verify: true in the job's tls_config, and keep its ca_file",
    },
    Rule {
        code: "plaintext-port",
        says: &["server gave http response to https client"],
        when: ALWAYS,
        cause: "the annotation prometheus.istio.io/secure-port names a port that speaks plaintext",
        fix: "set the annotation to 15091 (or 15092 where the native merged port is on)",
    },
    Rule {
        code: "no-client-certificate",
        says: &["certificate required", "broken pipe"],
        when: ALWAYS,
        cause: "the scrape job sends no client certificate",
        fix: "set cert_file and key_file in the job's tls_config",
    },
    Rule {
        code: "other-root",
        says: &[
            "unknown certificate authority",
            "signed by unknown authority",
        ],
        when: ALWAYS,
        cause: "the two certificates come from different mesh roots",
        fix: "compare the root in Prometheus's certificate folder with the pod's: both need the same mesh CA",
    },
    Rule {
        code: "expired-certificate",
        says: &["expired certificate", "certificate has expired"],
        when: ALWAYS,
        cause: "a certificate has expired: the agent beside Prometheus or in the pod stopped renewing it",
        fix: "look at the log of istio-proxy in both pods, then restart the one that stopped",
    },
    Rule {
        code: "address-colons",
        says: &["too many colons in address"],
        when: ALWAYS,
        cause: "the job makes an IPv6 address without brackets",
        fix: "give the job two address rules, for IPv4 and, with brackets, for IPv6",
    },
    Rule {
        code: "refused-gateway",
        says: &["connection refused"],
        when: |about| about.gateway,
        cause: "nothing listens on the secure port of the gateway: its Gateway selects other pods, or has not reached it",
        fix: "look at the Gateway's selector, and at istioctl proxy-status",
    },
    Rule {
        code: "refused",
        says: &["connection refused"],
        when: ALWAYS,
        cause: "nothing listens on the secure port: the pod was not restarted, no Sidecar selects it, or it has no sidecar",
        fix: "restart the pod if it is older than the change; else look at the Sidecar's workloadSelector",
    },
    Rule {
        code: "merge-broken",
        says: &["expected value after metric"],
        when: ALWAYS,
        cause: "Istio 1.30 mixes protobuf into the merged metrics",
        fix: "upgrade Istio, or take PrometheusProto out of the job's scrape_protocols",
    },
    Rule {
        code: "limit",
        says: &[
            "sample_limit exceeded",
            "sample limit exceeded",
            "body size limit exceeded",
            "body_size_limit exceeded",
            "label_limit",
        ],
        when: ALWAYS,
        cause: "the pod sends more than the job's limits allow",
        fix: "raise the limit in the job, or drop series in metric_relabel_configs",
    },
    Rule {
        code: "content-type",
        says: &["unsupported content-type", "blank content-type"],
        when: ALWAYS,
        cause: "what answers are not metrics: an error page, or an application that names no content type",
        fix: "check the job's metrics_path: /stats/prometheus",
    },
    Rule {
        code: "timeout",
        says: &[
            "context deadline exceeded",
            "i/o timeout",
            "client.timeout exceeded",
        ],
        when: ALWAYS,
        cause: "no answer in time; likely causes: a NetworkPolicy that keeps Prometheus off the port, then a stale address, then a slow merge",
        fix: "see kubectl get networkpolicy -n {namespace}, and allow Prometheus's pods to the secure port",
    },
    Rule {
        code: "unreachable",
        says: &["no route to host", "network is unreachable"],
        when: ALWAYS,
        cause: "no way leads to the pod's address: the pod is gone, or a network rule rejects it",
        fix: "wait for Prometheus to forget the pod; else look at NetworkPolicies and the node",
    },
    Rule {
        code: "nothing-behind",
        says: &["http status 503"],
        when: |about| about.port == MetricsPort::Merged,
        cause: "the listener is there, but nothing behind it: the agent's port 15020 does not answer",
        fix: "look at istio-proxy's log; for a gateway also at the ServiceEntry's endpoint",
    },
    Rule {
        code: "nothing-behind",
        says: &["http status 503"],
        when: ALWAYS,
        cause: "the listener is there, but nothing behind it: Envoy's port 15090 does not answer",
        fix: "look at istio-proxy's log; for a gateway also at the ServiceEntry's endpoint",
    },
    Rule {
        code: "forbidden",
        says: &["http status 403"],
        when: ALWAYS,
        cause: "an AuthorizationPolicy does not let Prometheus's identity in, or the port answers only inside the pod",
        fix: "compare the policy's principals with Prometheus's service account and the trust domain",
    },
    Rule {
        code: "rate-limit",
        says: &["http status 429"],
        when: ALWAYS,
        cause: "a rate limit on the pod's inbound listeners counts scrapes too",
        fix: "look for an EnvoyFilter with a rate limit that selects the pods, and keep it to the app's ports by match.listener.portNumber",
    },
    Rule {
        code: "not-found",
        says: &["http status 404"],
        when: ALWAYS,
        cause: "the path leads nowhere: another path than /stats/prometheus, or no route for it",
        fix: "set metrics_path: /stats/prometheus in the job; for a gateway look at the VirtualService",
    },
    Rule {
        code: "connection-from-before",
        says: &["http2: client conn could not be established"],
        when: ALWAYS,
        cause: "Prometheus still used a connection from before a policy change, or HTTP/2 fails on it",
        fix: "wait a minute; if it stays, set enable_http2: false in the job",
    },
    Rule {
        code: "gateway-tls",
        says: RESET,
        when: |about| about.gateway,
        cause: "the gateway breaks the connection off: its server on the port does not know Prometheus's identity, or speaks no mTLS",
        fix: "look at the Gateway's tls: mode ISTIO_MUTUAL, and subjectAltNames with Prometheus's identity",
    },
    Rule {
        code: "reset-strict",
        says: RESET,
        when: |about| about.policy == Policy::Strict,
        cause: "mTLS is demanded on the port and the connection still breaks off: a native secure port stands in the Sidecar's place, another PeerAuthentication is older and wins, or HTTP/2 fails",
        fix: "look for ENVOY_SECURE_METRICS_PORT and for other PeerAuthentications that select the pod; set enable_http2: false in the job",
    },
    Rule {
        code: "reset",
        says: RESET,
        when: ALWAYS,
        cause: "the connection breaks off in the TLS handshake: mTLS is PERMISSIVE for a Sidecar's listener, or STRICT before a native secure port, or HTTP/2 fails",
        fix: "look at the PeerAuthentication that governs the pod and at where its listener comes from",
    },
];

const RESET: &[&str] = &["connection reset by peer", "eof"];

/// The cause, by the table; `None`: the error is not known.
pub fn cause(error: &str, namespace: &str, about: &About) -> Option<Cause> {
    let error = error
        .to_lowercase()
        .replace("http status code", "http status");
    let rule = RULES
        .iter()
        .find(|rule| rule.says.iter().any(|words| error.contains(words)) && (rule.when)(about))?;
    Some(Cause {
        code: rule.code,
        cause: rule.cause.to_owned(),
        fix: rule.fix.replace("{namespace}", namespace),
        ..Cause::default()
    })
}

/// The error without what differs from one scrape to the next: the address and port on Prometheus's own side
/// (`read tcp 10.0.0.1:51234->10.0.0.2:15091`) and the URL, so that equal failures read equal.
pub fn group(error: &str) -> String {
    let error = match error.split_once("\": ") {
        Some((request, rest)) if request.starts_with("Get \"") => rest,
        _ => error,
    };
    let Some((before, after)) = error.split_once("->") else {
        return error.to_owned();
    };
    let start = before.rfind(' ').map_or(0, |at| at + 1);
    format!("{}{after}", &before[..start])
}

/// A job in the running configuration without a scrape pool. `reloads`: this Prometheus takes reload requests.
pub(super) fn failed_pool(files: &Files, reloads: bool) -> Cause {
    let look = "look at Prometheus's pod: the volume istio-certs in both containers, writable in istio-proxy";
    let (code, cause, fix) = match (files, reloads) {
        (Files::Written, true) => (
            "late-certificates",
            "Prometheus loaded the job before its certificates were there, and starts it only when a pod changes or with a reload",
            "reload Prometheus: r in the monitor, meshscrape apply … --yes, or POST /-/reload",
        ),
        (Files::Written, false) => (
            "late-certificates",
            "Prometheus loaded the job before its certificates were there, and takes no reload requests",
            "restart Prometheus (kubectl rollout restart), or set --web.enable-lifecycle and reload it",
        ),
        (Files::Awaited, _) => (
            "no-certificates",
            "the job's certificates are missing: istio-proxy beside Prometheus has none from istiod yet",
            "see that istiod runs, and the log of istio-proxy in Prometheus's pod; reload Prometheus after that",
        ),
        (Files::Nobody(why), _) => {
            return Cause {
                code: "failed-pool",
                cause: format!("Prometheus cannot read the job's certificate files: {why}"),
                fix: look.into(),
                ..Cause::default()
            };
        }
        (Files::Unknown, _) => (
            "failed-pool",
            "Prometheus cannot read the job's certificate files: its pod has no sidecar that writes them, or they \
             are not mounted where the job looks",
            look,
        ),
    };
    Cause {
        code,
        cause: cause.into(),
        fix: fix.into(),
        ..Cause::default()
    }
}

/// A secure job whose target is not the pod's own secure port over TLS.
pub(super) fn elsewhere(one: &Expected) -> Cause {
    let ip = one.ip.as_deref().unwrap_or("ADDRESS");
    let host = match ip.contains(':') {
        true => format!("[{ip}]"),
        false => ip.to_owned(),
    };
    let port = one.secure_port.as_deref().unwrap_or("15091");
    Cause {
        code: "other-address",
        cause: format!(
            "the job's target is not the pod's own secure port over TLS, https://{host}:{port}"
        ),
        fix: "look at the job's scheme, and at its rules for __address__ and __scheme__".into(),
        ..Cause::default()
    }
}

/// A running pod whose annotation somebody changed, so that it reads otherwise than the template it was made from.
pub(super) fn strayed(one: &Expected, wanted: &str, plain: Option<&str>) -> (String, Cause) {
    let has = match &one.secure_port {
        Some(port) => format!("is {port}"),
        None => "is missing".to_owned(),
    };
    let scraped = match plain {
        Some(job) => format!("scraped in plaintext by job {job}"),
        None => "no target over mTLS".to_owned(),
    };
    let cause = Cause {
        code: "annotation-changed",
        cause: format!(
            "the pod's annotation prometheus.istio.io/secure-port {has}, its template says {wanted}: it was changed on \
             the running pod"
        ),
        fix: format!(
            "meshscrape apply {} annotates the pod again; so does deleting it",
            match one.gateway {
                true => format!("-g {}/{}", one.item.namespace, one.item.name),
                false => format!("-w {}", one.item),
            }
        ),
        ..Cause::default()
    };
    (scraped, cause)
}
