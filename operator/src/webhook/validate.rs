//! Objects of Reeve's kinds → accepted, refused with every mistake at its place, warned of.
//!
//! ```text
//! object ──► unchanged spec? ──yes──► accepted: a label may be put even on what an older version stored
//!              │ no
//!              ├─ policies: read as sidecars read them, checked by the compiler that enforces ──► mistakes
//!              │                                 and compared with what is in the cluster ──► warnings
//!              └─ servers: what the schema cannot say ──► mistakes, warnings
//!                          Secrets and ConfigMaps that are named ──► may the requester read them?
//! ```
//!
//! What is refused changes nothing: the object that is stored stays in force. What is deleted is never asked about.

mod around;
mod moot;
mod observed;
mod policy;
mod server;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::review::{Answer, Cause, Refusal};

pub use self::policy::policy;
pub use self::server::{Names, names, server};

/// What is to be said of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Why it is refused; empty if it is not.
    pub faults: Vec<Fault>,
    /// What is legal, but likely not what was meant.
    pub warnings: Vec<String>,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field's path, as Kubernetes writes it: `spec.rules[2].when`.
    pub field: String,
    /// What is wrong with it and what to do.
    pub message: String,
}

/// How many mistakes the message of a refusal tells; all are in its causes.
const MOST_TOLD: usize = 10;

impl Findings {
    fn fault(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.faults.push(Fault { field: field.into(), message: message.into() });
    }

    fn warn(&mut self, field: &str, message: impl AsRef<str>) {
        self.warnings.push(format!("{field}: {}", message.as_ref()));
    }

    /// The answer to the API server for an object of this kind and name.
    pub fn answer(self, kind: &str, name: &str) -> Answer {
        if self.faults.is_empty() {
            return Answer::admitted().with_warnings(self.warnings);
        }
        let told = self.faults.iter().take(MOST_TOLD).map(|Fault { field, message }| format!("{field}: {message}"));
        let mut message = format!("{kind} {name} is refused: {}", told.collect::<Vec<_>>().join("; "));
        if let Some(more) = self.faults.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            message.push_str(&format!("; and {more} more"));
        }
        let cause = |Fault { field, message }| Cause { reason: "FieldValueInvalid", field, message };
        let causes = self.faults.into_iter().map(cause).collect();
        Answer::refused(Refusal { code: 422, reason: "Invalid", message, causes }).with_warnings(self.warnings)
    }
}

/// Whether an update leaves alone what an object asks for.
pub fn is_unchanged(object: &Value, stored: &Value) -> bool {
    !stored.is_null() && object.get("spec") == stored.get("spec")
}

/// The path that Kubernetes writes for a JSON pointer: `/spec/rules/2/when` → `spec.rules[2].when`.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{step}]"));
        } else if path.is_empty() {
            path = step;
        } else {
            path.push_str(&format!(".{step}"));
        }
    }
    if path.is_empty() { "object".into() } else { path }
}
