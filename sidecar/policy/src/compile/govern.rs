//! Which policies govern a pod's calls to a server: in a cluster, by what they select. Standalone every policy given governs.

use std::collections::BTreeMap;

use reeve_crds::v1alpha1::{LabelSelector, Mode, Object, Policy, ServerRef};

use super::scope::{self, is_account, is_name, is_server_ref};
use super::spellings;
use crate::decide::Subject;
use crate::glob::{Dialect, Pattern, alike};

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

/// A server, as policies name it.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Its name.
    pub server: &'a str,
    /// Its real URL.
    pub url: &'a str,
    /// The namespace of the pods that call it.
    pub namespace: &'a str,
}

/// Whether a policy governs: it selects the pod and names the server.
///
/// Where a part of what it selects by can match nobody because it is wrong, nobody can tell whom it means. Such a policy does not
/// compile: one that is enforced governs all that the rest of it selects, so that nothing is permitted by accident; one in Audit
/// nobody, as being observed would be being permitted.
///
/// A policy of a file that names no namespace is given one by whoever asks: an McpPolicy without one is as wrong as the rest.
pub fn governs(policy: &Policy, place: &Place<'_>) -> bool {
    let Place { subject, namespace_labels, server_url } = *place;
    let pod = Pod {
        namespace: &subject.namespace,
        namespace_labels,
        service_account: &subject.service_account,
        labels: &subject.labels,
    };
    selects(policy, &pod)
        && names(policy, &Named { server: &subject.server, url: server_url, namespace: &subject.namespace })
}

/// Whether a policy selects a pod, whatever server it calls.
pub fn selects(policy: &Policy, pod: &Pod<'_>) -> bool {
    match policy {
        Policy::McpPolicy(Object { metadata, spec, .. }) => {
            let accounts = spec.service_accounts.as_deref();
            let parts = [
                namespace(metadata.namespace.as_deref(), pod.namespace),
                selector(&spec.pod_selector, pod.labels),
                any(accounts, |account| is_name(account), |account| account == pod.service_account),
            ];
            all(spec.mode, parts)
        }
        Policy::ClusterMcpPolicy(Object { spec, .. }) => {
            let accounts = spec.service_accounts.as_deref();
            let parts = [
                selector(&spec.namespace_selector, pod.namespace_labels),
                selector(&spec.pod_selector, pod.labels),
                any(
                    accounts,
                    |account| is_account(account),
                    |account| account.split_once('/') == Some((pod.namespace, pod.service_account)),
                ),
            ];
            all(spec.mode, parts)
        }
    }
}

/// Labels without which no pod is selected by a policy: what to look its pods up by. Empty if it may select pods whatever their
/// labels are, as one does whose selector nobody can tell the meaning of.
pub fn wanted_labels(policy: &Policy) -> &BTreeMap<String, String> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    let selector = match policy {
        Policy::McpPolicy(object) => &object.spec.pod_selector,
        Policy::ClusterMcpPolicy(object) => &object.spec.pod_selector,
    };
    if scope::selector_faults(selector).is_empty() { &selector.match_labels } else { &NONE }
}

/// Whether a policy names a server, by its name in the pod's namespace or its real URL, whatever pod of the namespace calls it.
pub fn names(policy: &Policy, named: &Named<'_>) -> bool {
    match policy {
        Policy::McpPolicy(Object { spec, .. }) => {
            let is_named = |reference: &ServerRef| reference.name == "*" || reference.name == named.server;
            all(spec.mode, [any(Some(&spec.server_refs), is_server_ref, is_named)])
        }
        Policy::ClusterMcpPolicy(Object { spec, .. }) => {
            let globs = spec.server_urls.as_deref();
            all(spec.mode, [any(globs, |glob| is_url_glob(glob), |glob| is_server(glob, named))])
        }
    }
}

/// Whether all parts select, those of which nobody can tell as the mode says.
fn all<const N: usize>(mode: Mode, parts: [Option<bool>; N]) -> bool {
    parts.into_iter().all(|part| part.unwrap_or(mode == Mode::Enforce))
}

fn namespace(wanted: Option<&str>, namespace: &str) -> Option<bool> {
    wanted.filter(|wanted| is_name(wanted)).map(|wanted| wanted == namespace)
}

