//! The program as its users and scripts meet it: what it prints, and the codes that it ends with.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

#[path = "cli/process.rs"]
mod process;
#[path = "cli/serving.rs"]
mod serving;

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

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
        "/nowhere.yaml: error: there is no such file",
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
fn check_with_a_catalogue_warns_of_expressions_that_do_not_fit_the_tools_schema() {
    let folder = tempfile::tempdir().unwrap();
    let policy = file(
        folder.path(),
        "policy.yaml",
        "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {name: p}\nspec:\n  serverRefs: [{name: '*'}]\n  rules:\n  - name: a\n    tools: [start_job]\n    action: Allow\n    when: args.count != 5\n    require:\n    - expression: args.bucket == 'ours'\n",
    );
    let catalogue = file(
        folder.path(),
        "tools.json",
        r#"{"tools": [{"name": "start_job", "inputSchema": {"type": "object",
            "properties": {"count": {"type": "string"}, "bucket": {"type": "string"}}, "required": ["count"]}}]}"#,
    );
    let output = run(&["check", "--catalogue", &catalogue, &policy]);
    ends_with(&output, 0);
    let text = stdout(&output);
    let lines: Vec<_> = text.lines().map(|line| line.strip_prefix(&policy).unwrap()).collect();
    assert_eq!(
        lines,
        [
            ":10:11: warning: /spec/rules/0/when: column 6: `count` of `start_job` is a string, and here a number is needed, so that this is always an error, which refuses the call: compare it with a string, in quotes",
            ":12:19: warning: /spec/rules/0/require/0/expression: column 6: `bucket` of `start_job` may be left out, and then this is an error, which refuses the call: write has(args.bucket) && … to refuse such a call in your own words, or !has(args.bucket) || … to permit it",
        ]
    );
    assert_eq!(stderr(&output), "1 file: 0 errors, 2 warnings\n");
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
    assert!(stderr(&output).contains("/nowhere.yaml: error: there is no such file"), "{}", stderr(&output));
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
fn an_operator_that_cannot_be_known_is_told_before_anything_is_served() {
    let url = "https://reeve-operator.reeve-system.svc:9443";
    for (arguments, code, told) in [
        (&["--operator", url][..], 64, "--operator-ca"),
        (&["--operator", url, "--operator-ca", "x", "--policy", "p.yaml"], 64, "--policy"),
        (&["--operator", url, "--operator-ca", "x", "--mounts", "aws"], 64, "NAME=WORD"),
        (&["--operator", url, "--operator-ca", "x"], 78, "BEGIN CERTIFICATE"),
        (&["--operator", "http://operator", "--operator-ca", "x"], 78, "write one such as https://"),
        (&["--operator", url, "--operator-ca", "x", "--audit", "STDOUT"], 64, "write stdout"),
    ] {
        let output = run(arguments);
        ends_with(&output, code);
        assert!(stderr(&output).contains(told), "{arguments:?}: {}", stderr(&output));
    }
}
