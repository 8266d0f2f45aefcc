//! Checks of what a policy as a whole governs: its name, namespace, pods, accounts and servers.

use reeve_crds::v1alpha1::{LabelSelector, LabelSelectorOperator, Policy, ServerRef};

use super::problems::Problems;
use crate::glob::{Dialect, Pattern};

const OF_THE_NAMESPACE: &str =
    "a ServiceAccount of this namespace is named without the namespace, in lower-case letters, digits, `-` and `.`";
const WITH_NAMESPACES: &str = "a ServiceAccount is written namespace/name, in lower-case letters, digits, `-` and `.`";

/// Notes everything wrong with what a policy governs.
pub(super) fn check(policy: &Policy, problems: &mut Problems) {
    name("/metadata/name", &policy.metadata().name, problems);
    match policy {
        Policy::McpPolicy(object) => {
            if let Some(namespace) = &object.metadata.namespace {
                name("/metadata/namespace", namespace, problems);
            }
            selector("/spec/podSelector", &object.spec.pod_selector, problems);
            accounts(object.spec.service_accounts.as_deref(), is_name, OF_THE_NAMESPACE, problems);
            server_refs(&object.spec.server_refs, problems);
        }
        Policy::ClusterMcpPolicy(object) => {
            selector("/spec/namespaceSelector", &object.spec.namespace_selector, problems);
            selector("/spec/podSelector", &object.spec.pod_selector, problems);
            accounts(object.spec.service_accounts.as_deref(), is_account, WITH_NAMESPACES, problems);
            let urls = object.spec.server_urls.as_deref();
            if urls.is_some_and(<[String]>::is_empty) {
                problems.error("/spec/serverURLs", "name at least one URL, or leave this out for every server");
            }
            for (number, url) in urls.into_iter().flatten().enumerate() {
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

fn accounts(accounts: Option<&[String]>, is_sound: fn(&str) -> bool, advice: &str, problems: &mut Problems) {
    if accounts.is_some_and(<[String]>::is_empty) {
        problems.error("/spec/serviceAccounts", "name at least one ServiceAccount, or leave this out for all of them");
    }
    for (number, _) in accounts.into_iter().flatten().enumerate().filter(|(_, account)| !is_sound(account)) {
        problems.error(format!("/spec/serviceAccounts/{number}"), advice);
    }
}

fn server_refs(servers: &[ServerRef], problems: &mut Problems) {
    if servers.is_empty() {
        problems.error("/spec/serverRefs", "name at least one McpServer, or `*` for every one of the namespace");
    }
    for (number, _) in servers.iter().enumerate().filter(|(_, server)| !is_server_ref(server)) {
        let message = "an McpServer's name has lower-case letters, digits, `-` and `.`; `*` alone is every server of the \
                       namespace";
        problems.error(format!("/spec/serverRefs/{number}/name"), message);
    }
}

/// Whether a text can be the name of an object of Kubernetes, such as a ServiceAccount: a DNS subdomain (RFC 1123).
pub(super) fn is_name(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 253
        && ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.chars().all(|c| ends(Some(c)) || matches!(c, '-' | '.'))
}

/// Whether a text can name a ServiceAccount of any namespace.
pub(super) fn is_account(text: &str) -> bool {
    let parts = text.split_once('/');
    parts.is_some_and(|(namespace, name)| is_name(namespace) && !namespace.contains('.') && is_name(name))
}

/// Whether a reference can be one to a server, or to all.
pub(super) fn is_server_ref(server: &ServerRef) -> bool {
    server.name == "*" || is_name(&server.name)
}

fn selector(pointer: &str, selector: &LabelSelector, problems: &mut Problems) {
    for (place, message) in selector_faults(selector) {
        problems.error(format!("{pointer}{place}"), message);
    }
}

/// What makes a selector one that says nothing of any object: where in it, as a JSON pointer, and in words.
pub(super) fn selector_faults(selector: &LabelSelector) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    for (key, value) in &selector.match_labels {
        let at = || format!("/matchLabels/{}", key.replace('~', "~0").replace('/', "~1"));
        faults.extend(key_fault(key).map(|fault| (at(), fault)));
        faults.extend(value_fault(value).map(|fault| (at(), fault)));
    }
    for (number, condition) in selector.match_expressions.iter().enumerate() {
        let at = |field: &str| format!("/matchExpressions/{number}/{field}");
        faults.extend(key_fault(&condition.key).map(|fault| (at("key"), fault)));
        match condition.operator {
            LabelSelectorOperator::In | LabelSelectorOperator::NotIn if condition.values.is_empty() => {
                faults.push((at("values"), "In and NotIn need at least one value".into()));
            }
            LabelSelectorOperator::Exists | LabelSelectorOperator::DoesNotExist if !condition.values.is_empty() => {
                faults.push((at("values"), "Exists and DoesNotExist take no values".into()));
            }
            _ => {}
        }
        let values = condition.values.iter().enumerate();
        faults.extend(values.filter_map(|(index, value)| {
            let fault = value_fault(value)?;
            Some((at(&format!("values/{index}")), fault))
        }));
    }
    faults
}

fn key_fault(key: &str) -> Option<String> {
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let sound = domain.is_none_or(is_name) && !name.is_empty() && is_label(name);
    (!sound).then(|| {
        format!(
            "`{key}` is not the key of a label: one has letters, digits, `-`, `_` and `.`, at most 63, and may have a domain \
             and `/` before them"
        )
    })
}

fn value_fault(value: &str) -> Option<String> {
    (!is_label(value)).then(|| {
        format!("`{value}` is not the value of a label: one has letters, digits, `-`, `_` and `.`, at most 63")
    })
}

/// Whether a text can be the value of a label, or if it is not empty, the name in the key of one.
fn is_label(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && ends(text.chars().next())
        && ends(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
