//! The traffic between Prometheus and a pod, as the present choices make it.

use super::paint::Words;
use super::theme::Role;
use crate::answers::MetricsPort;

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
        Some(workload) => format!("a pod of {}", super::words::middle(workload, RIGHT - 9)),
        None => "a chosen pod".to_owned(),
    };
    let (port, what) = match of.port {
        MetricsPort::Merged => (":15020", "Envoy, agent, app"),
        MetricsPort::Envoy => (":15090", "Envoy only"),
    };
    let gap = " ".repeat(WIRE + 1);
    let under = " ".repeat(LEFT + WIRE + 3);
    let (wire, end, role) = if of.jobs_stopped {
        ("╌ ╌ ╌ ╌ ╌ ✕", "✓ plaintext jobs skip the pod", Role::Good)
    } else {
        (
            "╌ ╌ ╌ ╌ ╌ ▶",
            "▲ plaintext jobs stay: scraped twice",
            Role::Waiting,
        )
    };
    vec![
        Words::strong(format!("{:<1$}", " Prometheus in", LEFT + 2))
            .and(Role::Plain, &gap)
            .and(Role::Strong, pod),
        Words::muted(format!("┌{}┐", "─".repeat(LEFT)))
            .and(
                Role::Good,
                format!("{:^WIRE$} ", "mTLS, its own certificate"),
            )
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
            .and(Role::Muted, format!(" {:<12}{wire:<12} ", "plaintext"))
            .and(role, end),
        Words::plain(&under).and(Role::Good, "✓ :15091 refuses plaintext"),
        Words::plain(&under).and(Role::Waiting, format!("▲ {port} still answers anyone")),
    ]
}

/// How long the mark lasts, in one line below the picture.
pub fn mark(lasting: bool) -> (Role, &'static str) {
    if lasting {
        (
            Role::Good,
            "✓ pod template annotated: new pods are scraped too",
        )
    } else {
        (
            Role::Waiting,
            "▲ running pods annotated: new pods are not scraped over mTLS",
        )
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
        insta::assert_snapshot!(text(&TRAFFIC), @r"
         Prometheus in                              a pod of httpbin
        ┌────────────────┐mTLS, its own certificate ┌───────────────────────────┐
        │   monitoring   │ ───────────────────────▶ │ :15091 Envoy ──▶ :15020   │
        └────────────────┘                          │         Envoy, agent, app │
                                                    └───────────────────────────┘
                           plaintext   ╌ ╌ ╌ ╌ ╌ ✕  ✓ plaintext jobs skip the pod
                                                    ✓ :15091 refuses plaintext
                                                    ▲ :15020 still answers anyone
        ");
        let other = text(&Traffic {
            port: MetricsPort::Envoy,
            jobs_stopped: false,
            ..TRAFFIC
        });
        assert!(other.contains(":15091 Envoy ──▶ :15090"));
        assert!(other.contains("plaintext jobs stay: scraped twice"));
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
