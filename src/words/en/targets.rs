//! Why a target is not as it should be.

use crate::mesh::kinds::ObjectRef;
use crate::problems::{Effect, Problem};

pub(super) fn label(of: &Problem) -> &'static str {
    use Problem as P;
    match of {
        P::AnnotationChanged { .. } => "annotation changed",
        P::ObjectGone { .. } | P::GuardGone { .. } => "object missing",
        P::ObjectAltered { .. } | P::GuardAltered { .. } => "object altered",
        P::ObjectOverruled { .. } => "object overruled",
        P::GuardNotRead { .. } | P::PrometheusNotAsked { .. } => "not read",
        P::ServesPlaintext { .. } => "not secured",
        P::AlsoInPlaintext { .. } => "also in plaintext",
        P::OnlyInPlaintext { .. } => "plaintext only",
        _ => "DOWN",
    }
}

pub(super) fn sentence(of: &Problem) -> String {
    use Problem as P;
    match of {
        P::CertificateWithoutIp { .. } => {
            "Prometheus looks for an IP address in the certificate; Istio's certificates name SPIFFE identities only.".into()
        }
        P::PlaintextPort { .. } => {
            "The annotation prometheus.istio.io/secure-port names a plaintext port.".into()
        }
        P::NoClientCertificate { .. } => "The scrape job sends no client certificate.".into(),
        P::OtherRoot { .. } => {
            "Prometheus's certificate and the pod's come from different mesh roots.".into()
        }
        P::CertificateExpired { .. } => {
            "A certificate has expired: the agent beside Prometheus or in the pod stopped renewing it.".into()
        }
        P::AddressWithoutBrackets { .. } => {
            "The job builds an IPv6 address without brackets.".into()
        }
        P::GatewayNotListening { .. } => {
            "Nothing listens on the secure port of the gateway: its Gateway selects other pods, or has not reached it.".into()
        }
        P::NotListening { .. } => {
            "Nothing listens on the secure port: the pod was not restarted, no Sidecar selects it, or it has no sidecar.".into()
        }
        P::MergeBroken { .. } => "Istio 1.30 mixes protobuf into the merged metrics.".into(),
        P::LimitExceeded { .. } => "The pod sends more than the job's limits allow.".into(),
        P::NotMetrics { .. } => {
            "The answer is not metrics: an error page, or an application that names no content type.".into()
        }
        P::NoAnswer { .. } => {
            "No answer in time. Likely causes: a NetworkPolicy that keeps Prometheus off the port, then a stale address, \
             then a slow merge."
                .into()
        }
        P::PodUnreachable { .. } => {
            "No route leads to the pod's address: the pod is gone, or a network rule rejects it.".into()
        }
        P::NothingBehind { port: 15090, .. } => {
            "The listener exists, but Envoy's port 15090 behind it does not answer.".into()
        }
        P::NothingBehind { port, .. } => format!(
            "The listener exists, but the agent's port {port} behind it does not answer."
        ),
        P::PrometheusForbidden { .. } => {
            "An AuthorizationPolicy refuses Prometheus's identity, or the port answers only inside the pod.".into()
        }
        P::PathNotFound { .. } => {
            "The path is not found: it is not /stats/prometheus, or no route serves it.".into()
        }
        P::ConnectionStale { .. } => {
            "Prometheus still used a connection from before a policy change, or HTTP/2 fails on it.".into()
        }
        P::GatewayHandshake { .. } => {
            "The gateway closes the connection: its server does not accept Prometheus's identity, or does not use mTLS.".into()
        }
        P::HandshakeUnderStrict { .. } => {
            "The handshake fails although the port requires mTLS: a native secure port is in the Sidecar's \
             place, an older PeerAuthentication wins, or HTTP/2 fails."
                .into()
        }
        P::HandshakeReset { .. } => {
            "The TLS handshake fails: mTLS is PERMISSIVE for a Sidecar's listener, or STRICT \
             before a native secure port, or HTTP/2 fails."
                .into()
        }
        P::CertificatesLate { reloads, .. } => match reloads {
            true => "Prometheus loaded the job before its certificates existed. It starts the job at the next reload or pod change.".into(),
            false => "Prometheus loaded the job before its certificates existed, and does not accept reload requests.".into(),
        },
        P::CertificatesMissing { .. } => {
            "The job's certificates are missing: istiod has not issued them to Prometheus's istio-proxy yet.".into()
        }
        P::JobNotStarted { why, .. } => match why {
            Some(why) => format!("Prometheus cannot read the job's certificate files: {why}."),
            None => "Prometheus cannot read the job's certificate files: its pod has no sidecar that writes them, or \
                     they are not mounted at the path in the job."
                .into(),
        },
        P::TargetElsewhere { wanted, .. } => format!(
            "The job's target is not the pod's own secure port over TLS, {wanted}."
        ),
        P::AnnotationChanged { has, wanted, .. } => {
            let has = match has {
                Some(port) => format!("is {port}"),
                None => "is missing".to_owned(),
            };
            format!(
                "The pod's annotation prometheus.istio.io/secure-port {has}, its template says {wanted}: it was changed on \
                 the running pod."
            )
        }
        P::DownUnexplained { error, .. } => format!("The target is DOWN: {error}."),
        P::ObjectGone {
            object,
            effect,
            port,
            ..
        }
        | P::GuardGone {
            object,
            effect,
            port,
            ..
        } => format!("{object} does not exist: {}.", result(effect, port)),
        P::ObjectAltered {
            object,
            field,
            effect,
            port,
            ..
        }
        | P::GuardAltered {
            object,
            field,
            effect,
            port,
            ..
        } => format!("{object} was changed in {field}: {}.", result(effect, port)),
        P::ObjectOverruled {
            object,
            by,
            effect,
            port,
            ..
        } => format!(
            "{object} has no effect, because {by} takes precedence: {}.",
            result(effect, port)
        ),
        P::GuardNotRead { why, .. } => {
            format!("The objects that guard the port could not be read: {why}.")
        }
        P::ServesPlaintext { port, .. } => {
            format!("Port {port} answered a plaintext request with metrics.")
        }
        P::AlsoInPlaintext { job, .. } => {
            format!("Job {job} also scrapes the pod in plaintext: its series are counted twice.")
        }
        P::OnlyInPlaintext { job, .. } => format!("Only job {job} scrapes the pod, in plaintext."),
        P::PrometheusNotAsked { replica, why, .. } => {
            format!("Prometheus {replica} could not be queried for its targets: {why}.")
        }
        P::NetworkPolicyStops {
            policies,
            egress,
            port,
            ..
        } => {
            let policies = named(policies);
            match egress {
                true => format!("{policies} would block Prometheus's egress to port {port}."),
                false => format!("{policies} would block ingress from Prometheus on port {port}."),
            }
        }
        P::PolicyRefuses {
            policy,
            rule,
            provider,
            port,
            ..
        } => match (provider, rule) {
            (Some(provider), _) => format!(
                "{policy} refuses Prometheus on port {port}: it uses the provider {provider}, which is not defined."
            ),
            (None, Some(rule)) => {
                format!("{policy} refuses Prometheus on port {port}: rule {rule} denies it.")
            }
            (None, None) => {
                format!("{policy} refuses Prometheus on port {port}: no ALLOW rule matches.")
            }
        },
        P::PolicyMayRefuse {
            policy, rule, port, ..
        } => format!("Rule {rule} of {policy} may refuse Prometheus on port {port}."),
        P::PolicyAsksProvider {
            policy,
            provider,
            port,
            ..
        } => format!("{policy} asks the provider {provider} about port {port}."),
        P::RateLimited { filter, .. } => match filter {
            Some(filter) => format!("{filter} also limits the rate on the secure port."),
            None => "A rate limit on the pod's inbound listeners also applies to scrapes.".into(),
        },
        P::ProxyProtocolExpected { filter, port, .. } => {
            let by = match filter {
                Some(filter) => filter.to_string(),
                None => "gatewayTopology.proxyProtocol".to_owned(),
            };
            format!(
                "{by} makes port {port} wait for a PROXY protocol header, which Prometheus does not send."
            )
        }
        P::FilterMayRefuse { filter, port, .. } => {
            format!("{filter} also adds a filter to port {port}, which may refuse Prometheus.")
        }
        _ => String::new(),
    }
}

