//! Real MCP servers, each of another SDK.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::eventually::{eventually, within};
use crate::process::{Process, free_port, node, peer};
use crate::{http, sidecar};

const LOOPBACK: &str = "127.0.0.1";
/// Loading AWS' library takes a minute of a machine on which much else runs.
const LONGEST_START: Duration = Duration::from_secs(180);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `@modelcontextprotocol/server-everything`, TypeScript SDK 1: the legacy era only.
    Everything,
    /// AWS' HealthImaging server on the Python SDK, both eras.
    HealthImaging,
    /// The same over standard input and output, behind the Python `mcp-proxy`: the legacy era only.
    HealthImagingBridged,
    /// The Python SDK itself, both eras.
    Python,
    /// `fastmcp`, both eras.
    Fast,
    /// `@modelcontextprotocol/server`, TypeScript SDK 2, both eras.
    TypeScript,
    /// The TypeScript SDK 2 behind Express and its body parser, both eras.
    Express,
    /// `rmcp`, both eras.
    Rust,
    /// The Go SDK 1.3.0, which reads keys whatever their case: the legacy era only.
    Go13,
    /// The Go SDK 1.4.0, which reads keys up to a NUL: the legacy era only.
    Go14,
    /// The TypeScript SDK 2 again, with all that the conformance suites ask of a server.
    Conformance,
}

impl Kind {
    /// Whether it speaks this era.
    pub fn speaks(self, era: crate::clients::Era) -> bool {
        let legacy_only = matches!(self, Self::Everything | Self::HealthImagingBridged | Self::Go13 | Self::Go14);
        era == crate::clients::Era::Legacy || !legacy_only
    }

    /// Whether it can be started: the servers on the Go SDK are not everywhere.
    pub fn is_installed(self) -> bool {
        self.go().is_none_or(|program| crate::process::root().join("target/peers").join(program).exists())
    }

    fn go(self) -> Option<&'static str> {
        match self {
            Self::Go13 => Some("go-1.3.0/server"),
            Self::Go14 => Some("go-1.4.0/server"),
            _ => None,
        }
    }

    fn command(self, host: &str, port: u16) -> Command {
        assert!(host == LOOPBACK || self == Self::HealthImaging, "{self:?} listens on loopback alone");
        let program = |path: &str| Command::new(peer(path));
        let port = port.to_string();
        match self {
            Self::Everything => {
                let mut command = Command::new(node());
                let preload = format!("--require {}", peer("node/loopback.cjs").display());
                command.arg(peer("node/node_modules/.bin/mcp-server-everything")).arg("streamableHttp");
                command.env("PORT", port).env("NODE_OPTIONS", preload);
                command
            }
            Self::HealthImaging => {
                let mut command = program("healthimaging/bin/python");
                command
                    .arg(crate::process::root().join("tests/peers/python/healthimaging.py"))
                    .args([port.as_str(), host]);
                command
            }
            Self::HealthImagingBridged => {
                let mut command = program("bridge/bin/mcp-proxy");
                command.args(["--host", "127.0.0.1", "--port", &port, "--pass-environment", "--"]);
                command.arg(peer("healthimaging/bin/awslabs.healthimaging-mcp-server"));
                command
            }
            Self::Python => {
                let mut command = program("healthimaging/bin/python");
                command.arg(crate::process::root().join("tests/peers/python/plain.py")).arg(port);
                command
            }
            Self::Fast => {
                let mut command = program("fastmcp/bin/python");
                command.arg(crate::process::root().join("tests/peers/python/fast.py")).arg(port);
                command
            }
            Self::TypeScript => {
                let mut command = Command::new(node());
                command.arg(peer("node/server.mjs")).arg(port);
                command
            }
            Self::Express => {
                let mut command = Command::new(node());
                command.arg(peer("node/express.mjs")).arg(port);
                command
            }
            Self::Go13 | Self::Go14 => {
                let mut command = program(self.go().unwrap_or_default());
                command.arg(port);
                command
            }
            Self::Conformance => {
                let mut command = Command::new(node());
                command.arg(peer("node/conformance.mjs")).arg(port);
                command
            }
            Self::Rust => {
                let mut command = Command::new(sidecar::built("reeve-peer-server"));
                command.arg(port);
                command
            }
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Where it is.
    pub url: String,
    kind: Kind,
    host: &'static str,
    port: u16,
    environment: Vec<(String, String)>,
    process: Process,
    /// What it wrote before it was started again.
    before: String,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub fn start(kind: Kind) -> Self {
        Self::start_with(kind, &[])
    }

    /// Starts a server with these environment variables and waits until it answers.
    ///
    /// # Panics
    /// If it ends before it answers; with what it wrote.
    pub fn start_with(kind: Kind, environment: &[(&str, &str)]) -> Self {
        Self::start_at(LOOPBACK, kind, environment)
    }

    /// The same on another address of this machine, for servers that can be told one: [`Kind::HealthImaging`].
    ///
    /// # Panics
    /// If it ends before it answers, with what it wrote; or cannot be told an address.
    pub fn start_at(host: &'static str, kind: Kind, environment: &[(&str, &str)]) -> Self {
        let port = free_port();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment: Vec<_> = environment.iter().map(owned).collect();
        let process = run(kind, host, port, &environment);
        let url = format!("http://{host}:{port}/mcp");
        Self { url, kind, host, port, environment, process, before: String::new() }
    }

    /// Starts the server again, at the same place, if it has ended.
    pub fn revive(&mut self) {
        let alive = eventually("the server answers, or has ended", || {
            let ended = self.process.exit_code().is_some();
            (ended || TcpStream::connect((self.host, self.port)).is_ok()).then_some(!ended)
        });
        if !alive {
            self.before = self.log();
            self.process = run(self.kind, self.host, self.port, &self.environment);
        }
    }

    /// Where the server's log goes, until it is started again.
    pub fn log_file(&self) -> &std::path::Path {
        &self.process.log
    }

    /// What the server wrote to its log.
    pub fn log(&self) -> String {
        self.before.clone() + &self.process.log()
    }
}

fn run(kind: Kind, host: &str, port: u16, environment: &[(String, String)]) -> Process {
    let mut command = kind.command(host, port);
    // Credentials that are none, and no look-up of real ones: nothing leaves this machine.
    let nowhere = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    command.envs(nowhere).envs(environment.iter().map(|(name, value)| (name, value)));
    let mut process = Process::start(&mut command);
    within(LONGEST_START, &format!("{kind:?} answers"), || {
        assert!(process.exit_code().is_none(), "{kind:?} ended: {}", process.log());
        http::answers(&format!("http://{host}:{port}/mcp")).then_some(())
    });
    process
}
