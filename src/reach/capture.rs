//! Whether inbound traffic to a port goes through the sidecar, by the annotations of its pod.
//!
//! Source: istio `manifests/charts/istio-control/istio-discovery/files/injection-template.yaml` (the arguments of istio-init:
//! `includeInboundPorts`, default `*`; `excludeInboundPorts`; `interceptionMode`), `tools/istio-iptables/pkg/capture/run.go`:
//! what is excluded is so only where all ports are included.

use crate::mesh::objects::Labels;

pub const INCLUDE: &str = "traffic.sidecar.istio.io/includeInboundPorts";
pub const EXCLUDE: &str = "traffic.sidecar.istio.io/excludeInboundPorts";
pub const MODE: &str = "sidecar.istio.io/interceptionMode";

/// Which setting keeps the port out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCaptured {
    /// `includeInboundPorts` lists others.
    NotIncluded,
    /// `excludeInboundPorts` lists it.
    Excluded,
    /// `interceptionMode: NONE` captures nothing.
    Off,
}

/// `None`: the port is captured.
pub fn left_out(annotations: &Labels, port: u16) -> Option<NotCaptured> {
    let get = |key: &str| annotations.get(key).map(String::as_str);
    let port = port.to_string();
    let lists = |list: &str| list.split(',').any(|one| one.trim() == port);
    if get(MODE) == Some("NONE") {
        return Some(NotCaptured::Off);
    }
    match get(INCLUDE).map(str::trim) {
        None | Some("*") => get(EXCLUDE)
            .is_some_and(lists)
            .then_some(NotCaptured::Excluded),
        Some(list) => (!lists(list)).then_some(NotCaptured::NotIncluded),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::labels;
    use super::*;

    #[test]
    fn what_keeps_a_port_out_of_capture() {
        for (of, expected) in [
            (vec![], None),
            (vec![(INCLUDE, "*")], None),
            (vec![(INCLUDE, "")], Some(NotCaptured::NotIncluded)),
            (vec![(INCLUDE, "8080")], Some(NotCaptured::NotIncluded)),
            (vec![(INCLUDE, "8080, 15091")], None),
            (vec![(EXCLUDE, "15091")], Some(NotCaptured::Excluded)),
            (
                vec![(EXCLUDE, "9090,15091"), (INCLUDE, "*")],
                Some(NotCaptured::Excluded),
            ),
            (vec![(EXCLUDE, "15091"), (INCLUDE, "15091")], None),
            (vec![(EXCLUDE, "150910")], None),
            (vec![(MODE, "NONE")], Some(NotCaptured::Off)),
            (vec![(MODE, "TPROXY")], None),
        ] {
            assert_eq!(left_out(&labels(&of), 15091), expected, "{of:?}");
        }
    }
}
