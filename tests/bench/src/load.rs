//! Agents that call as fast as they are answered, and how long each call took.

pub mod http2;
pub mod streams;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::server::{RECORD, TOOL};
use crate::wire::{Head, status};

/// The path of the server, at itself and at every proxy.
pub const PATH: &str = "/mcp";

/// What every answer to a call must hold.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// The status.
    pub status: u16,
    /// A part of the body.
    pub part: &'static str,
}

/// The answer of [`crate::server`].
pub const ANSWERED: Expected = Expected { status: 200, part: "\"text\":\"found\"" };

/// The generation of MCP that an agent speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// 2025-11-25: without a session.
    Legacy,
    /// 2026-07-28: each call tells everything about itself.
    Modern,
}

/// What agents call, again and again.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The tool.
    pub tool: &'static str,
    /// The record that it reads.
    pub record: &'static str,
    /// How many bytes its arguments take; at least 190.
    pub arguments: usize,
    /// How it is called.
    pub era: Era,
    /// What must be answered.
    pub expected: Expected,
}

/// The usual call: 200 bytes of arguments.
pub const USUAL: Call = Call { tool: TOOL, record: RECORD, arguments: 200, era: Era::Legacy, expected: ANSWERED };

impl Call {
    /// The message.
    pub fn body(&self) -> String {
        let others = r#""revision":42,"fields":["name","state","owner"],"path":"datasets/a/","filter":{"state":"open","limit":25,"exact":true},"reason":"monthly report for the clinic""#;
        let start = format!(r#"{{"id":"{}",{others},"note":""#, self.record);
        let note = "x".repeat(self.arguments.saturating_sub(start.len() + 2));
        let arguments = format!("{start}{note}\"}}");
        let meta = match self.era {
            Era::Legacy => r#""progressToken":1"#,
            Era::Modern => {
                r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}"#
            }
        };
        let params = format!(r#"{{"name":"{}","arguments":{arguments},"_meta":{{{meta}}}}}"#, self.tool);
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#)
    }

    /// The headers that an agent sends with it, beside length and host.
    pub fn headers(&self) -> Vec<(&'static str, &'static str)> {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("user-agent", "reeve-bench"),
        ];
        match self.era {
            Era::Legacy => headers.push(("mcp-protocol-version", "2025-11-25")),
            Era::Modern => headers.extend([
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("mcp-name", self.tool),
            ]),
        }
        headers
    }

    /// The bytes of the request.
    pub fn request(&self, address: SocketAddr) -> Bytes {
        self.request_for(self.tool, address)
    }

    /// The same for another tool. In the legacy era only the body names it.
    pub fn request_for(&self, tool: &str, address: SocketAddr) -> Bytes {
        let body = self.body().replacen(self.tool, tool, 1);
        let mut head = format!("POST {PATH} HTTP/1.1\r\nhost: {address}\r\n");
        for (name, value) in self.headers() {
            head += &format!("{name}: {value}\r\n");
        }
        format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into()
    }
}

/// How long calls took.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// From the first to the last.
    pub elapsed: Duration,
    /// Each, in ascending order.
    pub each: Vec<Duration>,
}

impl Taken {
    /// Of what was measured, in any order.
    pub fn new(elapsed: Duration, mut each: Vec<Duration>) -> Self {
        each.sort_unstable();
        Self { elapsed, each }
    }

    /// The time within which this share of calls was answered.
    pub fn percentile(&self, share: f64) -> Duration {
        let last = self.each.len().saturating_sub(1);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let index = (last as f64 * share).round() as usize;
        self.each.get(index).copied().unwrap_or_default()
    }

    /// The longest.
    pub fn longest(&self) -> Duration {
        self.each.last().copied().unwrap_or_default()
    }

    /// Calls a second.
    pub fn rate(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)]
        let calls = self.each.len() as f64;
        calls / self.elapsed.as_secs_f64()
    }
}

/// Connections of agents, each of which makes one call at a time.
#[derive(Debug)]
pub struct Agents {
    agents: Vec<Agent>,
    request: Bytes,
    expected: Expected,
}

#[derive(Debug)]
struct Agent {
    address: SocketAddr,
    /// None after an answer that ended the connection.
    stream: Option<TcpStream>,
    answer: Vec<u8>,
}

