//! An agent without an SDK: sends exactly what a test says, in the form of either era, and shows answers as they come.

use serde_json::{Value, json};

use crate::clients::Era;
use crate::http::{self, Answer, Exchange, request};
use crate::upstream::Upstream;

/// The revision that stands for the modern era.
pub const MODERN: &str = "2026-07-28";
/// The revision that stands for the legacy era.
pub const LEGACY: &str = "2025-11-25";

/// An agent of one era, in front of one URL.
#[derive(Clone, Debug)]
pub struct Agent {
    url: String,
    era: Era,
    /// The id of its requests.
    id: u64,
    /// Headers that it sends beside those that the protocol requires.
    headers: Vec<(String, String)>,
}

impl Agent {
    /// An agent of the modern era.
    pub fn modern(url: &str) -> Self {
        Self { url: url.to_owned(), era: Era::Modern, id: 1, headers: Vec::new() }
    }

    /// An agent of the legacy era, without a session.
    pub fn legacy(url: &str) -> Self {
        Self { url: url.to_owned(), era: Era::Legacy, id: 1, headers: Vec::new() }
    }

    /// The same agent with one more header on every request.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same agent, whose requests have this id. In a session two that wait for their answers must differ in it.
    #[must_use]
    pub fn numbered(mut self, id: u64) -> Self {
        self.id = id;
        self
    }

    /// The same agent in this session.
    #[must_use]
    pub fn in_session(self, session: &str) -> Self {
        self.with("Mcp-Session-Id", session)
    }

    /// The body of a request of this agent's era.
    pub fn body(&self, method: &str, mut params: Value) -> String {
        if self.era == Era::Modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientInfo": {"name": "agent", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}).to_string()
    }

    /// Sends a request.
    pub fn begin(&self, method: &str, params: Value) -> Exchange {
        let name = ["name", "uri"].iter().find_map(|key| params.get(*key)?.as_str()).map(str::to_owned);
        let body = self.body(method, params);
        self.begin_raw(method, name.as_deref(), &body)
    }

    /// Posts this body with the headers that a request for this method would have.
    ///
    /// # Panics
    /// If no connection can be made.
    pub fn begin_raw(&self, method: &str, name: Option<&str>, body: &str) -> Exchange {
        let mut headers = vec![("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")];
        match self.era {
            Era::Legacy => headers.push(("MCP-Protocol-Version", LEGACY)),
            Era::Modern => headers.extend([("MCP-Protocol-Version", MODERN), ("Mcp-Method", method)]),
        }
        headers.extend(name.filter(|_| self.era == Era::Modern).map(|name| ("Mcp-Name", name)));
        headers.extend(self.headers.iter().map(|(name, value)| (&**name, &**value)));
        self.send("POST", &headers, body)
    }

    /// Sends a request and waits for its whole answer.
    pub fn ask(&self, method: &str, params: Value) -> Answer {
        self.begin(method, params).rest()
    }

    /// Calls a tool.
    pub fn call(&self, tool: &str, arguments: Value) -> Answer {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// Whether a call of this tool reaches the server, which then answers it.
    ///
    /// # Panics
    /// If the agent is told otherwise.
    pub fn passes(&self, tool: &str, upstream: &Upstream) -> bool {
        let exchange = self.begin_call(tool);
        let passes = upstream.serves(&exchange, |request| request.text("done"));
        let (kind, text) = told(&exchange.rest());
        assert_eq!(passes, text == "done", "{kind}: {text}");
        passes
    }

    /// Begins a call of a tool.
    pub fn begin_call(&self, tool: &str) -> Exchange {
        self.begin("tools/call", json!({"name": tool, "arguments": {}}))
    }

    /// Posts this body as a call of `echo` would be.
    pub fn post(&self, body: &str) -> Answer {
        self.begin_raw("tools/call", Some("echo"), body).rest()
    }

    /// Opens the stream of a session, or resumes one.
    pub fn stream(&self) -> Exchange {
        self.bodiless("GET")
    }

    /// Ends a session.
    pub fn end_session(&self) -> Answer {
        self.bodiless("DELETE").rest()
    }

    fn bodiless(&self, method: &str) -> Exchange {
        let mut headers = vec![("Accept", "text/event-stream"), ("MCP-Protocol-Version", LEGACY)];
        headers.extend(self.headers.iter().map(|(name, value)| (&**name, &**value)));
        self.send(method, &headers, "")
    }

    fn send(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Exchange {
        let bytes = request(method, &self.url, headers, body);
        Exchange::begin(http::split(&self.url).0, &bytes).expect("the sidecar accepts a connection")
    }
}

/// What the agent's model reads of an answer: `isError` and the text, or the code and message of an error.
pub fn told(answer: &Answer) -> (String, String) {
    let message = answer.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match message.get("error") {
        Some(error) => (error["code"].to_string(), text(&error["message"])),
        None => {
            let result = &message["result"];
            let error = if result["isError"] == true { "isError" } else { "result" };
            (error.to_owned(), text(&result["content"][0]["text"]))
        }
    }
}
