//! A small clinic in which everything happens that a dashboard shows, and the test's own books of it.
//!
//! | workload | is governed by | calls |
//! |---|---|---|
//! | Deployment `agent` | policy `imaging`, enforced, with a rule for each reason | everything |
//! | StatefulSet `trial` | policy `trial`, in Audit | what is permitted, and what would not be |
//! | pod `open` | policy `open`, which permits by default | a server that no policy governs, too |
//! | pod `bounded` | a Boundary that denies by default, and what is old | in vain |
//! | pod `early` | nothing, as it starts without an operator | in vain |
//! | pod `bare` | policy `imaging`, if it had a sidecar | nothing |

mod calls;
mod failures;
mod setting;

use std::io::Write;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use reeve_tests::cluster::clinic::{agent, programmed};
use reeve_tests::cluster::cluster_policy::ClusterPolicy;
use reeve_tests::cluster::pod::{Pod, shell_container};
use reeve_tests::cluster::prometheus::{Pace, Prometheus};
use reeve_tests::cluster::workload::{deployment, pods, rolled_out, stateful_set};
use reeve_tests::cluster::{Alone, Namespace, installed};
use reeve_tests::monitoring::dashboards::queries;
use serde_json::{Value, json};

pub use setting::SLOW;
use setting::{policies, servers};

use super::answers::asked;
use super::books::Books;

/// The sidecar's listener, in its pod.
const LISTENER: &str = "http://127.0.0.1:14001";

/// The clinic.
pub struct Ward<'a> {
    pub alone: &'a Alone,
    pub prometheus: Prometheus,
    pub books: Books,
    /// How often each cause of a rejected request was given.
    pub rejected: [(&'static str, usize); 3],
    /// The longest that a client of the server `slow` took, all its calls together.
    pub slowest: Mutex<Duration>,
    pub agent: Pod<'a>,
    trial: Pod<'a>,
    open: Pod<'a>,
    bounded: Pod<'a>,
    early: Pod<'a>,
    boundary: ClusterPolicy,
}

impl<'a> Ward<'a> {
    /// Everybody is there, and nothing has been called yet but what an agent's container calls when it starts.
    pub fn open(alone: &'a Alone) -> Self {
        installed::reeve();
        let prometheus = Prometheus::start(alone, Pace::AsWritten);
        servers(alone);
        let bare = agent(alone, "bare");
        alone.pod(named(bare, "agent"));
        alone.told(&["label", "namespace", &alone.name, "reeve.dev/inject=enabled"]);
        let boundary = policies(alone);
        alone.apply(deployment(&idle(alone, "agent"), 1));
        alone.apply(stateful_set(&idle(alone, "trial")));
        let [open, bounded] = ["open", "bounded"].map(|name| alone.pod(idle(alone, name)));
        rolled_out(alone, "deployment/agent");
        rolled_out(alone, "statefulset/trial");
        programmed(alone, "mcppolicy/imaging", "False", "UnprotectedPods");
        programmed(alone, "mcppolicy/trial", "True", "Programmed");
        let agent = pods(alone, "agent").into_iter().find(|pod| pod.name != "bare").unwrap();
        let [trial] = pods(alone, "trial").try_into().unwrap();
        let (books, rejected) = (Books::default(), [("malformed", 0), ("batch", 0), ("not_configured", 0)]);
        let (slowest, early) = (Mutex::default(), Pod::named(alone, "early"));
        let ward = Self { alone, prometheus, books, rejected, slowest, agent, trial, open, bounded, early, boundary };
        ward.agents().into_iter().for_each(know_the_tools);
        ward
    }

    /// The name of a policy of the ward, or of a rule of it, in metrics.
    pub fn policy(&self, name: &str) -> String {
        format!("{}/{name}", self.alone.name)
    }

    /// What stands alone on a page, where it is one number; none if nothing does.
    pub fn figure(&self, place: &str) -> Option<f64> {
        let queries = queries();
        let query = queries.iter().find(|query| query.place == place);
        let query = query.unwrap_or_else(|| panic!("there is no {place}"));
        self.prometheus.value(&asked(self, &query.expr))
    }

    /// All that have had a sidecar from the beginning.
    pub fn agents(&self) -> [&Pod<'a>; 4] {
        [&self.agent, &self.trial, &self.open, &self.bounded]
    }
}

/// Has an agent's sidecar see which tools there are, as agents do that look for them first.
pub fn know_the_tools(agent: &Pod<'_>) {
    let answer = raw(agent, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string());
    assert!(answer.contains("\"tools\":["), "{answer}");
}

/// What an agent's sidecar answers to a body for `imaging`, sent by the shell in its pod.
fn raw(agent: &Pod<'_>, body: &str) -> String {
    let url = format!("{LISTENER}/imaging");
    let headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", "2025-11-25"),
    ];
    let request = reeve_tests::http::request("POST", &url, &headers, body);
    let mut shell = agent.command("shell", "sh");
    // Who stops writing would be taken for one that has hung up.
    shell.args(["-c", "(cat; sleep 1) | nc 127.0.0.1 14001"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    shell.stdin.take().unwrap().write_all(&request).unwrap();
    let said = shell.wait_with_output().unwrap();
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// The manifest of a pod of another app than its name says.
fn named(mut pod: Value, app: &str) -> Value {
    pod["metadata"]["labels"]["app"] = json!(app);
    pod
}

/// An agent that calls only when the test does, with a shell beside it.
pub fn idle(namespace: &Namespace, name: &str) -> Value {
    let mut pod = agent(namespace, name);
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    containers[0]["args"] = json!(["demo", "--serve", "127.0.0.1:8080"]);
    containers.push(shell_container("shell", "exec sleep 3600"));
    pod
}
