//! A client on the Rust SDK that does what the conformance suite's scenario asks of a client:
//! `reeve-peer-conformance-client URL`, the scenario in `MCP_CONFORMANCE_SCENARIO` and what it needs in
//! `MCP_CONFORMANCE_CONTEXT`.

use std::env::var;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult,
    ElicitationAction, ErrorData, GetPromptRequestParams, Implementation, ProtocolVersion, ReadResourceRequestParams,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RequestContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, RoleClient, ServiceError};
use serde_json::{Map, Value, json};

/// Accepts what it is asked, with the defaults that come with the question.
struct AcceptsDefaults;

impl ClientHandler for AcceptsDefaults {
    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let asked = serde_json::to_value(&request).unwrap_or_default();
        let properties = asked["requestedSchema"]["properties"].as_object().into_iter().flatten();
        let defaults = properties.filter_map(|(name, schema)| Some((name.clone(), schema.get("default")?.clone())));
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(defaults.collect::<Map<_, _>>().into()))
    }

    #[allow(deprecated, reason = "the scenarios look for every capability, those of the past too")]
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_elicitation().enable_roots().enable_sampling().build();
        // The revision that a handshake asks for; without a handshake it is chosen otherwise.
        ClientConfig::new(capabilities, Implementation::new("conformance-client", "1.0.0"))
            .with_protocol_version(ProtocolVersion::V_2025_11_25)
    }
}

type Client = RunningService<RoleClient, AcceptsDefaults>;

async fn call(client: &Client, name: &str, arguments: Value) -> Result<CallToolResult, ServiceError> {
    let mut request = CallToolRequestParams::new(name.to_owned());
    request.arguments = arguments.as_object().cloned();
    client.call_tool(request).await
}

async fn scenario(client: &Client, name: &str) -> Result<(), Box<dyn std::error::Error>> {
    let tools = client.list_all_tools().await?;
    match name {
        "tools_call" => drop(call(client, "add_numbers", json!({"a": 5, "b": 3})).await?),
        "sse-retry" => drop(call(client, "test_reconnection", json!({})).await?),
        "elicitation-sep1034-client-defaults" => {
            call(client, "test_client_elicitation_defaults", json!({})).await?;
        }
        "http-standard-headers" => {
            for tool in &tools {
                call(client, &tool.name, json!({})).await?;
            }
            for resource in client.list_all_resources().await? {
                client.read_resource(ReadResourceRequestParams::new(resource.uri.clone())).await?;
            }
            for prompt in client.list_all_prompts().await? {
                client.get_prompt(GetPromptRequestParams::new(prompt.name.clone())).await?;
            }
        }
        "http-custom-headers" => {
            let context: Value = serde_json::from_str(&var("MCP_CONFORMANCE_CONTEXT")?)?;
            for wanted in context["toolCalls"].as_array().into_iter().flatten() {
                call(client, wanted["name"].as_str().unwrap_or_default(), wanted["arguments"].clone()).await?;
            }
        }
        // A client calls what it lists; whether it lists tools with bad annotations is what the scenario looks at.
        "http-invalid-tool-headers" => {
            for tool in &tools {
                call(client, &tool.name, json!({"region": "us-west1"})).await?;
            }
        }
        "sep-2322-client-request-state" => {
            let calls = ["echo_state", "unrelated"].map(|tool| format!("test_mrtr_{tool}"));
            let (first, second) = tokio::join!(call(client, &calls[0], json!({})), call(client, &calls[1], json!({})));
            first.and(second)?;
            call(client, "test_mrtr_no_state", json!({})).await?;
            // Its result has no resultType, which an SDK may take for a mistake of the server.
            drop(call(client, "test_mrtr_no_result_type", json!({})).await);
        }
        "json-schema-2020-12-preservation" => {
            let schema =
                tools.iter().find(|tool| tool.name == "json_schema_2020_12_tool").map(|tool| &tool.input_schema);
            call(client, "json_schema_echo", json!({"schema": schema})).await?;
        }
        // Of the others the list of tools is all that is asked.
        _ => {}
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: reeve-peer-conformance-client URL")?;
    let modern = var("MCP_CONFORMANCE_PROTOCOL_VERSION").is_ok_and(|version| version == "2026-07-28");
    let lifecycle = if modern {
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
    } else {
        ClientLifecycleMode::Initialize
    };
    let transport = StreamableHttpClientTransport::from_uri(url);
    let client = AcceptsDefaults.serve_with_lifecycle(transport, lifecycle).await?;
    scenario(&client, &var("MCP_CONFORMANCE_SCENARIO")?).await?;
    client.cancel().await?;
    Ok(())
}
