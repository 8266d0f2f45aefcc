//! The answer to a review: what is done with the object, and the document that says so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{API_VERSION, Kind, Request};

/// The longest warning that the API server hands on whole, in bytes.
const LONGEST_WARNING: usize = 256;
/// The most warnings: together they stay within what the API server hands on.
const MOST_WARNINGS: usize = 16;

/// What is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What the object is to be changed by, a JSON Patch; none if it is not.
    pub patch: Option<String>,
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
        Self::default()
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
        let status = self.refusal.as_ref().map(|Refusal { code, reason, message, causes }| {
            let Kind { group, kind, .. } = &question.kind;
            let details = Details { group, kind, name: question.object_name(), causes };
            Status { status: "Failure", code: *code, reason, message, details }
        });
        let patch = self.patch.as_ref().filter(|_| status.is_none());
        let response = Response {
            uid: &question.uid,
            allowed: status.is_none(),
            status,
            patch_type: patch.map(|_| "JSONPatch"),
            patch: patch.map(|patch| STANDARD.encode(patch)),
            warnings: presentable(&self.warnings),
        };
        let answered = Answered { api_version: API_VERSION, kind: "AdmissionReview", response };
        // Texts and numbers can always be written. If they could not, no API server would take this for an answer.
        serde_json::to_vec(&answered).unwrap_or_default()
    }
}

/// The document that the API server is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answered<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    code: u16,
    reason: &'a str,
    message: &'a str,
    details: Details<'a>,
}

/// By these kubectl names the object, and shows each cause on a line of its own.
#[derive(Serialize)]
struct Details<'a> {
    group: &'a str,
    kind: &'a str,
    name: &'a str,
    causes: &'a [Cause],
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
    use serde_json::{Value, json};

    use super::*;

    fn written(answer: &Answer) -> Value {
        let kind = Kind { group: "reeve.dev".into(), version: "v1alpha1".into(), kind: "McpPolicy".into() };
        let question = Request { uid: "u-1".into(), kind, name: Some("imaging".into()), ..Request::default() };
        serde_json::from_slice(&answer.write(&question)).unwrap()
    }

    #[test]
    fn an_answer_names_its_question_and_a_patch_only_if_there_is_one() {
        let response = &written(&Answer::admitted())["response"];
        assert_eq!(*response, json!({"uid": "u-1", "allowed": true}));

        let patch = r#"[{"op":"add","path":"/a","value":1}]"#;
        let response = &written(&Answer { patch: Some(patch.into()), ..Answer::admitted() })["response"];
        assert_eq!(response["patchType"], "JSONPatch");
        assert_eq!(STANDARD.decode(response["patch"].as_str().unwrap()).unwrap(), patch.as_bytes());
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
