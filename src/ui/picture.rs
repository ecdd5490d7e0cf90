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
pub const WIDTH: u16 = 74;
pub const HEIGHT: u16 = 8;

/// Eight lines, at least [`WIDTH`] columns wide.
pub fn picture(of: &Traffic) -> Vec<Words> {
    const LEFT: usize = 12;
    const WIRE: usize = 27;
    const RIGHT: usize = 31;
    let name = super::words::middle(of.prometheus, LEFT - 2).into_owned();
    let pod = match of.workload {
        Some(workload) => format!("a pod of {}", super::words::middle(workload, RIGHT - 9)),
        None => "a chosen pod".to_owned(),
    };
    let (port, what) = match of.port {
        MetricsPort::Merged => (":15020", "Envoy, agent, app"),
        MetricsPort::Envoy => (":15090", "Envoy only"),
    };
    let inside = format!(" :15091 Envoy ──▶ {port}");
    let pad = |text: &str, to: usize| format!("{text:<to$}");
    let blank = " ".repeat(LEFT + 2);
    let left = |text: &str| Words::of(Role::Muted, text.to_owned());
    let mut lines = vec![
        Words::strong(pad(" Prometheus", LEFT + 2))
            .and(Role::Plain, " ".repeat(WIRE + 1))
            .and(Role::Strong, pod),
        left(&format!("┌{}┐", "─".repeat(LEFT)))
            .and(
                Role::Good,
                format!("{:^WIRE$} ", "mTLS, its own certificate"),
            )
            .and(Role::Muted, format!("┌{}┐", "─".repeat(RIGHT))),
        left("│")
            .and(Role::Plain, format!("{name:^LEFT$}"))
            .and(Role::Muted, "│")
            .and(Role::Good, format!(" {}▶", "─".repeat(WIRE - 2)))
            .and(Role::Plain, " ")
            .and(Role::Muted, "│")
            .and(Role::Plain, pad(&inside, RIGHT))
            .and(Role::Muted, "│"),
        left(&format!("└{}┘", "─".repeat(LEFT)))
            .and(Role::Plain, " ".repeat(WIRE + 1))
            .and(Role::Muted, "│")
            .and(Role::Plain, pad(&format!("{:18}{what}", ""), RIGHT))
            .and(Role::Muted, "│"),
        Words::plain(&blank)
            .and(Role::Plain, " ".repeat(WIRE + 1))
            .and(Role::Muted, format!("└{}┘", "─".repeat(RIGHT))),
    ];
    let (wire, end) = if of.jobs_stopped {
        ("╌ ╌ ╌ ╌ ╌ ╌ ╌ ✕", "● old jobs leave the pod out")
    } else {
        ("╌ ╌ ╌ ╌ ╌ ╌ ╌ ▶", "▲ old jobs go on: scraped twice")
    };
    let role = if of.jobs_stopped {
        Role::Good
    } else {
        Role::Waiting
    };
    lines.push(
        Words::plain(&blank)
            .and(Role::Muted, format!(" {:<12}{wire:<15}", "plaintext"))
            .and(Role::Plain, " ")
            .and(role, end),
    );
    lines.push(
        Words::plain(" ".repeat(LEFT + WIRE + 3)).and(Role::Good, "✕ :15091 refuses plaintext"),
    );
    lines.push(Words::plain(" ".repeat(LEFT + WIRE + 3)).and(
        Role::Waiting,
        format!("▲ {port} itself still answers anyone"),
    ));
    lines
}

/// How long the mark lasts, in one line below the picture.
pub fn mark(lasting: bool) -> (Role, &'static str) {
    if lasting {
        (
            Role::Good,
            "● marked on the pod template: new pods are scraped too",
        )
    } else {
        (
            Role::Waiting,
            "▲ marked on the running pods: a new pod is not scraped over mTLS",
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
        insta::assert_snapshot!(text(&TRAFFIC), @"");
        let other = text(&Traffic {
            port: MetricsPort::Envoy,
            jobs_stopped: false,
            ..TRAFFIC
        });
        assert!(other.contains(":15091 Envoy ──▶ :15090"));
        assert!(other.contains("old jobs go on: scraped twice"));
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
