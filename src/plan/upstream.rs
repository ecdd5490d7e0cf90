//! Where what a change alters is kept by its owner, and what to write there: the values of a Helm release, the
//! file that Argo CD or Flux reads, the resource of an operator.

use super::export::{
    JOBS_AS_MAP, as_text_of, by_name, jobs_of, patch_of, pod_of, rules_of, server, text_of,
    with_rules,
};
use super::review::{Hands, Reviewed, Verdict};
use super::scrape_config::{TextEdit, emit, ended_rules, jobs};
use super::yaml::to_yaml;
use super::{Action, Part, keyed, mask};
use crate::mesh::kinds::{Kind, MANAGER};
use crate::mesh::{Owner, OwnerTool};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// What a change's owner would have to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// `None`: a field manager that is none of the known tools.
    pub tool: Option<OwnerTool>,
    /// What keeps it: `release`, `application`, `HelmRelease`, `Kustomization`, `resource`, `manager`.
    pub kind: &'static str,
    /// Its name; empty where the object does not say.
    pub name: String,
    pub namespace: Option<String>,
    /// `prometheus-27.5.1`, from the object's label.
    pub chart: Option<String>,
    /// Where it goes, in a sentence.
    pub place: String,
    /// What goes there; none where something has to go away.
    pub fragments: Vec<Fragment>,
}

/// A piece of YAML, credentials masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// What it is, or where exactly it stands.
    pub head: String,
    pub yaml: String,
}

impl Upstream {
    /// The owner in a few words: `the Helm release web in shop (chart web-1.2.0)`.
    pub fn owner(&self) -> String {
        let what = match (self.tool, self.kind) {
            (Some(OwnerTool::Helm), _) => "the Helm release",
            (Some(OwnerTool::ArgoCd), _) => "the Argo CD application",
            (Some(OwnerTool::Flux), "HelmRelease") => "the HelmRelease (Flux)",
            (Some(OwnerTool::Flux), "Kustomization") => "the Kustomization (Flux)",
            (Some(OwnerTool::Flux), _) => "Flux",
            (Some(OwnerTool::Operator), _) => "the controller of",
            (None, _) => "the field manager",
        };
        let mut words = what.to_owned();
        if !self.name.is_empty() {
            words = format!("{words} {}", self.name);
        }
        if let Some(namespace) = &self.namespace {
            words = format!("{words} in {namespace}");
        }
        if let Some(chart) = &self.chart {
            words = format!("{words}, chart {chart}");
        }
        words
    }

    /// What becomes of a direct change.
    pub fn reverts(&self) -> &'static str {
        match self.tool {
            Some(tool) => tool.reverts(),
            None => "It may revert a direct change.",
        }
    }

    /// For a person to read and to paste from: words as comments, then YAML.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("# {}", self.place)];
        for fragment in &self.fragments {
            lines.push(format!("# {}", fragment.head));
            lines.extend(fragment.yaml.lines().map(str::to_owned));
        }
        lines
    }
}

/// The tool that may revert the change, in a word. `None`: as for [`upstream`].
pub fn owner(item: &Reviewed) -> Option<&'static str> {
    if item.verdict == Verdict::Unchanged {
        return None;
    }
    let of = keeper(item, foreign(item)?)?;
    Some(of.tool.map_or("another tool", OwnerTool::name))
}

/// The object as it is, where it is not ours or new.
fn foreign(item: &Reviewed) -> Option<&Value> {
    let change = &item.change;
    let live = item.live.as_deref()?;
    let labels = &live["metadata"]["labels"];
    let ours = change.part == Part::Journal
        || change.object.kind == Kind::Pod
        || labels["app.kubernetes.io/managed-by"] == MANAGER;
    (!ours).then_some(live)
}

