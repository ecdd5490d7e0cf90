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
            "The annotation prometheus.istio.io/secure-port names a port that speaks plaintext.".into()
        }
        P::NoClientCertificate { .. } => "The scrape job sends no client certificate.".into(),
        P::OtherRoot { .. } => {
            "Prometheus's certificate and the pod's come from different mesh roots.".into()
        }
        P::CertificateExpired { .. } => {
            "A certificate has expired: the agent beside Prometheus or in the pod stopped renewing it.".into()
        }
        P::AddressWithoutBrackets { .. } => {
            "The job makes an IPv6 address without brackets.".into()
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
            "The listener is there, but nothing behind it: Envoy's port 15090 does not answer.".into()
        }
        P::NothingBehind { port, .. } => format!(
            "The listener is there, but nothing behind it: the agent's port {port} does not answer."
        ),
        P::PrometheusForbidden { .. } => {
            "An AuthorizationPolicy does not let Prometheus's identity in, or the port answers only inside the pod.".into()
        }
        P::PathNotFound { .. } => {
            "The path leads nowhere: another path than /stats/prometheus, or no route for it.".into()
        }
        P::ConnectionStale { .. } => {
            "Prometheus still used a connection from before a policy change, or HTTP/2 fails on it.".into()
        }
        P::GatewayHandshake { .. } => {
            "The gateway breaks the connection off: its server does not know Prometheus's identity, or speaks no mTLS.".into()
        }
        P::HandshakeUnderStrict { .. } => {
            "mTLS is demanded on the port and the connection still breaks off: a native secure port is in the Sidecar's \
             place, an older PeerAuthentication wins, or HTTP/2 fails."
                .into()
        }
        P::HandshakeReset { .. } => {
            "The connection breaks off in the TLS handshake: mTLS is PERMISSIVE for a Sidecar's listener, or STRICT \
             before a native secure port, or HTTP/2 fails."
                .into()
        }
        P::CertificatesLate { reloads, .. } => match reloads {
            true => "Prometheus loaded the job before its certificates were there, and starts it only when a pod changes or with a reload.".into(),
            false => "Prometheus loaded the job before its certificates were there, and takes no reload requests.".into(),
        },
        P::CertificatesMissing { .. } => {
            "The job's certificates are missing: istio-proxy beside Prometheus has none from istiod yet.".into()
        }
        P::JobNotStarted { why, .. } => match why {
            Some(why) => format!("Prometheus cannot read the job's certificate files: {why}."),
            None => "Prometheus cannot read the job's certificate files: its pod has no sidecar that writes them, or \
                     they are not mounted where the job looks."
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
        } => format!("{object} is altered in {field}: {}.", result(effect, port)),
        P::ObjectOverruled {
            object,
            by,
            effect,
            port,
            ..
        } => format!(
            "{object} has no effect, {by} comes before it: {}.",
            result(effect, port)
        ),
        P::GuardNotRead { why, .. } => {
            format!("The objects that guard the port could not be read: {why}.")
        }
        P::ServesPlaintext { port, .. } => {
            format!("Port {port} answered a plaintext request with metrics.")
        }
        P::AlsoInPlaintext { job, .. } => {
            format!("Job {job} scrapes it in plaintext too: its series count twice.")
        }
        P::OnlyInPlaintext { job, .. } => format!("Only job {job} scrapes it, in plaintext."),
        P::PrometheusNotAsked { replica, why, .. } => {
            format!("Prometheus {replica} could not be asked for its targets: {why}.")
        }
        P::NetworkPolicyStops {
            policies,
            egress,
            port,
            ..
        } => {
            let policies = named(policies);
            match egress {
                true => format!("{policies} would stop Prometheus on its way to port {port}."),
                false => format!("{policies} would stop Prometheus at port {port}."),
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
                "{policy} refuses Prometheus on port {port}: it asks the provider {provider}, which is not defined."
            ),
            (None, Some(rule)) => {
                format!("{policy} refuses Prometheus on port {port}: rule {rule} denies it.")
            }
            (None, None) => {
                format!("{policy} refuses Prometheus on port {port}: it allows only what it lists.")
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
            Some(filter) => format!("{filter} limits the rate on the secure port too."),
            None => "A rate limit on the pod's inbound listeners counts scrapes too.".into(),
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
            format!("{filter} puts a filter on port {port} too, which may refuse Prometheus.")
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
        Effect::NotMetrics => format!("port {port} does not lead to the proxy's metrics"),
        Effect::Plaintext => format!(
            "nothing demands mTLS on port {port}, so the proxy takes plaintext there and resets Prometheus's TLS"
        ),
        Effect::OpenToMesh { quit: true } => {
            format!("any workload of the mesh can read port {port} and, through it, stop the proxy")
        }
        Effect::OpenToMesh { quit: false } => {
            format!("any workload of the mesh can read port {port}")
        }
        Effect::ServesMore { quit: true } => {
            format!("port {port} serves more than {path}: whoever is let in can stop the proxy")
        }
        Effect::ServesMore { quit: false } => format!("port {port} serves more than {path}"),
        Effect::Refuses(identity) => format!("Prometheus's identity {identity} is refused"),
        Effect::OtherServer => format!("another server has port {port}"),
        Effect::AsksNoCertificate => {
            format!("port {port} does not ask for a certificate of the mesh")
        }
        Effect::LeadsNowhere => format!("port {port} leads nowhere"),
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
            "Look at the log of istio-proxy in both pods, then restart the one that stopped."
        }
        P::AddressWithoutBrackets { .. } => {
            "Give the job two address rules, for IPv4 and, with brackets, for IPv6."
        }
        P::GatewayNotListening { .. } => {
            "Look at the Gateway's selector, and at istioctl proxy-status."
        }
        P::NotListening { .. } => {
            "Restart the pod if it is older than the change; else look at the Sidecar's workloadSelector."
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
                "See kubectl get networkpolicy -n {}, and allow Prometheus's pods to the secure port.",
                of.namespace
            ));
        }
        P::PodUnreachable { .. } => {
            "Wait for Prometheus to forget the pod; else look at NetworkPolicies and the node."
        }
        P::NothingBehind { .. } => {
            "Look at istio-proxy's log; for a gateway also at the ServiceEntry's endpoint."
        }
        P::PrometheusForbidden { .. } => {
            "Compare the policy's principals with Prometheus's service account and the trust domain."
        }
        P::PathNotFound { .. } => {
            "Set metrics_path: /stats/prometheus in the job; for a gateway look at the VirtualService."
        }
        P::ConnectionStale { .. } => {
            "Wait a minute; if it stays, set enable_http2: false in the job."
        }
        P::GatewayHandshake { .. } => {
            "Look at the Gateway's tls: mode ISTIO_MUTUAL, and subjectAltNames with Prometheus's identity."
        }
        P::HandshakeUnderStrict { .. } => {
            "Look for ENVOY_SECURE_METRICS_PORT and for other PeerAuthentications that select the pod; set \
             enable_http2: false in the job."
        }
        P::HandshakeReset { .. } => {
            "Look at the PeerAuthentication that governs the pod and at where its listener comes from."
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
            "Look at Prometheus's pod: the volume istio-certs in both containers, writable in istio-proxy."
        }
        P::TargetElsewhere { .. } => {
            "Look at the job's scheme, and at its rules for __address__ and __scheme__."
        }
        P::AnnotationChanged { item, .. } => {
            return Some(format!(
                "meshscrape apply {} annotates the pod again; so does deleting it.",
                item.choice()
            ));
        }
        P::ObjectOverruled { by, port, .. } => {
            return Some(format!(
                "Remove {by}, or have it say the same for port {port}."
            ));
        }
        P::GuardNotRead { .. } | P::PrometheusNotAsked { .. } => {
            "Get the permission (the README holds a ready ClusterRole), or check again."
        }
        P::ServesPlaintext { .. } => {
            "Look at the PeerAuthentications that select the pod, and at EnvoyFilters on its listener."
        }
        P::AlsoInPlaintext { .. } => {
            "Apply again: the job leaves it out once its targets are UP, if no metrics are lost by it."
        }
        P::OnlyInPlaintext { .. } => "Apply again, and see that the secure job is loaded.",
        P::NetworkPolicyStops { egress, port, .. } => {
            let whom = match egress {
                true => "these pods",
                false => "Prometheus's pods",
            };
            return Some(format!("Allow {whom} on port {port} in one of them."));
        }
        P::PolicyRefuses { port, .. } | P::PolicyMayRefuse { port, .. } => {
            return Some(format!(
                "Make an exception there for Prometheus's identity on port {port}."
            ));
        }
        P::PolicyAsksProvider { port, .. } => {
            return Some(format!("Remove port {port} from that policy."));
        }
        P::RateLimited { filter: None, .. } => {
            "Look for an EnvoyFilter with a rate limit that selects the pods, and keep it to the app's ports by \
             match.listener.portNumber."
        }
        P::RateLimited { .. } => {
            "Keep it to the app's ports by match.listener.portNumber, or scrape less often."
        }
        P::ProxyProtocolExpected { filter: None, .. } => {
            "Remove proxyProtocol from the mesh's defaultConfig or the pod's proxy.istio.io/config."
        }
        P::ProxyProtocolExpected { port, .. } => {
            return Some(format!("Remove port {port} from its match."));
        }
        P::FilterMayRefuse { .. } => "Keep it to the app's ports by match.listener.portNumber.",
        _ => return None,
    };
    Some(text.to_owned())
}
