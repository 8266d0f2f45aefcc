//! `wrk`, a generator of load: calls without a pause over many connections, forbidden ones among them.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::eventually::eventually;
use crate::process::{Process, root};

/// What each thread of `wrk` sends: calls of the tools in turn, in one era and then in the other, without a number of their own.
const SCRIPT: &str = r#"
local tools, turn = { "echo", "delete_everything", "wipe" }, 0
local legacy, modern = { ["Content-Type"] = "application/json" }, {}
for _, tool in ipairs(tools) do
  modern[tool] = {
    ["Content-Type"] = "application/json", ["MCP-Protocol-Version"] = "2026-07-28",
    ["Mcp-Method"] = "tools/call", ["Mcp-Name"] = tool,
  }
end
local meta = ',"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
  .. '"io.modelcontextprotocol/clientInfo":{"name":"wrk","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}'
request = function()
  turn = turn + 1
  local tool, is_modern = tools[turn % #tools + 1], turn % (2 * #tools) < #tools
  local call = '{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"%s","arguments":{"n":0}%s}}'
  local body = call:format(turn, tool, is_modern and meta or "")
  return wrk.format("POST", nil, is_modern and modern[tool] or legacy, body)
end
"#;

/// How long an answer may take, in seconds, that is not told as an error.
const PATIENCE: u32 = 60;

/// It at work.
#[derive(Debug)]
pub struct Wrk {
    process: Process,
    _folder: tempfile::TempDir,
}

/// What it found.
#[derive(Debug)]
pub struct Found {
    /// The answers that it got.
    pub answers: u64,
    /// Answers that were no success or took longer than a minute, and connections that failed; as it tells of them.
    pub errors: Vec<String>,
    /// How long half of the answers took at most.
    pub median: Duration,
    /// How long all but one in a hundred took at most.
    pub most: Duration,
    /// How long the slowest took.
    pub slowest: Duration,
}

impl Wrk {
    /// Sets it to work on a URL, with so many connections, for so many seconds.
    ///
    /// # Panics
    /// If it is not installed.
    pub fn start(url: &str, connections: usize, seconds: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let script: PathBuf = folder.path().join("calls.lua");
        std::fs::write(&script, SCRIPT).expect("a temporary file can be written");
        let installed = root().join("target/tools/wrk");
        assert!(installed.exists(), "wrk is missing: run `tests/install wrk`");
        let mut command = Command::new(installed);
        command.args(["--threads", "1", "--latency", "--timeout", &format!("{PATIENCE}s")]);
        command.args(["--connections", &connections.to_string()]);
        command.args(["--duration", &format!("{seconds}s"), "--script"]).arg(&script).arg(url);
        Self { process: Process::start(&mut command), _folder: folder }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it fails.
    pub fn finish(mut self) -> Found {
        assert_eq!(self.process.ended(), 0, "{}{}", self.process.output(), self.process.log());
        let output = self.process.output();
        let answers = eventually("wrk tells how many answers it got", || {
            output.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok())
        });
        let told = |line: &&str| line.contains("Socket errors") || line.contains("Non-2xx");
        let errors = output.lines().filter(told).map(str::to_owned).collect();
        // Words of the line that begins so.
        let word = |begins: &str, number: usize| {
            let line = output.lines().find(|line| line.trim_start().starts_with(begins));
            let word = line.and_then(|line| line.split_whitespace().nth(number));
            word.and_then(duration).unwrap_or_else(|| panic!("wrk tells {begins:?}: {output}"))
        };
        // A line of the table is: what it is of, mean, deviation, most.
        Found { answers, errors, median: word("50%", 1), most: word("99%", 1), slowest: word("Latency ", 3) }
    }
}

/// What it writes as `9.31ms`.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|character: char| character.is_ascii_alphabetic())?;
    let seconds = match &text[unit..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Some(Duration::from_secs_f64(text[..unit].parse::<f64>().ok()? * seconds))
}
