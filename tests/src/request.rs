//! A request of which every part can be changed, and which is then sent exactly so.

use serde_json::{Value, json};

use crate::agent::{Agent, LEGACY, MODERN};
use crate::http::{self, Exchange};

/// A request, to be changed.
#[derive(Clone, Debug)]
pub struct Request {
    /// The HTTP method.
    pub method: String,
    /// The request's target, as it stands in its first line.
    pub target: String,
    /// Names and values, in the order in which they are sent.
    pub headers: Vec<(String, String)>,
    /// The body, or the chunks of one.
    pub body: Vec<u8>,
}

impl Request {
    /// A POST of this body, with the headers that every message has.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut post =
            Self { method: "POST".to_owned(), target: target.to_owned(), headers: Vec::new(), body: body.into() };
        post.set("Content-Type", "application/json");
        post.set("Accept", "application/json, text/event-stream");
        post
    }

    /// A call of `echo` in the modern era.
    pub fn permitted() -> Self {
        let mut call = Self::post("/mcp", "");
        call.set("MCP-Protocol-Version", MODERN);
        call.ask("tools/call", json!({"name": "echo", "arguments": {}}));
        call.set("Mcp-Name", "echo");
        call
    }

    /// Asks for something else, in the modern era.
    pub fn ask(&mut self, method: &str, params: Value) {
        self.set("Mcp-Method", method);
        self.remove("Mcp-Name");
        self.body = Agent::modern("").body(method, params).into();
    }

    /// Says something in the legacy era.
    pub fn say_in_legacy(&mut self, message: Value) {
        self.set("MCP-Protocol-Version", LEGACY);
        self.body = message.to_string().into();
    }

    /// Gives the tool an argument.
    pub fn argue(&mut self, json: &str) {
        self.replace(r#""arguments":{}"#, &format!(r#""arguments":{{"a":{json}}}"#));
    }

    /// Has this header once, with this value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.remove(name);
        self.add(name, value);
    }

    /// Has this header once more.
    pub fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Does not have this header.
    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// Has other text in its body.
    ///
    /// # Panics
    /// If the body is not text, or does not have what is to be replaced.
    pub fn replace(&mut self, from: &str, to: &str) {
        let text = String::from_utf8(std::mem::take(&mut self.body)).expect("a body of text");
        assert!(text.contains(from), "{from} in {text}");
        self.body = text.replacen(from, to, 1).into();
    }

    /// Has more text in its body.
    pub fn insert(&mut self, at: usize, text: &str) {
        self.body.splice(at..at, text.bytes());
    }

    /// Sends the body as one chunk, so that its length is not stated.
    pub fn chunk(&mut self) {
        self.set("Transfer-Encoding", "chunked");
        self.insert(0, &format!("{:x}\r\n", self.body.len()));
        self.body.extend(b"\r\n0\r\n\r\n");
    }

    /// What is sent to this address. Host, and the length of the body, are added unless they are there; the connection is to end
    /// with the answer unless the request has a `Connection` of its own.
    pub fn bytes(&self, address: &str) -> Vec<u8> {
        let has = |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut line = |name: &str, value: &str| head += &format!("{name}: {value}\r\n");
        if !has("Host") {
            line("Host", address);
        }
        if !has("Connection") {
            line("Connection", "close");
        }
        if !has("Content-Length") && !has("Transfer-Encoding") {
            line("Content-Length", &self.body.len().to_string());
        }
        self.headers.iter().for_each(|(name, value)| line(name, value));
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend(&self.body);
        bytes
    }

    /// Sends it to an address.
    ///
    /// # Panics
    /// If no connection can be made.
    pub fn send(&self, address: &str) -> Exchange {
        Exchange::begin(address, &self.bytes(address)).expect("a connection can be made")
    }

    /// Sends it to a URL, of which only the address counts.
    pub fn send_to(&self, url: &str) -> Exchange {
        self.send(http::split(url).0)
    }
}
