//! What of a pod's outgoing traffic its sidecar captures.
//!
//! The injector writes it into the arguments of istio-init (istio, `files/injection-template.yaml`): an annotation
//! stands in the place of the mesh's own value whole, it is not added to it. istio-iptables then lets excluded ports
//! pass before every other rule (`tools/istio-iptables/pkg/capture/run.go`), so an exclusion wins over all that is
//! included.

use crate::mesh::objects::Labels;
use serde::Deserialize;

pub const INCLUDE_RANGES: &str = "traffic.sidecar.istio.io/includeOutboundIPRanges";
pub const INCLUDE_PORTS: &str = "traffic.sidecar.istio.io/includeOutboundPorts";
pub const EXCLUDE_PORTS: &str = "traffic.sidecar.istio.io/excludeOutboundPorts";
const MODE: &str = "sidecar.istio.io/interceptionMode";

/// The mesh's own values: `global.proxy` of the injector's ConfigMap, key `values`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Defaults {
    #[serde(rename = "includeIPRanges")]
    pub include_ranges: String,
    pub include_outbound_ports: String,
    pub exclude_outbound_ports: String,
}

impl Default for Defaults {
    /// As Istio's chart has them.
    fn default() -> Self {
        Defaults {
            include_ranges: "*".into(),
            include_outbound_ports: String::new(),
            exclude_outbound_ports: String::new(),
        }
    }
}

impl Defaults {
    /// `None`: it is no such text.
    pub fn read(values: &str) -> Option<Defaults> {
        #[derive(Deserialize)]
        struct Values {
            global: Global,
        }
        #[derive(Deserialize)]
        struct Global {
            proxy: Defaults,
        }
        let values: Values = serde_yaml::from_str(values).ok()?;
        Some(values.global.proxy)
    }
}

/// What is captured of a pod that has a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// `*`, or ranges; empty: no address is captured for itself.
    pub ranges: String,
    /// Captured whatever the address.
    pub ports: String,
    pub excluded: String,
    /// The mesh's own exclusions could not be read: an annotation of ours would drop them.
    pub unread: bool,
}

/// `defaults`: `None` where they could not be read.
pub fn outbound(annotations: &Labels, defaults: Option<&Defaults>) -> Outbound {
    let istio = Defaults::default();
    let values = defaults.unwrap_or(&istio);
    let or = |key: &str, value: &String| annotations.get(key).unwrap_or(value).trim().to_owned();
    let none = annotations.get(MODE).is_some_and(|mode| mode == "NONE");
    let or = |key: &str, value: &String| match none {
        true => String::new(),
        false => or(key, value),
    };
    Outbound {
        ranges: or(INCLUDE_RANGES, &values.include_ranges),
        ports: or(INCLUDE_PORTS, &values.include_outbound_ports),
        excluded: or(EXCLUDE_PORTS, &values.exclude_outbound_ports),
        unread: defaults.is_none() && !annotations.contains_key(EXCLUDE_PORTS),
    }
}

fn lists(ports: &str, port: u16) -> bool {
    ports.split(',').any(|one| one.trim().parse() == Ok(port))
}

impl Outbound {
    /// Anything at all.
    pub fn captures(&self) -> bool {
        !self.ranges.is_empty() || !self.ports.is_empty()
    }

    /// Connections to this port, at some address at least.
    pub fn captures_port(&self, port: u16) -> bool {
        let all = lists(&self.ports, port) || self.ports == "*";
        !lists(&self.excluded, port) && (!self.ranges.is_empty() || all)
    }

    /// The value of [`EXCLUDE_PORTS`] that leaves this port out too, and all else as it is.
    pub fn excluding(&self, port: u16) -> String {
        let ports = self.excluded.trim_end_matches(',');
        match ports {
            _ if lists(ports, port) => self.excluded.clone(),
            "" => port.to_string(),
            ports => format!("{ports},{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(annotations: &[(&str, &str)], defaults: Option<&Defaults>) -> Outbound {
        let annotations = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        outbound(&annotations, defaults)
    }

    #[test]
    fn which_ports_are_captured_and_what_excludes_one_more() {
        let plain = Defaults::default();
        let own = Defaults {
            exclude_outbound_ports: "4317, 9411".into(),
            ..Defaults::default()
        };
        let none = Defaults {
            include_ranges: String::new(),
            ..Defaults::default()
        };
        for (annotations, defaults, captured, excluding) in [
            (&[][..], &plain, true, "15091"),
            // An annotation replaces the mesh's own list, so that one is taken along.
            (&[], &own, true, "4317, 9411,15091"),
            (&[(EXCLUDE_PORTS, "443")], &own, true, "443,15091"),
            (&[(EXCLUDE_PORTS, "")], &own, true, "15091"),
            (&[(EXCLUDE_PORTS, "443,15091")], &plain, false, "443,15091"),
            (
                &[(EXCLUDE_PORTS, "1509,15090")],
                &plain,
                true,
                "1509,15090,15091",
            ),
            (&[(INCLUDE_RANGES, "")], &plain, false, "15091"),
            (&[(INCLUDE_RANGES, "10.0.0.0/8")], &plain, true, "15091"),
            (&[], &none, false, "15091"),
            (&[(INCLUDE_PORTS, "15091")], &none, true, "15091"),
            (&[(INCLUDE_PORTS, "9093")], &none, false, "15091"),
            // An exclusion comes before all that is included.
            (
                &[(INCLUDE_PORTS, "15091"), (EXCLUDE_PORTS, "15091")],
                &plain,
                false,
                "15091",
            ),
            (&[(MODE, "NONE")], &plain, false, "15091"),
        ] {
            let found = of(annotations, Some(defaults));
            assert_eq!(found.captures_port(15091), captured, "{annotations:?}");
            assert_eq!(found.excluding(15091), excluding, "{annotations:?}");
        }
        assert!(
            of(
                &[(INCLUDE_RANGES, ""), (INCLUDE_PORTS, "9093")],
                Some(&plain)
            )
            .captures()
        );
        assert!(!of(&[(INCLUDE_RANGES, "")], Some(&plain)).captures());
        assert!(of(&[], None).unread);
        assert!(!of(&[(EXCLUDE_PORTS, "1")], None).unread);
    }

    #[test]
    fn the_injectors_values() {
        let text = r#"{"global": {"proxy": {"includeIPRanges": "10.0.0.0/8", "excludeOutboundPorts": "443", "logLevel": "warning"}}, "revision": ""}"#;
        let found = Defaults::read(text).expect("values");
        assert_eq!(found.include_ranges, "10.0.0.0/8");
        assert_eq!(found.exclude_outbound_ports, "443");
        assert_eq!(Defaults::read("{}"), None);
    }
}
