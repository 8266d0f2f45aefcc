//! The parts of a pod, read and written as JSON, so that fields of later versions of Kubernetes survive.

use serde_json::{Map, Value};

/// The lists of containers, in the order in which they start.
pub(super) const CONTAINER_LISTS: [&str; 2] = ["initContainers", "containers"];

/// The elements of a list; none if it is not there.
pub(super) fn list<'a>(of: &'a Value, field: &str) -> &'a [Value] {
    of.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The elements of a list, to be changed; `None` if it is not there.
pub(super) fn list_mut<'a>(of: &'a mut Value, field: &str) -> Option<&'a mut Vec<Value>> {
    of.get_mut(field).and_then(Value::as_array_mut)
}

/// A list to be added to, made if it is not there.
pub(super) fn list_made<'a>(of: &'a mut Map<String, Value>, field: &str) -> Option<&'a mut Vec<Value>> {
    let list = of.entry(field).or_insert_with(|| Value::Array(Vec::new()));
    if !list.is_array() {
        *list = Value::Array(Vec::new());
    }
    list.as_array_mut()
}

/// An object below another, made if it is not there.
pub(super) fn object_made<'a>(of: &'a mut Value, field: &str) -> Option<&'a mut Map<String, Value>> {
    let object = of.as_object_mut()?.entry(field).or_insert_with(|| Value::Object(Map::new()));
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    object.as_object_mut()
}

/// What the pod asks for.
pub(super) fn spec(pod: &Value) -> &Value {
    pod.get("spec").unwrap_or(&Value::Null)
}

/// Every container, in the order in which they start.
pub(super) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    CONTAINER_LISTS.into_iter().flat_map(|field| list(spec(pod), field))
}

/// Every container, to be changed.
pub(super) fn containers_mut(pod: &mut Value) -> Vec<&mut Value> {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return Vec::new() };
    let mut containers: Vec<_> =
        spec.iter_mut().filter(|(field, _)| CONTAINER_LISTS.contains(&field.as_str())).collect();
    containers.sort_by_key(|(field, _)| CONTAINER_LISTS.iter().position(|list| list == field));
    containers.into_iter().filter_map(|(_, list)| list.as_array_mut()).flatten().collect()
}

/// The name of a container, a volume or a variable.
pub(super) fn name(of: &Value) -> &str {
    of.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// What is at a path of fields, such as `/spec/os/name`. None of their names has a slash, so that unlike a JSON Pointer it has nothing
/// to be read first.
pub(super) fn at<'a>(of: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').skip(1).try_fold(of, |of, field| of.get(field))
}

/// The text at a path.
pub(super) fn text<'a>(of: &'a Value, path: &str) -> Option<&'a str> {
    at(of, path).and_then(Value::as_str)
}

/// Whether something is switched on.
pub(super) fn is_on(of: &Value, path: &str) -> bool {
    at(of, path).and_then(Value::as_bool) == Some(true)
}

/// What a volume is put together from.
pub(super) fn projected(volume: &Value) -> &[Value] {
    volume.get("projected").map(|projected| list(projected, "sources")).unwrap_or_default()
}

/// A label of the pod.
pub(super) fn label<'a>(pod: &'a Value, key: &str) -> Option<&'a str> {
    pod.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// An annotation of the pod.
pub(super) fn annotation<'a>(pod: &'a Value, key: &str) -> Option<&'a str> {
    pod.get("metadata")?.get("annotations")?.get(key)?.as_str()
}
