//! The program as its users and scripts meet it: what it prints, and the codes that it ends with.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(20);

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeve-sidecar"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REEVE_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn example(name: &str) -> String {
    format!("{}/../examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Ends with this code.
#[track_caller]
fn ends_with(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(output), stderr(output));
}

fn file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}

/// A sidecar on free ports, ended when dropped.
struct Serving {
    child: Child,
    log: PathBuf,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let log = folder.join("stderr");
        let child = program()
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--inspect", "127.0.0.1:0"])
            .args(if arguments.contains(&"--policy") {
                vec![]
            } else {
                vec!["--policy".to_owned(), example("read-only.yaml")]
            })
            .args(if arguments.contains(&"--upstream") { &[][..] } else { &["--upstream", "http://127.0.0.1:9/mcp"] })
            .args(arguments)
            .stdout(std::fs::File::create(folder.join("stdout")).unwrap())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn eventually(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !condition(&self.log()) {
            assert!(Instant::now() < until, "never: {what}; the log is\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    fn code(mut self) -> Option<i32> {
        let until = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "it does not end; the log is\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn help_and_version_are_no_mistake_and_help_tells_the_exit_codes() {
    let help = run(&["--help"]);
    ends_with(&help, 0);
    for text in ["Exit codes:", "  64  ", "  78  ", "Examples:", "REEVE_POLICY"] {
        assert!(stdout(&help).contains(text), "{text}");
    }
    ends_with(&run(&["--version"]), 0);
}

#[test]
fn a_wrong_command_line_ends_with_64_and_says_why() {
    for (arguments, why) in [
        (&[][..], "--upstream"),
        (&["--nonsense"], "--nonsense"),
        (&["--upstream", "http://x/mcp"], "--policy"),
        (&["--config", "a", "--policy", "b"], "cannot be used with"),
        (&["--config", "a", "--listen", "here"], "127.0.0.1:14001"),
        (&["--config", "a", "--grace-period", "1w"], "such as 90s"),
        (&["--config", "a", "--audit-on-full", "block"], "deny or drop"),
        (&["--config", "a", "--threads", "0"], "--threads"),
        (&["explain", "--policy", "x"], "--tool"),
        (&["check"], "<FILE>"),
    ] {
        let output = run(arguments);
        ends_with(&output, 64);
        assert!(stderr(&output).contains(why), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn check_finds_every_mistake_at_once_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = file(
        folder.path(),
        "wrong.yaml",
        "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {name: p}\nspec:\n  serverRefs: [{name: '*'}]\n  rules:\n  - name: a\n    tols: [x]\n    action: Allow\n  - name: a\n    tools: [x]\n    action: Alow\n",
    );
    let output =
        run(&["check", &example("read-only.yaml"), &wrong, "/nowhere.yaml", &folder.path().display().to_string()]);
    ends_with(&output, 1);
    let text = stdout(&output);
    for part in [
        ":8:5: error: /spec/rules/0/tols: ",
        "tools",
        ":12:",
        "Allow",
        "/nowhere.yaml: error: cannot be read",
        "this is a directory",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(stderr(&output).starts_with("4 files: "), "{}", stderr(&output));
}

#[test]
fn check_of_good_files_ends_with_0() {
    let files: Vec<String> =
        ["read-only.yaml", "bucket-rule.yaml", "spend-cap.yaml", "start-dicom-export-job.json"].map(example).into();
    let arguments: Vec<&str> = std::iter::once("check").chain(files.iter().map(String::as_str)).collect();
    let output = run(&arguments);
    ends_with(&output, 0);
    assert_eq!((stdout(&output), stderr(&output)), (String::new(), "4 files: no mistakes\n".into()));
}

#[test]
fn check_with_a_catalogue_warns_of_tools_that_the_server_does_not_have_and_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let policy =
        file(folder.path(), "policy.json", r#"{"version": "1", "default": "deny", "tools": {"get_datastor": {}}}"#);
    let catalogue = file(
        folder.path(),
        "tools.json",
        r#"{"tools": [{"name": "get_datastore", "inputSchema": {"type": "object"}}]}"#,
    );
    let output = run(&["check", "--catalogue", &catalogue, &policy]);
    ends_with(&output, 0);
    let text = stdout(&output);
    assert!(text.contains(": warning: ") && text.contains("get_datastore"), "{text}");
    assert_eq!(stderr(&output), "1 file: 0 errors, 1 warning\n");
    let output = run(&["check", "--catalogue", &policy, &policy]);
    ends_with(&output, 64);
    assert!(stderr(&output).contains("tools/list"), "{}", stderr(&output));
}

#[test]
fn check_reads_standard_input() {
    let mut child = program()
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{").unwrap();
    let output = child.wait_with_output().unwrap();
    ends_with(&output, 1);
    assert!(stdout(&output).starts_with("standard input:"), "{}", stdout(&output));
}

#[test]
fn explain_names_the_decision_and_every_rule_that_took_part() {
    let policy = example("bucket-rule.yaml");
    let explain = |uri: &str, form: &str| {
        let arguments = format!("{{\"output_s3_uri\": \"{uri}\"}}");
        let output = run(&[
            "explain",
            "--policy",
            &policy,
            "--tool",
            "start_dicom_import_job",
            "--args",
            &arguments,
            "--output",
            form,
        ]);
        ends_with(&output, 0);
        stdout(&output)
    };
    let text = explain("s3://elsewhere/", "text");
    assert!(text.starts_with("tool start_dicom_import_job: deny (RequirementFailed)\n"), "{text}");
    assert!(text.contains("#our-bucket-only (Allow, Enforce): refuses"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&explain("s3://clinic-exports/a/", "json")).unwrap();
    assert_eq!((&json["decision"], &json["rules"][0]["state"]), (&"allow".into(), &"applies".into()));
}

#[test]
fn explain_refuses_what_it_cannot_explain() {
    let policy = example("read-only.yaml");
    for arguments in ["[]", "{", "{\"a\": 1, \"a\": 2}"] {
        let output = run(&["explain", "--policy", &policy, "--tool", "t", "--args", arguments]);
        ends_with(&output, 64);
        assert!(stderr(&output).contains("--args: "), "{}", stderr(&output));
    }
    let output = run(&["explain", "--policy", "/nowhere.yaml", "--tool", "t"]);
    ends_with(&output, 78);
    assert!(stderr(&output).contains("/nowhere.yaml: error: cannot be read"), "{}", stderr(&output));
}

#[test]
fn what_convert_prints_means_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["convert", &example("start-dicom-export-job.json")]);
    ends_with(&output, 0);
    let manifest = file(folder.path(), "manifest.yaml", &stdout(&output));
    ends_with(&run(&["check", &manifest]), 0);
    let again = run(&["convert", &manifest]);
    assert_eq!(stdout(&again), stdout(&output));
    ends_with(&run(&["convert", "/nowhere.json"]), 78);
}

#[test]
fn every_schema_is_one() {
    for kind in ["policy", "config", "audit"] {
        let output = run(&["schema", kind]);
        ends_with(&output, 0);
        let schema: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert!(schema["$schema"].as_str().unwrap().contains("2020-12"), "{kind}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = program().args(["schema", "config"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_configuration_with_mistakes_ends_with_78_before_a_port_is_bound() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let wrong = file(folder.path(), "wrong.json", "{\"version\": \"1\", \"tols\": {}}");
    let output = run(&["--policy", &wrong, "--upstream", "http://127.0.0.1:9/mcp", "--listen", &address]);
    ends_with(&output, 78);
    let text = stderr(&output);
    assert!(text.contains("wrong.json:1:") && text.contains("tools") && !text.contains("cannot listen"), "{text}");
    let output = run(&["--policy", &example("read-only.yaml"), "--upstream", "ftp//nonsense"]);
    ends_with(&output, 78);
    ends_with(&run(&["--config", "/nowhere.yaml"]), 78);
}

#[test]
fn a_port_in_use_ends_with_78_and_names_the_address_and_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--listen", "--admin", "--inspect"] {
        let mut arguments = vec!["--policy".to_owned(), example("read-only.yaml")];
        arguments.extend(["--upstream", "http://127.0.0.1:9/mcp"].map(str::to_owned));
        for other in ["--listen", "--admin", "--inspect"] {
            arguments.push(other.into());
            arguments.push(if other == flag { address.clone() } else { "127.0.0.1:0".into() });
        }
        let output = program().args(&arguments).output().unwrap();
        ends_with(&output, 78);
        let text = stderr(&output);
        assert!(text.contains(&format!("cannot listen on {address}")) && text.contains(flag), "{text}");
    }
}

#[test]
fn an_audit_log_or_cache_that_cannot_be_used_ends_with_78() {
    for (flag, value) in [("--audit", "/nowhere/audit.log"), ("--cache-dir", "/proc/nowhere")] {
        let output =
            run(&["--policy", &example("read-only.yaml"), "--upstream", "http://127.0.0.1:9/mcp", flag, value]);
        ends_with(&output, 78);
        assert!(stderr(&output).contains(value) && stderr(&output).contains(flag), "{}", stderr(&output));
    }
}

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

/// A server that takes a call, says so, and answers it when told.
fn slow_server() -> (String, std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let ((took, taken), (answer, told)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel::<()>());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"}}") {
            let read = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..read]);
        }
        took.send(()).unwrap();
        let _ = told.recv();
        let body = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + body).as_bytes());
    });
    (url, taken, answer)
}

/// Calls a tool; gives the connection on which the answer will come.
fn call(serving: &Serving) -> std::net::TcpStream {
    serving.eventually("it listens", |log| log.contains("a configuration is in force"));
    let log = serving.log();
    let line = log.lines().find(|line| line.contains("listening for agents")).unwrap();
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_datastore","arguments":{}}}"#;
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
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
    serving.eventually("it is starting", |log| log.contains("every policy given governs"));
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
