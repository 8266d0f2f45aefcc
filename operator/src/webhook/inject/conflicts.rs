//! What in a pod would let another container be the sidecar, take its place or see into it.
//!
//! Looks at what is left once the reserved names are gone.

use reeve_wire::AUDIENCE;
use reeve_wire::pod::{ADMIN_PORT, AGENT_PORT, INSPECT_PORT, RESERVED_PREFIX, UID};
use serde_json::Value;

use super::{Context, Platform, RefusalReason, Refused, pod};

/// Looks for conflicts; gives warnings.
///
/// # Errors
/// The first conflict that nothing can settle.
pub(super) fn check(pod: &Value, context: &Context<'_>) -> Result<Vec<String>, Refused> {
    if pod::list(pod::spec(pod), "containers").is_empty() {
        let message = format!(
            "the pod has no container but under names that begin with {RESERVED_PREFIX}, which are reserved: rename them"
        );
        return Err(Refused { reason: RefusalReason::ReservedNames, message });
    }
    users(pod, context)?;
    ports(pod)?;
    tokens(pod)?;
    processes(pod, context)
}

/// A container with the sidecar's user could signal it and read its memory and files.
fn users(pod: &Value, context: &Context<'_>) -> Result<(), Refused> {
    if context.settings.platform == Platform::OpenShift {
        return Ok(());
    }
    let runs_as = |of: &Value| pod::at(of, "/securityContext/runAsUser").and_then(Value::as_i64) == Some(UID);
    let container = || pod::containers(pod).find(|container| runs_as(container));
    let place = if runs_as(pod::spec(pod)) {
        "spec.securityContext.runAsUser".to_owned()
    } else if let Some(container) = container() {
        format!("container {}: securityContext.runAsUser", pod::name(container))
    } else {
        return Ok(());
    };
    let message =
        format!("{place} is {UID}, the user that the sidecar runs as and no other container may: choose another");
    Err(Refused { reason: RefusalReason::UserTaken, message })
}

/// All containers of a pod have one network: whoever listens first has the port.
fn ports(pod: &Value) -> Result<(), Refused> {
    const OURS: [u16; 3] = [AGENT_PORT, ADMIN_PORT, INSPECT_PORT];
    for container in pod::containers(pod) {
        for declared in pod::list(container, "ports") {
            let number = declared.get("containerPort").and_then(Value::as_u64);
            if let Some(port) = OURS.into_iter().find(|ours| number == Some(u64::from(*ours))) {
                let message = format!(
                    "container {}: port {port} is the sidecar's ({AGENT_PORT}, {ADMIN_PORT} and {INSPECT_PORT} are): choose another",
                    pod::name(container)
                );
                return Err(Refused { reason: RefusalReason::PortTaken, message });
            }
        }
    }
    Ok(())
}

/// Whoever has a token of the sidecar's audience can ask the operator for the sidecar's configuration, and acknowledge it.
fn tokens(pod: &Value) -> Result<(), Refused> {
    for volume in pod::list(pod::spec(pod), "volumes") {
        let is_ours = |source: &Value| pod::text(source, "/serviceAccountToken/audience") == Some(AUDIENCE);
        if pod::projected(volume).iter().any(is_ours) {
            let message = format!(
                "volume {} has a token for {AUDIENCE}, by which only the sidecar may identify itself: remove it, or change its audience",
                pod::name(volume)
            );
            return Err(Refused { reason: RefusalReason::TokenAudience, message });
        }
    }
    Ok(())
}

/// Whoever sees the sidecar's process may read its files through it.
fn processes(pod: &Value, context: &Context<'_>) -> Result<Vec<String>, Refused> {
    let mut warnings = Vec::new();
    for (pointer, field, what) in [
        ("/spec/hostPID", "spec.hostPID", "the node's processes"),
        ("/spec/shareProcessNamespace", "spec.shareProcessNamespace", "the sidecar's process"),
    ] {
        if !pod::is_on(pod, pointer) {
            continue;
        }
        if context.is_required() {
            let message = format!(
                "{field}: the agent would see {what}, and the namespace {} requires that it does not: leave it out",
                context.namespace
            );
            return Err(Refused { reason: RefusalReason::Isolation, message });
        }
        warnings.push(format!("{field}: the agent sees {what}, and as root can read the servers' credentials there"));
    }
    Ok(warnings)
}
