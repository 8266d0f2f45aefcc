//! `AdmissionReview` of `admission.k8s.io/v1`: what the API server asks, and the answer.
//!
//! Only what is used is read, and what is missing has a default: the API server sends more with each version. Objects are read
//! without `metadata.managedFields`.

mod answer;
mod object;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub use self::answer::{Answer, Cause, Refusal};

/// The group and version of both documents.
const API_VERSION: &str = "admission.k8s.io/v1";

/// The document that the API server sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    api_version: String,
    request: Option<Request>,
}

/// What is to be admitted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Request {
    /// Names the question; the answer repeats it.
    pub uid: String,
    /// The kind of the object.
    pub kind: Kind,
    /// The part of the resource that is asked about, such as `status`; none for the resource itself.
    pub sub_resource: Option<String>,
    /// The object's name; none if the API server is to make one.
    pub name: Option<String>,
    /// The object's namespace; none for what has none.
    pub namespace: Option<String>,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    pub operation: String,
    /// Who asks.
    pub user_info: UserInfo,
    /// The object as it would be stored; null for `DELETE`.
    #[serde(deserialize_with = "object::read")]
    pub object: Value,
    /// The object as it is stored; null for `CREATE`.
    #[serde(deserialize_with = "object::read")]
    pub old_object: Value,
    /// Whether nothing will be stored, so that nothing may be written elsewhere.
    pub dry_run: Option<bool>,
}

/// A kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Kind {
    /// The group; empty for the core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind itself.
    pub kind: String,
}

/// Who asks, as the API server authenticated them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct UserInfo {
    /// The name.
    pub username: String,
    /// The identifier, if there is one.
    pub uid: Option<String>,
    /// The groups.
    pub groups: Vec<String>,
    /// What else is known.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Request {
    /// Reads the document.
    ///
    /// # Errors
    /// It is no review of this version: in a sentence.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        let review: Review =
            serde_json::from_slice(body).map_err(|error| format!("the body is no AdmissionReview: {error}"))?;
        if review.api_version != API_VERSION {
            return Err(format!(
                "the body has apiVersion {:?}, and only {API_VERSION} is answered",
                review.api_version
            ));
        }
        match review.request {
            Some(request) if !request.uid.is_empty() => Ok(request),
            _ => Err("the AdmissionReview has no request with a uid".into()),
        }
    }

    /// The namespace; empty for what has none.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// The object's name, or how the one begins that the API server is to make.
    pub fn object_name(&self) -> &str {
        let field = |pointer| self.object.pointer(pointer).and_then(Value::as_str);
        let asked = self.name.as_deref().filter(|name| !name.is_empty());
        asked.or_else(|| field("/metadata/name")).or_else(|| field("/metadata/generateName")).unwrap_or_default()
    }

    /// Whether nothing will be stored.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_review_is_read_whatever_else_it_has() {
        let body = json!({"apiVersion": API_VERSION, "kind": "AdmissionReview", "later": 1, "request": {
            "uid": "u-1", "operation": "CREATE", "namespace": "clinic", "object": {"a": 1}, "oldObject": null, "later": [],
            "userInfo": {"username": "alice", "groups": ["devs"], "extra": {"scopes": ["all"]}},
        }});
        let request = Request::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(request.object, json!({"a": 1}));
        assert_eq!((request.namespace(), request.user_info.username.as_str()), ("clinic", "alice"));
        assert!(!request.is_dry_run());
    }

    #[test]
    fn what_is_no_review_is_refused_with_the_reason() {
        for (body, told) in [
            ("", "no AdmissionReview"),
            ("{}", "has apiVersion \"\""),
            (r#"{"apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"a"}}"#, "v1beta1"),
            (r#"{"apiVersion":"admission.k8s.io/v1"}"#, "no request with a uid"),
            (r#"{"apiVersion":"admission.k8s.io/v1","request":{}}"#, "no request with a uid"),
        ] {
            let error = Request::read(body.as_bytes()).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
