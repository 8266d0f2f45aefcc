//! The audit log sent on as `examples/audit/collector.yaml` says: a real sidecar's lines, in files as a node keeps them, through a real
//! collector to another.

use std::fs::{File, create_dir_all, read, remove_file, rename, write};
use std::io::Write;
use std::path::PathBuf;

use reeve_tests::agent::Agent;
use reeve_tests::collector::{Collector, attribute, member, ship};
use reeve_tests::process::Process;
use serde_json::{Value, json};

use super::{ONE_ECHO, World};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A pod's folder below a node's /var/log/pods, and a collector's folder.
struct Node {
    folder: tempfile::TempDir,
    container: PathBuf,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pod = "clinic_agent-1_7d1f7c3e-3a52-4f0e-9a53-1a1f4b1f5c1d";
        let container = folder.path().join("pods").join(pod).join("reeve-sidecar");
        create_dir_all(&container).unwrap();
        Self { folder, container }
    }

    /// Writes lines of a stream as a container runtime does; long ones in pieces.
    fn write(&self, stream: &str, lines: &[String]) {
        let mut log = File::options().append(true).create(true).open(self.container.join("0.log")).unwrap();
        for line in lines {
            let (whole, end) = line.split_at(line.len().saturating_sub(300));
            let time = "2026-11-29T22:41:40.123456789Z";
            if !whole.is_empty() {
                writeln!(log, "{time} {stream} P {whole}").unwrap();
            }
            writeln!(log, "{time} {stream} F {end}").unwrap();
        }
    }

    /// Puts the file aside, as the kubelet does of one that has grown long, and packs the one before.
    fn rotate(&self, [aside, before]: [&str; 2]) {
        let at = |time: &str| self.container.join(format!("0.log.{time}"));
        if let Ok(plain) = read(at(before)) {
            write(self.container.join(format!("0.log.{before}.gz")), plain).unwrap();
            remove_file(at(before)).unwrap();
        }
        rename(self.container.join("0.log"), at(aside)).unwrap();
    }

    fn ship(&self, to: &Collector) -> Process {
        ship(&self.folder.path().join("pods"), &self.folder.path().join("collector"), to)
    }
}

/// What a sidecar wrote of these calls of `echo` and one of another tool: its audit log, and its own.
fn audited(calls: usize) -> [Vec<String>; 2] {
    let World { upstream, mut sidecar } = World::new(ONE_ECHO);
    let agent = Agent::modern(&sidecar.url).with("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"));
    assert!(agent.passes("echo", &upstream));
    for _ in 1..calls {
        agent.call("echo", json!({}));
    }
    Agent::modern(&sidecar.url).call("delete_everything", json!({"why": "ä \" \\ \u{1f600}"}));
    sidecar.process.signal("TERM");
    assert_eq!(sidecar.process.ended(), 0);
    [sidecar.process.output(), sidecar.process.log()].map(|text| text.lines().map(str::to_owned).collect())
}

/// The lines that arrived, in order.
fn lines(records: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = records.iter().map(|record| record["body"]["stringValue"].to_string()).collect();
    lines.sort();
    lines
}

fn sorted(lines: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = lines.iter().map(|line| json!(line).to_string()).collect();
    lines.sort();
    lines
}

#[test]
fn every_line_arrives_as_it_was_written_with_its_fields_its_time_and_its_trace() {
    let Some(archive) = Collector::start() else {
        return eprintln!("LEFT OUT: the collector is not installed: see `tests/install collector`");
    };
    let node = Node::new();
    let [audit, log] = audited(2);
    node.write("stderr", &log);
    node.write("stdout", &audit);
    let _shipper = node.ship(&archive);
    let records = archive.records(audit.len());
    assert_eq!(lines(&records), sorted(&audit), "and the sidecar's own log does not");
    let decisions: Vec<&Value> = records.iter().filter(|record| said(record, "decision").is_some()).collect();
    assert_eq!(decisions.len(), 3);
    for record in decisions {
        let line: Value = serde_json::from_str(record["body"]["stringValue"].as_str().unwrap()).unwrap();
        for field in ["decision", "reason", "rule", "tool", "method", "grant", "server", "mode", "traceId", "run"] {
            assert_eq!(said(record, field), line[field].as_str(), "{field}");
        }
        assert_eq!(said(record, "policy"), Some("default/one-echo"));
        assert_eq!(record["traceId"], line["traceId"]);
        assert_eq!(record["severityNumber"], if line["decision"] == "allow" { 9 } else { 13 });
        assert!(record["timeUnixNano"].as_str().unwrap().ends_with(&format!("{}000", micros(&line))), "{record}");
        let resource = |key: &str| attribute(&record["resource"], key);
        assert_eq!([resource("k8s.namespace.name"), resource("k8s.pod.name")], [Some("clinic"), Some("agent-1")]);
        assert_eq!([resource("k8s.cluster.name"), resource("k8s.node.name")], [Some("east"), Some("node-1")]);
    }
    assert_eq!(records.iter().filter(|record| record["traceId"] == TRACE).count(), 2);
}

#[test]
fn files_that_are_rotated_are_followed_and_an_end_of_the_collector_loses_and_doubles_nothing() {
    let Some(archive) = Collector::start() else {
        return eprintln!("LEFT OUT: the collector is not installed: see `tests/install collector`");
    };
    let node = Node::new();
    let [audit, _] = audited(9);
    let parts: Vec<&[String]> = audit.chunks(audit.len().div_ceil(5)).collect();
    let [first, second, third, fourth, fifth] = parts[..] else { panic!("there are five") };
    let times = ["20261129-220000", "20261129-210000", "20261129-200000"];
    let mut shipper = node.ship(&archive);
    node.write("stdout", first);
    archive.records(first.len());
    node.write("stdout", second);
    node.rotate([times[1], times[2]]);
    node.write("stdout", third);
    let before = archive.records(first.len() + second.len() + third.len()).len();
    shipper.signal("TERM");
    assert_eq!(shipper.ended(), 0, "{}", shipper.log());
    node.write("stdout", fourth);
    node.rotate([times[0], times[1]]);
    node.write("stdout", fifth);
    let _shipper = node.ship(&archive);
    let records = archive.records(before + fourth.len() + fifth.len());
    assert_eq!(lines(&records), sorted(&audit));
}

/// A field of a record's line.
fn said<'r>(record: &'r Value, field: &str) -> Option<&'r str> {
    member(&record["attributes"], "reeve", field)
}

/// The fraction of a line's second.
fn micros(line: &Value) -> &str {
    let (_, fraction) = line["time"].as_str().unwrap().split_once('.').unwrap();
    fraction.strip_suffix('Z').unwrap()
}
