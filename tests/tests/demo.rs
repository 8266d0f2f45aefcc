//! `reeve-sidecar demo`: what somebody sees who has installed nothing else.

use std::io::Write;
use std::process::Stdio;

use reeve_tests::eventually::eventually;
use reeve_tests::process::{Process, free_port, root};
use reeve_tests::sidecar::{built, program};
use reeve_tests::{agent, http};
use serde_json::{Value, json};

fn lines_of(output: &str, title: &str) -> Vec<String> {
    let (_, rest) = output.split_once(title).unwrap_or_else(|| panic!("{title:?} is missing: {output}"));
    rest.lines().skip(1).take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn once_it_shows_tools_calls_records_and_metrics_in_plain_lines_and_ends() {
    let shown = program(&["demo", "--once"]).output().unwrap();
    let output = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(shown.status.code(), Some(0), "{output}{}", String::from_utf8_lossy(&shown.stderr));
    assert!(!output.contains('\x1b'), "there are no colours where there is no terminal: {output}");

    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    for line in shown.lines().filter(|line| line.trim() != "…") {
        assert!(output.lines().any(|printed| printed == line), "the README shows {line:?}: {output}");
    }

    let tools = lines_of(&output, "The tools of the server");
    let listed: Vec<&String> = tools.iter().filter(|line| line.ends_with("listed")).collect();
    assert_eq!(listed.len(), 1, "{tools:?}");
    assert!(listed[0].starts_with("start_dicom_export_job"), "{tools:?}");
    for hidden in ["start_dicom_import_job", "get_datastore", "delete_datastore"] {
        let is_hidden = |line: &String| line.starts_with(hidden) && line.contains("hidden");
        assert!(tools.iter().any(is_hidden), "{hidden}: {tools:?}");
    }

    let calls = lines_of(&output, "12 calls of start_dicom_export_job");
    let decision = |line: &String| line.split_whitespace().nth(1).map(str::to_owned);
    let decisions: Vec<String> = calls.iter().skip(1).filter_map(decision).collect();
    assert_eq!(decisions, [vec!["allow"; 10], vec!["limited"; 2]].concat(), "{calls:?}");
    for line in &calls[11..] {
        assert!(line.contains("start_dicom_export_job"), "it names the tool: {line}");
        assert!(line.contains("Retry after "), "it says when the next passes: {line}");
    }

    let audit = lines_of(&output, "The audit log");
    let record =
        |line: &String| -> Value { serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")) };
    let recorded: Vec<Value> = audit.iter().map(record).collect();
    let expected = [vec![("allow", "AllowedByRule"); 10], vec![("limited", "LimitExceeded"); 2]].concat();
    let decided = |record: &Value| (record["decision"].clone(), record["reason"].clone());
    let expected: Vec<_> = expected.into_iter().map(|(decision, reason)| (json!(decision), json!(reason))).collect();
    assert_eq!(recorded.iter().map(decided).collect::<Vec<_>>(), expected, "{audit:?}");
    assert!(!audit.iter().any(|line| line.contains("clinic-exports")), "it holds no value of an argument: {audit:?}");

    let metrics = lines_of(&output, "What Prometheus reads");
    for (decision, count) in [("allow", "10"), ("limited", "2")] {
        let counts = |line: &String| {
            line.starts_with("reeve_calls_total{")
                && line.contains(&format!("decision=\"{decision}\""))
                && line.ends_with(&format!("}} {count}"))
        };
        assert!(metrics.iter().any(counts), "{decision} {count}: {metrics:?}");
    }
}

#[test]
fn on_a_terminal_it_shows_decisions_in_colours() {
    let demo = format!("{} demo --once", built("reeve-sidecar").display());
    let shown = std::process::Command::new("script").args(["-qec", &demo, "/dev/null"]).stdin(Stdio::null()).output();
    let shown = shown.expect("`script` of util-linux gives a program a terminal");
    let output = String::from_utf8_lossy(&shown.stdout);
    assert!(shown.status.success(), "{output}");
    let coloured = |word: &str, colour: u8| output.matches(&format!("\x1b[{colour}m{word}")).count();
    assert_eq!((coloured("allow", 32), coloured("limited", 33)), (10, 2), "{output}");
}

#[test]
fn it_stays_up_to_be_tried_by_hand_until_it_is_asked_to_end() {
    let mut demo = Process::start(&mut program(&["demo"]));
    let url = eventually("it prints its URL", || {
        assert!(demo.exit_code().is_none(), "it ended: {}{}", demo.output(), demo.log());
        let output = demo.output();
        output.contains("Ctrl-C ends it").then_some(())?;
        let (_, rest) = output.split_once("\"url\": \"")?;
        Some(rest.split('"').next()?.to_owned())
    });
    let output = demo.output();
    assert!(output.contains("\"mcpServers\"") && output.matches("curl -s ").count() == 2, "{output}");
    // Its two lines for a shell, as somebody would paste them.
    let curls: Vec<&str> = output.lines().filter(|line| line.trim_start().starts_with("curl")).collect();
    let pasted = |line: &str| -> Value {
        let mut shell = std::process::Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
        serde_json::from_slice(&shell.wait_with_output().unwrap().stdout).unwrap()
    };
    for line in &curls {
        assert_eq!(pasted(line)["result"]["isError"], true, "the limit is used up, the other tool denied: {line}");
    }
    let denied = agent::Agent::modern(&url).call("delete_datastore", json!({"datastore_id": "ds-1"}));
    assert_eq!(agent::told(&denied).0, "isError");
    assert_eq!(http::get(&url.replace("/mcp", "/other")).unwrap().status, 404);
    demo.signal("INT");
    assert_eq!(demo.ended(), 0);
}

/// What `call` prints and how it ends.
fn call(url: &str, more: &[&str]) -> (i32, String, String) {
    let mut arguments = vec!["call", url];
    arguments.extend(more);
    let shown = program(&arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (shown.status.code().unwrap(), text(shown.stdout), text(shown.stderr))
}

#[test]
fn its_server_alone_can_be_called_by_hand() {
    let port = free_port();
    let mut server = Process::start(&mut program(&["demo", "--serve", &format!("127.0.0.1:{port}")]));
    let url = format!("http://127.0.0.1:{port}/mcp");
    eventually("the server answers", || (call(&url, &["list_datastores"]).0 == 0).then_some(()));

    let (code, output, _) = call(&url, &["get_datastore", "--args", r#"{"datastore_id": "ds-1"}"#, "--times", "2"]);
    assert_eq!((code, &*output), (0, "allow: Datastore ds-1 is ACTIVE.\nallow: Datastore ds-1 is ACTIVE.\n"));
    let (code, _, error) = call(&url, &["list_datastores", "--expect", "deny"]);
    assert_eq!((code, &*error), (1, "error: the call was to come to deny, and came to allow\n"));
    let (code, _, error) = call(&url, &["no_such_tool"]);
    assert!(code == 1 && error.contains("error -32602: Unknown tool: no_such_tool"), "{error}");
    let (code, _, error) = call(&url, &["get_datastore", "--args", "[]"]);
    assert_eq!((code, &*error), (64, "error: --args: write a JSON object\n"));

    server.signal("INT");
    assert_eq!(server.ended(), 0);
    let (code, _, error) = call(&url, &["list_datastores"]);
    assert!(code == 1 && error.contains("cannot be reached"), "{error}");
}
