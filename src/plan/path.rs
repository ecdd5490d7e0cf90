//! Paths of leaves inside an object. List elements are addressed by the keys that server-side apply
//! uses, so that a path stays right when neighbours come and go.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_json_key::KeyValue;
use std::fmt;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    Field(String),
    /// The list element whose fields have these values, such as `name=istio-proxy`. An empty key means
    /// the element itself (a list that is a set of values).
    Element(Vec<(String, serde_json_key::KeyValue)>),
    Index(usize),
}

/// Values of list keys: strings or numbers.
pub mod serde_json_key {
    use serde::{Deserialize, Serialize};
    use serde_json::Value;

    #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(untagged)]
    pub enum KeyValue {
        Number(i64),
        Text(String),
    }

    impl KeyValue {
        /// `None` for what cannot be a key.
        pub fn of(value: &Value) -> Option<Self> {
            match value {
                Value::Number(number) => number.as_i64().map(KeyValue::Number),
                Value::String(text) => Some(KeyValue::Text(text.clone())),
                _ => None,
            }
        }

        pub fn value(&self) -> Value {
            match self {
                KeyValue::Number(number) => Value::from(*number),
                KeyValue::Text(text) => Value::from(text.as_str()),
            }
        }
    }
}

/// A path from an object's root to one of its leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeafPath(pub Vec<Step>);

/// Keys of the lists that server-side apply merges element by element. A list not named here, or whose
/// elements lack a key or share one, is atomic: a leaf.
const LIST_KEYS: &[(&str, &[&[&str]])] = &[
    ("containers", &[&["name"]]),
    ("initContainers", &[&["name"]]),
    ("ephemeralContainers", &[&["name"]]),
    ("volumes", &[&["name"]]),
    ("env", &[&["name"]]),
    ("imagePullSecrets", &[&["name"]]),
    ("volumeMounts", &[&["mountPath"]]),
    ("volumeDevices", &[&["devicePath"]]),
    ("hostAliases", &[&["ip"]]),
    ("ownerReferences", &[&["uid"]]),
    ("conditions", &[&["type"]]),
    // A container's, a Service's, a ServiceEntry's.
    (
        "ports",
        &[
            &["containerPort", "protocol"],
            &["port", "protocol"],
            &["name"],
        ],
    ),
];

/// The value of a key field; a port's protocol is TCP where nothing is said.
fn key_of(element: &Value, key: &str) -> Option<KeyValue> {
    if key.is_empty() {
        return KeyValue::of(element);
    }
    match element.get(key) {
        Some(value) => KeyValue::of(value),
        None if key == "protocol" => Some(KeyValue::Text("TCP".into())),
        None => None,
    }
}

/// The step that addresses an element by these keys.
fn element_step(element: &Value, keys: &[&str]) -> Option<Step> {
    if !element.is_object() {
        return None;
    }
    let pairs = keys
        .iter()
        .map(|key| Some(((*key).to_owned(), key_of(element, key)?)))
        .collect::<Option<Vec<_>>>()?;
    Some(Step::Element(pairs))
}

/// Steps to the elements of lists under `field`, the same keys for all of them; `None`: they are atomic.
pub(super) fn keyed<'a>(field: &str, lists: &[&'a [Value]]) -> Option<Vec<Vec<(Step, &'a Value)>>> {
    let (_, candidates) = LIST_KEYS.iter().find(|(name, _)| *name == field)?;
    candidates.iter().find_map(|keys| {
        lists
            .iter()
            .map(|list| {
                let mut steps: Vec<(Step, &Value)> = Vec::with_capacity(list.len());
                for element in *list {
                    let step = element_step(element, keys)?;
                    if steps.iter().any(|(other, _)| *other == step) {
                        return None;
                    }
                    steps.push((step, element));
                }
                Some(steps)
            })
            .collect()
    })
}

fn matches(element: &Value, keys: &[(String, KeyValue)]) -> bool {
    keys.iter()
        .all(|(key, value)| key_of(element, key).as_ref() == Some(value))
}

fn position(list: &[Value], keys: &[(String, KeyValue)]) -> Option<usize> {
    list.iter().position(|element| matches(element, keys))
}

fn down<'a>(value: &'a Value, step: &Step) -> Option<&'a Value> {
    match step {
        Step::Field(name) => value.get(name),
        Step::Element(keys) => {
            let list = value.as_array()?;
            list.get(position(list, keys)?)
        }
        Step::Index(index) => value.as_array()?.get(*index),
    }
}

