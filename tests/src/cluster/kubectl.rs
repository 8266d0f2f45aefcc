//! Running `kubectl`.

use std::fmt::Display;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What `kubectl` said when it succeeded.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its standard output.
    pub output: String,
    /// Its standard error: warnings of the API server, each after `Warning: `.
    pub warnings: String,
}

/// Runs `kubectl`; an error is what it wrote to standard error.
///
/// # Errors
/// If it ends with another code than 0.
///
/// # Panics
/// If it cannot be started.
pub fn kubectl(arguments: &[&str]) -> Result<Said, String> {
    fed(arguments, "")
}

/// Runs `kubectl` with a text as its standard input.
///
/// # Errors
/// If it ends with another code than 0: what it wrote to standard error.
///
/// # Panics
/// If it cannot be started.
pub fn fed(arguments: &[&str], input: impl Display) -> Result<Said, String> {
    let mut child = command(arguments).stdin(Stdio::piped()).spawn().expect("kubectl is on the PATH");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    // What ends before it has read everything says why itself.
    let _ = write!(stdin, "{input}");
    drop(stdin);
    let output = child.wait_with_output().expect("kubectl ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (said, errors) = (text(output.stdout), text(output.stderr));
    if output.status.success() { Ok(Said { output: said, warnings: errors }) } else { Err(errors) }
}

/// Runs `kubectl`, which must succeed; gives its output.
///
/// # Panics
/// If it does not, with what it said.
pub fn told(arguments: &[&str]) -> String {
    kubectl(arguments).unwrap_or_else(|error| panic!("kubectl {}: {error}", arguments.join(" "))).output
}

/// Runs `kubectl … --output json`, which must succeed; gives its output.
///
/// # Panics
/// If it does not, with what it said.
pub fn json(arguments: &[&str]) -> Value {
    let output = told(&[arguments, &["--output", "json"]].concat());
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
}

/// The command, its output taken.
pub(super) fn command(arguments: &[&str]) -> Command {
    let cluster = std::env::var_os("KUBECONFIG");
    assert!(cluster.is_some(), "there is no cluster: run this as `tests/cluster/run COMMAND`, or `tests/run cluster`");
    let mut command = Command::new("kubectl");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
