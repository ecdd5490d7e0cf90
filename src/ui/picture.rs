//! The traffic between Prometheus and a pod, as the present choices make it.

use super::paint::Words;
use super::theme::Role;
use crate::answers::MetricsPort;
use crate::words::say::ui as say;

/// What the picture is drawn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic<'a> {
    /// Namespace of the Prometheus.
    pub prometheus: &'a str,
    /// The pod's workload; `None`: the chosen pods in general.
    pub workload: Option<&'a str>,
    pub port: MetricsPort,
    /// The old plaintext jobs leave secured pods out.
    pub jobs_stopped: bool,
    /// The annotation stands on the template (lasting) or on running pods.
    pub lasting: bool,
}

/// The least width that the picture needs.
pub const WIDTH: u16 = 75;
pub const HEIGHT: u16 = 8;

/// Eight lines, at most [`WIDTH`] columns wide.
pub fn picture(of: &Traffic) -> Vec<Words> {
    const LEFT: usize = 16;
    const WIRE: usize = 25;
    const RIGHT: usize = 27;
    let name = super::words::middle(of.prometheus, LEFT - 2).into_owned();
    let pod = match of.workload {
        Some(workload) => say::pod_of(&super::words::middle(workload, RIGHT - 9)),
        None => say::CHOSEN_POD.to_owned(),
    };
    let (port, what) = match of.port {
        MetricsPort::Merged => (":15020", say::ENVOY_AGENT_APP),
        MetricsPort::Envoy => (":15090", say::ENVOY_ONLY),
    };
    let gap = " ".repeat(WIRE + 1);
    let under = " ".repeat(LEFT + WIRE + 3);
    let (wire, end, role) = if of.jobs_stopped {
        ("╌ ╌ ╌ ╌ ╌ ✕", format!("✓ {}", say::JOBS_SKIP), Role::Good)
    } else {
        (
            "╌ ╌ ╌ ╌ ╌ ▶",
            format!("▲ {}", say::JOBS_STAY),
            Role::Waiting,
        )
    };
    vec![
        Words::strong(format!(" {:<1$}", say::PROMETHEUS_IN, LEFT + 1))
            .and(Role::Plain, &gap)
            .and(Role::Strong, pod),
        Words::muted(format!("┌{}┐", "─".repeat(LEFT)))
            .and(Role::Good, format!("{:^WIRE$} ", say::OWN_CERTIFICATE))
            .and(Role::Muted, format!("┌{}┐", "─".repeat(RIGHT))),
        Words::muted("│")
            .and(Role::Plain, format!("{name:^LEFT$}"))
            .and(Role::Muted, "│")
            .and(Role::Good, format!(" {}▶ ", "─".repeat(WIRE - 2)))
            .and(Role::Muted, "│")
            .and(
                Role::Plain,
                format!("{:<RIGHT$}", format!(" :15091 Envoy ──▶ {port}")),
            )
            .and(Role::Muted, "│"),
        Words::muted(format!("└{}┘", "─".repeat(LEFT)))
            .and(Role::Plain, &gap)
            .and(Role::Muted, "│")
            .and(Role::Plain, format!("{what:>0$} ", RIGHT - 1))
            .and(Role::Muted, "│"),
        Words::plain(&under[..LEFT + 2])
            .and(Role::Plain, &gap)
            .and(Role::Muted, format!("└{}┘", "─".repeat(RIGHT))),
        Words::plain(&under[..LEFT + 2])
            .and(Role::Muted, format!(" {:<12}{wire:<12} ", say::PLAINTEXT))
            .and(role, end),
        Words::plain(&under).and(Role::Good, format!("✓ {}", say::REFUSES_PLAINTEXT)),
        Words::plain(&under).and(Role::Waiting, format!("▲ {}", say::still_answers(port))),
    ]
}

/// How long the mark lasts, in one line below the picture.
pub fn mark(lasting: bool) -> (Role, String) {
    if lasting {
        (Role::Good, format!("✓ {}", say::TEMPLATE_ANNOTATED))
    } else {
        (Role::Waiting, format!("▲ {}", say::PODS_ANNOTATED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: &Traffic) -> String {
        picture(of)
            .iter()
            .map(|line| line.0.iter().map(|(_, text)| text.as_str()).collect())
            .collect::<Vec<String>>()
            .join("\n")
    }

    const TRAFFIC: Traffic = Traffic {
        prometheus: "monitoring",
        workload: Some("httpbin"),
        port: MetricsPort::Merged,
        jobs_stopped: true,
        lasting: true,
    };

    #[test]
    fn the_picture_follows_the_choices() {
        let one = text(&TRAFFIC);
        for part in [
            "monitoring",
            &say::pod_of("httpbin"),
            ":15091 Envoy ──▶ :15020",
            say::ENVOY_AGENT_APP,
            &format!("╌ ✕  ✓ {}", say::JOBS_SKIP),
            &say::still_answers(":15020"),
        ] {
            assert!(one.contains(part), "{part} is not in\n{one}");
        }
        let other = text(&Traffic {
            port: MetricsPort::Envoy,
            jobs_stopped: false,
            ..TRAFFIC
        });
        assert!(other.contains(":15091 Envoy ──▶ :15090"));
        assert!(other.contains(&format!("╌ ▶  ▲ {}", say::JOBS_STAY)));
        assert!(!other.contains(":15020"));
    }

    #[test]
    fn every_line_fits_whatever_the_names() {
        let long = "a-very-long-workload-name-with-more-than-forty-characters";
        for line in picture(&Traffic {
            prometheus: long,
            workload: Some(long),
            ..TRAFFIC
        }) {
            assert!(line.width() <= usize::from(WIDTH), "{line:?}");
        }
    }
}
