//! What the cluster has, compared with whom a policy selects: warnings only, as what is missing may come later.

use reeve_crds::v1alpha1::{ClusterMcpPolicySpec, McpPolicySpec, Mode, Object, Policy};

use super::Findings;
use super::around::Around;

/// Warns of an McpPolicy that selects nothing, or more than it may seem to.
pub(super) fn namespaced(policy: &Policy, object: &Object<McpPolicySpec>, around: &Around, findings: &mut Findings) {
    let spec = &object.spec;
    let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
    audit(spec.mode, findings);
    if spec.pod_selector.is_empty() && spec.service_accounts.is_none() {
        findings.warn("spec.podSelector", format!("empty, so the policy governs every pod of namespace {namespace}"));
    }
    let selected: Vec<_> = around.selected(policy).collect();
    if selected.is_empty() {
        findings.warn("spec.podSelector", format!("matches no pod of namespace {namespace} now"));
    } else if !selected.iter().any(|(pod, _)| around.is_governed(pod)) {
        let message = format!(
            "matches {} of namespace {namespace}, none with a sidecar: label the namespace reeve.dev/inject: enabled, and restart them",
            pods(selected.iter().map(|(_, count)| count).sum())
        );
        findings.warn("spec.podSelector", message);
    }
    servers(spec, namespace, around, findings);
}

fn servers(spec: &McpPolicySpec, namespace: &str, around: &Around, findings: &mut Findings) {
    let declared: Vec<_> = around.servers.iter().map(|name| &**name).collect();
    for (number, server) in spec.server_refs.iter().enumerate() {
        let field = format!("spec.serverRefs[{number}].name");
        if server.name == "*" && declared.is_empty() {
            findings.warn(&field, format!("namespace {namespace} has no McpServer now"));
        } else if server.name != "*" && !declared.contains(&server.name.as_str()) {
            let there = match declared.as_slice() {
                [] => "it has none".to_owned(),
                few if few.len() <= 5 => format!("it has {}", few.join(", ")),
                many => format!("it has {} and {} more", many[..5].join(", "), many.len() - 5),
            };
            findings.warn(&field, format!("namespace {namespace} has no McpServer {:?} now: {there}", server.name));
        }
    }
}

/// Warns of a ClusterMcpPolicy that selects nothing, or more than it may seem to.
pub(super) fn cluster_wide(
    policy: &Policy,
    object: &Object<ClusterMcpPolicySpec>,
    around: &Around,
    findings: &mut Findings,
) {
    let spec = &object.spec;
    audit(spec.mode, findings);
    if spec.namespace_selector.is_empty()
        && spec.pod_selector.is_empty()
        && spec.service_accounts.is_none()
        && spec.server_urls.is_none()
    {
        findings.warn("spec", "no selector, so the policy governs every pod with a sidecar of the whole cluster");
        return;
    }
    if around.selected(policy).next().is_none() {
        findings.warn("spec", "the selectors match no pod of the cluster now");
    }
}

fn audit(mode: Mode, findings: &mut Findings) {
    if mode == Mode::Audit {
        findings.warn("spec.mode", "Audit: the policy records what it would do, and refuses nothing");
    }
}

fn pods(count: usize) -> String {
    if count == 1 { "1 pod".into() } else { format!("{count} pods") }
}