impl Agents {
    /// Connects this many.
    ///
    /// # Panics
    /// If they are not accepted.
    pub async fn connect(address: SocketAddr, connections: usize, call: &Call) -> Self {
        let mut agents = Vec::with_capacity(connections);
        for _ in 0..connections {
            let stream = Some(connect(address).await);
            agents.push(Agent { address, stream, answer: Vec::with_capacity(16 << 10) });
        }
        Self { agents, request: call.request(address), expected: call.expected }
    }

    /// Makes at least this many calls, shared evenly.
    ///
    /// # Panics
    /// If one is answered otherwise than expected.
    pub async fn call(&mut self, calls: usize) -> Taken {
        let share = calls.div_ceil(self.agents.len());
        self.each(move |_, made| made < share).await
    }

    /// Calls each of these tools once, one after the other on the first connection.
    ///
    /// # Panics
    /// If one is answered otherwise than expected.
    pub async fn call_tools(&mut self, call: &Call, tools: impl Iterator<Item = String>) {
        let agent = self.agents.first_mut().expect("there is a connection");
        for tool in tools {
            agent.call(&call.request_for(&tool, agent.address), self.expected).await;
        }
    }

    /// Calls for this long.
    ///
    /// # Panics
    /// If one is answered otherwise than expected.
    pub async fn call_for(&mut self, duration: Duration) -> Taken {
        self.each(move |began, _| began.elapsed() < duration).await
    }

    /// Calls for as long as each agent `goes_on`, which is told when it began and how many calls it has made.
    async fn each(&mut self, goes_on: impl Fn(Instant, usize) -> bool + Copy + Send + 'static) -> Taken {
        let began = Instant::now();
        let mut running = JoinSet::new();
        for mut agent in self.agents.drain(..) {
            let (request, expected) = (self.request.clone(), self.expected);
            running.spawn(async move {
                let mut each = Vec::new();
                while goes_on(began, each.len()) {
                    each.push(agent.call(&request, expected).await);
                }
                (agent, each)
            });
        }
        let mut all = Vec::new();
        while let Some(ended) = running.join_next().await {
            let (agent, each) = ended.expect("every call is answered as expected");
            self.agents.push(agent);
            all.extend(each);
        }
        Taken::new(began.elapsed(), all)
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("the proxy accepts connections");
    stream.set_nodelay(true).expect("an open socket takes options");
    stream
}

impl Agent {
    async fn call(&mut self, request: &[u8], expected: Expected) -> Duration {
        let began = Instant::now();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address).await,
        };
        stream.write_all(request).await.expect("the proxy reads");
        self.answer.clear();
        let head = loop {
            self.read(&mut stream).await;
            if let Some(head) = Head::find(&self.answer) {
                break head;
            }
        };
        while !head.is_complete(&self.answer) {
            self.read(&mut stream).await;
        }
        let taken = began.elapsed();
        let as_expected = status(&self.answer) == expected.status
            && memchr::memmem::find(&self.answer, expected.part.as_bytes()).is_some();
        assert!(as_expected, "expected {expected:?}: {}", String::from_utf8_lossy(&self.answer));
        self.stream = (!head.closes).then_some(stream);
        taken
    }

    async fn read(&mut self, stream: &mut TcpStream) {
        self.answer.reserve(4 << 10);
        let read = stream.read_buf(&mut self.answer).await.expect("the proxy answers");
        assert!(read > 0, "the proxy ended the connection: {}", String::from_utf8_lossy(&self.answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_arguments_of_the_size_asked_for() {
        let body: serde_json::Value = serde_json::from_str(&USUAL.body()).unwrap();
        assert_eq!(body["params"]["arguments"].to_string().len(), 200);
    }

    #[test]
    fn percentiles_are_those_of_what_was_measured() {
        let taken = Taken::new(Duration::from_secs(1), (0..=100).rev().map(Duration::from_micros).collect());
        assert_eq!(taken.percentile(0.5), Duration::from_micros(50));
        assert_eq!(taken.percentile(0.99), Duration::from_micros(99));
        assert_eq!(taken.longest(), Duration::from_micros(100));
    }
}
