//! What the lists of the cluster hold, group by group.

use std::fmt;

/// A group of lists that the steps wait for together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    Namespaces,
    Workloads,
    Pods,
    Services,
    /// Sidecars, PeerAuthentications, AuthorizationPolicies.
    IstioPolicies,
    /// Gateways, VirtualServices, ServiceEntries.
    IstioGateways,
    WorkloadEntries,
    EnvoyFilters,
    GatewayApi,
    PodMonitors,
    Prometheuses,
    Webhooks,
}

impl Listed {
    /// In words, as a user would call them.
    pub fn name(self) -> &'static str {
        match self {
            Listed::Namespaces => "namespaces",
            Listed::Workloads => "workloads",
            Listed::Pods => "pods",
            Listed::Services => "services",
            Listed::IstioPolicies => "Istio policies",
            Listed::IstioGateways => "Istio gateways",
            Listed::WorkloadEntries => "WorkloadEntries",
            Listed::EnvoyFilters => "EnvoyFilters",
            Listed::GatewayApi => "Gateway API gateways",
            Listed::PodMonitors => "PodMonitors",
            Listed::Prometheuses => "Prometheus resources",
            Listed::Webhooks => "injection webhooks",
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
