//! `prometheus.yml` edited as text: one insertion at a time, each gated by parsing before and after.

use serde::{Deserialize, Serialize};

/// One edit of the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "edit")]
pub enum TextEdit {
    /// Inserts a job, as the first of `scrape_configs`; the same job there already is no change.
    InsertJob {
        name: String,
        job: serde_json::Value,
    },
    /// Puts ours in the place of a job of that name (a repair).
    ReplaceJob {
        name: String,
        job: serde_json::Value,
    },
    RemoveJob {
        name: String,
    },
    /// Puts a relabel rule first in a job's `relabel_configs`.
    AddRule {
        job: String,
        rule: serde_json::Value,
    },
    RemoveRule {
        job: String,
        rule: serde_json::Value,
    },
}

/// The gate refused: nothing is written, and the user is shown what to paste.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateRefusal {
    pub why: String,
    /// YAML to paste by hand, and where.
    pub paste: String,
}

/// The text with these edits made, one after another, each behind the gate.
///
/// # Errors
/// The gate refused.
pub fn apply(_text: &str, edits: &[TextEdit]) -> Result<String, GateRefusal> {
    Err(GateRefusal {
        why: format!("{} edits: text cannot be edited yet", edits.len()),
        paste: String::new(),
    })
}
