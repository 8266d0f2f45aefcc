//! Whether a pod gets a sidecar at all.

use reeve_wire::pod::{INJECT_LABEL, Inject, is_expected};
use serde_json::Value;

use super::{Context, RefusalReason, Refused, SkipReason, Skipped, pod};

/// The annotation by which the API server holds a copy of a pod that a node runs by itself.
const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";

/// Why a pod is left as it is, if it is.
///
/// # Errors
/// It cannot have a sidecar, and its namespace requires one.
pub(super) fn check(pod: &Value, context: &Context<'_>) -> Result<Option<Skipped>, Refused> {
    let label = pod::label(pod, INJECT_LABEL);
    if !is_expected(context.namespace_label, label) {
        return Ok(Some(unasked(label, context)));
    }
    if pod::annotation(pod, MIRROR_ANNOTATION).is_some() {
        let message = "the pod mirrors a static pod of a node, which runs as the node's files say: it has no sidecar";
        return Ok(Some(Skipped { reason: SkipReason::MirrorPod, message: message.into() }));
    }
    if pod::is_on(pod, "/spec/hostNetwork") {
        return skip_unless_required(
            context,
            (SkipReason::HostNetwork, RefusalReason::Isolation),
            "the pod uses the node's network (spec.hostNetwork), where a sidecar's ports would be open to the whole node",
            "leave hostNetwork out, or run the pod in another namespace",
        );
    }
    let node_system = pod::at(pod, "/spec/nodeSelector").and_then(|selector| selector.get("kubernetes.io/os"));
    let systems = [pod::text(pod, "/spec/os/name"), node_system.and_then(Value::as_str)];
    if systems.contains(&Some("windows")) {
        return skip_unless_required(
            context,
            (SkipReason::Windows, RefusalReason::Unsupported),
            "the pod runs on Windows, for which there is no sidecar",
            "run the pod in another namespace",
        );
    }
    Ok(None)
}

fn unasked(label: Option<&str>, context: &Context<'_>) -> Skipped {
    if Inject::of_pod(label) == Some(Inject::Declined) {
        let message = format!("the pod declines a sidecar by its label {INJECT_LABEL}: \"false\"");
        return Skipped { reason: SkipReason::OptedOut, message };
    }
    let message = format!(
        "neither the namespace {} ({INJECT_LABEL}: enabled or required) nor the pod ({INJECT_LABEL}: \"true\") asks for a sidecar",
        context.namespace
    );
    Skipped { reason: SkipReason::NotSelected, message }
}

fn skip_unless_required(
    context: &Context<'_>,
    (skip, refusal): (SkipReason, RefusalReason),
    why: &str,
    remedy: &str,
) -> Result<Option<Skipped>, Refused> {
    if context.is_required() {
        let message =
            format!("{why}, and the namespace {} requires a sidecar in every pod: {remedy}", context.namespace);
        return Err(Refused { reason: refusal, message });
    }
    Ok(Some(Skipped { reason: skip, message: format!("{why}: it has no sidecar, and its calls are not governed") }))
}