fn down_mut<'a>(value: &'a mut Value, step: &Step) -> Option<&'a mut Value> {
    match step {
        Step::Field(name) => value.get_mut(name),
        Step::Element(keys) => {
            let list = value.as_array_mut()?;
            let at = position(list, keys)?;
            list.get_mut(at)
        }
        Step::Index(index) => value.as_array_mut()?.get_mut(*index),
    }
}

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

    pub fn step(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// Is the other path this one, or below it?
    pub fn holds(&self, other: &LeafPath) -> bool {
        other.0.starts_with(&self.0)
    }

    pub fn starts_with_fields(&self, fields: &[&str]) -> bool {
        self.0.len() >= fields.len()
            && self
                .0
                .iter()
                .zip(fields)
                .all(|(step, field)| matches!(step, Step::Field(name) if name == field))
    }

    /// What stands there; `None`: absent.
    pub fn get<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(root, down)
    }

    /// Puts a value there; parents and list elements that are missing are made (an element with its keys).
    /// A parent of another type is replaced.
    pub fn set(&self, root: &mut Value, value: Value) {
        let mut at = root;
        for step in &self.0 {
            at = match step {
                Step::Field(name) => {
                    if !at.is_object() {
                        *at = Value::Object(Map::new());
                    }
                    match at {
                        Value::Object(map) => map.entry(name.clone()).or_insert(Value::Null),
                        _ => return,
                    }
                }
                Step::Element(keys) => {
                    if !at.is_array() {
                        *at = Value::Array(Vec::new());
                    }
                    let Value::Array(list) = at else { return };
                    let index = position(list, keys).unwrap_or_else(|| {
                        list.push(new_element(keys));
                        list.len() - 1
                    });
                    &mut list[index]
                }
                Step::Index(index) => {
                    if !at.is_array() {
                        *at = Value::Array(Vec::new());
                    }
                    let Value::Array(list) = at else { return };
                    while list.len() <= *index {
                        list.push(Value::Null);
                    }
                    &mut list[*index]
                }
            };
        }
        *at = value;
    }

    /// Takes away what stands there; parents stay, even when they are empty then.
    pub fn remove(&self, root: &mut Value) -> Option<Value> {
        let (last, parents) = self.0.split_last()?;
        let parent = parents.iter().try_fold(root, down_mut)?;
        match (last, parent) {
            (Step::Field(name), Value::Object(map)) => map.remove(name),
            (Step::Element(keys), Value::Array(list)) => {
                position(list, keys).map(|at| list.remove(at))
            }
            (Step::Index(index), Value::Array(list)) if *index < list.len() => {
                Some(list.remove(*index))
            }
            _ => None,
        }
    }

    /// JSON pointer of what stands there in this object; `None`: absent.
    pub fn pointer(&self, live: &Value) -> Option<String> {
        let mut pointer = String::new();
        let mut at = live;
        for step in &self.0 {
            match step {
                Step::Field(name) => push_token(&mut pointer, name),
                Step::Element(keys) => {
                    let index = position(at.as_array()?, keys)?;
                    push_token(&mut pointer, &index.to_string());
                }
                Step::Index(index) => push_token(&mut pointer, &index.to_string()),
            }
            at = down(at, step)?;
        }
        Some(pointer)
    }

    /// Pointer and value of a JSON Patch `add` that makes the leaf: as deep as the object reaches, the
    /// missing parents in the value.
    pub(super) fn addition(&self, live: &Value, value: Value) -> Option<(String, Value)> {
        let mut pointer = String::new();
        let mut at = live;
        for (depth, step) in self.0.iter().enumerate() {
            if let Some(next) = down(at, step).filter(|next| !next.is_null()) {
                pointer = LeafPath(self.0[..=depth].to_vec()).pointer(live)?;
                at = next;
                continue;
            }
            match (step, at) {
                (Step::Field(name), Value::Object(_)) => push_token(&mut pointer, name),
                (Step::Element(_) | Step::Index(_), Value::Array(_)) => {
                    push_token(&mut pointer, "-");
                }
                _ => return None,
            }
            let mut made = match step {
                Step::Element(keys) => new_element(keys),
                _ => Value::Null,
            };
            LeafPath(self.0[depth + 1..].to_vec()).set(&mut made, value);
            return Some((pointer, made));
        }
        None
    }
}

fn new_element(keys: &[(String, KeyValue)]) -> Value {
    match keys {
        [(key, value)] if key.is_empty() => value.value(),
        _ => Value::Object(
            keys.iter()
                .map(|(key, value)| (key.clone(), value.value()))
                .collect(),
        ),
    }
}

fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

impl fmt::Display for LeafPath {
    /// As the API server writes fields: `.spec.containers[name="app"].image`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Element(keys) => {
                    f.write_str("[")?;
                    for (n, (key, value)) in keys.iter().enumerate() {
                        if n > 0 {
                            f.write_str(",")?;
                        }
                        match value {
                            KeyValue::Number(number) => write!(f, "{key}={number}")?,
                            KeyValue::Text(text) => write!(f, "{key}={text:?}")?,
                        }
                    }
                    f.write_str("]")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment() -> Value {
        json!({"spec": {"template": {
            "metadata": {"labels": {"sidecar.istio.io/inject": "false"}},
            "spec": {"containers": [
                {"name": "side", "image": "s"},
                {"name": "app", "image": "a", "ports": [{"containerPort": 80}]},
            ]},
        }}})
    }

