//! Everything that the program can find wrong or worth saying, as values: what it is about, the evidence, a stable
//! code, how grave it is, what can be done. The sentences are made in [`crate::words`], from these and nothing else.

mod check;
mod forecast;
mod remedy;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub use check::{Findings, cluster, counts, groups, of_board, of_mesh, shared_identity};
pub use forecast::of_forecast;
pub use remedy::{Choice, Remedy};
pub use table::{
    Code, Declared, Effect, FilterDoes, Item, JobPart, Lost, NotCaptured, Problem, Refusal,
    RestsOn, Unmerged,
};

use crate::mesh::kinds::{ObjectRef, WorkloadRef};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// What becomes of it if nothing is done, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing suffers.
    Note,
    /// Something is exposed, or may break.
    Risk,
    /// Metrics or history get lost.
    Loses,
    /// A scrape, a rollout or a pod fails by it.
    Blocks,
}

impl Severity {
    pub const ALL: [Severity; 4] = [
        Severity::Blocks,
        Severity::Loses,
        Severity::Risk,
        Severity::Note,
    ];

    /// Its name in JSON and after `--fail-on`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Risk => "risk",
            Severity::Loses => "loses",
            Severity::Blocks => "blocks",
        }
    }
}

/// The object that a problem is about, of whatever kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Subject {
    pub kind: Cow<'static, str>,
    /// Empty for objects without a namespace.
    pub namespace: String,
    pub name: String,
}

impl Subject {
    pub fn new(
        kind: impl Into<Cow<'static, str>>,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Subject {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// `NAMESPACE/NAME`, or the name alone.
    pub fn place(&self) -> String {
        match self.namespace.is_empty() {
            true => self.name.clone(),
            false => format!("{}/{}", self.namespace, self.name),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.is_empty() {
            true => write!(f, "{} {}", self.kind, self.name),
            false => write!(f, "{} {}/{}", self.kind, self.namespace, self.name),
        }
    }
}

impl From<&ObjectRef> for Subject {
    fn from(of: &ObjectRef) -> Self {
        Subject::new(of.kind.name(), &of.namespace, &of.name)
    }
}

impl From<ObjectRef> for Subject {
    fn from(of: ObjectRef) -> Self {
        Subject::new(of.kind.name(), of.namespace, of.name)
    }
}

impl From<&WorkloadRef> for Subject {
    fn from(of: &WorkloadRef) -> Self {
        Subject::new(of.kind.name(), &of.namespace, &of.name)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.text())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Code {
    /// The code that a user wrote: `MS312`, whatever its case, or its name.
    pub fn named(text: &str) -> Option<Code> {
        let same = |code: &Code| {
            code.text().eq_ignore_ascii_case(text) || code.name().eq_ignore_ascii_case(text)
        };
        Code::ALL.iter().copied().find(same)
    }
}

impl Problem {
    pub fn severity(&self) -> Severity {
        self.code().severity()
    }

    /// The evidence by name, without the subject.
    pub fn evidence(&self) -> serde_json::Map<String, Value> {
        // Externally tagged: one member, the variant's name.
        let Ok(Value::Object(tagged)) = serde_json::to_value(self) else {
            return serde_json::Map::new();
        };
        let mut fields = match tagged.into_iter().next() {
            Some((_, Value::Object(fields))) => fields,
            _ => serde_json::Map::new(),
        };
        fields.remove("of");
        fields
    }

    /// The same as text, in the order of the names.
    pub fn values(&self) -> Vec<(String, String)> {
        let fields = self.evidence().into_iter();
        fields
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, shown(&value)))
            .collect()
    }

    /// A scrape fails by it.
    pub fn breaks_scrapes(&self) -> bool {
        self.severity() == Severity::Blocks
    }

    /// Waiting takes it away no more: it stays until somebody changes an object or a configuration, and the next
    /// scrape fails alike. Whatever depends on the network, on load, or on what istiod has yet to send may pass.
    pub fn stays(&self) -> bool {
        matches!(
            self,
            Problem::CertificateWithoutIp { .. }
                | Problem::PlaintextPort { .. }
                | Problem::NoClientCertificate { .. }
                | Problem::OtherRoot { .. }
                | Problem::AddressWithoutBrackets { .. }
                | Problem::NotMetrics { .. }
                | Problem::PathNotFound { .. }
        )
    }

    /// Waiting alone seldom cures it, so a rollout that stands still for it need not use up its whole time.
    pub fn lasts(&self) -> bool {
        // More nodes may come, and a probe may yet succeed.
        !matches!(
            self,
            Problem::NoNode { .. } | Problem::ContainerNotReady { .. }
        )
    }

    /// The cluster's own rules: its injector refuses new pods, or leaves them without a sidecar.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Problem::InjectorRefuses { .. }
                | Problem::NeverInjected { .. }
                | Problem::InjectionPolicyInvalid { .. }
                | Problem::PolicyDenies { .. }
                | Problem::ProviderNotDefined { .. }
        )
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(shown).collect();
            list.join(", ")
        }
        // An object's name.
        Value::Object(of) if of.contains_key("kind") && of.contains_key("name") => {
            let part = |name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default();
            Subject::new(part("kind").to_owned(), part("namespace"), part("name")).to_string()
        }
        other => other.to_string(),
    }
}
