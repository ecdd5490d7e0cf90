//! What a rollout meets, and why one stands still.

use crate::problems::Problem;

pub(super) fn sentence(of: &Problem) -> Option<String> {
    use Problem as P;
    let subject = of.of();
    let (kind, name) = (&subject.kind, &subject.name);
    let said = |what: String, said: &str| match said {
        "" => format!("{what}."),
        said => format!("{what}: {said}"),
    };
    Some(match of {
        P::RolloutPaused { .. } => {
            "The Deployment is paused: the change is written, but its pods keep the old template until it is resumed.".into()
        }
        P::RolloutOnDelete { .. } => format!(
            "The {kind} has update strategy OnDelete: each pod keeps the old template until you delete it."
        ),
        P::RolloutPartition {
            partition, stay, ..
        } => {
            let which = match stay {
                1 => format!("pod {name}-0 keeps"),
                n => format!("pods {name}-0 to {name}-{} keep", n - 1),
            };
            format!(
                "The StatefulSet has partition {partition}: {which} the old template until it is lowered."
            )
        }
        P::QuotaTooSmall {
            quota,
            resource,
            used,
            hard,
            needs,
            old_stay,
            ..
        } => {
            let then = match old_stay {
                true => "New pods are rejected and the rollout stops; old pods keep serving.",
                false => "New pods are rejected after old pods were already removed.",
            };
            format!(
                "ResourceQuota {quota} leaves too little room ({resource}: {used} of {hard} used, {needs} more needed). {then}"
            )
        }
        P::BudgetNotAsked {
            budget, away, pods, ..
        } => {
            let away = match (away, pods) {
                (away, pods) if away == pods && *pods > 1 => format!("all {pods} of its pods stop at once"),
                (_, 1) => "its only pod stops before the new one is ready".to_owned(),
                (1, pods) => format!("1 of its {pods} pods is unavailable at a time"),
                (away, pods) => format!("up to {away} of its {pods} pods are unavailable at a time"),
            };
            format!(
                "PodDisruptionBudget {budget} allows no disruption now, but it does not limit rollouts, only evictions: {away}."
            )
        }
        P::QuotaUsedUp { said: words, .. } => said(
            format!("A ResourceQuota of namespace {} is used up", subject.namespace),
            words,
        ),
        P::PodSecurityForbids { said: words, .. } => said(
            format!("Pod Security of namespace {} forbids the new pods", subject.namespace),
            words,
        ),
        P::PodsRefused { said: words, .. } => {
            said("The API server refuses the new pods".into(), words)
        }
        P::NoNode { said: words, .. } => said(format!("No node can run pod {name}"), words),
        P::ImageNotPulled {
            image,
            container,
            reason,
            said: words,
            ..
        } => said(
            format!("The image {image} of container {container} in pod {name} cannot be pulled ({reason})"),
            words,
        ),
        P::ContainerCrashes {
            container,
            restarts,
            said: words,
            ..
        } => said(
            format!("Container {container} in pod {name} keeps crashing (restarts: {restarts})"),
            words,
        ),
        P::ContainerNotStarted {
            container,
            reason,
            said: words,
            ..
        } => said(
            format!("Container {container} in pod {name} cannot be started ({reason})"),
            words,
        ),
        P::ContainerNotReady { container, .. } => format!(
            "Container {container} in pod {name} runs, but is not ready: its readiness probe fails."
        ),
        P::NoSidecarAdded { .. } => format!(
            "New pods of {subject} would have no sidecar: admission adds no istio-proxy to its new template."
        ),
        P::PortLeadsNowhere { serves: 0, .. } => format!(
            "Port 15091 would lead nowhere: the agent in new pods of {subject} serves no metrics (status port 0)."
        ),
        P::PortLeadsNowhere { serves, .. } => format!(
            "Port 15091 would lead nowhere: the agent in new pods of {subject} serves on {serves}, not on the port \
             that 15091 leads to."
        ),
        P::PortNeverReached { setting, .. } => format!(
            "Port 15091 would never be reached: the sidecar in new pods of {subject} does not capture it ({setting})."
        ),
        P::PodsNotChecked { why, denied, .. } => match denied {
            true => format!(
                "New pods of {subject} could not be checked against admission: no permission to dry-run a pod in \
                 {}: {why}",
                subject.namespace
            ),
            false => format!("New pods of {subject} could not be checked against admission: {why}"),
        },
        P::QuotaRefusesOneMore { said, .. } => format!(
            "A quota refuses one more pod of {subject}, which this rollout does not begin with: {said}"
        ),
        P::PodsRefusedAnyway { said, .. } => format!(
            "The cluster rejects new pods of both the current and the restored template of {subject}, so missing pods \
             are not replaced until this is fixed: {said}"
        ),
        P::SidecarNotChecked { namespace, .. } => format!(
            "The sidecar of {subject} can be checked only after the namespace {namespace} has the label."
        ),
        _ => return None,
    })
}

pub(super) fn label(of: &Problem) -> Option<&'static str> {
    use Problem as P;
    Some(match of {
        P::NoSidecarAdded { .. } => "no sidecar",
        P::PortLeadsNowhere { .. } | P::PortNeverReached { .. } => "port 15091",
        P::PodsNotChecked { .. } | P::SidecarNotChecked { .. } => "not checked",
        P::QuotaRefusesOneMore { .. } => "quota",
        P::PodsRefusedAnyway { .. } => "pods refused",
        _ => return None,
    })
}

pub(super) fn to_do(of: &Problem) -> Option<&'static str> {
    use Problem as P;
    match of {
        P::BudgetNotAsked { .. } => Some("Skip this workload if it must stay available."),
        P::PodSecurityForbids { .. } => Some(
            "Run Istio with its CNI plugin, so that the sidecar needs no such rights; or change the namespace's \
             pod-security.kubernetes.io/enforce label.",
        ),
        P::NoSidecarAdded { .. } => Some(
            "Check policy, neverInjectSelector and alwaysInjectSelector in Istio's ConfigMap istio-sidecar-injector \
             (with -REVISION, where there are revisions), and the webhook's selectors.",
        ),
        P::PortLeadsNowhere { serves: 0, .. } => {
            Some("Use --port 15090 for it, or give the agent its port 15020 back.")
        }
        P::PortLeadsNowhere { .. } => Some("Plan again, or use --port 15090 for it."),
        P::PortNeverReached { .. } => {
            Some("Correct the annotation, or the injector's value that sets it.")
        }
        P::ImageNotPulled { .. } => {
            Some("Check the image's name, its registry and the pull secret.")
        }
        _ => None,
    }
}
