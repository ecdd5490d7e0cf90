//! What the rows of several lists share.

use super::layout::Places;
use super::paint::{Paint, Words};
use super::theme::Role;
use super::words::{self, count};
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::{Listed, MtlsMode, Progress, SidecarState, Workload};
use crate::plan::Part;
use crate::wizard::state::State;

/// `◉` chosen, `○` not, `–` can't be.
pub fn mark(chosen: bool, blocked: bool) -> Words {
    match (chosen, blocked) {
        (true, _) => Words::of(Role::Accent, "◉"),
        (false, true) => Words::muted("–"),
        (false, false) => Words::plain("○"),
    }
}

/// Namespace and name; of two changes of one file, which this is.
pub fn path(object: &ObjectRef, part: Part) -> String {
    let name = match object.namespace.is_empty() {
        true => object.name.clone(),
        false => format!("{}/{}", object.namespace, object.name),
    };
    let which = match part {
        Part::ScrapeJob => " (new job)",
        Part::PlaintextJobs => " (plaintext jobs)",
        _ => "",
    };
    name + which
}

/// A kind's name and the width of its column; short of room the long names are shortened.
pub fn kind(of: Kind, roomy: bool) -> (u16, &'static str) {
    if roomy {
        return (19, of.name());
    }
    let short = match of {
        Kind::PeerAuthentication => "PeerAuth",
        Kind::AuthorizationPolicy => "AuthPolicy",
        Kind::VirtualService => "VirtualSvc",
        Kind::ServiceEntry => "SvcEntry",
        Kind::ServiceAccount => "SvcAccount",
        Kind::NetworkPolicy => "NetPolicy",
        other => other.name(),
    };
    (11, short)
}

pub fn name(name: &str, blocked: bool) -> Words {
    Words::of(if blocked { Role::Muted } else { Role::Plain }, name)
}

/// The short reason in a list; the whole of it stands in the detail.
pub fn blocked(word: &str) -> Words {
    // The deciding word whole, and room for "why?".
    let word = word.replace("PeerAuthentication", "PeerAuth");
    Words::muted(word).and(Role::Muted, "  why?")
}

pub fn mode(of: MtlsMode) -> &'static str {
    match of {
        MtlsMode::Permissive => "PERMISSIVE",
        MtlsMode::Strict => "STRICT",
        MtlsMode::Disable => "DISABLE",
    }
}

/// How a workload is scraped today, in a few words.
pub fn today(of: &Workload) -> Words {
    let secure = of.scraped.secure || of.scraped.secure_template;
    match (secure, of.scraped.plaintext) {
        (true, Some(port)) => Words::of(Role::Waiting, format!("▲ secure and plaintext {port}")),
        (true, None) if of.scraped.secure_template => Words::of(Role::Good, "✓ secure 15091"),
        (true, None) => Words::of(Role::Good, "✓ secure 15091, pods only"),
        (false, _) if matches!(of.sidecar, SidecarState::Switchable { .. }) => {
            Words::of(Role::Waiting, "▲ no sidecar yet")
        }
        (false, _) if matches!(of.sidecar, SidecarState::AfterRestart) => {
            Words::of(Role::Waiting, "▲ sidecar at next restart")
        }
        (false, Some(port)) => Words::plain(format!("plaintext {port}")),
        (false, None) => Words::muted("not scraped"),
    }
}

/// The sidecar in a sentence.
pub fn sidecar(of: &SidecarState) -> String {
    match of {
        SidecarState::Injected { versions, revision } => {
            let revision = match revision.as_str() {
                "" | "default" => String::new(),
                revision => format!(", revision {revision}"),
            };
            format!("{}{revision}", versions.join(", "))
        }
        SidecarState::Partly { with, without } => {
            format!(
                "in {with} of {} pods; the others need a restart",
                with + without
            )
        }
        SidecarState::Switchable { .. } => "none yet: added with a label and a restart".into(),
        SidecarState::AfterRestart => "added at the next restart".into(),
        SidecarState::Impossible => "not possible".into(),
    }
}

/// Versions of a gateway's proxies.
pub fn proxy(of: &Workload) -> String {
    let mut versions: Vec<&str> = of.pods.iter().filter_map(|p| p.proxy.as_deref()).collect();
    versions.sort_unstable();
    versions.dedup();
    match versions.is_empty() {
        true => "no pod runs".into(),
        false => versions.join(", "),
    }
}

/// Where rows are still missing, the line that says so.
pub fn filling(paint: &mut Paint, state: &State, places: &Places, rows: usize, of: Listed) {
    let area = places.list;
    let shown = (rows.min(usize::from(area.height))) as u16;
    let y = area.y + shown;
    if !state.cluster.filling {
        let denied = state
            .mesh
            .progress
            .get(&of)
            .and_then(|progress| match progress {
                Progress::Denied(_) | Progress::DeniedIn { .. } => Some(format!(
                    "▲ no permission: {}",
                    crate::words::progress(progress).unwrap_or_default()
                )),
                Progress::Failed(why) => Some(format!("✕ {why}; r asks again")),
                Progress::Absent => Some(format!("– this cluster has no {of}")),
                _ => None,
            });
        if let (Some(text), true) = (denied, y < area.bottom()) {
            paint.text(area.x, y, area.width, Role::Waiting, &text);
        }
        return;
    }
    let (mut seen, mut about, mut what) = (0, None, of);
    // Pods come last and are the most: their count is what is waited for.
    for name in [of, Listed::Pods] {
        if let Some(Progress::Filling { seen: s, about: a }) = state.mesh.progress.get(&name) {
            (seen, about, what) = (*s, *a, name);
        }
    }
    let figures = match about {
        Some(about) if seen > 0 => {
            format!(
                " {} of about {} {what}",
                count(seen),
                count(about.max(seen))
            )
        }
        _ if seen > 0 => format!(" {} {what} so far", count(seen)),
        _ => String::new(),
    };
    let words = Words::of(Role::Accent, paint.spinner().to_string())
        .and(Role::Muted, format!(" asking the API server …{figures}"));
    paint.line(area.x, y, area.width, &words);
}

/// An empty list says why it is empty.
pub fn empty(paint: &mut Paint, places: &Places, filter: &str, nothing: &str) {
    let text = if filter.is_empty() {
        nothing.to_owned()
    } else {
        format!("Nothing matches “{filter}”; esc clears the filter.")
    };
    let area = places.list;
    for (line, y) in words::wrap(&super::paint::safe(&text), usize::from(area.width))
        .iter()
        .zip(area.top()..area.bottom())
    {
        paint.text(area.x, y, area.width, Role::Muted, line);
    }
}
