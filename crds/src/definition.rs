//! The CustomResourceDefinitions of Reeve's kinds, as they are applied to a cluster.
//!
//! The derives of `kube` make them of the types; here is added what the derives cannot say.

mod yaml;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::v1alpha1::{ClusterMcpPolicy, McpPolicy, McpServer};

/// Says where each file comes from, in its first line.
const ORIGIN: &str = "# Generated from the types in crds/src by crdgen. Do not edit.\n";

/// A definition and the name of its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The plural of the kind, which is the file's name without `.yaml`.
    pub plural: String,
    /// The object.
    pub object: Value,
}

impl Definition {
    /// The file's text.
    pub fn to_yaml(&self) -> String {
        format!("{ORIGIN}{}", yaml::document(&self.object))
    }
}

/// The definitions of all kinds, by plural.
///
/// # Errors
/// A definition cannot be written as JSON, which no type of this crate causes.
pub fn definitions() -> Result<Vec<Definition>, serde_json::Error> {
    [ClusterMcpPolicy::crd(), McpPolicy::crd(), McpServer::crd()].into_iter().map(definition).collect()
}

fn definition(object: CustomResourceDefinition) -> Result<Definition, serde_json::Error> {
    let plural = object.spec.names.plural.clone();
    let mut object = serde_json::to_value(object)?;
    // So that `helm uninstall` keeps policies, which deleting a definition would delete.
    object["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
    for version in object["spec"]["versions"].as_array_mut().into_iter().flatten() {
        let schema = &mut version["schema"]["openAPIV3Schema"];
        // The API server lets a rule point at the name only if the schema mentions it, and permits nothing more to be said.
        schema["properties"]["metadata"] = json!({
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 253, "description": "The object's name."}},
        });
        finish(schema);
    }
    Ok(Definition { plural, object })
}

/// Makes a schema what the API server and its clients take it for: no formats that they warn of, no null, as a field that is
/// unset is left out, and descriptions that `kubectl explain` breaks into lines itself.
fn finish(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    if schema.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
        schema.remove("format");
    }
    schema.remove("nullable");
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    if is_selector(schema) {
        schema.insert("x-kubernetes-map-type".into(), json!("atomic"));
    }
    for (keyword, inner) in schema {
        match keyword.as_str() {
            "properties" => inner.as_object_mut().into_iter().flatten().for_each(|(_, property)| finish(property)),
            "items" | "additionalProperties" => finish(inner),
            _ => {}
        }
    }
}

/// Takes the description of a type of choices away: kube's derive would put it over that of each optional field of the type,
/// which says what the choices mean there.
pub(crate) fn left_to_fields(schema: &mut schemars::Schema) {
    schema.remove("description");
}

/// A label selector is replaced as a whole, as everywhere in Kubernetes: half of one and half of another selects something that
/// nobody wrote.
fn is_selector(schema: &Map<String, Value>) -> bool {
    schema.get("properties").is_some_and(|properties| properties.get("matchLabels").is_some())
}
