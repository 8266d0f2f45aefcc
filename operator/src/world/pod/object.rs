//! A pod as the API server sends it, of which only what is used is read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use reeve_wire::pod::{CONTAINER, MOUNTS_ANNOTATION, ROUTED_ANNOTATION};
use serde::Deserialize;

use super::{Owner, PodView, Protection};
use crate::world::Change;
use crate::world::object::Identity;

/// A pod to watch by: what its containers hold is never read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodObject {
    metadata: ObjectMeta,
    spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    service_account_name: Option<String>,
    init_containers: Option<Vec<Container>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    name: String,
    restart_policy: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    phase: Option<String>,
}

impl Resource for PodObject {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        Pod::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Pod::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Pod::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        Pod::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl PodObject {
    /// Whether its containers have ended for good: it calls nothing any more.
    pub fn has_finished(&self) -> bool {
        matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed"))
    }

    fn protection(&self) -> Protection {
        let is_sidecar = |container: &Container| {
            container.name == CONTAINER && container.restart_policy.as_deref() == Some("Always")
        };
        if !self.spec.init_containers.iter().flatten().any(is_sidecar) {
            return Protection::None;
        }
        let mounts = self.words(MOUNTS_ANNOTATION).filter_map(|word| word.split_once('='));
        Protection::Sidecar {
            routed: self.words(ROUTED_ANNOTATION).map(str::to_owned).collect(),
            mounts: mounts.map(|(server, word)| (server.to_owned(), word.to_owned())).collect::<BTreeMap<_, _>>(),
        }
    }

    /// What stands between the commas of an annotation.
    fn words(&self, annotation: &str) -> impl Iterator<Item = &str> {
        let value = self.metadata.annotations.as_ref().and_then(|annotations| annotations.get(annotation));
        value.into_iter().flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
    }

    fn owner(&self) -> Option<Owner> {
        let owners = self.metadata.owner_references.as_ref()?;
        let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
        Some(Owner {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        })
    }

    fn view(&self) -> Option<PodView> {
        let identity = Identity::of(&self.metadata)?;
        Some(PodView {
            uid: identity.uid.as_str().into(),
            namespace: identity.namespace?.into(),
            name: identity.name.into(),
            version: identity.version,
            created: identity.created,
            labels: self.metadata.labels.clone().unwrap_or_default(),
            service_account: self.spec.service_account_name.as_deref().unwrap_or("default").into(),
            protection: self.protection(),
            is_terminating: self.metadata.deletion_timestamp.is_some(),
            owner: self.owner(),
        })
    }
}

impl PodView {
    /// What is kept of a pod. None of one that has finished, or that no API server can have sent.
    pub fn of(pod: &PodObject) -> Option<Self> {
        pod.view().filter(|_| !pod.has_finished())
    }
}

impl Change<PodView> {
    /// A pod was created or has changed: one that has finished is gone.
    pub fn set_pod(pod: &PodObject) -> Option<Self> {
        let view = pod.view()?;
        Some(if pod.has_finished() { Self::Gone(view) } else { Self::Set(view) })
    }

    /// A pod is gone, whatever its state was.
    pub fn gone_pod(pod: &PodObject) -> Option<Self> {
        pod.view().map(Self::Gone)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(change: impl FnOnce(&mut Value)) -> PodObject {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": "agent-0", "namespace": "clinic", "uid": "p0", "resourceVersion": "17",
                "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": "imaging"},
                "annotations": {"reeve.dev/routed-servers": "aws,github", "reeve.dev/mounts": "aws=0a1b, github=ff00"},
                "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:x": {}}}],
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "o0"},
                    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "agent", "uid": "o1", "controller": true},
                ],
            },
            "spec": {
                "serviceAccountName": "agent",
                "initContainers": [{"name": "other"}, {"name": "reeve-sidecar", "restartPolicy": "Always", "image": "x"}],
                "containers": [{"name": "agent", "image": "y"}],
            },
            "status": {"phase": "Running", "conditions": [{"type": "Ready"}]},
        });
        change(&mut pod);
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn a_view_has_what_is_used_of_a_pod() {
        let view = PodView::of(&object(|_| {})).unwrap();
        assert_eq!((view.uid.as_str(), &*view.namespace, &*view.name, view.version), ("p0", "clinic", "agent-0", 17));
        assert_eq!((&*view.service_account, view.labels["app"].as_str()), ("agent", "imaging"));
        assert_eq!(view.owner.unwrap().kind, "ReplicaSet");
        let mounts = [("aws", "0a1b"), ("github", "ff00")].map(|(name, word)| (name.to_owned(), word.to_owned()));
        let routed = vec!["aws".to_owned(), "github".to_owned()];
        assert_eq!(view.protection, Protection::Sidecar { routed, mounts: mounts.into() });
    }

    #[test]
    fn only_a_native_sidecar_protects() {
        for spec in [
            json!({}),
            json!({"initContainers": [{"name": "reeve-sidecar"}]}),
            json!({"initContainers": [{"name": "reeve-sidecar", "restartPolicy": "Never"}]}),
            json!({"initContainers": null, "containers": [{"name": "reeve-sidecar", "restartPolicy": "Always"}]}),
        ] {
            let view = PodView::of(&object(|pod| pod["spec"] = spec.clone())).unwrap();
            assert!(!view.has_sidecar(), "{spec}");
            assert_eq!(&*view.service_account, "default");
        }
    }

    #[test]
    fn a_finished_pod_is_gone() {
        for phase in ["Succeeded", "Failed"] {
            let pod = object(|pod| pod["status"]["phase"] = phase.into());
            assert_eq!(PodView::of(&pod), None);
            assert!(matches!(Change::set_pod(&pod), Some(Change::Gone(view)) if view.version == 17));
        }
        let terminating = object(|pod| pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:01Z".into());
        assert!(matches!(Change::set_pod(&terminating), Some(Change::Set(view)) if view.is_terminating));
    }
}
