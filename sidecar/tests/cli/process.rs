//! The program while it serves: signals, the grace period, what survives a restart.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use super::serving::{DEADLINE, Serving, address, call, slow_server};
use super::{example, file, program};

#[test]
fn a_signal_ends_it_in_order_with_0() {
    for signal in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let serving = Serving::start(folder.path(), &[]);
        serving.eventually("it serves", |log| log.contains("a configuration is in force"));
        serving.signal("-HUP");
        serving.eventually("a hang-up is taken", |log| log.contains("SIGHUP"));
        serving.signal(signal);
        assert_eq!(serving.code(), Some(0));
        let audit = std::fs::read_to_string(folder.path().join("stdout")).unwrap();
        let events: Vec<String> = audit
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(events, ["started", "configured", "stopped"]);
    }
}

#[test]
fn environment_variables_mirror_the_flags() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("stderr");
    let mut child = program()
        .env("REEVE_POLICY", format!("{},{}", example("read-only.yaml"), example("bucket-rule.yaml")))
        .envs([
            ("REEVE_UPSTREAM", "http://127.0.0.1:9/mcp"),
            ("REEVE_LISTEN", "127.0.0.1:0"),
            ("REEVE_LOG_FORMAT", "json"),
        ])
        .envs([("REEVE_ADMIN", "127.0.0.1:0"), ("REEVE_INSPECT", "127.0.0.1:0"), ("REEVE_AUDIT", "off")])
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let serving = Serving { child, log };
    serving.eventually("it serves", |log| log.contains("a configuration is in force"));
    let text = serving.log();
    let policies = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .find_map(|line| line["policies"].as_u64());
    assert_eq!(policies, Some(2));
    serving.signal("-TERM");
    assert_eq!(serving.code(), Some(0));
    let mut audit = String::new();
    output.read_to_string(&mut audit).unwrap();
    assert_eq!(audit, "");
}

fn ending(log: &str) -> bool {
    log.contains("calls in flight may finish")
}

#[test]
fn a_call_in_flight_is_finished_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (url, taken, answer) = slow_server();
    let serving = Serving::start(folder.path(), &["--upstream", &url]);
    let mut stream = call(&serving);
    taken.recv_timeout(DEADLINE).unwrap();
    serving.signal("-TERM");
    serving.eventually("it is ending", ending);
    answer.send(()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.contains("\"content\":[]}}"), "{text}");
    assert_eq!(serving.code(), Some(0));
}

#[test]
fn a_call_that_outlasts_the_grace_period_is_cut_off_and_the_end_is_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (url, taken, _answer) = slow_server();
    let serving = Serving::start(folder.path(), &["--upstream", &url, "--grace-period", "1s"]);
    let _stream = call(&serving);
    taken.recv_timeout(DEADLINE).unwrap();
    serving.signal("-TERM");
    serving.eventually("it gives up", |log| log.contains("the grace period is over"));
    assert_eq!(serving.code(), Some(0));
    let audit = std::fs::read_to_string(folder.path().join("stdout")).unwrap();
    assert!(audit.lines().last().unwrap().contains("\"event\":\"stopped\""), "{audit}");
}

#[test]
fn a_second_signal_ends_it_at_once_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let (url, taken, _answer) = slow_server();
    let serving = Serving::start(folder.path(), &["--upstream", &url]);
    let _stream = call(&serving);
    taken.recv_timeout(DEADLINE).unwrap();
    serving.signal("-INT");
    serving.eventually("it is ending", ending);
    serving.signal("-INT");
    assert_eq!(serving.code(), Some(1));
}

#[test]
fn the_start_says_where_everything_is_and_each_thing_once() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path(), &["--listen", "[::1]:0"]);
    serving.eventually("it says where", |log| log.contains(" state: "));
    let log = serving.log();
    for told in [
        "starting",
        "a configuration is in force",
        "/mcp or http://[::1]:",
        "/metrics ",
        "/policy ",
        "every policy given governs, McpPolicy and ClusterMcpPolicy alike",
        "configMaxAge has no effect",
        "give --cache-dir",
    ] {
        assert_eq!(log.matches(told).count(), 1, "{told}: {log}");
    }
}

#[test]
fn a_signal_before_the_start_is_over_ends_it_with_0() {
    let folder = tempfile::tempdir().unwrap();
    // Large enough to take a while.
    let rules: String = (0..5_000)
        .map(|n| {
            format!(
                "  - {{name: r{n}, tools: [t{n}], action: Allow, require: [{{expression: 'args.a + {n} < args.b'}}]}}\n"
            )
        })
        .collect();
    let head = "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {name: p}\nspec:\n  serverRefs: [{name: '*'}]\n  rules:\n";
    let policy = file(folder.path(), "large.yaml", &(head.to_owned() + &rules));
    let serving = Serving::start(folder.path(), &["--policy", &policy]);
    serving.eventually("it is starting", |log| log.contains("starting"));
    serving.signal("-TERM");
    serving.eventually("it is ending", |log| log.contains("ending before the start was over"));
    assert_eq!(serving.code(), Some(0));
}

#[test]
fn what_limits_have_counted_survives_a_restart_and_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache").display().to_string();
    let policy = file(
        folder.path(),
        "twice.json",
        r#"{"version": "1", "default": "deny", "tools": {"get_datastore": {"limits": [{"counter": "c", "window": "day", "max": 2, "scope": "grant"}]}}}"#,
    );
    let decision = |end: &str| {
        let (url, _taken, answer) = slow_server();
        answer.send(()).unwrap();
        let serving = Serving::start(folder.path(), &["--policy", &policy, "--upstream", &url, "--cache-dir", &cache]);
        let mut text = String::new();
        call(&serving).read_to_string(&mut text).unwrap();
        if end == "-KILL" {
            let snapshot = Path::new(&cache).join("limits");
            serving.eventually("the count is on the disk", |_| snapshot.exists());
        }
        serving.signal(end);
        serving.code();
        if text.contains("LimitExceeded") { "limited" } else { "allow" }
    };
    assert_eq!(decision("-KILL"), "allow");
    assert_eq!(decision("-TERM"), "allow");
    assert_eq!(decision("-TERM"), "limited");
}

#[test]
fn out_of_file_descriptors_it_waits_says_so_once_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 40; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_reeve-sidecar")]);
    let serving = Serving::start_as(limited, folder.path(), &[]);
    let agents = address(&serving, "agents");
    let connections: Vec<_> = (0..60).map(|_| TcpStream::connect(&agents).unwrap()).collect();
    serving.eventually("it says so", |log| log.contains("connections cannot be accepted"));
    drop(connections);
    let mut probe = TcpStream::connect(address(&serving, "metrics")).unwrap();
    probe.set_read_timeout(Some(DEADLINE)).unwrap();
    probe.write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    probe.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(serving.log().matches("connections cannot be accepted").count(), 1);
}