fn named(all: &[ObjectRef]) -> String {
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    crate::text::few(&names, 3)
}

fn result(effect: &Effect, port: &str) -> String {
    let path = "/stats/prometheus";
    match effect {
        Effect::NotServed => format!("nothing serves metrics on port {port}"),
        Effect::NotMetrics => format!("port {port} does not serve the proxy's metrics"),
        Effect::Plaintext => format!(
            "no policy requires mTLS on port {port}, so the proxy accepts plaintext and resets Prometheus's TLS"
        ),
        Effect::OpenToMesh { quit: true } => {
            format!("any workload of the mesh can read port {port} and, through it, stop the proxy")
        }
        Effect::OpenToMesh { quit: false } => {
            format!("any workload of the mesh can read port {port}")
        }
        Effect::ServesMore { quit: true } => {
            format!("port {port} serves more than {path}: any allowed client can stop the proxy")
        }
        Effect::ServesMore { quit: false } => format!("port {port} serves more than {path}"),
        Effect::Refuses(identity) => format!("Prometheus's identity {identity} is refused"),
        Effect::OtherServer => format!("another server has port {port}"),
        Effect::AsksNoCertificate => {
            format!("port {port} does not ask for a certificate of the mesh")
        }
        Effect::LeadsNowhere => format!("port {port} has no destination"),
        Effect::PathNotServed => format!("port {port} does not serve {path}"),
        Effect::RouteWithoutAddress => format!("the route of port {port} has no address"),
        Effect::RouteOutOfPod => format!("the route of port {port} leads out of the pod"),
    }
}