/// Whether any of a list selects; all do if there is none. Nobody can tell of one that is empty or of which an entry is wrong.
fn any<T>(list: Option<&[T]>, is_sound: impl Fn(&T) -> bool, selects: impl Fn(&T) -> bool) -> Option<bool> {
    let Some(list) = list else { return Some(true) };
    let sound = !list.is_empty() && list.iter().all(is_sound);
    sound.then(|| list.iter().any(selects))
}

fn selector(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> Option<bool> {
    scope::selector_faults(selector).is_empty().then(|| selector.matches(labels))
}

/// Whether a glob matches a server's URL in any way that it can be written: another is no way out.
fn is_server(glob: &str, named: &Named<'_>) -> bool {
    let Ok(pattern) = Pattern::parse(glob, Dialect::Uri) else { return false };
    spellings::of(named.url, named.namespace, glob).iter().any(|spelling| pattern.matches(&alike(spelling)))
}

fn is_url_glob(glob: &str) -> bool {
    Pattern::parse(glob, Dialect::Uri).is_ok()
}

#[cfg(test)]
mod tests {
    use reeve_crds::v1alpha1::{LabelSelectorOperator, LabelSelectorRequirement};

    use super::*;
    use crate::compile::check;
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
    fn no_pod_without_the_wanted_labels_is_selected_and_a_wrong_selector_wants_none() {
        for selector in ["{app: imaging}", "{app: imaging, tier: a}", "{app: 'no label!'}", "{'no key!': a}", "{}"] {
            let policy =
                policy("McpPolicy", &format!("serverRefs: [{{name: aws}}], podSelector: {{matchLabels: {selector}}}"));
            let wanted = wanted_labels(&policy);
            let is_selected_bare = governs_with(&policy, |subject| subject.labels.clear());
            assert_eq!(is_selected_bare, wanted.is_empty(), "{selector}: {wanted:?}");
        }
    }

    #[test]
    fn another_spelling_of_the_url_is_no_way_out() {
        assert!(governs_here("ClusterMcpPolicy", "serverURLs: ['https://imaging.internal/*'], tier: Boundary"));
        let boundary = policy("ClusterMcpPolicy", "serverURLs: ['http://imaging.clinic.svc/**'], tier: Boundary");
        let names = |url, namespace| names(&boundary, &Named { server: "a", url, namespace });
        assert!(names("http://imaging/mcp", "clinic") && names("http://imaging.clinic.svc.cluster.local/mcp", "other"));
        assert!(!names("http://imaging/mcp", "other"), "that is another Service");
    }

    /// A policy of either kind that governs, changed; whether it then governs, enforced and in Audit, and where it is wrong.
    fn changed(kind: &str, change: impl FnOnce(&mut Policy)) -> (bool, bool, Vec<String>) {
        let spec = if kind == "McpPolicy" { "serverRefs: [{name: aws}]" } else { "tier: Baseline" };
        let mut policy = policy(kind, spec);
        change(&mut policy);
        let wrong = check(&policy, None).into_iter().map(|problem| problem.pointer).collect();
        let enforced = governs_with(&policy, |_| {});
        match &mut policy {
            Policy::McpPolicy(object) => object.spec.mode = Mode::Audit,
            Policy::ClusterMcpPolicy(object) => object.spec.mode = Mode::Audit,
        }
        (enforced, governs_with(&policy, |_| {}), wrong)
    }

    fn with_accounts(kind: &str, accounts: &[&str]) -> (bool, bool, Vec<String>) {
        let accounts = Some(accounts.iter().map(|account| (*account).to_owned()).collect());
        changed(kind, |policy| match policy {
            Policy::McpPolicy(object) => object.spec.service_accounts = accounts,
            Policy::ClusterMcpPolicy(object) => object.spec.service_accounts = accounts,
        })
    }

    #[test]
    fn an_account_that_no_pod_can_have_is_told_and_governs_everybody_if_enforced_and_nobody_if_tried() {
        let wrong = |number: usize| (true, false, vec![format!("/spec/serviceAccounts/{number}")]);
        for account in ["clinic/agent", "Agent", "agent ", "", "agent*"] {
            assert_eq!(with_accounts("McpPolicy", &["other", account]), wrong(1), "{account:?}");
        }
        for account in ["agent", "/agent", "clinic/", "clinic/agent/x", "Clinic/agent", "clinic/*", "a.b/agent"] {
            assert_eq!(with_accounts("ClusterMcpPolicy", &[account, "other/agent"]), wrong(0), "{account:?}");
        }
        assert_eq!(with_accounts("McpPolicy", &["other"]), (false, false, vec![]));
        assert_eq!(with_accounts("ClusterMcpPolicy", &["other/agent.x"]), (false, false, vec![]));
    }

    #[test]
    fn a_selector_that_no_label_can_fit_is_told_and_governs_everybody_if_enforced_and_nobody_if_tried() {
        use LabelSelectorOperator::{Exists, In, NotIn};
        let condition = |key: &str, operator, values: &[&str]| LabelSelectorRequirement {
            key: key.into(),
            operator,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        for (wrong, at) in [
            (condition("app", In, &[]), "values"),
            (condition("app", NotIn, &[]), "values"),
            (condition("gone", Exists, &["x"]), "values"),
            (condition("an app", Exists, &[]), "key"),
            (condition("Example.dev/app", Exists, &[]), "key"),
            (condition("gone", In, &["x", "not a label"]), "values/1"),
        ] {
            for kind in ["McpPolicy", "ClusterMcpPolicy"] {
                let told = changed(kind, |policy| match policy {
                    Policy::McpPolicy(object) => object.spec.pod_selector.match_expressions = vec![wrong.clone()],
                    Policy::ClusterMcpPolicy(object) => {
                        object.spec.namespace_selector.match_expressions = vec![wrong.clone()];
                    }
                });
                let field = if kind == "McpPolicy" { "podSelector" } else { "namespaceSelector" };
                let at = format!("/spec/{field}/matchExpressions/0/{at}");
                assert_eq!(told, (true, false, vec![at]), "{wrong:?}");
            }
        }
        let told = changed("McpPolicy", |policy| {
            let Policy::McpPolicy(object) = policy else { return };
            object.spec.pod_selector.match_labels = [("example.dev/app".into(), "a b".into())].into();
        });
        assert_eq!(told, (true, false, vec!["/spec/podSelector/matchLabels/example.dev~1app".into()]));
    }

    #[test]
    fn a_server_that_cannot_be_is_told_and_is_every_server_if_enforced_and_none_if_tried() {
        for name in ["aw*", "clinic/aws", "AWS", ""] {
            let told = changed("McpPolicy", |policy| {
                let Policy::McpPolicy(object) = policy else { return };
                object.spec.server_refs = vec![ServerRef { name: "other".into() }, ServerRef { name: name.into() }];
            });
            assert_eq!(told, (true, false, vec!["/spec/serverRefs/1/name".into()]), "{name:?}");
        }
        let told = changed("ClusterMcpPolicy", |policy| {
            let Policy::ClusterMcpPolicy(object) = policy else { return };
            object.spec.server_urls = Some(vec!["https://other.internal/**".into(), "https://x/***".into()]);
        });
        assert_eq!(told, (true, false, vec!["/spec/serverURLs/1".into()]));
    }

    #[test]
    fn a_list_that_names_nobody_governs_everybody_if_enforced_and_nobody_if_tried() {
        assert_eq!(with_accounts("McpPolicy", &[]), (true, false, vec!["/spec/serviceAccounts".into()]));
        assert_eq!(with_accounts("ClusterMcpPolicy", &[]), (true, false, vec!["/spec/serviceAccounts".into()]));
        let told = changed("McpPolicy", |policy| {
            let Policy::McpPolicy(object) = policy else { return };
            object.spec.server_refs.clear();
        });
        assert_eq!(told, (true, false, vec!["/spec/serverRefs".into()]));
        let told = changed("ClusterMcpPolicy", |policy| {
            let Policy::ClusterMcpPolicy(object) = policy else { return };
            object.spec.server_urls = Some(Vec::new());
        });
        assert_eq!(told, (true, false, vec!["/spec/serverURLs".into()]));
    }

    #[test]
    fn an_mcp_policy_without_a_namespace_governs_everybody_if_enforced_and_nobody_if_tried() {
        for namespace in [None, Some("Clinic".to_owned())] {
            let (enforced, tried, _) = changed("McpPolicy", |policy| {
                let Policy::McpPolicy(object) = policy else { return };
                object.metadata.namespace = namespace.clone();
            });
            assert!(enforced && !tried, "{namespace:?}");
        }
    }
}
