//! Checks of what a policy as a whole governs: its name, namespace, pods, accounts and servers.

use reeve_crds::v1alpha1::{LabelSelector, LabelSelectorOperator, Policy};

use super::problems::Problems;
use crate::glob::{Dialect, Pattern};

/// Notes everything wrong with what a policy governs.
pub(super) fn check(policy: &Policy, problems: &mut Problems) {
    name("/metadata/name", &policy.metadata().name, problems);
    match policy {
        Policy::McpPolicy(object) => {
            if let Some(namespace) = &object.metadata.namespace {
                name("/metadata/namespace", namespace, problems);
            }
            selector("/spec/podSelector", &object.spec.pod_selector, problems);
            if object.spec.server_refs.is_empty() {
                problems
                    .error("/spec/serverRefs", "name at least one McpServer, or `*` for every one of the namespace");
            }
            for (number, account) in object.spec.service_accounts.iter().flatten().enumerate() {
                if account.contains('/') {
                    let message = format!(
                        "`{account}` is not the name of a ServiceAccount: those of this namespace are meant, so leave the namespace out"
                    );
                    problems.error(format!("/spec/serviceAccounts/{number}"), message);
                }
            }
        }
        Policy::ClusterMcpPolicy(object) => {
            selector("/spec/namespaceSelector", &object.spec.namespace_selector, problems);
            selector("/spec/podSelector", &object.spec.pod_selector, problems);
            for (number, account) in object.spec.service_accounts.iter().flatten().enumerate() {
                cluster_account(number, account, problems);
            }
            for (number, url) in object.spec.server_urls.iter().flatten().enumerate() {
                problems.take(&format!("/spec/serverURLs/{number}"), Pattern::parse(url, Dialect::Uri));
            }
        }
    }
}

/// Names stand in rule pointers, where `#` and `/` have a meaning.
fn name(pointer: &str, name: &str, problems: &mut Problems) {
    let accepted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if name.is_empty() || !name.chars().all(accepted) {
        problems.error(pointer, "a name has letters, digits, `-`, `_` and `.`, and at least one of them");
    }
}

fn cluster_account(number: usize, account: &str, problems: &mut Problems) {
    let well_formed = account
        .split_once('/')
        .is_some_and(|(namespace, name)| !namespace.is_empty() && !name.is_empty() && !name.contains('/'));
    if !well_formed {
        let message = format!("`{account}` is not a ServiceAccount: write namespace/name");
        problems.error(format!("/spec/serviceAccounts/{number}"), message);
    }
}

fn selector(pointer: &str, selector: &LabelSelector, problems: &mut Problems) {
    for (number, condition) in selector.match_expressions.iter().enumerate() {
        let pointer = format!("{pointer}/matchExpressions/{number}/values");
        match condition.operator {
            LabelSelectorOperator::In | LabelSelectorOperator::NotIn if condition.values.is_empty() => {
                problems.error(pointer, "In and NotIn need at least one value");
            }
            LabelSelectorOperator::Exists | LabelSelectorOperator::DoesNotExist if !condition.values.is_empty() => {
                problems.error(pointer, "Exists and DoesNotExist take no values");
            }
            _ => {}
        }
    }
}
