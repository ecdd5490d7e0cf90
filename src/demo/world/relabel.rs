//! Prometheus's relabelling, over the labels of this simulation.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::reach::relabel::{self, Names, Set};

pub type Labels = BTreeMap<String, String>;

/// One rule of `relabel_configs`.
#[derive(Clone, Debug)]
pub struct Rule(relabel::Rule);

impl Rule {
    /// Reads a rule with Prometheus's defaults.
    ///
    /// # Errors
    /// In words near to Prometheus's own.
    pub fn read(value: &Value) -> Result<Rule, String> {
        let rule = relabel::Rule::read(value, Names::Utf8);
        rule.map(Rule).map_err(|why| why.to_string())
    }
}

/// Runs the rules in order; `None` when one of them drops the target.
pub fn relabel(labels: &Labels, rules: &[Rule]) -> Option<Labels> {
    let base: Set = labels
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut labels = relabel::Labels::new(&base);
    for rule in rules {
        if !rule.0.apply(&mut labels).ok()? {
            return None;
        }
    }
    Some(labels.collect(|_| true))
}
