//! What the rows of several lists share.

use super::layout::Places;
use super::paint::{Paint, Words};
use super::theme::Role;
use super::words::{self, count};
use crate::mesh::kinds::{Kind, ObjectRef};
use crate::mesh::{Listed, MtlsMode, Progress, SidecarState, Workload};
use crate::plan::Part;
use crate::wizard::state::State;
use crate::words::say::ui as say;

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
    match part {
        Part::ScrapeJob => format!("{name} ({})", say::NEW_JOB),
        Part::PlaintextJobs => format!("{name} ({})", say::PLAINTEXT_JOBS),
        _ => name,
    }
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
    Words::muted(word).and(Role::Muted, format!("  {}", say::WHY))
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
        (true, Some(port)) => Words::of(
            Role::Waiting,
            format!("▲ {}", say::secure_and_plaintext(port)),
        ),
        (true, None) if of.scraped.secure_template => {
            Words::of(Role::Good, format!("✓ {}", say::SECURE))
        }
        (true, None) => Words::of(Role::Good, format!("✓ {}", say::SECURE_PODS_ONLY)),
        (false, _) if matches!(of.sidecar, SidecarState::Switchable { .. }) => {
            Words::of(Role::Waiting, format!("▲ {}", say::NO_SIDECAR_YET))
        }
        (false, _) if matches!(of.sidecar, SidecarState::AfterRestart) => {
            Words::of(Role::Waiting, format!("▲ {}", say::SIDECAR_AT_RESTART))
        }
        (false, Some(port)) => Words::plain(say::plaintext_on(port)),
        (false, None) => Words::muted(say::NOT_SCRAPED),
    }
}

/// The sidecar in a sentence.
pub fn sidecar(of: &SidecarState) -> String {
    match of {
        SidecarState::Injected { versions, revision } => {
            let versions = versions.join(", ");
            match revision.as_str() {
                "" | "default" => versions,
                revision => say::of_revision(&versions, revision),
            }
        }
        SidecarState::Partly { with, without } => say::sidecars_partly(*with, with + without),
        SidecarState::Switchable { .. } => say::SIDECAR_BY_LABEL.into(),
        SidecarState::AfterRestart => say::SIDECAR_AFTER_RESTART.into(),
        SidecarState::Impossible => say::SIDECAR_IMPOSSIBLE.into(),
    }
}

/// Versions of a gateway's proxies.
pub fn proxy(of: &Workload) -> String {
    let mut versions: Vec<&str> = of.pods.iter().filter_map(|p| p.proxy.as_deref()).collect();
    versions.sort_unstable();
    versions.dedup();
    match versions.is_empty() {
        true => say::NO_POD_RUNS.into(),
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
                Progress::Denied(_) | Progress::DeniedIn { .. } => {
                    let what = crate::words::progress(progress).unwrap_or_default();
                    Some(format!("▲ {}", say::no_permission(&what)))
                }
                Progress::Failed(why) => Some(format!("✕ {}", say::r_asks_again(&why.to_string()))),
                Progress::Absent => Some(format!("– {}", say::cluster_has_no(of.name()))),
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
            let about = count(about.max(seen));
            format!(" {}", say::seen_of_about(&count(seen), &about, what.name()))
        }
        _ if seen > 0 => format!(" {}", say::seen_so_far(&count(seen), what.name())),
        _ => String::new(),
    };
    let words = Words::of(Role::Accent, paint.spinner().to_string())
        .and(Role::Muted, format!(" {}{figures}", say::ASKING_API));
    paint.line(area.x, y, area.width, &words);
}

/// An empty list says why it is empty.
pub fn empty(paint: &mut Paint, places: &Places, filter: &str, nothing: &str) {
    let text = if filter.is_empty() {
        nothing.to_owned()
    } else {
        say::nothing_matches(filter)
    };
    let area = places.list;
    for (line, y) in words::wrap(&super::paint::safe(&text), usize::from(area.width))
        .iter()
        .zip(area.top()..area.bottom())
    {
        paint.text(area.x, y, area.width, Role::Muted, line);
    }
}
