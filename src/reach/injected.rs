//! What a pod shows that admission has answered with: whether it has a sidecar, and what of that sidecar bears on
//! port 15091.

use serde_json::Value;

/// What stands against a listener on 15091 in a pod as the cluster would make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Short {
    /// No container and no init container `istio-proxy`; or one that no injector has filled in.
    NoSidecar,
    /// The agent serves on another port than 15020, or (0) on none.
    StatusPort(u16),
    /// Inbound traffic to 15091 does not reach the sidecar: the setting that says so.
    NotCaptured(String),
}

const SECURE: &str = "15091";

/// `gateway`: its pods take traffic without capture. `behind`: the port that 15091 leads to.
///
/// Source: istio `manifests/charts/istio-control/istio-discovery/files/injection-template.yaml` (arguments of
/// istio-init and istio-validation, annotations where the CNI agent captures), `pilot/cmd/pilot-agent/config/config.go`
/// (the annotation of the status port before `statusPort` of the proxy's configuration).
pub fn short(pod: &Value, gateway: bool, behind: u16) -> Option<Short> {
    let Some(proxy) = proxy(pod) else {
        return Some(Short::NoSidecar);
    };
    let status = status_port(pod, proxy);
    if !matches!(behind, 0 | 15090) && status != behind {
        return Some(Short::StatusPort(status));
    }
    match gateway {
        true => None,
        false => not_captured(pod).map(Short::NotCaptured),
    }
}

/// The sidecar's container; one with the image `auto` waits for an injector in vain.
pub fn proxy(pod: &Value) -> Option<&Value> {
    ["containers", "initContainers"]
        .iter()
        .filter_map(|list| pod["spec"][*list].as_array())
        .flatten()
        .find(|container| container["name"] == "istio-proxy" && container["image"] != "auto")
}

fn status_port(pod: &Value, proxy: &Value) -> u16 {
    let annotation = pod["metadata"]["annotations"]["status.sidecar.istio.io/port"].as_str();
    if let Some(port) = annotation.and_then(|text| text.trim().parse().ok()) {
        return port;
    }
    let configured = proxy["env"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|entry| entry["name"] == "PROXY_CONFIG")
        .and_then(|entry| serde_json::from_str::<Value>(entry["value"].as_str()?).ok())
        .and_then(|config| u16::try_from(config["statusPort"].as_u64()?).ok());
    configured.unwrap_or(15020)
}

fn not_captured(pod: &Value) -> Option<String> {
    let lists = |list: &str| list.split(',').any(|port| port.trim() == SECURE);
    let inits = pod["spec"]["initContainers"].as_array();
    let capture = inits.into_iter().flatten().find(|container| {
        let name = container["name"].as_str().unwrap_or_default();
        matches!(name, "istio-init" | "istio-validation")
    });
    let argument = |flag: &str| {
        let arguments = capture?["args"].as_array()?;
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1)?.as_str()
    };
    let annotation = |key: &str| {
        let key = format!("traffic.sidecar.istio.io/{key}");
        pod["metadata"]["annotations"][key].as_str()
    };
    let include = argument("-b").or_else(|| annotation("includeInboundPorts"));
    let exclude = argument("-d").or_else(|| annotation("excludeInboundPorts"));
    if let Some(list) = include.filter(|list| list.trim() != "*" && !lists(list)) {
        return Some(format!("includeInboundPorts is {list:?}"));
    }
    let list = exclude.filter(|list| lists(list))?;
    Some(format!("excludeInboundPorts is {list:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(annotations: Value, init: Value, proxy: Value) -> Value {
        json!({"metadata": {"annotations": annotations},
               "spec": {"initContainers": init, "containers": [{"name": "app"}, proxy]}})
    }

    fn init(include: &str, exclude: &str) -> Value {
        json!([{"name": "istio-init", "args": ["istio-iptables", "-b", include, "-d", exclude]}])
    }

    #[test]
    fn the_answer_shows_what_stands_against_the_listener() {
        let proxy = json!({"name": "istio-proxy", "image": "proxyv2"});
        let moved = json!({"name": "istio-proxy", "image": "proxyv2",
                           "env": [{"name": "PROXY_CONFIG", "value": "{\"statusPort\":15025}"}]});
        let native = json!([{"name": "istio-init", "args": ["-b", "*", "-d", "15090,15021"]},
                            {"name": "istio-proxy", "image": "proxyv2"}]);
        let none = json!({});
        let all = init("*", "15090,15021,15020");
        let app = json!({"name": "other"});
        let not = |words: &str| Some(Short::NotCaptured(words.into()));
        for (of, behind, expected) in [
            (pod(none.clone(), all.clone(), proxy.clone()), 15020, None),
            (pod(none.clone(), native, app.clone()), 15020, None),
            (
                pod(none.clone(), json!([]), app),
                15020,
                Some(Short::NoSidecar),
            ),
            (
                pod(
                    none.clone(),
                    json!([]),
                    json!({"name": "istio-proxy", "image": "auto"}),
                ),
                15020,
                Some(Short::NoSidecar),
            ),
            (
                pod(none.clone(), all.clone(), moved.clone()),
                15020,
                Some(Short::StatusPort(15025)),
            ),
            (pod(none.clone(), all.clone(), moved), 15090, None),
            (
                pod(
                    json!({"status.sidecar.istio.io/port": "0"}),
                    all.clone(),
                    proxy.clone(),
                ),
                15020,
                Some(Short::StatusPort(0)),
            ),
            (
                pod(none.clone(), init("8080", ""), proxy.clone()),
                15020,
                not("includeInboundPorts is \"8080\""),
            ),
            (
                pod(none.clone(), init("8080,15091", ""), proxy.clone()),
                15020,
                None,
            ),
            (
                pod(none.clone(), init("*", "15090,15091"), proxy.clone()),
                15020,
                not("excludeInboundPorts is \"15090,15091\""),
            ),
            // Where the CNI agent captures, annotations say what.
            (
                pod(
                    json!({"traffic.sidecar.istio.io/includeInboundPorts": "*",
                           "traffic.sidecar.istio.io/excludeInboundPorts": "15091,15020"}),
                    json!([]),
                    proxy,
                ),
                15020,
                not("excludeInboundPorts is \"15091,15020\""),
            ),
        ] {
            assert_eq!(short(&of, false, behind), expected, "{of}");
        }
    }

    #[test]
    fn a_gateway_takes_traffic_without_capture() {
        let proxy = json!({"name": "istio-proxy", "image": "proxyv2"});
        assert_eq!(short(&pod(json!({}), json!([]), proxy), true, 15020), None);
    }
}
