//! Tasks: calls that a server answers before they are done, and whose results are fetched later.
//!
//! Sources: specification 2025-11-25, "Tasks" (legacy era), and SEP-2663 (the extension of the modern era).

use std::borrow::Cow;
use std::num::NonZeroUsize;

use reeve_policy::json::{Kind, Value};

use super::digest::Key;
use super::recent::Recent;
use super::version::Era;

/// What a server says of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task<'d> {
    /// Its id, unique among the server's tasks.
    pub id: Cow<'d, str>,
    /// Whether it will do no more.
    pub ended: bool,
}

/// What is held for each task until it ends: bounded, the longest running given up first.
#[derive(Debug)]
pub struct Running<T>(Recent<Key, T>);

impl<T> Running<T> {
    /// None running, and room for `capacity`.
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self(Recent::new(capacity))
    }

    /// A task of this server has begun.
    pub fn begin(&mut self, server: &str, task: &str, held: T) {
        self.0.insert(running(server, task), held);
    }

    /// It has ended: gives what was held.
    pub fn end(&mut self, server: &str, task: &str) -> Option<T> {
        self.0.remove(&running(server, task))
    }
}

fn running(server: &str, task: &str) -> Key {
    Key::of([server.as_bytes(), task.as_bytes()])
}

/// The task that an answer to `tools/call` makes; none if the answer is a result.
///
/// In the modern era the answer says so itself; in the legacy era the agent has asked for it, and the caller must know.
pub fn made<'d>(result: Value<'d>, era: Era) -> Option<Task<'d>> {
    match era {
        Era::Legacy => result.get("task").and_then(described),
        Era::Modern if text(result, "resultType").as_deref() == Some("task") => described(result),
        Era::Modern => None,
    }
}

/// The task that an object describes: the result of `tasks/get` or `tasks/cancel`, the parameters of a notification.
pub fn described<'d>(object: Value<'d>) -> Option<Task<'d>> {
    let id = text(object, "taskId")?;
    let status = text(object, "status");
    Some(Task { id, ended: matches!(status.as_deref(), Some("completed" | "failed" | "cancelled")) })
}

/// The member of a result that says what becomes of its call, and cannot be read because half of a surrogate pair stands alone in it.
pub fn torn_member(result: Value<'_>) -> Option<&'static str> {
    const DECIDING: [&str; 4] = ["resultType", "requestState", "taskId", "status"];
    let of = |object: Value<'_>| DECIDING.into_iter().find(|key| object.get(key).is_some_and(Value::is_torn));
    of(result).or_else(|| result.get("task").and_then(of))
}

fn text<'d>(object: Value<'d>, key: &str) -> Option<Cow<'d, str>> {
    // A reader that takes another key for this one would find another task in it than the one that is bound.
    let unambiguous = object.kind() == Kind::Object && !object.has_case_variant(key);
    object.get(key).filter(|_| unambiguous)?.as_str()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reeve_policy::json::{Document, Limits};

    use super::*;

    fn reads(text: &'static str, read: impl for<'d> Fn(Value<'d>) -> Option<Task<'d>>) -> Option<(String, bool)> {
        let document = Document::parse(Bytes::from_static(text.as_bytes()), Limits::default()).unwrap();
        read(document.root()).map(|task| (task.id.into_owned(), task.ended))
    }

    fn working() -> Option<(String, bool)> {
        Some(("t1".to_owned(), false))
    }

    #[test]
    fn each_era_makes_tasks_in_its_own_form() {
        let legacy = r#"{"task":{"taskId":"t1","status":"working"}}"#;
        let modern = r#"{"resultType":"task","taskId":"t1","status":"working"}"#;
        assert_eq!(reads(legacy, |result| made(result, Era::Legacy)), working());
        assert_eq!(reads(legacy, |result| made(result, Era::Modern)), None);
        assert_eq!(reads(modern, |result| made(result, Era::Modern)), working());
        assert_eq!(reads(modern, |result| made(result, Era::Legacy)), None);
        for result in [r#"{"content":[]}"#, r#"{"resultType":"complete","taskId":"t1"}"#, "[]", "7", r#"{"task":"t1"}"#]
        {
            assert_eq!(reads(result, |result| made(result, Era::Modern)), None, "{result}");
            assert_eq!(reads(result, |result| made(result, Era::Legacy)), None, "{result}");
        }
    }

    #[test]
    fn a_task_has_ended_in_each_state_that_it_never_leaves() {
        for (status, ended) in [
            ("working", false),
            ("input_required", false),
            ("completed", true),
            ("failed", true),
            ("cancelled", true),
            ("submitted", false),
        ] {
            let text: &'static str = format!(r#"{{"taskId":"t1","status":"{status}"}}"#).leak();
            assert_eq!(reads(text, described), Some(("t1".to_owned(), ended)), "{status}");
        }
    }

    #[test]
    fn what_decides_of_a_call_and_is_torn_is_found_and_nothing_else() {
        for (text, found) in [
            (r#"{"resultType":"task","taskId":"t\ud83d"}"#, Some("taskId")),
            (r#"{"resultType":"input_required\ude00"}"#, Some("resultType")),
            (r#"{"task":{"taskId":"t","status":"\ud83d"}}"#, Some("status")),
            (r#"{"requestState":"\ud83d","taskId":"t1"}"#, Some("requestState")),
            (r#"{"content":[{"taskId":"\ud83d"}],"structuredContent":{"status":"\ud83d"},"taskId":"t1"}"#, None),
            (r#""\ud83d""#, None),
        ] {
            let document = Document::parse_torn(Bytes::from(text), Limits::default()).unwrap();
            assert_eq!(torn_member(document.root()), found, "{text}");
        }
    }

    #[test]
    fn what_could_be_read_as_two_tasks_is_none() {
        for text in [r#"{"taskId":"t1","TaskId":"t2"}"#, r#"{"taskId":7}"#, r#"{"status":"working"}"#, "null"] {
            assert_eq!(reads(text, described), None, "{text}");
        }
    }
}