pub(super) fn to_do(of: &Problem) -> Option<String> {
    use Problem as P;
    let text = match of {
        P::CertificateWithoutIp { .. } => {
            "Set insecure_skip_verify: true in the job's tls_config, and keep its ca_file."
        }
        P::PlaintextPort { .. } => {
            "Set the annotation to 15091 (or 15092 where the native merged port is on)."
        }
        P::NoClientCertificate { .. } => "Set cert_file and key_file in the job's tls_config.",
        P::OtherRoot { .. } => {
            "Compare the root in Prometheus's certificate folder with the pod's: both need the same mesh CA."
        }
        P::CertificateExpired { .. } => {
            "Check the istio-proxy logs of both pods, then restart the pod whose agent stopped."
        }
        P::AddressWithoutBrackets { .. } => {
            "Give the job two address rules, for IPv4 and, with brackets, for IPv6."
        }
        P::GatewayNotListening { .. } => "Check the Gateway's selector and istioctl proxy-status.",
        P::NotListening { .. } => {
            "Restart the pod if it is older than the change; otherwise check the Sidecar's workloadSelector."
        }
        P::MergeBroken { .. } => {
            "Upgrade Istio, or remove PrometheusProto from the job's scrape_protocols."
        }
        P::LimitExceeded { .. } => {
            "Raise the limit in the job, or drop series in metric_relabel_configs."
        }
        P::NotMetrics { .. } => "Check the job's metrics_path: /stats/prometheus.",
        P::NoAnswer { of } => {
            return Some(format!(
                "Check kubectl get networkpolicy -n {}, and allow Prometheus's pods to the secure port.",
                of.namespace
            ));
        }
        P::PodUnreachable { .. } => {
            "Wait for Prometheus to drop the pod; otherwise check NetworkPolicies and the node."
        }
        P::NothingBehind { .. } => {
            "Check istio-proxy's log, and for a gateway the ServiceEntry's endpoint."
        }
        P::PrometheusForbidden { .. } => {
            "Compare the policy's principals with Prometheus's service account and the trust domain."
        }
        P::PathNotFound { .. } => {
            "Set metrics_path: /stats/prometheus in the job; for a gateway, check the VirtualService."
        }
        P::ConnectionStale { .. } => {
            "Wait a minute; if the target stays DOWN, set enable_http2: false in the job."
        }
        P::GatewayHandshake { .. } => {
            "Check the Gateway's tls: mode ISTIO_MUTUAL, and subjectAltNames with Prometheus's identity."
        }
        P::HandshakeUnderStrict { .. } => {
            "Check for ENVOY_SECURE_METRICS_PORT and other PeerAuthentications that select the pod; set \
             enable_http2: false in the job."
        }
        P::HandshakeReset { .. } => {
            "Check which PeerAuthentication applies to the pod, and which object creates its listener."
        }
        P::CertificatesLate { reloads: true, .. } => {
            "Reload Prometheus: r in the monitor, meshscrape apply … --yes, or POST /-/reload."
        }
        P::CertificatesLate { reloads: false, .. } => {
            "Restart Prometheus (kubectl rollout restart), or set --web.enable-lifecycle and reload it."
        }
        P::CertificatesMissing { .. } => {
            "Check that istiod runs, and the log of istio-proxy in Prometheus's pod; then reload Prometheus."
        }
        P::JobNotStarted { .. } => {
            "Check Prometheus's pod: both containers must mount istio-certs, istio-proxy writable."
        }
        P::TargetElsewhere { .. } => {
            "Check the job's scheme, and its rules for __address__ and __scheme__."
        }
        P::AnnotationChanged { item, .. } => {
            return Some(format!(
                "Run meshscrape apply {}, or delete the pod: both restore the annotation.",
                item.choice()
            ));
        }
        P::ObjectOverruled { by, port, .. } => {
            return Some(format!(
                "Remove {by}, or give it the same settings for port {port}."
            ));
        }
        P::GuardNotRead { .. } | P::PrometheusNotAsked { .. } => {
            "Get the permission (see the ClusterRole in the README), or check again."
        }
        P::ServesPlaintext { .. } => {
            "Check the PeerAuthentications that select the pod, and EnvoyFilters on its listener."
        }
        P::AlsoInPlaintext { .. } => {
            "Apply again: the job skips the pod once its targets are UP, unless metrics would be lost."
        }
        P::OnlyInPlaintext { .. } => "Apply again, and check that the secure job is loaded.",
        P::NetworkPolicyStops { egress, port, .. } => {
            let whom = match egress {
                true => "these pods",
                false => "Prometheus's pods",
            };
            return Some(format!("Allow {whom} on port {port} there."));
        }
        P::PolicyRefuses { port, .. } | P::PolicyMayRefuse { port, .. } => {
            return Some(format!(
                "Exempt Prometheus's identity on port {port} in that policy."
            ));
        }
        P::PolicyAsksProvider { port, .. } => {
            return Some(format!("Remove port {port} from that policy."));
        }
        P::RateLimited { filter: None, .. } => {
            "Find the EnvoyFilter with a rate limit on these pods, and limit it to the app's ports with \
             match.listener.portNumber."
        }
        P::RateLimited { .. } => {
            "Limit the filter to the app's ports with match.listener.portNumber, or scrape less often."
        }
        P::ProxyProtocolExpected { filter: None, .. } => {
            "Remove proxyProtocol from the mesh's defaultConfig or the pod's proxy.istio.io/config."
        }
        P::ProxyProtocolExpected { port, .. } => {
            return Some(format!("Remove port {port} from its match."));
        }
        P::FilterMayRefuse { .. } => {
            "Limit the filter to the app's ports with match.listener.portNumber."
        }
        _ => return None,
    };
    Some(text.to_owned())
}
