//! Which policies govern a pod's calls to a server: in a cluster, by what they select. Standalone every policy given governs.

use std::collections::BTreeMap;

use reeve_crds::v1alpha1::Policy;
use url::Url;

use crate::decide::Subject;
use crate::glob::{Dialect, Pattern};

/// What a policy selects by.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The pod, its ServiceAccount, and the name of the server.
    pub subject: &'a Subject,
    /// The labels of the pod's namespace.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// The server's real URL.
    pub server_url: &'a str,
}

/// A pod, as far as policies select it.
#[derive(Clone, Copy, Debug)]
pub struct Pod<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// The labels of its namespace.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// Its ServiceAccount.
    pub service_account: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// Whether a policy governs: it selects the pod and names the server. One that cannot match because it is wrong governs rather
/// than not: it does not compile, and so nothing is permitted by accident.
pub fn governs(policy: &Policy, place: &Place<'_>) -> bool {
    let Place { subject, namespace_labels, server_url } = *place;
    let pod = Pod {
        namespace: &subject.namespace,
        namespace_labels,
        service_account: &subject.service_account,
        labels: &subject.labels,
    };
    selects(policy, &pod) && names(policy, &subject.server, server_url)
}

/// Whether a policy selects a pod, whatever server it calls.
pub fn selects(policy: &Policy, pod: &Pod<'_>) -> bool {
    match policy {
        Policy::McpPolicy(object) => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
            let accounts = object.spec.service_accounts.as_ref();
            namespace == pod.namespace
                && object.spec.pod_selector.matches(pod.labels)
                && accounts.is_none_or(|accounts| accounts.iter().any(|account| account == pod.service_account))
        }
        Policy::ClusterMcpPolicy(object) => {
            let accounts = object.spec.service_accounts.as_ref();
            object.spec.namespace_selector.matches(pod.namespace_labels)
                && object.spec.pod_selector.matches(pod.labels)
                && accounts.is_none_or(|accounts| accounts.iter().any(|account| is_account(account, pod)))
        }
    }
}

/// Whether a policy names a server, by its name in the pod's namespace or its real URL, whatever pod calls it.
pub fn names(policy: &Policy, server: &str, url: &str) -> bool {
    match policy {
        Policy::McpPolicy(object) => {
            object.spec.server_refs.iter().any(|reference| reference.name == "*" || reference.name == server)
        }
        Policy::ClusterMcpPolicy(object) => {
            object.spec.server_urls.as_ref().is_none_or(|urls| urls.iter().any(|glob| is_server(glob, url)))
        }
    }
}

fn is_account(account: &str, pod: &Pod<'_>) -> bool {
    account.split_once('/') == Some((pod.namespace, pod.service_account))
}

/// Whether a glob matches a URL, as it is written or in its normal form: another spelling of a URL is no way out.
fn is_server(glob: &str, url: &str) -> bool {
    let Ok(pattern) = Pattern::parse(glob, Dialect::Uri) else { return true };
    let normal = Url::parse(url).map(String::from);
    pattern.matches(url) || normal.is_ok_and(|normal| pattern.matches(&normal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;

    fn policy(kind: &str, spec: &str) -> Policy {
        let yaml = format!(
            "apiVersion: reeve.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: p{}}}\nspec: {{{spec}}}",
            if kind == "McpPolicy" { ", namespace: clinic" } else { "" }
        );
        load::policies("test.yaml", yaml.as_bytes()).unwrap().remove(0).value
    }

    fn governs_with(policy: &Policy, change: impl FnOnce(&mut Subject)) -> bool {
        let mut subject = Subject {
            server: "aws".into(),
            namespace: "clinic".into(),
            service_account: "agent".into(),
            pod: "agent-0".into(),
            labels: [("app".to_owned(), "imaging".to_owned())].into(),
        };
        change(&mut subject);
        let namespace_labels = [("env".to_owned(), "prod".to_owned())].into();
        let server_url = "https://Imaging.internal:443/mcp";
        governs(policy, &Place { subject: &subject, namespace_labels: &namespace_labels, server_url })
    }

    fn governs_here(kind: &str, spec: &str) -> bool {
        governs_with(&policy(kind, spec), |_| {})
    }

    #[test]
    fn an_mcp_policy_governs_pods_of_its_namespace_and_servers_that_it_names() {
        let aws = policy("McpPolicy", "serverRefs: [{name: aws}]");
        assert!(governs_with(&aws, |_| {}));
        assert!(!governs_with(&aws, |subject| subject.namespace = "other".into()));
        assert!(!governs_with(&aws, |subject| subject.server = "github".into()));
        assert!(governs_here("McpPolicy", "serverRefs: [{name: '*'}]"));
    }

    #[test]
    fn selectors_and_accounts_narrow_an_mcp_policy() {
        for (spec, governs) in [
            ("podSelector: {matchLabels: {app: imaging}}", true),
            ("podSelector: {matchLabels: {app: other}}", false),
            ("podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [imaging]}]}", false),
            ("serviceAccounts: [agent]", true),
            ("serviceAccounts: [other]", false),
        ] {
            assert_eq!(governs_here("McpPolicy", &format!("serverRefs: [{{name: aws}}], {spec}")), governs, "{spec}");
        }
    }

    #[test]
    fn a_cluster_policy_governs_by_namespace_pod_account_and_url() {
        for (spec, governs) in [
            ("tier: Boundary", true),
            ("namespaceSelector: {matchLabels: {env: prod}}, tier: Boundary", true),
            ("namespaceSelector: {matchLabels: {env: dev}}, tier: Boundary", false),
            ("podSelector: {matchLabels: {app: other}}, tier: Boundary", false),
            ("serviceAccounts: [clinic/agent], tier: Baseline", true),
            ("serviceAccounts: [other/agent], tier: Baseline", false),
            ("serverURLs: ['https://other.internal/**'], tier: Boundary", false),
        ] {
            assert_eq!(governs_here("ClusterMcpPolicy", spec), governs, "{spec}");
        }
    }

    #[test]
    fn another_spelling_of_the_url_is_no_way_out() {
        assert!(governs_here("ClusterMcpPolicy", "serverURLs: ['https://imaging.internal/*'], tier: Boundary"));
    }
}
