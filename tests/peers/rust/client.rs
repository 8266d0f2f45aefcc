//! The Rust SDK's client as a command; the same contract as the Python peers' `client.py`.

use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{RoleClient, ServiceError};
use serde_json::{Value, json};

type Client = RunningService<RoleClient, ()>;

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
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, era] = &arguments[..] else {
        return Err("usage: reeve-peer-client URL legacy|modern".into());
    };
    let (lifecycle, protocol) = match era.as_str() {
        "legacy" => (ClientLifecycleMode::Initialize, "2025-11-25"),
        _ => (ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }, "2026-07-28"),
    };
    let client = ().serve_with_lifecycle(StreamableHttpClientTransport::from_uri(url.as_str()), lifecycle).await?;
    let steps: Vec<Value> = serde_json::from_reader(std::io::stdin())?;
    for wanted in &steps {
        println!("{}", step(&client, wanted).await.unwrap_or_else(|error| json!({"error": error.to_string()})));
    }
    println!("{}", json!({"protocol": protocol}));
    client.cancel().await?;
    Ok(())
}
