//! Which policies govern a pod's calls to a server: in a cluster, by what they select. Standalone every policy given governs.

use std::collections::BTreeMap;

use reeve_crds::v1alpha1::{ClusterMcpPolicySpec, McpPolicySpec, Policy};
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

/// Whether a policy governs. One that cannot match because it is wrong governs rather than not: it does not compile, and so
/// nothing is permitted by accident.
pub fn governs(policy: &Policy, place: &Place<'_>) -> bool {
    match policy {
        Policy::McpPolicy(object) => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
            namespace == place.subject.namespace && namespaced(&object.spec, place)
        }
        Policy::ClusterMcpPolicy(object) => cluster(&object.spec, place),
    }
}

fn namespaced(spec: &McpPolicySpec, place: &Place<'_>) -> bool {
    let accounts = spec.service_accounts.as_ref();
    spec.pod_selector.matches(&place.subject.labels)
        && accounts.is_none_or(|accounts| accounts.contains(&place.subject.service_account))
        && spec.server_refs.iter().any(|server| server.name == "*" || server.name == place.subject.server)
}

fn cluster(spec: &ClusterMcpPolicySpec, place: &Place<'_>) -> bool {
    let accounts = spec.service_accounts.as_ref();
    spec.namespace_selector.matches(place.namespace_labels)
        && spec.pod_selector.matches(&place.subject.labels)
        && accounts.is_none_or(|accounts| accounts.contains(&place.subject.grant()))
        && spec.server_urls.as_ref().is_none_or(|urls| urls.iter().any(|url| is_server(url, place.server_url)))
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
