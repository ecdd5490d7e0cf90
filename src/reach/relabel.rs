//! Prometheus's relabelling: every action, over labels that are copied only where a rule changes them.
//!
//! Source: `model/relabel/relabel.go` (`Config.UnmarshalYAML`, `Validate`, `relabel`) of Prometheus 3.11, and what 2.x
//! did otherwise: there a label's name is of `[a-zA-Z_][a-zA-Z0-9_]*` alone.

mod slice;

pub use slice::deciding;

use super::re2::Pattern;
use md5::{Digest, Md5};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Why a result cannot be computed here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknown {
    /// Prometheus's own reader refuses the rule, in its words or near to them.
    Refused(String),
    /// A regular expression of Go's that this program does not read.
    Pattern(String),
    /// Two labels are mapped to this name: which one stays is chance in Prometheus.
    Collision(String),
    /// Pods of another cluster, by this API server.
    OtherCluster(String),
    /// Another way to discover, by the key of its settings.
    Discovery(String),
    /// What it discovers is no pod.
    NoPods(&'static str),
    /// Labels of objects that are not read.
    Unread(&'static str),
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown::Refused(why) | Unknown::Pattern(why) => f.write_str(why),
            Unknown::Collision(name) => write!(f, "several labels are mapped to {name}"),
            Unknown::OtherCluster(server) => write!(f, "it discovers the cluster of {server}"),
            Unknown::NoPods(what) => write!(f, "it discovers {what}"),
            Unknown::Discovery(kind) => write!(f, "it discovers by {kind}"),
            Unknown::Unread(what) => write!(f, "{what} are not read"),
        }
    }
}

/// What Prometheus takes for a label's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Of 2.x, and where `metric_name_validation_scheme: legacy` stands.
    Legacy,
    #[default]
    Utf8,
}

impl Names {
    fn valid(self, name: &str) -> bool {
        match self {
            Names::Utf8 => !name.is_empty(),
            Names::Legacy => {
                let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
                let digit = name.as_bytes().first().is_some_and(u8::is_ascii_digit);
                !name.is_empty() && !digit && name.bytes().all(word)
            }
        }
    }
}

/// Labels as discovered: sorted by name, none of them empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set(Vec<(String, String)>);

impl Set {
    pub fn get(&self, name: &str) -> &str {
        match self
            .0
            .binary_search_by(|(known, _)| known.as_str().cmp(name))
        {
            Ok(at) => &self.0[at].1,
            Err(_) => "",
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for Set {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(labels: I) -> Self {
        let labels: BTreeMap<String, String> = labels.into_iter().collect();
        let some = labels.into_iter().filter(|(_, value)| !value.is_empty());
        Set(some.collect())
    }
}

/// Labels while rules change them.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    base: &'a Set,
    /// What was set since, by name; empty: taken away.
    own: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Labels<'a> {
    pub fn new(base: &'a Set) -> Self {
        let own = Vec::new();
        Labels { base, own }
    }

    pub fn get(&self, name: &str) -> &str {
        match self.own.iter().find(|(known, _)| known == name) {
            Some((_, value)) => value,
            None => self.base.get(name),
        }
    }

    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        let (name, value) = (name.into(), value.into());
        match self.own.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.own.push((name, value)),
        }
    }

