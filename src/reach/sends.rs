//! Whom a Prometheus speaks to by its configuration, but for the pods that it discovers: alerts, remote write and
//! read, and targets named one by one (prometheus, `config/config.go`).

use serde::Deserialize;
use serde_yaml::Value;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    Alerts,
    RemoteWrite,
    RemoteRead,
    Tracing,
    /// A target that a scrape job names, or finds by DNS.
    Scrape,
}

/// One peer. Never a path, a query or a user of a URL: those may be secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    pub purpose: Purpose,
    /// A host; or how it is found where it is not named.
    pub host: String,
    pub port: Option<u16>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

impl Purpose {
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Alerts => "alerts",
            Purpose::RemoteWrite => "remote write",
            Purpose::RemoteRead => "remote read",
            Purpose::Tracing => "tracing",
            Purpose::Scrape => "scrapes",
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    alerting: Option<Alerting>,
    remote_write: Option<Vec<Remote>>,
    remote_read: Option<Vec<Remote>>,
    tracing: Option<Tracing>,
    scrape_configs: Option<Vec<Discovering>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Alerting {
    alertmanagers: Option<Vec<Discovering>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Remote {
    url: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Tracing {
    endpoint: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Discovering {
    scheme: Option<String>,
    static_configs: Option<Vec<Static>>,
    dns_sd_configs: Option<Vec<Dns>>,
    #[serde(flatten)]
    rest: serde_yaml::Mapping,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Static {
    targets: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Dns {
    names: Option<Vec<String>>,
    port: Option<u16>,
}

/// Every peer, once, in order. `None`: the text is no configuration.
pub fn peers(text: &str) -> Option<Vec<Peer>> {
    let config: Config = serde_yaml::from_str(text).ok()?;
    let mut found = Vec::new();
    let alerting = config.alerting.unwrap_or_default().alertmanagers;
    for one in alerting.into_iter().flatten() {
        let named = found.len();
        by_name(Purpose::Alerts, &one, &mut found);
        let ways = one.rest.keys().filter_map(Value::as_str);
        let ways: Vec<&str> = ways
            .filter_map(|key| key.strip_suffix("_sd_configs"))
            .collect();
        if found.len() == named || !ways.is_empty() {
            found.extend(ways.into_iter().map(|way| Peer {
                purpose: Purpose::Alerts,
                host: format!("Alertmanagers found by {way}"),
                port: None,
            }));
        }
    }
    for (purpose, list) in [
        (Purpose::RemoteWrite, config.remote_write),
        (Purpose::RemoteRead, config.remote_read),
    ] {
        let urls = list.into_iter().flatten();
        found.extend(urls.filter_map(|remote| of_url(purpose, &remote.url)));
    }
    if let Some(tracing) = config.tracing {
        found.extend(of_address(Purpose::Tracing, &tracing.endpoint, None));
    }
    for job in config.scrape_configs.into_iter().flatten() {
        by_name(Purpose::Scrape, &job, &mut found);
    }
    found.retain(|peer| !matches!(&*peer.host, "localhost" | "127.0.0.1" | "::1"));
    found.sort();
    found.dedup();
    Some(found)
}

fn by_name(purpose: Purpose, of: &Discovering, found: &mut Vec<Peer>) {
    let scheme = of.scheme.as_deref().unwrap_or("http");
    for target in of
        .static_configs
        .iter()
        .flatten()
        .flat_map(|one| one.targets.iter().flatten())
    {
        found.extend(of_address(purpose, target, Some(scheme)));
    }
    for dns in of.dns_sd_configs.iter().flatten() {
        for name in dns.names.iter().flatten() {
            found.push(Peer {
                purpose,
                host: name.clone(),
                port: dns.port,
            });
        }
    }
}

fn of_url(purpose: Purpose, url: &str) -> Option<Peer> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let address = authority.rsplit('@').next()?;
    of_address(purpose, address, Some(scheme))
}

/// `host`, `host:port`, `[v6]:port`.
fn of_address(purpose: Purpose, address: &str, scheme: Option<&str>) -> Option<Peer> {
    let usual = match scheme {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().ok())
        }
        _ => (address, usual),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| Peer {
        purpose,
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_configuration_names() {
        let text = r"
global: {scrape_interval: 15s}
alerting:
  alertmanagers:
  - static_configs: [{targets: ['alertmanager.mon:9093', 'am']}]
  - scheme: https
    kubernetes_sd_configs: [{role: pod}]
  - dns_sd_configs: [{names: [_web._tcp.am.mon]}]
remote_write:
- url: https://user:secret@mimir.example/api/v1/push?token=secret
- url: http://receiver.thanos.svc:19291/api
remote_read: [{url: 'http://[2001:db8::1]:9201/read'}]
tracing: {endpoint: 'otel.mon:4317'}
scrape_configs:
- job_name: self
  static_configs: [{targets: ['localhost:9090']}]
- job_name: pods
  kubernetes_sd_configs: [{role: pod}]
- job_name: db
  static_configs: [{targets: ['db-exporter.data:9187']}]
";
        let found = peers(text).expect("a configuration");
        let words: Vec<String> = found
            .iter()
            .map(|p| format!("{}: {p}", p.purpose.word()))
            .collect();
        assert_eq!(
            words,
            [
                "alerts: Alertmanagers found by kubernetes",
                "alerts: _web._tcp.am.mon",
                "alerts: alertmanager.mon:9093",
                "alerts: am:80",
                "remote write: mimir.example:443",
                "remote write: receiver.thanos.svc:19291",
                "remote read: 2001:db8::1:9201",
                "tracing: otel.mon:4317",
                "scrapes: db-exporter.data:9187",
            ]
        );
        assert_eq!(peers("- no mapping"), None);
        assert_eq!(peers("scrape_configs:"), Some(Vec::new()));
    }
}
