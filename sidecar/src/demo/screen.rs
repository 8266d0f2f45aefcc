//! What the demonstration prints: with colours and aligned columns on a terminal, plain lines elsewhere.

#![allow(clippy::print_stdout, reason = "printing is what this module is for")]

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::Path;

use crate::client::Answer;

/// Where the demonstration is shown.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: bool,
}

#[derive(Clone, Copy)]
enum Colour {
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
}

impl Screen {
    pub(super) fn stdout() -> Self {
        Self { terminal: std::io::stdout().is_terminal() }
    }

    pub(super) fn title(&mut self, text: &str) {
        println!("\n{}", self.paint(Colour::Bold, text));
    }

    pub(super) fn tools(&mut self, before: &[String], after: &[String]) {
        let width = before.iter().map(String::len).max().unwrap_or_default();
        for tool in before {
            let (colour, word) = if after.contains(tool) {
                (Colour::Green, "listed")
            } else {
                (Colour::Red, "hidden: no rule permits it")
            };
            println!("  {tool:width$}  {}", self.paint(colour, word));
        }
    }

    pub(super) fn calls(&mut self, answers: &[Answer]) {
        println!("  {}", self.paint(Colour::Dim, "call  decision  what the agent reads"));
        for (number, answer) in answers.iter().enumerate() {
            let colour = if answer.decision == "allow" { Colour::Green } else { Colour::Yellow };
            let decision = self.paint(colour, &format!("{:8}", answer.decision));
            println!("  {:>4}  {decision}  {}", number + 1, answer.text);
        }
    }

    pub(super) fn audit(&mut self, lines: &[String]) {
        for line in lines {
            println!("  {line}");
        }
    }

    /// The samples that came of the calls.
    pub(super) fn metrics(&mut self, text: &str) {
        let shown = ["reeve_calls_total", "reeve_limit_usage_ratio", "reeve_call_duration_seconds_count"];
        let came = |line: &&str| shown.iter().any(|name| line.starts_with(name)) && !line.ends_with(" 0");
        for line in text.lines().filter(came) {
            println!("  {line}");
        }
    }

    pub(super) fn by_hand(&mut self, url: &str, policy: &Path, admin: SocketAddr, inspect: SocketAddr) {
        println!("  The MCP server, behind the policy: {}", self.paint(Colour::Bold, url));
        println!("  mcp.json for an agent:");
        println!("    {{\"mcpServers\": {{\"imaging\": {{\"type\": \"http\", \"url\": \"{url}\"}}}}}}");
        println!("  Call a tool, and one that the policy does not permit:");
        for tool in ["start_dicom_export_job", "delete_datastore"] {
            println!(
                "    curl -s {url} -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \
                 -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"{tool}\",\
                 \"arguments\":{{\"datastore_id\":\"ds-1\",\"output_s3_uri\":\"s3://clinic-exports/\"}}}}}}'"
            );
        }
        println!("  The policy; an edit is in force at once: {}", policy.display());
        println!(
            "  Metrics: http://{admin}/metrics   limits: http://{inspect}/limits   policy: http://{inspect}/policy"
        );
        println!("  {}", self.paint(Colour::Dim, "Ctrl-C ends it."));
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.terminal {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Bold => "1",
            Colour::Dim => "2",
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
