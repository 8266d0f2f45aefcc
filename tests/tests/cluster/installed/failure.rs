//! A part of Reeve that is gone loosens nothing, and is caught up with when it is back.

mod cluster;
mod operator;
mod trust;
mod unconfigured;

use std::time::{Duration, Instant};

use reeve_tests::cluster::caller::Caller;
use reeve_tests::cluster::clinic::{self, call, policy, programmed};
use reeve_tests::cluster::pod::Pod;
use reeve_tests::cluster::{Alone, installed};
use reeve_tests::eventually::eventually;
use serde_json::{Value, json};

use super::ENABLED;

/// How long it may take until what was missed is caught up with, beside what the same takes of this machine while nothing fails.
const CATCHING_UP: Duration = Duration::from_secs(10);
/// The longest that permitted calls may have stood still, on a busy machine.
const STANDING_STILL: Duration = Duration::from_secs(10);

/// A policy that permits what only reads, and these.
fn reads_and(more: &[&str]) -> Value {
    let tools = [&["list_*", "get_*"], more].concat();
    policy("imaging", "agent", &json!([{"name": "reads", "tools": tools, "action": "Allow"}]))
}

/// A cluster with Reeve in which no other test runs.
fn alone() -> Alone {
    let alone = Alone::new(&[ENABLED]);
    installed::reeve();
    alone
}

/// An agent that calls all the time, governed from its first call on, in a cluster of which a part will fail.
struct Calling<'a> {
    alone: &'a Alone,
    caller: Caller<'a>,
    /// How long a changed policy takes while nothing fails.
    usually: Duration,
}

impl<'a> Calling<'a> {
    /// With the server and the policy.
    fn start(alone: &'a Alone) -> Self {
        clinic::server(alone);
        alone.apply(reads_and(&[]));
        programmed(alone, "mcppolicy/imaging", "Unknown", "NoPods");
        let caller = Caller::start(alone, "agent");
        programmed(alone, "mcppolicy/imaging", "True", "Programmed");
        let usually = is_in_force(alone, Instant::now(), &["search_*"]);
        Self { alone, caller, usually }
    }

    /// A policy that is changed since something is back is in force, and said to be, in time.
    fn catches_up(&self, what: &str, back: Instant, more: &[&str]) {
        let took = is_in_force(self.alone, back, more);
        let create = call(&self.caller.pod, "create_datastore");
        let decision = if more.contains(&"create_*") { "allow: " } else { "deny: " };
        assert!(create.starts_with(decision), "{what}: the status says that the policy is in force: {create}");
        let (took, usually) = (took.as_millis(), self.usually.as_millis());
        println!("{what}: the status was true {took} ms after it was back; usually it takes {usually} ms");
        assert!(
            took < 3 * usually + CATCHING_UP.as_millis(),
            "{what}: the status was true only {took} ms after it was back"
        );
    }

    /// Whatever was called meanwhile was decided as if nothing had failed.
    fn nothing_was_loosened(&self, what: &str) {
        let calls = self.caller.calls();
        println!("{what}: {calls}");
        assert!(calls.permitted > 0 && calls.refused > 0, "{what}: {calls}");
        assert!(calls.longest_pause < STANDING_STILL, "{what}: permitted calls stood still: {calls}");
    }
}

/// Changes the policy, and waits until its status says that it is in force. Gives how long that took: the time that `kubectl apply` itself
/// needs does not count, but that for which it was refused since something is back does.
fn is_in_force(alone: &Alone, back: Instant, more: &[&str]) -> Duration {
    let mut refused = Duration::ZERO;
    // Until the Service knows which replicas are there, the API server may ask one that is not.
    eventually("the policy is applied", || {
        alone.try_apply(reads_and(more)).inspect_err(|_| refused = back.elapsed()).ok()
    });
    let applied = Instant::now();
    programmed(alone, "mcppolicy/imaging", "True", "Programmed");
    refused + applied.elapsed()
}

fn is_governed(agent: &Pod<'_>) {
    let (list, delete) = (call(agent, "list_datastores"), call(agent, "delete_datastore"));
    assert!(list.starts_with("allow: ") && delete.starts_with("deny: "), "{list}\n{delete}");
}

/// Lets a fault last so long: its length is what is tested, and nothing else tells that it has passed.
fn pause(seconds: u64) {
    let begun = Instant::now();
    eventually("time passes", || (begun.elapsed() >= Duration::from_secs(seconds)).then_some(()));
}
