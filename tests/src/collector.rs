//! The real OpenTelemetry collector, as a process, and the spans that it was sent.

use serde_json::Value;

use crate::eventually::eventually;
use crate::process::{Process, free_port, root};

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    /// Where it takes OTLP over HTTP.
    pub url: String,
    process: Process,
}

impl Collector {
    /// Starts one and waits until it listens. None where it is not installed (`tests/install collector`).
    ///
    /// # Panics
    /// If it ends before it listens; with its log.
    pub fn start() -> Option<Self> {
        let program = root().join("target/tools/collector/collector");
        if !program.exists() {
            return None;
        }
        let address = format!("127.0.0.1:{}", free_port());
        let mut process = Process::start(std::process::Command::new(program).arg(&address));
        eventually("the collector listens", || {
            assert!(process.exit_code().is_none(), "the collector ended: {}", process.log());
            std::net::TcpStream::connect(&address).is_ok().then_some(())
        });
        Some(Self { url: format!("http://{address}"), process })
    }

    /// What the collector has taken, once there are this many spans: each with the attributes of its resource as `resource`.
    ///
    /// # Panics
    /// If what it prints is no OTLP.
    pub fn spans(&self, count: usize) -> Vec<Value> {
        eventually(&format!("the collector has {count} spans"), || {
            let output = self.process.output();
            let (whole, _) = output.rsplit_once('\n')?;
            let spans: Vec<Value> = whole.lines().flat_map(spans).collect();
            (spans.len() >= count).then_some(spans)
        })
    }
}

fn spans(line: &str) -> Vec<Value> {
    let batch: Value = serde_json::from_str(line).expect("a line of OTLP/JSON");
    let mut found = Vec::new();
    for of_resource in items(&batch["resourceSpans"]) {
        for in_scope in items(&of_resource["scopeSpans"]) {
            for span in items(&in_scope["spans"]) {
                let mut span = span.clone();
                span["resource"] = of_resource["resource"]["attributes"].clone();
                found.push(span);
            }
        }
    }
    found
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The value of one of these attributes, which is text.
pub fn attribute<'v>(attributes: &'v Value, key: &str) -> Option<&'v str> {
    let found = items(attributes).iter().find(|attribute| attribute["key"] == key)?;
    found["value"]["stringValue"].as_str()
}
