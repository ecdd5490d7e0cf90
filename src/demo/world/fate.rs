//! What becomes of a pod's containers, and how the kubelet tells it.

use serde_json::Value;

use super::pods::PodRun;
use crate::demo::json::{text, uid};

/// Of the app and its registry, which no rule of Kubernetes decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    #[default]
    Well,
    /// They run, and their readiness probe fails.
    Unready,
    /// They end as soon as they have started.
    Crash,
    /// The registry no longer has their image.
    NoImage,
}

impl Fate {
    /// The app's containers are waiting for it: reason and message as the kubelet writes them.
    pub fn waits(
        self,
        pod: &Value,
        container: &Value,
        run: &PodRun,
    ) -> Option<(&'static str, String)> {
        let trouble = run.waiting.is_some() && text(container, "/name") != "istio-proxy";
        let image = text(container, "/image");
        match self {
            Fate::NoImage if trouble => Some((
                "ImagePullBackOff",
                format!("Back-off pulling image {image:?}"),
            )),
            Fate::Crash if trouble => Some((
                "CrashLoopBackOff",
                format!(
                    "back-off {}s restarting failed container={} pod={}_{}({})",
                    run.back_off().as_secs(),
                    text(container, "/name"),
                    run.name,
                    run.namespace,
                    uid(pod)
                ),
            )),
            _ => None,
        }
    }
}
