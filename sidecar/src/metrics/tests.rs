use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use reeve_crds::v1alpha1::Mode;
use reeve_policy::reason::Reason;
use reeve_policy::time::{Instant, WallTime};

use super::*;
use crate::audit::{Destination, Log, Settings};
use crate::config::OnFull;
use crate::upstream;

fn metrics() -> Arc<Metrics> {
    Metrics::new(Clock::manual(Instant(0), WallTime(1_793_701_999_500_000_000))).unwrap()
}

fn text(metrics: &Metrics) -> String {
    String::from_utf8(metrics.encode().unwrap()).unwrap()
}

fn pointer(text: &str) -> Option<Arc<str>> {
    Some(text.into())
}

/// Uses every metric once.
fn exercised() -> Arc<Metrics> {
    let metrics = metrics();
    let server = metrics.server("imaging");
    let tool = server.known("get_datastore");
    tool.decided(Reason::LimitExceeded, pointer("clinic/imaging#overall/limits/all").as_ref(), Mode::Enforce);
    tool.took(Duration::from_millis(3));
    drop(server.in_flight());
    server.upstream_failed(upstream::Cause::ALL[0]);
    metrics.decided_within(Duration::from_micros(4));
    metrics.rejected(rejection::Cause::Batch);
    metrics.configured(1);
    metrics.configuration_connected(true);
    metrics.opened();
    metrics.refused(Refusal::HeaderTimeout);
    metrics.span_counters().exported.inc();
    metrics.observe_limits(Box::new(|| {
        vec![LimitUsage { policy: "clinic/imaging".into(), rule: "overall".into(), counter: "all".into(), ratio: 0.25 }]
    }));
    metrics
}

#[test]
fn the_reference_names_exactly_what_is_exported() {
    let text = text(&exercised());
    let exported: BTreeSet<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let documented: BTreeSet<(&str, &str)> =
        reference().iter().map(|definition| (definition.name, definition.kind.as_str())).collect();
    assert_eq!(exported, documented);
    for Definition { name, help, .. } in reference() {
        assert!(text.contains(&format!("# HELP {name} {help}\n")), "{name}");
    }
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let promtool = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/promtool");
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{promtool}: {error}; `tests/install promtool` installs it"));
    child.stdin.take().unwrap().write_all(text(&exercised()).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
}

#[test]
fn a_decision_is_counted_under_its_policy_and_rule() {
    let text = text(&exercised());
    let series = "reeve_calls_total{decision=\"limited\",mode=\"Enforce\",policy=\"clinic/imaging\",reason=\"LimitExceeded\",\
                  rule=\"overall\",server=\"imaging\",tool=\"get_datastore\"} 1";
    assert!(text.contains(series), "{text}");
    assert!(text.contains("reeve_config_last_update_timestamp_seconds 1793701999.5"), "{text}");
    let usage = "reeve_limit_usage_ratio{counter=\"all\",policy=\"clinic/imaging\",rule=\"overall\"} 0.25";
    assert!(text.contains(usage), "{text}");
}

#[test]
fn the_part_of_a_rule_is_no_series_of_its_own() {
    let metrics = metrics();
    let tool = metrics.server("s").known("t");
    for part in ["limits/a", "limits/b", "require/0"] {
        tool.decided(Reason::LimitExceeded, pointer(&format!("n/p#r/{part}")).as_ref(), Mode::Enforce);
    }
    tool.decided(Reason::NoRule, pointer("n/p").as_ref(), Mode::Enforce);
    tool.decided(Reason::NoPolicy, None, Mode::Enforce);
    let text = text(&metrics);
    let series: Vec<&str> = text.lines().filter(|line| line.starts_with("reeve_calls_total{")).collect();
    assert_eq!(series.len(), 3, "{series:?}");
    assert!(series.iter().any(|line| line.contains("rule=\"r\"") && line.ends_with(" 3")), "{series:?}");
}

#[test]
fn names_that_nobody_knows_share_one_series() {
    let metrics = metrics();
    let server = metrics.server("s");
    for _ in 0..100_000 {
        server.unknown().decided(Reason::NoRule, None, Mode::Enforce);
    }
    let text = text(&metrics);
    assert_eq!(text.lines().filter(|line| line.starts_with("reeve_calls_total{")).count(), 1);
    assert!(text.contains("tool=\"_other\"} 100000"), "{text}");
}

#[test]
fn a_server_that_lists_new_tools_without_end_adds_a_bounded_number_of_series() {
    let metrics = metrics();
    let server = metrics.server("s");
    for index in 0..10 * server::TOOLS {
        let tool = server.known(&format!("tool-{index}"));
        tool.decided(Reason::AllowedByRule, pointer("n/p#r").as_ref(), Mode::Enforce);
        tool.took(Duration::ZERO);
    }
    let text = text(&metrics);
    assert_eq!(text.lines().filter(|line| line.starts_with("reeve_calls_total{")).count(), server::TOOLS + 1);
    let durations = text.lines().filter(|line| line.starts_with("reeve_call_duration_seconds_count{")).count();
    assert_eq!(durations, server::TOOLS + 1);
}

#[test]
fn policies_that_change_their_rules_without_end_add_a_bounded_number_of_series_and_lose_no_call() {
    let metrics = metrics();
    let tool = metrics.server("s").known("t");
    let calls = server::CALL_SERIES + 1_000;
    for index in 0..calls {
        tool.decided(Reason::DeniedByRule, pointer(&format!("n/p#r{index}")).as_ref(), Mode::Enforce);
    }
    let text = text(&metrics);
    let values: Vec<u64> = text
        .lines()
        .filter(|line| line.starts_with("reeve_calls_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(values.len(), server::CALL_SERIES + 1);
    assert_eq!(values.iter().sum::<u64>(), calls as u64);
    assert!(
        text.contains("policy=\"_other\",reason=\"DeniedByRule\",rule=\"_other\",server=\"s\",tool=\"_other\"} 1000\n")
    );
}

#[test]
fn a_server_of_the_same_name_goes_on_counting_after_a_reload() {
    let metrics = metrics();
    metrics.server("s").known("t").decided(Reason::AllowedByRule, None, Mode::Enforce);
    metrics.server("s").known("t").decided(Reason::AllowedByRule, None, Mode::Enforce);
    assert!(text(&metrics).contains("tool=\"t\"} 2"));
}

#[test]
fn what_the_audit_log_could_not_take_is_counted_once() {
    let metrics = metrics();
    let settings = Settings { on_full: OnFull::Drop, queue_bytes: 64 << 10 };
    let log = Log::open(Destination::Writer(Box::new(std::io::sink())), settings, Clock::system()).unwrap();
    metrics.observe_audit(log.clone());
    log.close(Duration::from_secs(10)).unwrap();
    log.note(&crate::audit::Note::Stopped);
    for _ in 0..2 {
        assert!(text(&metrics).contains("reeve_audit_dropped_total 1\n"));
    }
    assert!(text(&metrics).contains("reeve_audit_queue_limit_bytes 65536\n"));
}

#[test]
fn a_limit_that_is_gone_is_no_longer_exported() {
    let metrics = exercised();
    assert!(text(&metrics).contains("reeve_limit_usage_ratio{"));
    metrics.observe_limits(Box::new(Vec::new));
    assert!(!text(&metrics).contains("reeve_limit_usage_ratio{"));
}

#[test]
fn the_process_is_seen() {
    let text = text(&metrics());
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds") >= 3.0);
    assert!(value("process_max_fds") >= value("process_open_fds"));
    assert!(value("process_threads") >= 1.0);
}