    /// Sets it where it is not there.
    pub fn or(&mut self, name: &'a str, value: impl Into<Cow<'a, str>>) {
        if self.get(name).is_empty() {
            self.set(name, value);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let kept = self.base.iter().filter(|(name, _)| {
            let mut own = self.own.iter();
            !own.any(|(known, _)| known == name)
        });
        let own = self.own.iter().map(|(name, value)| (&**name, &**value));
        kept.chain(own).filter(|(_, value)| !value.is_empty())
    }

    /// Those of a kind, sorted.
    pub fn collect(&self, which: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
        self.iter()
            .filter(|(name, _)| which(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Replace,
    Keep,
    Drop,
    KeepEqual,
    DropEqual,
    HashMod,
    LabelMap,
    LabelDrop,
    LabelKeep,
    Lowercase,
    Uppercase,
}

/// One rule of `relabel_configs`.
#[derive(Clone, Debug)]
pub struct Rule {
    pub action: Action,
    pub source: Vec<String>,
    pub separator: String,
    pub regex: Pattern,
    pub modulus: u64,
    pub target: String,
    pub replacement: String,
    names: Names,
}

fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        // Unquoted `true` or `8080` is text to Prometheus.
        other => Some(other.to_string()),
    }
}

impl Rule {
    /// Reads a rule with Prometheus's defaults.
    ///
    /// # Errors
    /// What Prometheus refuses, or cannot be read here.
    pub fn read(value: &Value, names: Names) -> Result<Rule, Unknown> {
        let refused = |why: String| Err(Unknown::Refused(why));
        let action = match text(value, "action")
            .unwrap_or_default()
            .to_lowercase()
            .as_str()
        {
            "replace" => Action::Replace,
            "" if !value["action"].is_string() => Action::Replace,
            "keep" => Action::Keep,
            "drop" => Action::Drop,
            "keepequal" => Action::KeepEqual,
            "dropequal" => Action::DropEqual,
            "hashmod" => Action::HashMod,
            "labelmap" => Action::LabelMap,
            "labeldrop" => Action::LabelDrop,
            "labelkeep" => Action::LabelKeep,
            "lowercase" => Action::Lowercase,
            "uppercase" => Action::Uppercase,
            other => return refused(format!("unknown relabel action {other:?}")),
        };
        // A key that stands there without a value means nothing but in `regex`, which it empties.
        let regex = match value.get("regex") {
            None => "(.*)".to_owned(),
            Some(_) => text(value, "regex").unwrap_or_default(),
        };
        let rule = Rule {
            action,
            source: value["source_labels"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|label| match label {
                    Value::String(label) => label.clone(),
                    other => other.to_string(),
                })
                .collect(),
            separator: text(value, "separator").unwrap_or_else(|| ";".to_owned()),
            regex: Pattern::new(&regex).map_err(Unknown::Pattern)?,
            modulus: value["modulus"].as_u64().unwrap_or_default(),
            target: text(value, "target_label").unwrap_or_default(),
            replacement: text(value, "replacement").unwrap_or_else(|| "$1".to_owned()),
            names,
        };
        match rule.fault() {
            Some(why) => refused(why),
            None => Ok(rule),
        }
    }

    fn fault(&self) -> Option<String> {
        use Action::{
            DropEqual, HashMod, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase, Replace,
            Uppercase,
        };
        let targets = matches!(
            self.action,
            Replace | HashMod | Lowercase | Uppercase | KeepEqual | DropEqual
        );
        let plain = self.separator == ";" && self.replacement == "$1" && self.modulus == 0;
        let templated = |template: &str| {
            self.names == Names::Utf8 || {
                let c = |c: char| c.is_ascii_alphanumeric() || "_${}".contains(c);
                template.chars().all(c)
            }
        };
        let name = match self.action {
            Replace if self.target.contains('$') => templated(&self.target),
            LabelMap if self.names == Names::Utf8 => !self.replacement.is_empty(),
            LabelMap => templated(&self.replacement),
            _ if targets => self.names.valid(&self.target),
            _ => true,
        };
        let single = matches!(self.action, Lowercase | Uppercase | KeepEqual | DropEqual);
        let why = match self.action {
            HashMod if self.modulus == 0 => "hashmod requires a modulus",
            _ if targets && self.target.is_empty() => "the action requires a target_label",
            _ if !name => "the label it sets is no label's name",
            _ if single && self.replacement != "$1" => "the action takes no replacement",
            KeepEqual | DropEqual if !plain || self.regex.as_str() != "(.*)" => {
                "the action takes source_labels and target_label alone"
            }
            LabelDrop | LabelKeep
                if !plain || !self.source.is_empty() || !self.target.is_empty() =>
            {
                "the action takes a regex alone"
            }
            _ => return None,
        };
        Some(format!("{:?}: {why}", self.action))
    }

    /// The values of its source labels, joined.
    pub fn input<'l>(&self, labels: &'l Labels) -> Cow<'l, str> {
        match self.source.as_slice() {
            [] => Cow::Borrowed(""),
            [only] => Cow::Borrowed(labels.get(only)),
            all => {
                let values: Vec<&str> = all.iter().map(|name| labels.get(name)).collect();
                Cow::Owned(values.join(&self.separator))
            }
        }
    }

