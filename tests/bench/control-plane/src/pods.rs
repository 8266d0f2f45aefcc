//! Agents' pods: made through the webhook, said to run, and each with a token of its own, as kubelet would ask for it.

use futures_util::{StreamExt as _, stream};
use reeve_wire::pod::{CONTAINER, OPERATOR_CA_VARIABLE};
use serde_json::{Value, json};

use crate::cluster::{AT_ONCE, Cluster};
use crate::objects;

/// What a sidecar finds in its pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// The token by which it says which pod it is in.
    pub token: String,
    /// The authorities (PEM) by which it knows the operator.
    pub authorities: String,
}

/// The label of the one pod that has it.
pub const ONLY: (&str, &str) = ("only", "this");

/// Makes the pods of these numbers. The first of all has [`ONLY`].
///
/// # Panics
/// If the API server refuses, or a pod is given no sidecar.
pub async fn make(cluster: &Cluster, namespace: &str, numbers: std::ops::Range<usize>) -> Vec<Pod> {
    let made = stream::iter(numbers).map(|number| {
        let cluster = cluster.clone();
        async move { make_one(&cluster, namespace, number).await }
    });
    // In their order: the first is the first.
    let pods: Vec<_> = made.buffered(AT_ONCE).collect().await;
    eprintln!("{} pods are made in {namespace}", pods.len());
    pods
}

async fn make_one(cluster: &Cluster, namespace: &str, number: usize) -> Pod {
    let name = format!("agent-{number}");
    let (label, team) = objects::team(number);
    let mut labels = json!({objects::APP.0: objects::APP.1, label: team});
    if number == 0 {
        labels[ONLY.0] = ONLY.1.into();
    }
    let path = objects::pods(namespace);
    let pod = cluster.create(&path, &objects::pod(&name, &labels)).await;
    let authorities = authorities(&pod).unwrap_or_else(|| panic!("{namespace}/{name} was given no sidecar: {pod}"));
    let uid = pod["metadata"]["uid"].as_str().expect("a pod has a UID");
    let audience = Some(reeve_wire::AUDIENCE);
    let token = cluster.token(namespace, objects::ACCOUNT, audience, Some((&name, uid))).await;
    cluster.merge(&format!("{path}/{name}/status"), &objects::running()).await;
    Pod { token, authorities }
}

/// By which authorities a pod's sidecar is to know the operator; none if it has no sidecar.
fn authorities(pod: &Value) -> Option<String> {
    let containers = pod["spec"]["initContainers"].as_array()?;
    let sidecar = containers.iter().find(|container| container["name"] == CONTAINER)?;
    let variables = sidecar["env"].as_array()?;
    let variable = variables.iter().find(|variable| variable["name"] == OPERATOR_CA_VARIABLE)?;
    variable["value"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authorities_are_those_of_the_sidecar() {
        let agent = json!({"name": "agent", "env": [{"name": OPERATOR_CA_VARIABLE, "value": "other"}]});
        let sidecar = json!({"name": CONTAINER, "env": [{"name": OPERATOR_CA_VARIABLE, "value": "pem"}]});
        let pod = json!({"spec": {"initContainers": [agent, sidecar]}});
        assert_eq!(authorities(&pod).as_deref(), Some("pem"));
        assert_eq!(authorities(&json!({"spec": {}})), None);
    }
}
