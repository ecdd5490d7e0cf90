//! Which protocol istiod reads from a port's declaration.

/// A protocol as istiod knows it (`pkg/config/protocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Http,
    HttpProxy,
    Http2,
    Https,
    Grpc,
    GrpcWeb,
    Tcp,
    Tls,
    Udp,
    Mongo,
    Redis,
    MySql,
    /// None that Istio knows: it looks at the first bytes, and a client that waits for the server's greeting
    /// waits with it.
    Detected,
}

/// Server-first protocols that detection would break (`wellKnownPorts`): SMTP, DNS, MySQL, MongoDB.
const WELL_KNOWN: [u16; 4] = [25, 53, 3306, 27017];

impl Protocol {
    /// `protocol.Parse`: by the whole word, in any case.
    pub fn parse(word: &str) -> Protocol {
        match word.to_ascii_lowercase().as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "grpc" => Protocol::Grpc,
            "grpc-web" => Protocol::GrpcWeb,
            "http" => Protocol::Http,
            "http_proxy" => Protocol::HttpProxy,
            "http2" => Protocol::Http2,
            "https" => Protocol::Https,
            "tls" => Protocol::Tls,
            "mongo" => Protocol::Mongo,
            "redis" => Protocol::Redis,
            "mysql" => Protocol::MySql,
            _ => Protocol::Detected,
        }
    }

    /// `kube.ConvertProtocol`: UDP before all else; then `appProtocol`, else the port's name, of either the part
    /// before the first hyphen; then the Service's own number, where that says nothing.
    pub fn of_service_port(
        port: u16,
        name: &str,
        transport: &str,
        app_protocol: Option<&str>,
    ) -> Protocol {
        if transport == "UDP" {
            return Protocol::Udp;
        }
        // Kubernetes's own words stand for themselves, in this spelling alone.
        match app_protocol {
            Some("kubernetes.io/h2c") => return Protocol::Http2,
            Some("kubernetes.io/ws") => return Protocol::Http,
            Some("kubernetes.io/wss") => return Protocol::Https,
            _ => {}
        }
        let word = app_protocol.unwrap_or(name);
        let web = "grpc-web";
        if word
            .get(..web.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(web))
        {
            return Protocol::GrpcWeb;
        }
        match Protocol::parse(word.split('-').next().unwrap_or_default()) {
            Protocol::Detected if WELL_KNOWN.contains(&port) => Protocol::Tcp,
            found => found,
        }
    }

    /// As a Sidecar's port takes it, so that istiod makes the same chain; none is detected. Of UDP istiod makes the
    /// chain that it makes of TCP (`ModelProtocolToListenerProtocol`).
    pub fn in_sidecar(self) -> Option<&'static str> {
        Some(match self {
            Protocol::Http => "HTTP",
            Protocol::HttpProxy => "HTTP_PROXY",
            Protocol::Http2 => "HTTP2",
            Protocol::Https => "HTTPS",
            Protocol::Grpc => "GRPC",
            Protocol::GrpcWeb => "GRPC-WEB",
            Protocol::Tcp | Protocol::Udp => "TCP",
            Protocol::Tls => "TLS",
            Protocol::Mongo => "MONGO",
            Protocol::Redis => "REDIS",
            Protocol::MySql => "MYSQL",
            Protocol::Detected => return None,
        })
    }

    pub fn same_chain(self, other: Protocol) -> bool {
        self.in_sidecar() == other.in_sidecar()
    }

    /// For a reader.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Udp => "UDP",
            other => other.in_sidecar().unwrap_or("no protocol"),
        }
    }
}