    /// Whether the target stays.
    ///
    /// # Errors
    /// Where chance decides in Prometheus.
    pub fn apply(&self, labels: &mut Labels) -> Result<bool, Unknown> {
        match self.action {
            Action::Keep => return Ok(self.regex.is_match(&self.input(labels))),
            Action::Drop => return Ok(!self.regex.is_match(&self.input(labels))),
            Action::KeepEqual => return Ok(labels.get(&self.target) == self.input(labels)),
            Action::DropEqual => return Ok(labels.get(&self.target) != self.input(labels)),
            Action::Replace => {
                let made = self.regex.find(&self.input(labels)).map(|found| {
                    let target = match self.target.contains('$') {
                        true => found.expand(&self.target),
                        false => self.target.clone(),
                    };
                    (target, found.expand(&self.replacement))
                });
                if let Some((target, value)) = made
                    && self.names.valid(&target)
                {
                    labels.set(target, value);
                }
            }
            Action::Lowercase => {
                let value = self.input(labels).to_lowercase();
                labels.set(self.target.clone(), value);
            }
            Action::Uppercase => {
                let value = self.input(labels).to_uppercase();
                labels.set(self.target.clone(), value);
            }
            Action::HashMod => {
                let sum = Md5::digest(self.input(labels).as_bytes());
                let last = u64::from_be_bytes([
                    sum[8], sum[9], sum[10], sum[11], sum[12], sum[13], sum[14], sum[15],
                ]);
                // A rule without a modulus was refused.
                let value = last.checked_rem(self.modulus).unwrap_or_default();
                labels.set(self.target.clone(), value.to_string());
            }
            Action::LabelMap => {
                let mut made: BTreeMap<String, String> = BTreeMap::new();
                for (name, value) in labels.iter() {
                    let Some(found) = self.regex.find(name) else {
                        continue;
                    };
                    let target = found.expand(&self.replacement);
                    match made.get(&target) {
                        Some(other) if other != value => return Err(Unknown::Collision(target)),
                        _ => drop(made.insert(target, value.to_owned())),
                    }
                }
                for (name, value) in made {
                    labels.set(name, value);
                }
            }
            Action::LabelDrop | Action::LabelKeep => {
                let drops = self.action == Action::LabelDrop;
                let gone: Vec<String> = labels
                    .iter()
                    .filter(|(name, _)| self.regex.is_match(name) == drops)
                    .map(|(name, _)| name.to_owned())
                    .collect();
                for name in gone {
                    labels.set(name, "");
                }
            }
        }
        Ok(true)
    }
}