    fn pod() -> LeafPath {
        LeafPath::fields(["spec", "template", "spec"])
    }

    #[test]
    fn written_as_servers_write_them() {
        let inject = LeafPath::fields(["spec", "template", "metadata", "labels"])
            .field("sidecar.istio.io/inject");
        assert_eq!(
            inject.to_string(),
            ".spec.template.metadata.labels.sidecar.istio.io/inject"
        );
        let image = pod()
            .field("containers")
            .element("name", "app")
            .field("image");
        assert_eq!(
            image.to_string(),
            ".spec.template.spec.containers[name=\"app\"].image"
        );
        let port = pod().field("ports").step(Step::Element(vec![
            ("containerPort".into(), KeyValue::Number(80)),
            ("protocol".into(), KeyValue::Text("TCP".into())),
        ]));
        assert_eq!(
            port.to_string(),
            ".spec.template.spec.ports[containerPort=80,protocol=\"TCP\"]"
        );
    }

    #[test]
    fn elements_are_found_by_key_wherever_they_stand() {
        let image = pod()
            .field("containers")
            .element("name", "app")
            .field("image");
        let mut object = deployment();
        assert_eq!(image.get(&object), Some(&json!("a")));
        assert_eq!(
            image.pointer(&object).as_deref(),
            Some("/spec/template/spec/containers/1/image")
        );
        image.set(&mut object, json!("b"));
        assert_eq!(
            object["spec"]["template"]["spec"]["containers"][1]["image"],
            "b"
        );
        assert_eq!(image.remove(&mut object), Some(json!("b")));
        assert_eq!(image.get(&object), None);
    }

    #[test]
    fn a_port_without_protocol_is_tcp() {
        let port = pod()
            .field("containers")
            .element("name", "app")
            .field("ports")
            .step(Step::Element(vec![
                ("containerPort".into(), KeyValue::Number(80)),
                ("protocol".into(), KeyValue::Text("TCP".into())),
            ]));
        assert_eq!(port.get(&deployment()), Some(&json!({"containerPort": 80})));
    }

    #[test]
    fn set_makes_parents_and_elements_with_their_keys() {
        let mut object = json!({});
        pod()
            .field("volumes")
            .element("name", "istio-certs")
            .field("emptyDir")
            .field("medium")
            .set(&mut object, json!("Memory"));
        assert_eq!(
            object["spec"]["template"]["spec"]["volumes"],
            json!([{"name": "istio-certs", "emptyDir": {"medium": "Memory"}}])
        );
    }

    #[test]
    fn slashes_and_tildes_are_escaped_in_pointers() {
        let path = LeafPath::fields(["metadata", "annotations"]).field("a/b~c");
        let object = json!({"metadata": {"annotations": {"a/b~c": "x"}}});
        assert_eq!(
            path.pointer(&object).as_deref(),
            Some("/metadata/annotations/a~1b~0c")
        );
    }

    #[test]
    fn an_addition_reaches_as_deep_as_the_object() {
        let path = LeafPath::fields(["metadata", "annotations"]).field("a/b");
        assert_eq!(
            path.addition(&json!({"metadata": {}}), json!("x")),
            Some(("/metadata/annotations".into(), json!({"a/b": "x"})))
        );
        assert_eq!(
            path.addition(
                &json!({"metadata": {"annotations": {"c": "d"}}}),
                json!("x")
            ),
            Some(("/metadata/annotations/a~1b".into(), json!("x")))
        );
        let mount = pod()
            .field("containers")
            .element("name", "app")
            .field("volumeMounts")
            .element("mountPath", "/c")
            .field("name");
        assert_eq!(
            mount.addition(&deployment(), json!("certs")),
            Some((
                "/spec/template/spec/containers/1/volumeMounts".into(),
                json!([{"mountPath": "/c", "name": "certs"}])
            ))
        );
        let container = pod()
            .field("containers")
            .element("name", "new")
            .field("image");
        assert_eq!(
            container.addition(&deployment(), json!("i")),
            Some((
                "/spec/template/spec/containers/-".into(),
                json!({"name": "new", "image": "i"})
            ))
        );
    }

    #[test]
    fn lists_that_share_a_key_are_atomic() {
        let twice = [json!({"name": "A"}), json!({"name": "A"})];
        assert!(keyed("env", &[&twice]).is_none());
        assert!(keyed("args", &[&[json!("--x")]]).is_none());
        assert!(keyed("servers", &[&[json!({"name": "x"})]]).is_none());
    }
}
