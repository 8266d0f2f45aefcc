//! Real MCP clients, each of another SDK, run as commands that take steps and tell what came of each.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::MODERN;
use crate::process::{node, peer, root};
use crate::sidecar;

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// `@modelcontextprotocol/client` 2.
    TypeScript,
    /// `@modelcontextprotocol/sdk` 1: the legacy era only.
    TypeScript1,
    /// `mcp` of PyPI.
    Python,
    /// `rmcp`.
    Rust,
}

/// Which generation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25: a handshake, sessions.
    Legacy,
    /// From 2026-07-28: stateless.
    Modern,
}

impl Era {
    /// What a client is told to speak.
    const fn word(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }
}

/// A client of one SDK in one era.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its SDK.
    pub sdk: Sdk,
    /// Its era.
    pub era: Era,
}

impl Client {
    /// Every client.
    pub const ALL: [Self; 7] = [
        Self { sdk: Sdk::TypeScript, era: Era::Legacy },
        Self { sdk: Sdk::TypeScript, era: Era::Modern },
        Self { sdk: Sdk::TypeScript1, era: Era::Legacy },
        Self { sdk: Sdk::Python, era: Era::Legacy },
        Self { sdk: Sdk::Python, era: Era::Modern },
        Self { sdk: Sdk::Rust, era: Era::Legacy },
        Self { sdk: Sdk::Rust, era: Era::Modern },
    ];

    /// Connects to `url`, takes the steps in one session, and gives what came of each.
    ///
    /// # Panics
    /// If the client does not come to an end by itself, ends with an error, or speaks another era: with what it wrote.
    pub fn run(self, url: &str, steps: &[Step]) -> Vec<Outcome> {
        self.drive(self.command(url), steps).unwrap_or_else(|text| panic!("{self:?} failed: {text}"))
    }

    /// The same, but the client logs in where it is asked to, with a browser in which everything is granted.
    ///
    /// # Errors
    /// What the client wrote when it could not.
    pub fn log_in(self, url: &str, steps: &[Step]) -> Result<Vec<Outcome>, String> {
        self.log_in_for(None, url, steps)
    }

    /// The same, but the client asks for a token for this resource, whatever the server's metadata say. Only the TypeScript
    /// SDKs can be told to.
    ///
    /// # Errors
    /// What the client wrote when it could not.
    pub fn log_in_for(self, resource: Option<&str>, url: &str, steps: &[Step]) -> Result<Vec<Outcome>, String> {
        let mut command = self.command(url);
        command.arg(node()).arg(peer("node/browser.mjs"));
        command.envs(resource.map(|resource| ("REEVE_TESTS_RESOURCE", resource)));
        self.drive(command, steps)
    }

    /// The same where another command starts the client, such as in a pod: it is given what the client is to be given.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub fn run_by(self, mut start: Command, url: &str, steps: &[Step]) -> Vec<Outcome> {
        start.arg(url).arg(self.era.word());
        self.drive(start, steps).unwrap_or_else(|text| panic!("{self:?} failed: {text}"))
    }

    fn drive(self, mut command: Command, steps: &[Step]) -> Result<Vec<Outcome>, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let steps = Value::Array(steps.iter().map(Step::json).collect());
        let mut input = child.stdin.take().expect("standard input is piped");
        input.write_all(steps.to_string().as_bytes()).expect("the client reads its steps");
        drop(input);
        let output = child.wait_with_output().expect("the client ends");
        let (text, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_ne!(output.status.code(), Some(TIMED_OUT), "{self:?} does not come to an end: {text}{log}");
        if !output.status.success() {
            return Err(format!("{text}{log}"));
        }
        let mut lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        let last = lines.pop().unwrap_or_default();
        let spoken =
            last["protocol"].as_str().unwrap_or_else(|| panic!("{self:?} did not come to its end: {text}{log}"));
        // Revisions are dates, so that their order is that of their names.
        let era = if spoken < MODERN { Era::Legacy } else { Era::Modern };
        assert_eq!(era, self.era, "{self:?} spoke {spoken}");
        Ok(lines.iter().map(Outcome::read).collect())
    }

    fn command(self, url: &str) -> Command {
        // A hang is a failure of its own; `timeout` makes it one that is told.
        let mut command = Command::new("timeout");
        command.arg("120");
        match self.sdk {
            Sdk::TypeScript => command.arg(node()).arg(peer("node/client.mjs")),
            Sdk::TypeScript1 => command.arg(node()).arg(peer("node/client1.mjs")),
            Sdk::Python => command.arg(peer("client/bin/python")).arg(root().join("tests/peers/python/client.py")),
            Sdk::Rust => command.arg(sidecar::built("reeve-peer-client")),
        };
        command.arg(url).arg(self.era.word());
        command
    }
}

/// The exit code of `timeout` when time was up.
const TIMED_OUT: i32 = 124;

/// What a client is to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// List the tools.
    List,
    /// Call a tool with arguments.
    Call(&'static str, Value),
}

impl Step {
    fn json(&self) -> Value {
        match self {
            Self::List => json!({"list": true}),
            Self::Call(tool, arguments) => json!({"call": tool, "arguments": arguments}),
        }
    }
}

/// What came of a step, as the SDK told it to its user.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The names of the tools.
    Tools(Vec<String>),
    /// A result that is no error; its text.
    Answer(String),
    /// A result with `isError`; its text, which a model reads.
    ToolError(String),
    /// An exception; its text.
    Exception(String),
}

impl Outcome {
    fn read(line: &Value) -> Self {
        let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        if let Some(tools) = line.get("tools").and_then(Value::as_array) {
            return Self::Tools(tools.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        match line.get("isError").and_then(Value::as_bool) {
            Some(true) => Self::ToolError(text("text")),
            Some(false) => Self::Answer(text("text")),
            None => Self::Exception(text("error")),
        }
    }

    /// Whether this is an answer without an error.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Answer(_))
    }

    /// Whether this is a result that the server gave, be it an error of the tool.
    pub fn is_from_server(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::ToolError(_)) && !self.is_refusal()
    }

    /// Whether this is a refusal by the sidecar that a model can read.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::ToolError(text) if text.contains("policy") && text.contains(" was not called."))
    }

    /// How long a limit's refusal asks to wait; `None` if this is no such refusal. As agents are told: `59s`, `1m`, `1m30s`.
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::ToolError(text) = self else { return None };
        let (_, rest) = text.split_once("Retry after ")?;
        let (written, _) = rest.split_once('.')?;
        let mut seconds = 0;
        for part in written.split_inclusive(char::is_alphabetic) {
            let (number, unit) = part.split_at_checked(part.len().checked_sub(1)?)?;
            let each = [("s", 1), ("m", 60), ("h", 3_600)].into_iter().find(|(name, _)| *name == unit)?.1;
            seconds += number.parse::<u64>().ok()? * each;
        }
        Some(Duration::from_secs(seconds))
    }
}
