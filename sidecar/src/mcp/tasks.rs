//! Tasks: calls that a server answers before they are done, and whose results are fetched later.
//!
//! Sources: specification 2025-11-25, "Tasks" (legacy era), and SEP-2663 (the extension of the modern era).

use std::borrow::Cow;
use std::num::NonZeroUsize;

use reeve_policy::json::{Kind, Value};

use super::digest::Key;
use super::open::Rank;
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

/// What is held for each task until it ends: bounded, the longest running forgotten first, and none that [counts](Rank::Counts) for any
/// number of [others](Rank::Other).
#[derive(Debug)]
pub struct Running<T> {
    counting: Recent<Key, Vec<T>>,
    others: Recent<Key, Vec<T>>,
}

impl<T> Running<T> {
    /// None running, and room for `capacity` of each rank.
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { counting: Recent::new(capacity), others: Recent::new(capacity) }
    }

    /// A task of this server has begun, or another call has become one that runs. Gives what was held for one that is forgotten for it:
    /// nobody will say that it has ended.
    #[must_use]
    pub fn begin(&mut self, server: &str, task: &str, mut held: Vec<T>, rank: Rank) -> Vec<T> {
        let key = running(server, task);
        let counted = self.counting.remove(&key);
        let counts = rank == Rank::Counts || counted.is_some();
        held.extend(counted.or_else(|| self.others.remove(&key)).unwrap_or_default());
        let rank = if counts { &mut self.counting } else { &mut self.others };
        rank.insert(key, held).map(|(_, forgotten)| forgotten).unwrap_or_default()
    }

    /// It has ended: gives what was held.
    pub fn end(&mut self, server: &str, task: &str) -> Vec<T> {
        let key = running(server, task);
        self.counting.remove(&key).or_else(|| self.others.remove(&key)).unwrap_or_default()
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

    const NONE: Vec<i32> = Vec::new();

    #[test]
    fn no_number_of_other_tasks_has_one_forgotten_that_counts_and_what_it_holds_is_given() {
        let mut running = Running::new(NonZeroUsize::new(2).unwrap());
        assert_eq!(running.begin("aws", "bounded", vec![0], Rank::Counts), NONE);
        for task in 1..10 {
            let forgotten: Vec<i32> = (task > 2).then_some(task - 2).into_iter().collect();
            assert_eq!(running.begin("aws", &task.to_string(), vec![task], Rank::Other), forgotten);
        }
        assert_eq!(running.begin("aws", "second", vec![20], Rank::Counts), NONE);
        assert_eq!(running.begin("aws", "third", vec![30], Rank::Counts), vec![0_i32], "for one that counts");
        assert_eq!((running.end("aws", "bounded"), running.end("aws", "third")), (NONE, vec![30]));
        assert_eq!((running.end("gcp", "second"), running.end("aws", "9")), (NONE, vec![9]));
    }

    #[test]
    fn what_is_held_for_a_task_that_several_calls_have_become_is_held_until_it_ends() {
        let mut running = Running::new(NonZeroUsize::new(2).unwrap());
        for (call, rank) in [(1, Rank::Counts), (2, Rank::Other), (3, Rank::Counts)] {
            assert_eq!(running.begin("aws", "t1", vec![call], rank), NONE);
        }
        let mut held = running.end("aws", "t1");
        held.sort_unstable();
        assert_eq!((held, running.end("aws", "t1")), (vec![1, 2, 3], NONE));
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
