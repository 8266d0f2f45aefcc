//! A minimal MCP client of the 2026-07-28 era: what the demonstration calls with, as any agent would.

use std::io;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

const VERSION: &str = "2026-07-28";

/// What an agent is told of one call.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The text that the model reads.
    pub(super) text: String,
    /// `allow`, or the word of the refusal.
    pub(super) decision: String,
}

/// A client of one server.
#[derive(Debug)]
pub(super) struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    url: String,
}

impl Client {
    pub(super) fn new(url: String) -> Self {
        Self { http: HttpClient::builder(TokioExecutor::new()).build_http(), url }
    }

    /// The names of the tools, as the server or the sidecar lists them.
    pub(super) async fn tools(&self) -> io::Result<Vec<String>> {
        let result = self.request("tools/list", None, json!({})).await?;
        let tools = result["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(tools.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect())
    }

    /// Calls a tool.
    pub(super) async fn call(&self, tool: &str, arguments: Value) -> io::Result<Answer> {
        let result = self.request("tools/call", Some(tool), json!({"name": tool, "arguments": arguments})).await?;
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        let decision = result["_meta"]["reeve.dev/decision"]["decision"].as_str().unwrap_or("allow").to_owned();
        Ok(Answer { text, decision })
    }

    /// Gets a page, such as the metrics.
    pub(super) async fn page(&self, url: &str) -> io::Result<String> {
        let request = Request::get(url).body(Full::default()).map_err(io::Error::other)?;
        Ok(String::from_utf8_lossy(&self.exchange(request).await?).into_owned())
    }

    async fn request(&self, method: &str, name: Option<&str>, mut params: Value) -> io::Result<Value> {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header("mcp-protocol-version", VERSION)
            .header("mcp-method", method);
        if let Some(name) = name {
            request = request.header("mcp-name", name);
        }
        let request = request.body(Full::new(Bytes::from(message.to_string()))).map_err(io::Error::other)?;
        let reply: Value = serde_json::from_slice(&self.exchange(request).await?)?;
        match reply.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(io::Error::other(format!("the answer is an error: {reply}"))),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> io::Result<Bytes> {
        let response = self.http.request(request).await.map_err(io::Error::other)?;
        Ok(response.into_body().collect().await.map_err(io::Error::other)?.to_bytes())
    }
}
