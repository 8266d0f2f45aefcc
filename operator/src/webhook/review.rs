//! `AdmissionReview` of `admission.k8s.io/v1`: what the API server asks, and the answer.
//!
//! Only what is used is read, and what is missing has a default: the API server sends more with each version.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use json_patch::Patch;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The group and version of both documents.
const API_VERSION: &str = "admission.k8s.io/v1";
/// The longest warning that the API server hands on whole, in bytes.
const LONGEST_WARNING: usize = 256;
/// The most warnings: together they stay within what the API server hands on.
const MOST_WARNINGS: usize = 16;

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
    pub object: Value,
    /// The object as it is stored; null for `CREATE`.
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

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What the object is to be changed by; empty if it is not.
    pub patch: Patch,
    /// Why it is not admitted; none if it is.
    pub refusal: Option<Refusal>,
    /// What whoever asks should know.
    pub warnings: Vec<String>,
}

/// Why an object is not admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code, as of HTTP.
    pub code: u16,
    /// The word of the API for it.
    pub reason: &'static str,
    /// The whole of it, as `kubectl` shows it.
    pub message: String,
    /// Each mistake by itself.
    pub causes: Vec<Cause>,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// `FieldValueInvalid` or `FieldValueForbidden`.
    pub reason: &'static str,
    /// The field's path.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

impl Refusal {
    /// The object breaks a rule.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self { code: 403, reason: "Forbidden", message: message.into(), causes: Vec::new() }
    }

    /// Nobody can tell now: it may be tried again.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { code: 503, reason: "ServiceUnavailable", message: message.into(), causes: Vec::new() }
    }
}

impl Answer {
    /// Admitted as it is.
    pub fn admitted() -> Self {
        Self { patch: Patch(Vec::new()), refusal: None, warnings: Vec::new() }
    }

    /// Not admitted.
    pub fn refused(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), ..Self::admitted() }
    }

    /// The same with warnings.
    pub fn with_warnings(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }

    /// The document that answers the question.
    pub fn write(&self, question: &Request) -> Vec<u8> {
        let mut response = json!({"uid": question.uid, "allowed": self.refusal.is_none()});
        if let Some(Refusal { code, reason, message, causes }) = &self.refusal {
            response["status"] = json!({"status": "Failure", "code": code, "reason": reason, "message": message});
            // kubectl names the object by these, and shows each cause on a line of its own.
            let Kind { group, kind, .. } = &question.kind;
            response["status"]["details"] =
                json!({"group": group, "kind": kind, "name": question.object_name(), "causes": causes});
        } else if !self.patch.0.is_empty()
            && let Ok(patch) = serde_json::to_vec(&self.patch)
        {
            response["patchType"] = "JSONPatch".into();
            response["patch"] = STANDARD.encode(patch).into();
        }
        if !self.warnings.is_empty() {
            response["warnings"] = presentable(&self.warnings).into();
        }
        json!({"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}).to_string().into_bytes()
    }
}

/// Warnings as they fit into headers: each on one line and not too long, none twice, not too many.
fn presentable(warnings: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = Vec::new();
    for warning in warnings {
        let line = shortened(&warning.replace(char::is_control, " "));
        if !shown.contains(&line) {
            shown.push(line);
        }
    }
    if shown.len() > MOST_WARNINGS {
        let more = shown.len() - (MOST_WARNINGS - 1);
        shown.truncate(MOST_WARNINGS - 1);
        shown.push(format!("and {more} more warnings"));
    }
    shown
}

fn shortened(text: &str) -> String {
    if text.len() <= LONGEST_WARNING {
        return text.to_owned();
    }
    let mut end = LONGEST_WARNING - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(answer: &Answer) -> Value {
        let kind = Kind { group: "reeve.dev".into(), version: "v1alpha1".into(), kind: "McpPolicy".into() };
        let question = Request { uid: "u-1".into(), kind, name: Some("imaging".into()), ..Request::default() };
        serde_json::from_slice(&answer.write(&question)).unwrap()
    }

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

    #[test]
    fn an_answer_names_its_question_and_a_patch_only_if_there_is_one() {
        let response = &written(&Answer::admitted())["response"];
        assert_eq!(*response, json!({"uid": "u-1", "allowed": true}));

        let patch = json_patch::diff(&json!({}), &json!({"a": 1}));
        let response = &written(&Answer { patch: patch.clone(), ..Answer::admitted() })["response"];
        assert_eq!(response["patchType"], "JSONPatch");
        let decoded = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Patch>(&decoded).unwrap(), patch);
    }

    #[test]
    fn a_refusal_says_of_what_and_why() {
        let response = &written(&Answer::refused(Refusal::forbidden("no")))["response"];
        assert_eq!(response["allowed"], false);
        let details = json!({"group": "reeve.dev", "kind": "McpPolicy", "name": "imaging", "causes": []});
        assert_eq!(
            response["status"],
            json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": "no", "details": details})
        );
    }

    #[test]
    fn warnings_fit_into_headers() {
        let many: Vec<_> = (0..40).map(|number| format!("{number}\n{}", "ä".repeat(300))).collect();
        let written = written(&Answer::admitted().with_warnings(many));
        let warnings = written["response"]["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), MOST_WARNINGS);
        for warning in warnings.iter().map(|warning| warning.as_str().unwrap()) {
            assert!(warning.len() <= LONGEST_WARNING && !warning.contains('\n'), "{warning}");
        }
        assert_eq!(warnings.last().unwrap(), "and 25 more warnings");
    }
}
