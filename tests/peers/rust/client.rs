//! The Rust SDK's client as a command; the same contract as the Python peers' `client.py`.

use std::process::Command;

use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, AuthorizationRequest, OAuthState};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceError};
use serde_json::{Value, json};

type Client = RunningService<RoleClient, ()>;
type AnyError = Box<dyn std::error::Error>;

const OWN_URL: &str = "http://127.0.0.1:9/callback";

/// Logs in, with a browser that is a command.
async fn login(url: &str, browser: &[String]) -> Result<AuthClient<reqwest::Client>, AnyError> {
    let mut state = OAuthState::new(url, None).await?;
    let request = AuthorizationRequest::new(OWN_URL).with_client_name("reeve-tests").with_initial_scope_selection();
    state.start_authorization(request).await?;
    let [program, arguments @ ..] = browser else { return Err("no browser".into()) };
    let mut browser = Command::new(program);
    let led = browser.args(arguments).arg(state.get_authorization_url().await?).arg(OWN_URL).output()?;
    let led = reqwest::Url::parse(std::str::from_utf8(&led.stdout)?.trim())?;
    if led.query_pairs().any(|(name, _)| name == "error") {
        return Err(led.query().unwrap_or_default().into());
    }
    state.handle_callback_url(led.as_str()).await?;
    let manager = state.into_authorization_manager().ok_or("not logged in")?;
    Ok(AuthClient::new(reqwest::Client::new(), manager))
}

async fn step(client: &Client, step: &Value) -> Result<Value, ServiceError> {
    let Some(tool) = step.get("call").and_then(Value::as_str) else {
        let tools = client.list_all_tools().await?;
        return Ok(json!({"tools": tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>()}));
    };
    let mut request = CallToolRequestParams::new(tool.to_owned());
    request.arguments = step.get("arguments").and_then(Value::as_object).cloned();
    let result = client.call_tool(request).await?;
    let text: String = result.content.iter().filter_map(|block| block.as_text()).map(|text| &*text.text).collect();
    Ok(json!({"isError": result.is_error.unwrap_or(false), "text": text}))
}

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::print_stdout, reason = "lines on standard output are this program's answer")]
async fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, era, browser @ ..] = &arguments[..] else {
        return Err("usage: reeve-peer-client URL legacy|modern [BROWSER...]".into());
    };
    let lifecycle = match era.as_str() {
        "legacy" => ClientLifecycleMode::Initialize,
        _ => ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
    };
    let client = if browser.is_empty() {
        ().serve_with_lifecycle(StreamableHttpClientTransport::from_uri(url.as_str()), lifecycle).await?
    } else {
        let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
        let transport = StreamableHttpClientTransport::with_client(login(url, browser).await?, config);
        ().serve_with_lifecycle(transport, lifecycle).await?
    };
    let steps: Vec<Value> = serde_json::from_reader(std::io::stdin())?;
    for wanted in &steps {
        println!("{}", step(&client, wanted).await.unwrap_or_else(|error| json!({"error": error.to_string()})));
    }
    println!("{}", json!({"protocol": client.peer_info().map(|server| server.protocol_version.clone())}));
    client.cancel().await?;
    Ok(())
}
