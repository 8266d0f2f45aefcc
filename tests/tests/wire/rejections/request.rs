//! A request that differs in one thing from a call that is permitted.

use reeve_tests::agent::{Agent, LEGACY, MODERN};
use reeve_tests::http::{self, Exchange};
use serde_json::{Value, json};

/// A request, to be changed.
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// A call that is permitted.
    pub(super) fn permitted() -> Self {
        let mut call = Self { method: "POST", path: "/mcp", headers: Vec::new(), body: Vec::new() };
        call.set("Content-Type", "application/json");
        call.set("Accept", "application/json, text/event-stream");
        call.set("MCP-Protocol-Version", MODERN);
        call.ask("tools/call", json!({"name": "echo", "arguments": {}}));
        call.set("Mcp-Name", "echo");
        call
    }

    /// Asks for something else, in the modern era.
    pub(super) fn ask(&mut self, method: &str, params: Value) {
        self.set("Mcp-Method", method);
        self.remove("Mcp-Name");
        self.body = Agent::modern("").body(method, params).into();
    }

    /// Says something in the legacy era.
    pub(super) fn say_in_legacy(&mut self, message: Value) {
        self.set("MCP-Protocol-Version", LEGACY);
        self.body = message.to_string().into();
    }

    /// Gives the tool an argument.
    pub(super) fn argue(&mut self, json: &str) {
        self.replace(r#""arguments":{}"#, &format!(r#""arguments":{{"a":{json}}}"#));
    }

    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.remove(name);
        self.headers.push((name, value.to_owned()));
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| *known != name);
    }

    pub(super) fn replace(&mut self, from: &str, to: &str) {
        let text = String::from_utf8(std::mem::take(&mut self.body)).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        self.body = text.replacen(from, to, 1).into();
    }

    pub(super) fn insert(&mut self, at: usize, text: &str) {
        self.body.splice(at..at, text.bytes());
    }

    /// Sends the body as one chunk, so that its length is not stated.
    pub(super) fn chunk(&mut self) {
        self.set("Transfer-Encoding", "chunked");
        self.insert(0, &format!("{:x}\r\n", self.body.len()));
        self.body.extend(b"\r\n0\r\n\r\n");
    }

    /// Sends it to an address.
    pub(super) fn send(&self, address: &str) -> Exchange {
        let mut headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, &**value)).collect();
        let length = self.body.len().to_string();
        if !headers.iter().any(|(name, _)| ["Content-Length", "Transfer-Encoding"].contains(name)) {
            headers.push(("Content-Length", &length));
        }
        let mut bytes = http::request(self.method, &format!("http://{address}{}", self.path), &headers, "");
        bytes.extend(&self.body);
        Exchange::begin(address, &bytes).unwrap()
    }
}
