//! What happens on the wire: an agent and a server made of sockets, and the sidecar as a process between them.
//!
//! The server shows every byte that reached it and answers when the test says, so that these tests can tell what was sent,
//! when, and what was never sent.

mod cancelled;
mod cardinality;
mod concurrency;
mod failures;
mod lifecycle;
mod lists;
mod login;
mod pages;
mod refusals;
mod rejections;
mod reload;
mod replays;
mod requests;
mod rounds;
mod servers;
mod sessions;
mod shipped;
mod streams;
mod tasks;
mod traces;

use reeve_tests::agent::Agent;
use reeve_tests::sidecar::{ECHO_ONLY, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::{Value, json};

/// A policy that permits one call of `echo` an hour.
const ONE_ECHO: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: one-echo}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - name: echo
    tools: [echo]
    action: Allow
    limits: [{counter: echoes, window: 1h, max: 1}]
";

/// A policy that permits one call of `echo` at a time.
const ONE_AT_A_TIME: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: one, namespace: clinic}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: one, tools: [echo], action: Allow, concurrency: {max: 1}}
";

/// The result of a `tools/list`: `echo` and a tool that `ECHO_ONLY` denies.
fn two_tools() -> Value {
    let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
    json!({"tools": [tool("echo"), tool("delete_everything")]})
}

/// A server made of a socket, and a sidecar with one policy in front of it.
struct World {
    upstream: Upstream,
    sidecar: Sidecar,
}

impl World {
    fn new(policy: &str) -> Self {
        let upstream = Upstream::start();
        let sidecar = Sidecar::start(policy, &upstream.url);
        Self { upstream, sidecar }
    }

    fn legacy(&self) -> Agent {
        Agent::legacy(&self.sidecar.url)
    }

    fn modern(&self) -> Agent {
        Agent::modern(&self.sidecar.url)
    }
}