/// Runs the rules in order: whether the target stays.
///
/// # Errors
/// See [`Rule::apply`].
pub fn relabel(labels: &mut Labels, rules: &[Rule]) -> Result<bool, Unknown> {
    for rule in rules {
        if !rule.apply(labels)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(labels: &[(&str, &str)]) -> Set {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        labels.iter().map(owned).collect()
    }

    fn run(labels: &[(&str, &str)], rules: Value) -> Option<String> {
        let rules: Vec<Rule> = rules
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| Rule::read(rule, Names::Utf8).unwrap())
            .collect();
        let base = set(labels);
        let mut labels = Labels::new(&base);
        let kept = relabel(&mut labels, &rules).unwrap();
        let all = labels.collect(|_| true);
        let all: Vec<String> = all.iter().map(|(k, v)| format!("{k}={v}")).collect();
        kept.then(|| all.join(" "))
    }

    #[test]
    fn each_action_does_what_prometheus_does() {
        let ab = [("a", "foo"), ("b", "bar"), ("c", "baz")];
        for (rules, wanted) in [
            (
                json!([{"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "ch${1}-ch${1}"}]),
                Some("a=foo b=bar c=baz d=choo-choo"),
            ),
            (
                json!([{"source_labels": ["a", "b"], "regex": "f(.*);(.*)r", "target_label": "a", "replacement": "b${1}${2}m"}]),
                Some("a=boobam b=bar c=baz"),
            ),
            (
                json!([{"source_labels": ["a"], "regex": "no", "target_label": "d", "replacement": "x"}]),
                Some("a=foo b=bar c=baz"),
            ),
            (
                json!([{"source_labels": ["a"], "regex": "(f).*", "target_label": "a", "replacement": "$2"}]),
                Some("b=bar c=baz"),
            ),
            (
                json!([{"source_labels": ["a"], "regex": ".*o.*", "action": "drop"}]),
                None,
            ),
            (
                json!([{"source_labels": ["a"], "regex": ".*o.*", "action": "Keep"}]),
                Some("a=foo b=bar c=baz"),
            ),
            (
                json!([{"source_labels": ["none"], "regex": "", "action": "keep"}]),
                Some("a=foo b=bar c=baz"),
            ),
            (
                json!([{"source_labels": ["c"], "target_label": "d", "action": "hashmod", "modulus": 1000}]),
                Some("a=foo b=bar c=baz d=976"),
            ),
            (
                json!([{"source_labels": ["a", "b"], "target_label": "d", "action": "hashmod", "separator": "\n", "modulus": 1000}]),
                Some("a=foo b=bar c=baz d=734"),
            ),
            (
                json!([{"regex": "(b.*|a)", "action": "labelmap", "replacement": "bar_$1"}]),
                Some("a=foo b=bar bar_a=foo bar_b=bar c=baz"),
            ),
            (
                json!([{"regex": "(b.*)", "action": "labeldrop"}]),
                Some("a=foo c=baz"),
            ),
            (
                json!([{"regex": "(b.*)", "action": "labelkeep"}]),
                Some("b=bar"),
            ),
            (
                json!([{"source_labels": ["a"], "target_label": "a", "action": "uppercase"}]),
                Some("a=FOO b=bar c=baz"),
            ),
            (
                json!([{"source_labels": ["a"], "target_label": "b", "action": "keepequal"}]),
                None,
            ),
            (
                json!([{"source_labels": ["a"], "target_label": "b", "action": "dropequal"}]),
                Some("a=foo b=bar c=baz"),
            ),
            (
                json!([{"source_labels": ["a"], "regex": "(.*)", "target_label": "${1}_x", "replacement": "y"}]),
                Some("a=foo b=bar c=baz foo_x=y"),
            ),
            (
                json!([{"target_label": "d", "replacement": "static"}]),
                Some("a=foo b=bar c=baz d=static"),
            ),
            // An empty regex matches the empty alone; a number is a word.
            (
                json!([{"source_labels": ["a"], "regex": null, "action": "keep"}]),
                None,
            ),
            (
                json!([{"target_label": "p", "replacement": 8080}]),
                Some("a=foo b=bar c=baz p=8080"),
            ),
        ] {
            assert_eq!(run(&ab, rules.clone()).as_deref(), wanted, "{rules}");
        }
    }

    #[test]
    fn what_prometheus_refuses_is_refused() {
        for rule in [
            json!({"action": "nothing"}),
            json!({"action": "replace"}),
            json!({"action": "hashmod", "target_label": "a"}),
            json!({"action": "labeldrop", "source_labels": ["a"]}),
            json!({"action": "lowercase", "target_label": "a", "replacement": "x"}),
            json!({"action": "keepequal", "target_label": "a", "regex": "x"}),
        ] {
            let read = Rule::read(&rule, Names::Utf8);
            assert!(matches!(read, Err(Unknown::Refused(_))), "{rule}");
        }
        let dotted = json!({"target_label": "a.b", "replacement": "x"});
        assert!(Rule::read(&dotted, Names::Utf8).is_ok());
        assert!(Rule::read(&dotted, Names::Legacy).is_err());
    }

    #[test]
    fn where_chance_decides_nothing_is_said() {
        let base = set(&[("x_a", "1"), ("y_a", "2")]);
        let rule = Rule::read(
            &json!({"action": "labelmap", "regex": "[xy]_(.+)"}),
            Names::Utf8,
        );
        let got = rule.unwrap().apply(&mut Labels::new(&base));
        assert_eq!(got, Err(Unknown::Collision("a".into())));
    }
}
