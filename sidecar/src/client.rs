//! A small MCP client: what `reeve-sidecar call` and the demonstration call with, as any agent would.
//!
//! Speaks the 2026-07-28 era, which needs no greeting, and with [`Client::greet`] the sessions of servers that know no other
//! than the one before.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::mcp::sse::{Piece, Scanner};

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";
const SESSION: &str = "mcp-session-id";
const JSON: &str = "application/json";

/// The largest answer that is read, in bytes.
const LARGEST: usize = 16 << 20;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an agent is told of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text that the model reads.
    pub text: String,
    /// `allow`, or the word of the refusal.
    pub decision: String,
}

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    url: String,
    era: Era,
}

#[derive(Debug)]
enum Era {
    Modern,
    Legacy { session: Option<HeaderValue> },
}

impl Client {
    /// A client of the server at this URL, http alone. Nothing is sent yet.
    pub fn new(url: impl Into<String>) -> Self {
        Self { http: HttpClient::builder(TokioExecutor::new()).build_http(), url: url.into(), era: Era::Modern }
    }

    /// Finds out which era the server speaks, and begins a session if it is the one before 2026-07-28. A server that answers
    /// neither question is called as if it spoke the newer.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn greet(&mut self) -> io::Result<()> {
        if self.request("server/discover", None, json!({})).await?.is_ok() {
            return Ok(());
        }
        self.era = Era::Legacy { session: None };
        let client = json!({"name": "reeve-sidecar", "version": env!("CARGO_PKG_VERSION")});
        let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client});
        let response = self.exchange(&message("initialize", Some(1), &params), "initialize", None).await?;
        let session = response.headers().get(SESSION).cloned();
        if reply(response).await?.is_err() {
            self.era = Era::Modern;
            return Ok(());
        }
        self.era = Era::Legacy { session };
        let greeted = "notifications/initialized";
        self.exchange(&message(greeted, None, &json!({})), greeted, None).await?;
        Ok(())
    }

    /// The names of the tools, as the server or the sidecar lists them; of its first page.
    ///
    /// # Errors
    /// The server cannot be reached, or answers with an error.
    pub async fn tools(&self) -> io::Result<Vec<String>> {
        let result = self.request("tools/list", None, json!({})).await?.map_err(io::Error::other)?;
        let tools = result["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(tools.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect())
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// The server cannot be reached, or answers with an error. A refusal is an answer.
    pub async fn call(&self, tool: &str, arguments: Value) -> io::Result<Answer> {
        let params = json!({"name": tool, "arguments": arguments});
        let result = self.request("tools/call", Some(tool), params).await?.map_err(io::Error::other)?;
        let texts = result["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let texts: Vec<_> = texts.iter().filter_map(|content| content["text"].as_str()).collect();
        let decision = result["_meta"]["reeve.dev/decision"]["decision"].as_str().unwrap_or("allow").to_owned();
        Ok(Answer { text: texts.join("\n"), decision })
    }

    /// Gets a page, such as the metrics.
    ///
    /// # Errors
    /// It cannot be had.
    pub async fn page(&self, url: &str) -> io::Result<String> {
        let request = Request::get(url).body(Full::default()).map_err(io::Error::other)?;
        let response = self.http.request(request).await.map_err(io::Error::other)?;
        Ok(String::from_utf8_lossy(&whole(response).await?).into_owned())
    }

    /// The result of a request, or the sentence of its error.
    async fn request(&self, method: &str, name: Option<&str>, mut params: Value) -> io::Result<Result<Value, String>> {
        if matches!(self.era, Era::Modern) {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        reply(self.exchange(&message(method, Some(1), &params), method, name).await?).await
    }

    async fn exchange(&self, message: &Value, method: &str, name: Option<&str>) -> io::Result<Response<Incoming>> {
        let mut request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, JSON)
            .header(header::ACCEPT, "application/json, text/event-stream");
        request = match &self.era {
            Era::Modern => request.header("mcp-protocol-version", MODERN).header("mcp-method", method),
            Era::Legacy { session: Some(session) } => {
                request.header("mcp-protocol-version", LEGACY).header(SESSION, session)
            }
            Era::Legacy { session: None } => request,
        };
        if let (Era::Modern, Some(name)) = (&self.era, name) {
            request = request.header("mcp-name", name);
        }
        let request = request.body(Full::new(Bytes::from(message.to_string()))).map_err(io::Error::other)?;
        let response = tokio::time::timeout(PATIENCE, self.http.request(request)).await;
        response.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &hyper_util::client::legacy::Error) -> io::Error {
        let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        io::Error::other(format!("{} cannot be reached: {cause}", self.url))
    }
}

fn message(method: &str, id: Option<u32>, params: &Value) -> Value {
    let mut message = json!({"jsonrpc": "2.0", "method": method, "params": params});
    if let Some(id) = id {
        message["id"] = id.into();
    }
    message
}

/// The result in a server's answer, or the sentence of its error.
async fn reply(response: Response<Incoming>) -> io::Result<Result<Value, String>> {
    let status = response.status();
    let is_stream = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.as_bytes().first_chunk::<17>())
        .is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"));
    let bytes = tokio::time::timeout(PATIENCE, whole(response)).await??;
    let reply = if is_stream { of_stream(&bytes) } else { serde_json::from_slice(&bytes).ok() };
    Ok(judge(status, reply, &bytes))
}

fn judge(status: StatusCode, reply: Option<Value>, bytes: &[u8]) -> Result<Value, String> {
    let Some(mut reply) = reply else {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(500)]);
        return Err(format!("the server answered {status}, which is no MCP message: {text}"));
    };
    match reply["error"]["message"].as_str() {
        _ if !reply["result"].is_null() => Ok(reply["result"].take()),
        Some(message) => Err(format!("the server answered {status} with error {}: {message}", reply["error"]["code"])),
        None => Err(format!("the server answered {status} with neither a result nor an error")),
    }
}

/// The response among the events of a stream.
fn of_stream(bytes: &[u8]) -> Option<Value> {
    let mut scanner = Scanner::new(LARGEST);
    scanner.push(bytes);
    while let Ok(Some(piece)) = scanner.piece() {
        let Piece::Event(event) = piece else { continue };
        let message: Option<Value> = event.message().and_then(|message| serde_json::from_slice(message).ok());
        if let Some(message) = message.filter(|message| message["id"] == 1 && message["method"].is_null()) {
            return Some(message);
        }
    }
    None
}

async fn whole(response: Response<Incoming>) -> io::Result<Bytes> {
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    Ok(body.map_err(io::Error::other)?.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_is_found_among_other_events() {
        let stream = b"event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n\
            data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}\n\n\
            data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[]}}\n\n";
        assert_eq!(of_stream(stream).unwrap()["result"], json!({"tools": []}));
        assert_eq!(of_stream(b": nothing yet\n\n"), None);
    }

    #[test]
    fn an_answer_that_is_no_message_is_shown() {
        let error = judge(StatusCode::NOT_FOUND, None, b"no such path").unwrap_err();
        assert_eq!(error, "the server answered 404 Not Found, which is no MCP message: no such path");
        let reply = json!({"error": {"code": -32601, "message": "no such method"}});
        let error = judge(StatusCode::OK, Some(reply), b"").unwrap_err();
        assert_eq!(error, "the server answered 200 OK with error -32601: no such method");
    }
}