/// `None`: the object is ours, new, or nobody's but a person's.
pub fn upstream(item: &Reviewed) -> Option<Upstream> {
    let change = &item.change;
    let mut found = keeper(item, foreign(item)?)?;
    let object = &change.object;
    if let Action::Delete { .. } = change.action {
        found.place = format!("Take {object} out of {}, or it comes back.", found.home());
        return Some(found);
    }
    let values = found.chart.as_deref().and_then(|chart| values(item, chart));
    let known = values.is_some();
    found.fragments = values.or_else(|| plain(item))?;
    if found.kind == "HelmRelease" {
        for fragment in &mut found.fragments {
            in_release(fragment, item, known);
        }
    }
    let home = found.home();
    found.place = match (found.tool, known) {
        (Some(OwnerTool::Helm), true) => {
            format!("Put this into {home}, then helm upgrade it.")
        }
        (Some(OwnerTool::Helm), false) => format!(
            "Put this into {home}, where the chart has a value for it (such as podAnnotations), else into a \
             post-renderer of that upgrade."
        ),
        (_, true) => format!("Put this into the values of the chart in {home}."),
        _ => format!("Put this into {home}."),
    };
    Some(found)
}

impl Upstream {
    /// Where the owner keeps it.
    fn home(&self) -> String {
        let name = match &self.namespace {
            Some(namespace) if self.kind != "release" => format!("{namespace}/{}", self.name),
            _ => self.name.clone(),
        };
        match self.kind {
            "release" => {
                let namespace = self.namespace.as_deref();
                let namespace = namespace.map_or(String::new(), |of| format!(" in {of}"));
                format!("the values of the release {name}{namespace}")
            }
            "application" => format!("what the application {name} syncs from"),
            "HelmRelease" => format!("the HelmRelease {name}"),
            "Kustomization" => format!("what the Kustomization {name} applies"),
            "resource" => format!("{name}, from which its controller makes this"),
            _ if self.name.is_empty() => "what its owner applies".to_owned(),
            _ => format!("what {name} applies"),
        }
    }
}

/// Who keeps the object, by what stands on it; else by the manager whose fields the change takes.
fn keeper(item: &Reviewed, live: &Value) -> Option<Upstream> {
    let meta = &live["metadata"];
    let text = |at: &Value| at.as_str().map(str::to_owned);
    let label = |key: &str| text(&meta["labels"][key]);
    let (tool, name) = match Owner::of(live) {
        Some(owner) => (Some(owner.tool), owner.name),
        None => {
            let theirs = |conflict: &&super::review::Conflict| conflict.hands == Hands::Controller;
            let manager = &item.conflicts.iter().find(theirs)?.manager;
            match OwnerTool::named(manager) {
                Some(tool) => (Some(tool), String::new()),
                None => (None, manager.clone()),
            }
        }
    };
    let flux = |tool: &str, part: &str| label(&format!("{tool}.toolkit.fluxcd.io/{part}"));
    let (kind, namespace) = match tool {
        Some(OwnerTool::Helm) => (
            "release",
            text(&meta["annotations"]["meta.helm.sh/release-namespace"]),
        ),
        Some(OwnerTool::ArgoCd) => ("application", None),
        Some(OwnerTool::Flux) if flux("helm", "name").is_some() => {
            ("HelmRelease", flux("helm", "namespace"))
        }
        Some(OwnerTool::Flux) if flux("kustomize", "name").is_some() => {
            ("Kustomization", flux("kustomize", "namespace"))
        }
        Some(OwnerTool::Operator) => ("resource", None),
        Some(OwnerTool::Flux) | None => ("manager", None),
    };
    let of_template = &live["spec"]["template"]["metadata"]["labels"]["helm.sh/chart"];
    Some(Upstream {
        tool,
        kind,
        name,
        namespace,
        chart: label("helm.sh/chart").or_else(|| text(of_template)),
        place: String::new(),
        fragments: Vec::new(),
    })
}

