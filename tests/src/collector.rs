//! The real OpenTelemetry collector, as a process: one that takes spans and records of logs and tells what it took, and one that sends
//! audit logs on, as `examples/audit/collector.yaml` says.

use std::path::Path;
use std::process::Command;

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
        let address = format!("127.0.0.1:{}", free_port());
        let mut process = Process::start(command()?.arg(format!(
            "yaml:{{receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}, exporters: {{print: {{}}}}, service: {{
            telemetry: {{metrics: {{level: none}}}}, pipelines: {{traces: {{receivers: [otlp], exporters: [print]}},
            logs: {{receivers: [otlp], exporters: [print]}}}}}}}}"
        )));
        eventually("the collector listens", || {
            assert!(process.exit_code().is_none(), "the collector ended: {}", process.log());
            std::net::TcpStream::connect(&address).is_ok().then_some(())
        });
        Some(Self { url: format!("http://{address}"), process })
    }

    /// The spans that the collector has taken, once there are this many: each with the attributes of its resource as `resource`.
    ///
    /// # Panics
    /// If what it prints is no OTLP.
    pub fn spans(&self, count: usize) -> Vec<Value> {
        self.taken(count, ["resourceSpans", "scopeSpans", "spans"])
    }

    /// The same of records of logs.
    ///
    /// # Panics
    /// If what it prints is no OTLP.
    pub fn records(&self, count: usize) -> Vec<Value> {
        self.taken(count, ["resourceLogs", "scopeLogs", "logRecords"])
    }

    fn taken(&self, count: usize, path: [&str; 3]) -> Vec<Value> {
        eventually(&format!("the collector has {count} {}", path[2]), || {
            let output = self.process.output();
            let (whole, _) = output.rsplit_once('\n')?;
            let taken: Vec<Value> = whole.lines().flat_map(|line| batch(line, path)).collect();
            (taken.len() >= count).then_some(taken)
        })
    }
}

/// A collector that reads the log files of a node and sends them on, and keeps what it must remember in `memory`.
///
/// # Panics
/// If it is not installed.
pub fn ship(pods: &Path, memory: &Path, to: &Collector) -> Process {
    let shipped = std::fs::read_to_string(root().join("examples/audit/collector.yaml")).expect("the example is there");
    // Where it runs is the test's; all else is as it is shipped.
    let here = shipped.replace("/var/log/pods", &pods.display().to_string());
    let here = here.replace("/var/lib/otelcol", &memory.display().to_string());
    let mut command = command().expect("the collector is installed");
    command.arg(format!("yaml:{here}")).arg("yaml:service::telemetry::metrics::level: none");
    let environment = [("AUDIT_URL", &*to.url), ("AUDIT_TOKEN", "secret"), ("CLUSTER", "east"), ("NODE", "node-1")];
    Process::start(command.envs(environment))
}

/// The program, if it is installed.
fn command() -> Option<Command> {
    let program = root().join("target/tools/collector/collector");
    program.exists().then(|| Command::new(program))
}

/// What is in a batch.
fn batch(line: &str, [resources, scopes, members]: [&str; 3]) -> Vec<Value> {
    let batch: Value = serde_json::from_str(line).expect("a line of OTLP/JSON");
    let mut found = Vec::new();
    for of_resource in items(&batch[resources]) {
        for in_scope in items(&of_resource[scopes]) {
            for member in items(&in_scope[members]) {
                let mut member = member.clone();
                member["resource"] = of_resource["resource"]["attributes"].clone();
                found.push(member);
            }
        }
    }
    found
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// One of these attributes, as text.
pub fn attribute<'v>(attributes: &'v Value, key: &str) -> Option<&'v str> {
    value(attributes, key)?["stringValue"].as_str()
}

/// One of the members, as text, of one of these attributes.
pub fn member<'v>(attributes: &'v Value, key: &str, member: &str) -> Option<&'v str> {
    attribute(&value(attributes, key)?["kvlistValue"]["values"], member)
}

fn value<'v>(attributes: &'v Value, key: &str) -> Option<&'v Value> {
    items(attributes).iter().find(|attribute| attribute["key"] == key).map(|found| &found["value"])
}
