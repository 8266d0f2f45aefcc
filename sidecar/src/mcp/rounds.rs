//! Calls that servers answer with a question: the retry that brings the agent's answer is the same call, one round on.
//!
//! ```text
//! call ─► result `input_required`, `requestState` ─► Rounds::open, with what the call was charged
//! the same call with `inputResponses` and that `requestState` ─► Rounds::take ─► that charge is exchanged for the retry's
//!                                     refused, or certainly not got by the server ─► Rounds::open, with what is charged now
//! ```
//!
//! Everything in a retry is the agent's to choose (specification 2026-07-28, "Multi Round-Trip Requests"). So a retry is told from a
//! pretended one by what this sidecar saw the server say, and each answer of the server is good for one retry that the server gets. The
//! charge moves to the time of the retry: who gathers open rounds cannot finish more of them at once than a limit permits. It is never
//! returned, since the server got the round that was charged first, whatever becomes of the retry.

use std::num::NonZeroUsize;

use reeve_policy::json::Value;

use super::digest::Key;
use super::recent::Recent;

/// What makes two calls the same: server, grant, method, name and arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallKey(Key);

/// A call, and the state that the server gave the agent to keep for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round(Key);

/// The rounds that servers have opened and no retry has used, and what the call of each was charged: bounded, the longest waiting
/// forgotten first. A retry of one that is forgotten is charged like any call.
#[derive(Debug)]
pub struct Rounds<T>(Recent<Key, T>);

impl CallKey {
    /// The key of a call. `arguments`: their canonical hash.
    pub fn of(server: &str, grant: &str, method: &str, name: &str, arguments: &[u8; 32]) -> Self {
        let parts = [server, grant, method, name].map(str::as_bytes);
        Self(Key::of(parts.into_iter().chain([&arguments[..]])))
    }

    /// The round of this call that `state`, the member `requestState`, belongs to: a server may do without.
    pub fn round(&self, state: Option<Value<'_>>) -> Round {
        let state = state.and_then(Value::as_str);
        let (given, state): (&[u8], &[u8]) = match &state {
            Some(state) => (b"state", state.as_bytes()),
            None => (b"no state", b""),
        };
        Round(Key::of([&self.0.bytes()[..], given, state]))
    }
}

impl<T> Rounds<T> {
    /// None open, and room for `capacity`.
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self(Recent::new(capacity))
    }

    /// A server has asked for input in this round, or has not got the retry that answered it.
    pub fn open(&mut self, round: Round, charged: T) {
        self.0.insert(round.0, charged);
    }

    /// What was charged in this round, if a server has asked in it and no retry has answered. This one does.
    pub fn take(&mut self, round: Round) -> Option<T> {
        self.0.remove(&round.0)
    }
}

/// Whether a result asks the agent for input, or to come again.
pub fn is_open(result: Value<'_>) -> bool {
    result.get("resultType").and_then(Value::as_str).as_deref() == Some("input_required")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reeve_policy::json::{Document, Limits};

    use super::*;

    fn rounds() -> Rounds<()> {
        Rounds::new(NonZeroUsize::new(2).unwrap())
    }

    impl Rounds<()> {
        fn take_one(&mut self, round: Round) -> bool {
            self.take(round).is_some()
        }
    }

    fn call(arguments: u8) -> CallKey {
        CallKey::of("aws", "clinic/agent", "tools/call", "export", &[arguments; 32])
    }

    fn round(call: CallKey, state: &str) -> Round {
        let document = Document::parse(Bytes::from(format!("{state:?}")), Limits::default()).unwrap();
        call.round(Some(document.root()))
    }

    #[test]
    fn each_answer_of_a_server_is_good_for_one_retry_of_the_same_call() {
        let mut rounds = rounds();
        rounds.open(round(call(1), "state"), ());
        assert!(!rounds.take_one(round(call(2), "state")), "other arguments");
        assert!(!rounds.take_one(round(call(1), "other")), "another state");
        assert!(!rounds.take_one(call(1).round(None)), "no state");
        let other = |grant, name| CallKey::of("aws", grant, "tools/call", name, &[1; 32]);
        assert!(!rounds.take_one(round(other("clinic/other", "export"), "state")), "another grant");
        assert!(!rounds.take_one(round(other("clinic/agent", "import"), "state")), "another tool");
        assert!(rounds.take_one(round(call(1), "state")));
        assert!(!rounds.take_one(round(call(1), "state")), "a second time");
    }

    #[test]
    fn a_server_may_do_without_a_state() {
        let mut rounds = rounds();
        rounds.open(call(1).round(None), ());
        assert!(!rounds.take_one(round(call(1), "")), "an empty state is one");
        assert!(rounds.take_one(call(1).round(None)));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut rounds = rounds();
        for state in ["1", "2", "3"] {
            rounds.open(round(call(1), state), ());
        }
        assert!(
            !rounds.take_one(round(call(1), "1"))
                && rounds.take_one(round(call(1), "2"))
                && rounds.take_one(round(call(1), "3"))
        );
    }
}
