//! A small MCP server of the AWS HealthImaging kind, in memory: what the demonstration guards.
//!
//! Speaks both eras over Streamable HTTP without sessions, and answers each request with JSON. It does nothing but say
//! what it would have done.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";

/// The tools: name, what it does, and the arguments it needs.
const TOOLS: &[(&str, &str, &[&str])] = &[
    ("get_datastore", "Reads one datastore.", &["datastore_id"]),
    ("list_datastores", "Lists the datastores.", &[]),
    ("create_datastore", "Creates a datastore.", &["datastore_name"]),
    ("delete_datastore", "Deletes a datastore and every image in it.", &["datastore_id"]),
    ("search_image_sets", "Finds image sets.", &["datastore_id"]),
    ("start_dicom_import_job", "Imports images from S3.", &["datastore_id", "input_s3_uri", "output_s3_uri"]),
    ("start_dicom_export_job", "Exports images to S3.", &["datastore_id", "output_s3_uri"]),
];

/// Serves on `listener` until dropped.
pub(super) async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = service_fn(answer);
        tokio::spawn(async move {
            // A connection that breaks is its client's affair.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::POST {
        return Ok(empty(StatusCode::METHOD_NOT_ALLOWED));
    }
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let Ok(message) = serde_json::from_slice::<Value>(&body) else { return Ok(empty(StatusCode::BAD_REQUEST)) };
    let Some(id) = message.get("id") else { return Ok(empty(StatusCode::ACCEPTED)) };
    let modern = message.pointer("/params/_meta/io.modelcontextprotocol~1protocolVersion").is_some();
    let mut reply = json!({"jsonrpc": "2.0", "id": id});
    match result(message.get("method").and_then(Value::as_str).unwrap_or_default(), &message["params"]) {
        Ok(mut result) => {
            if modern {
                result["resultType"] = json!("complete");
            }
            reply["result"] = result;
        }
        Err(error) => reply["error"] = error,
    }
    let mut response = Response::new(Full::new(Bytes::from(reply.to_string())));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Ok(response)
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn result(method: &str, params: &Value) -> Result<Value, Value> {
    let server = json!({"name": "demo-healthimaging", "version": env!("CARGO_PKG_VERSION")});
    match method {
        "initialize" => Ok(json!({"protocolVersion": LEGACY, "capabilities": {"tools": {}}, "serverInfo": server})),
        "server/discover" => Ok(json!({
            "supportedVersions": [MODERN], "capabilities": {"tools": {}}, "serverInfo": server,
            "ttlMs": 0, "cacheScope": "private",
        })),
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({"tools": definitions(), "ttlMs": 60_000, "cacheScope": "public"})),
        "tools/call" => call(params["name"].as_str().unwrap_or_default(), &params["arguments"]),
        other => Err(json!({"code": -32601, "message": format!("Method not found: {other}")})),
    }
}

fn definitions() -> Vec<Value> {
    let define = |(name, description, required): &(&str, &str, &[&str])| {
        let properties: serde_json::Map<String, Value> =
            required.iter().map(|argument| ((*argument).to_owned(), json!({"type": "string"}))).collect();
        let schema = json!({"type": "object", "properties": properties, "required": required});
        json!({"name": name, "description": description, "inputSchema": schema})
    };
    TOOLS.iter().map(define).collect()
}

fn call(tool: &str, arguments: &Value) -> Result<Value, Value> {
    static JOBS: AtomicU64 = AtomicU64::new(1);
    let argument = |name: &str| arguments[name].as_str().unwrap_or("?");
    let text = match tool {
        "get_datastore" => format!("Datastore {} is ACTIVE.", argument("datastore_id")),
        "list_datastores" => "One datastore: ds-1, ACTIVE.".into(),
        "create_datastore" => format!("Created a datastore named {}.", argument("datastore_name")),
        "delete_datastore" => format!("Deleted datastore {} and every image in it.", argument("datastore_id")),
        "search_image_sets" => "3 image sets found.".into(),
        "start_dicom_import_job" | "start_dicom_export_job" => {
            let job = JOBS.fetch_add(1, Ordering::Relaxed);
            format!("Job {job} submitted, writing to {}.", argument("output_s3_uri"))
        }
        other => return Err(json!({"code": -32602, "message": format!("Unknown tool: {other}")})),
    };
    Ok(json!({"content": [{"type": "text", "text": text}], "isError": false}))
}
