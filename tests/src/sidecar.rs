//! The sidecar as users run it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::eventually::eventually;
use crate::http;
use crate::process::{Process, root};

/// A policy that permits everything on every server.
pub const ALLOW_ALL: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: allow-all}
spec:
  serverRefs: [{name: '*'}]
  default: Allow
";

/// A policy that permits the tool `echo` and denies every other.
pub const ECHO_ONLY: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: echo-only}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: echo, tools: [echo], action: Allow}
";

/// A program of this workspace: the release build if there is one, else the debug build.
///
/// # Panics
/// If it has not been built.
pub fn built(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let candidates = [target.join("release").join(name), target.join("debug").join(name)];
    let found = candidates.into_iter().find(|file| file.exists());
    found.unwrap_or_else(|| panic!("{name} has not been built: run `tests/run peers`"))
}

/// The program with these arguments, and nothing of this process's environment that would configure it.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(built("reeve-sidecar"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REEVE_") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

/// A folder with what a sidecar is started with. It may be started again, with the same files.
#[derive(Clone, Debug)]
pub struct Setup {
    folder: Arc<tempfile::TempDir>,
    arguments: Vec<String>,
    path: String,
}

impl Setup {
    /// In front of one server, with one policy, in `policy.yaml`.
    pub fn policy(policy: &str, upstream: &str) -> Self {
        let mut setup = Self::empty();
        setup.write("policy.yaml", policy);
        let file = setup.file("policy.yaml").display().to_string();
        setup.arguments = ["--policy", &file, "--upstream", upstream].map(str::to_owned).into();
        setup.path = http::split(upstream).1.to_owned();
        setup
    }

    /// With a configuration, in `sidecar.yaml`.
    pub fn config(config: &str) -> Self {
        let mut setup = Self::empty();
        setup.write("sidecar.yaml", config);
        setup.arguments = vec!["--config".into(), setup.file("sidecar.yaml").display().to_string()];
        setup
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self { folder: Arc::new(folder), arguments: Vec::new(), path: String::new() }
    }

    /// The same with more flags.
    #[must_use]
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// Writes a file of the folder.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.file(name), content).expect("a file can be written");
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What starts the sidecar, on ports of its own.
    pub fn command(&self) -> Command {
        let mut command = program(&["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--inspect", "127.0.0.1:0"]);
        command.args(&self.arguments);
        command
    }

    /// Starts the sidecar and waits until it is ready.
    pub fn start(&self) -> Sidecar {
        self.start_as(|command| command)
    }

    /// Starts the sidecar with a command that is prepared further, and waits until it is ready.
    ///
    /// # Panics
    /// If it ends before it is ready; with its log.
    pub fn start_as(&self, prepare: impl Fn(&mut Command) -> &mut Command) -> Sidecar {
        let mut process = Process::start(prepare(&mut self.command()));
        let mut listens = |purpose: &str| {
            eventually(&format!("the sidecar tells its address for {purpose}"), || {
                assert!(process.exit_code().is_none(), "the sidecar ended: {}", process.log());
                let log = process.log();
                let (_, line) = log.split_once(&format!("{purpose}: "))?;
                let (_, address) = line.split_once("http://")?;
                Some(format!("http://{}", address.split_once('/')?.0))
            })
        };
        let agents = listens("agents");
        let (admin, inspect) = (listens("metrics"), listens("inspection"));
        eventually("the sidecar is ready", || {
            http::get(&format!("{admin}/ready")).is_ok_and(|answer| answer.status == 200).then_some(())
        });
        Sidecar {
            url: format!("{agents}{}", self.path),
            agents,
            admin,
            inspect,
            process,
            _folder: Arc::clone(&self.folder),
        }
    }
}

/// A running sidecar.
#[derive(Debug)]
pub struct Sidecar {
    /// Where agents find the one server.
    pub url: String,
    /// Where agents connect: without a path.
    pub agents: String,
    /// Where its probes and metrics are.
    pub admin: String,
    /// Where its policy and limits are.
    pub inspect: String,
    /// Its process: the audit log on standard output, its own log on standard error.
    pub process: Process,
    _folder: Arc<tempfile::TempDir>,
}

impl Sidecar {
    /// Starts a sidecar with this policy in front of this server.
    pub fn start(policy: &str, upstream: &str) -> Self {
        Setup::policy(policy, upstream).start()
    }

    /// The metrics, as Prometheus reads them.
    ///
    /// # Panics
    /// If they cannot be had.
    pub fn metrics(&self) -> String {
        http::get(&format!("{}/metrics", self.admin)).expect("the sidecar serves its metrics").body
    }

    /// The value of one series, such as `reeve_rejected_requests_total{cause="batch"}`; 0 if there is none.
    pub fn metric(&self, series: &str) -> f64 {
        let metrics = self.metrics();
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_default()
    }

    /// The lines of the audit log that record decisions, once there are this many.
    pub fn decisions(&self, count: usize) -> Vec<serde_json::Value> {
        eventually(&format!("{count} decisions are recorded"), || {
            let output = self.process.output();
            let (whole, _) = output.rsplit_once('\n')?;
            let lines = whole.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
            let decisions: Vec<serde_json::Value> =
                lines.filter(|line: &serde_json::Value| line["decision"].is_string()).collect();
            (decisions.len() >= count).then_some(decisions)
        })
    }
}

/// A file of `examples/`.
///
/// # Panics
/// If it is not there.
pub fn example(name: &str) -> String {
    let file = root().join("examples").join(name);
    std::fs::read_to_string(Path::new(&file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
