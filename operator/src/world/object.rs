//! What every view takes from an object's metadata.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

/// Who an object is.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) uid: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) created: Timestamp,
}

impl Identity {
    /// From typed metadata. None if the API server cannot have sent it: without a name, a UID or a version.
    pub(super) fn of(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self {
            uid: metadata.uid.clone()?,
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone()?,
            version: metadata.resource_version.as_deref()?.parse().ok()?,
            created: metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        })
    }

    /// From an object that may be wrong in any other part. None as for [`Self::of`].
    pub(super) fn of_value(object: &Value) -> Option<Self> {
        let metadata = &object["metadata"];
        let text = |field: &str| metadata[field].as_str();
        Some(Self {
            uid: text("uid")?.to_owned(),
            namespace: text("namespace").map(str::to_owned),
            name: text("name")?.to_owned(),
            version: text("resourceVersion")?.parse().ok()?,
            created: text("creationTimestamp").and_then(|time| time.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH),
        })
    }
}

/// Counts the changes of a `spec`.
pub(super) fn generation(object: &Value) -> i64 {
    object["metadata"]["generation"].as_i64().unwrap_or_default()
}

/// The status that was last written; an empty one if there is none that can be read.
pub(super) fn status<T: serde::de::DeserializeOwned + Default>(object: &Value) -> T {
    T::deserialize(&object["status"]).unwrap_or_default()
}
