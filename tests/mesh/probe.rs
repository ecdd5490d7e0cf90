//! Requests from pods of the mesh, as many as there are questions in one go. Each curl is a connection of its own.

use crate::objects::text;
use crate::prom::{Prom, pod};
use crate::shell::exec;
use crate::world::CLIENTS;
use std::collections::BTreeMap;

/// What came of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// How curl ended: 0 got an answer, 7 no listener, 52 closed without a word, 56 reset, 35 no TLS, 28 silence.
    pub exit: i32,
    /// The HTTP status; 0 where there was no answer.
    pub status: u16,
    /// Lines that are series of Envoy or of the agent.
    pub series: u32,
}

impl Answer {
    pub fn words(&self) -> String {
        let Answer {
            exit,
            status,
            series,
        } = self;
        match (status, series) {
            (0, _) => format!("curl {exit}"),
            (status, 0) => format!("{status}"),
            (status, series) => format!("{status} with {series} series"),
        }
    }

    pub fn gives(&self, wanted: u16) -> Result<String, String> {
        match self.status == wanted && self.exit == 0 {
            true => Ok(self.words()),
            false => Err(format!("{} in place of {wanted}", self.words())),
        }
    }

    pub fn gives_metrics(&self) -> Result<String, String> {
        match self.status == 200 && self.series > 0 {
            true => Ok(self.words()),
            false => Err(format!("{}, no metrics", self.words())),
        }
    }

    /// The connection was taken and broken off. `connection refused` would only say that nothing listens there.
    pub fn broken_off(&self) -> Result<String, String> {
        match self.exit {
            35 | 52 | 55 | 56 => Ok(self.words()),
            _ => Err(format!("{}: not broken off", self.words())),
        }
    }
}

/// Where requests come from.
pub enum From<'a> {
    /// A meshed client: its sidecar takes what it sends.
    Meshed,
    /// A pod whose requests stay as they are; its own workload certificate lies in /etc/certs.
    Stranger,
    /// Prometheus's own pod with Prometheus's certificate, in /etc/istio-certs.
    Prometheus(&'a Prom),
}

pub const AS_STRANGER: &str =
    "-k --http1.1 --cert /etc/certs/cert-chain.pem --key /etc/certs/key.pem";
pub const AS_PROMETHEUS: &str =
    "-k --http1.1 --cert /etc/istio-certs/cert-chain.pem --key /etc/istio-certs/key.pem";

/// Name and curl's arguments of each request.
pub fn ask(from: &From, requests: &[(&str, String)]) -> Result<BTreeMap<String, Answer>, String> {
    let mut script = String::from(
        "q() { n=$1; shift; out=$(curl -s -m 20 -w '\\n%{http_code}' \"$@\" 2>/dev/null); rc=$?; \
         code=$(printf '%s' \"$out\" | tail -n 1); \
         series=$(printf '%s' \"$out\" | grep -c '^envoy_\\|^istio_'); echo \"$n $rc $code $series\"; }\n",
    );
    for (name, arguments) in requests {
        script.push_str(&format!("q {name} {arguments}\n"));
    }
    let client = |app: &str| -> Result<String, String> {
        let found = pod(CLIENTS, &format!("app={app}"))?;
        Ok(text(&found["metadata"]["name"]).to_owned())
    };
    let printed = match from {
        From::Meshed => exec(CLIENTS, &client("curl")?, "curl", &script),
        From::Stranger => exec(CLIENTS, &client("stranger")?, "curl", &script),
        From::Prometheus(prom) => exec(&prom.namespace, &prom.pod, "istio-proxy", &script),
    }?;
    let mut answers = BTreeMap::new();
    for line in printed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [name, exit, status, series] = words[..] {
            let number = |word: &str| word.parse().unwrap_or_default();
            let answer = Answer {
                exit: exit.parse().unwrap_or(-1),
                status: number(status),
                series: u32::from(number(series)),
            };
            answers.insert(name.to_owned(), answer);
        }
    }
    match requests
        .iter()
        .find(|(name, _)| !answers.contains_key(*name))
    {
        Some((name, _)) => Err(format!("no answer to `{name}` in:\n{printed}")),
        None => Ok(answers),
    }
}
