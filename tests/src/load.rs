//! Agents that call without a pause, each call with a number of its own, and remember what they were told of each.
//!
//! They are real clients (`reqwest`), half of them in each era of the protocol, and keep their connections.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::agent::{Agent, LEGACY, MODERN};
use crate::clients::Era;
use crate::eventually::eventually;

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server's answer to this very call.
    Answered,
    /// A refusal by policy, with its reason.
    Refused(String),
    /// An error of the server or on the way to it, with its code and text.
    Failed(i64, String),
    /// Something else, as it came.
    Other(u16, String),
    /// The connection ended before the answer was complete.
    Broken(String),
    /// No connection could be made.
    Unsent,
    /// The agent lost its patience and hung up.
    GivenUp,
}

/// A call, and what its agent was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// The call's number.
    pub number: u64,
    /// The tool that was called.
    pub tool: &'static str,
    /// When it was sent.
    pub begun: Instant,
    /// When that came to its end.
    pub ended: Instant,
    /// What came of it.
    pub outcome: Outcome,
}

/// How agents are.
#[derive(Clone, Copy, Debug)]
pub struct Agents {
    /// How many there are.
    pub count: usize,
    /// The tools that they call, in turn.
    pub tools: &'static [&'static str],
    /// How long they wait for an answer.
    pub patience: Duration,
}

/// Agents at work.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    agents: Vec<JoinHandle<()>>,
    runtime: Runtime,
}

/// The next call's number: no two calls have the same, of whichever load.
static NEXT: AtomicU64 = AtomicU64::new(1);

#[derive(Debug)]
struct Shared {
    url: String,
    tools: &'static [&'static str],
    begun: AtomicUsize,
    stop: AtomicBool,
    told: Mutex<Vec<Told>>,
}

impl Load {
    /// Sets agents to work on this URL.
    ///
    /// # Panics
    /// If the system has no threads left.
    pub fn start(url: &str, agents: Agents) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads can be made");
        let shared = Arc::new(Shared {
            url: url.to_owned(),
            tools: agents.tools,
            begun: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            told: Mutex::default(),
        });
        let work = |number: usize| {
            let era = if number.is_multiple_of(2) { Era::Modern } else { Era::Legacy };
            runtime.spawn(work(Arc::clone(&shared), era, agents.patience))
        };
        let agents = (0..agents.count).map(work).collect();
        Self { shared, agents, runtime }
    }

    /// What the agents were told so far.
    pub fn told(&self) -> Vec<Told> {
        held(&self.shared.told).clone()
    }

    /// Waits until `count` more calls have come out so.
    pub fn until(&self, what: &str, count: usize, so: impl Fn(&Told) -> bool) {
        let begun = held(&self.shared.told).len();
        eventually(&format!("{count} calls under load: {what}"), || {
            let told = held(&self.shared.told);
            (told[begun..].iter().filter(|told| so(told)).count() >= count).then_some(())
        });
    }

    /// Waits until this many more calls were answered, of those that are begun from now on.
    pub fn goes_on(&self, count: usize) {
        let now = Instant::now();
        self.until("answered", count, |told| told.begun >= now && told.outcome == Outcome::Answered);
    }

    /// Lets every call come to its end; gives what all were told.
    pub fn finish(self) -> Vec<Told> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let Self { shared, agents, runtime } = self;
        runtime.block_on(async {
            for agent in agents {
                agent.await.expect("an agent comes to its end");
            }
        });
        std::mem::take(&mut *held(&shared.told))
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One agent, until it is stopped.
async fn work(shared: Arc<Shared>, era: Era, patience: Duration) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    while !shared.stop.load(Ordering::Relaxed) {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let tool = shared.tools[shared.begun.fetch_add(1, Ordering::Relaxed) % shared.tools.len()];
        let begun = Instant::now();
        let asked = tokio::time::timeout(patience, ask(&client, &shared.url, era, number, tool)).await;
        let outcome = match asked {
            Ok(Ok((status, body))) => told(number, status, &body),
            Ok(Err(error)) if error.is_connect() => Outcome::Unsent,
            Ok(Err(error)) => Outcome::Broken(format!("{error:?}")),
            Err(_) => Outcome::GivenUp,
        };
        if outcome == Outcome::Unsent {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        held(&shared.told).push(Told { number, tool, begun, ended: Instant::now(), outcome });
    }
}

async fn ask(
    client: &reqwest::Client,
    url: &str,
    era: Era,
    number: u64,
    tool: &str,
) -> Result<(u16, String), reqwest::Error> {
    let request = client.post(url).header("Content-Type", "application/json");
    let request = request.header("Accept", "application/json, text/event-stream");
    let (agent, request) = match era {
        Era::Legacy => (Agent::legacy(url), request.header("MCP-Protocol-Version", LEGACY)),
        Era::Modern => {
            let request = request.header("MCP-Protocol-Version", MODERN);
            (Agent::modern(url), request.header("Mcp-Method", "tools/call").header("Mcp-Name", tool))
        }
    };
    let body = agent.numbered(number).body("tools/call", json!({"name": tool, "arguments": {"n": number}}));
    let answer = request.body(body).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// What an answer says.
fn told(number: u64, status: u16, body: &str) -> Outcome {
    let data = body.lines().rev().find_map(|line| line.strip_prefix("data:"));
    let message: Value = serde_json::from_str(data.unwrap_or(body)).unwrap_or_default();
    let (result, error) = (&message["result"], &message["error"]);
    let reason = result["_meta"]["reeve.dev/decision"]["reason"].as_str();
    if message["id"] != number {
        Outcome::Other(status, body.to_owned())
    } else if let Some(reason) = reason {
        Outcome::Refused(reason.to_owned())
    } else if let Some(code) = error["code"].as_i64() {
        Outcome::Failed(code, error["message"].as_str().unwrap_or_default().to_owned())
    } else if result["content"][0]["text"] == format!("done {number}") {
        Outcome::Answered
    } else {
        Outcome::Other(status, body.to_owned())
    }
}
