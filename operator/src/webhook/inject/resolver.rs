//! By which name servers a pod finds others: its sidecar finds the operator by the cluster's own names.

use serde_json::Value;

use super::pod;

/// Warns of a pod that does not ask the cluster's name server.
pub(super) fn check(pod: &Value) -> Option<String> {
    let policy = pod::text(pod::spec(pod), "/dnsPolicy")?;
    let what = match policy {
        "Default" => {
            "asks the node's name servers, which do not know the cluster's names: leave it out, or say ClusterFirst"
        }
        "None" => "asks the name servers of spec.dnsConfig alone: let them be such as know the cluster's names",
        _ => return None,
    };
    Some(format!(
        "spec.dnsPolicy is {policy}, and the pod {what}. A sidecar that does not find the operator refuses every call"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_that_asks_other_name_servers_than_the_clusters_is_warned_of() {
        let warned = |policy: Value| check(&json!({"spec": {"dnsPolicy": policy}}));
        for (policy, words) in [("Default", "say ClusterFirst"), ("None", "spec.dnsConfig")] {
            let warning = warned(json!(policy)).unwrap();
            assert!(warning.contains(policy) && warning.contains(words), "{warning}");
        }
        for policy in [json!("ClusterFirst"), json!("ClusterFirstWithHostNet"), Value::Null] {
            assert_eq!(warned(policy.clone()), None, "{policy}");
        }
    }
}
