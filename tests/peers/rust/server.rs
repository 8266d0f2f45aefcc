//! A server on the Rust SDK, both eras: `reeve-peer-server PORT`. The same tools as the TypeScript and Python peers.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

#[derive(Clone)]
struct Peer;

fn schema(schema: Value) -> Arc<JsonObject> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

fn tools() -> Vec<Tool> {
    let message = json!({"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]});
    let numbers = json!({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}});
    let token = json!({"type": "object", "properties": {"token": {"type": "string"}}});
    vec![
        Tool::new("echo", "Answers with the message.", schema(message)),
        Tool::new("add", "Adds two numbers.", schema(numbers)),
        Tool::new("delete_everything", "Deletes every datastore.", schema(token)),
    ]
}

impl ServerHandler for Peer {
    #[allow(deprecated, reason = "the SDK's own way to name capabilities")]
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let number = |name: &str| arguments.get(name).and_then(Value::as_f64).unwrap_or_default();
        let string = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
        let (given, text) = match &*request.name {
            "echo" => (string("message").to_owned(), format!("Echo: {}", string("message"))),
            "add" => (number("a").to_string(), (number("a") + number("b")).to_string()),
            "delete_everything" => (string("token").to_owned(), "deleted".into()),
            other => {
                return Err(ErrorData::invalid_params(format!("Unknown tool: {other}"), None));
            }
        };
        let given: String = Value::from(given).to_string().chars().take(64).collect();
        eprintln!("ran {} {given}", request.name);
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).ok_or("usage: reeve-peer-server PORT")?.parse::<u16>()?;
    let service = StreamableHttpService::new(
        || Ok(Peer),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, axum::Router::new().route_service("/mcp", service)).await?;
    Ok(())
}
