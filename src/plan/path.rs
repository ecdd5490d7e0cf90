//! Paths of leaves inside an object. List elements are addressed by the keys that server-side apply
//! uses, so that a path stays right when neighbours come and go.

use serde::{Deserialize, Serialize};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    Field(String),
    /// The list element whose fields have these values, such as `name=istio-proxy`.
    Element(Vec<(String, serde_json_key::KeyValue)>),
    Index(usize),
}

/// Values of list keys: strings or numbers.
pub mod serde_json_key {
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(untagged)]
    pub enum KeyValue {
        Number(i64),
        Text(String),
    }
}

/// A path from an object's root to one of its leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeafPath(pub Vec<Step>);

impl LeafPath {
    /// Fields only: `LeafPath::fields(["spec", "template", "metadata"])`.
    pub fn fields<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        LeafPath(fields.into_iter().map(|f| Step::Field(f.into())).collect())
    }

    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.0.push(Step::Field(field.into()));
        self
    }

    pub fn element(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.push(Step::Element(vec![(
            key.into(),
            serde_json_key::KeyValue::Text(value.into()),
        )]));
        self
    }
}
