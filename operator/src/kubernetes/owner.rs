//! The operator's own Deployment, as the owner of what the operator makes.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Api, Client};

use super::within;

/// A reference to the Deployment of this name. None, and a word in the log, if it cannot be had: what is made then stays after an
/// uninstallation.
pub async fn deployment(client: Client, namespace: &str, name: &str) -> Option<OwnerReference> {
    if name.is_empty() {
        return None;
    }
    let deployments: Api<Deployment> = Api::namespaced(client, namespace);
    match within(deployments.get(name)).await {
        Ok(found) => Some(OwnerReference {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            name: name.to_owned(),
            uid: found.metadata.uid?,
            ..OwnerReference::default()
        }),
        Err(error) => {
            tracing::warn!(deployment = name, %error, "the Lease will have no owner, and stay after an uninstallation");
            None
        }
    }
}