/// Values of the chart prometheus-community/prometheus. `None`: another chart, or no value of it fits.
fn values(item: &Reviewed, chart: &str) -> Option<Vec<Fragment>> {
    let version = chart.strip_prefix("prometheus-")?;
    let major: u32 = version.split('.').next()?.parse().ok()?;
    let lists = "values; lists are replaced whole, so what yours hold there has to stay in";
    let as_map = major >= JOBS_AS_MAP;
    match &item.change.action {
        Action::Apply { .. } | Action::Edit { .. } => {
            let object = patch_of(&item.change, false)?;
            let containers = object["spec"]["template"]["spec"]["containers"].as_array();
            let container = containers.and_then(|all| all.first()?["name"].as_str());
            let server = server(pod_of(&object, container.unwrap_or_default()));
            let fits = server.as_object().is_some_and(|map| !map.is_empty());
            fits.then(|| vec![fragment(lists, &json!({"server": server}))])
        }
        Action::Text { edits, key } => {
            let (jobs_in, rules) = (jobs_of(edits), rules_of(edits));
            if !jobs_in.is_empty() && as_map {
                return Some(vec![fragment(
                    "values",
                    &json!({"scrapeConfigs": by_name(&jobs_in)}),
                )]);
            }
            if !jobs_in.is_empty() {
                return Some(vec![fragment(
                    "values; append it to what extraScrapeConfigs holds",
                    &json!({"extraScrapeConfigs": as_text_of(&jobs_in)}),
                )]);
            }
            if rules.is_empty() || !as_map {
                return None;
            }
            let text = keyed::text(item.live.as_ref()?, key)?;
            let today: BTreeMap<String, Vec<Value>> = jobs(&text)
                .ok()?
                .into_iter()
                .map(|job| (job.name.clone(), job.rules().to_vec()))
                .collect();
            Some(vec![fragment(
                "values, once every new target is UP; the rules of today with the new ones",
                &json!({"scrapeConfigs": with_rules(&rules, &today)}),
            )])
        }
        Action::Delete { .. } => None,
    }
}

/// The object's own fields, or the text of its file.
fn plain(item: &Reviewed) -> Option<Vec<Fragment>> {
    let Action::Text { edits, key } = &item.change.action else {
        let patch = patch_of(&item.change, false)?;
        return Some(vec![fragment("the fields of the object", &patch)]);
    };
    let of_text = |head: String, yaml: String| Fragment { head, yaml };
    let mut out: Vec<Fragment> = jobs_of(edits)
        .into_iter()
        .map(|(name, job)| {
            let head = format!("{key}: {name}, first of scrape_configs");
            of_text(head, text_of(job))
        })
        .collect();
    out.extend(rules_of(edits).into_iter().map(|(job, rule)| {
        let head = format!("{key}: first of relabel_configs of the job {job}");
        of_text(
            head,
            emit::block_item(&mask::setting(&rule), emit::Style::default()),
        )
    }));
    out.extend(edits.iter().filter_map(|edit| {
        match edit {
            TextEdit::RemoveJob { name } => {
                let head = format!("{key}: take the job {name} out");
                Some(of_text(head, String::new()))
            }
            TextEdit::RestoreJob { name, text } => {
                let head = format!("{key}: the job {name} as it was");
                Some(of_text(head, mask::text(text)))
            }
            TextEdit::RemoveRule { job, rule } => Some(of_text(
                format!("{key}: take this out of relabel_configs of the job {job}"),
                emit::block_item(&mask::setting(rule), emit::Style::default()),
            )),
            TextEdit::RestoreRule { job, text, .. } => {
                let head = format!("{key}: back into relabel_configs of the job {job}");
                Some(of_text(head, mask::text(text)))
            }
            TextEdit::ResumePlaintext { job, items } => Some(of_text(
                format!("{key}: take these names out of relabel_configs of the job {job}"),
                ended_rules(items)
                    .iter()
                    .map(|rule| emit::block_item(rule, emit::Style::default()))
                    .collect(),
            )),
            _ => None,
        }
    }));
    Some(out)
}

fn fragment(head: &str, value: &Value) -> Fragment {
    Fragment {
        head: head.to_owned(),
        yaml: mask::text(&to_yaml(&mask::setting(value))),
    }
}

/// A HelmRelease carries values, and patches for what the chart has no value for.
fn in_release(fragment: &mut Fragment, item: &Reviewed, values: bool) {
    let object = &item.change.object;
    if values {
        let indented: String = fragment
            .yaml
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect();
        fragment.yaml = format!("spec:\n  values:\n{indented}");
        return;
    }
    if matches!(item.change.action, Action::Text { .. }) {
        return;
    }
    let patch = json!({
        "target": {"kind": object.kind.name(), "name": object.name},
        "patch": fragment.yaml,
    });
    fragment.head =
        "by a post-renderer; in spec.values instead, where the chart has a value for it".into();
    fragment.yaml =
        to_yaml(&json!({"spec": {"postRenderers": [{"kustomize": {"patches": [patch]}}]}}));
}
