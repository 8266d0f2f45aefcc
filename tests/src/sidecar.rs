//! The sidecar as users run it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::eventually::eventually;
use crate::http;
use crate::process::{Process, free_port, root};

/// A policy that permits everything on every server.
pub const ALLOW_ALL: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: allow-all}
spec:
  serverRefs: [{name: '*'}]
  default: Allow
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

/// A running sidecar in front of one server.
#[derive(Debug)]
pub struct Sidecar {
    /// Where agents find the server.
    pub url: String,
    /// Where its probes and metrics are.
    pub admin: String,
    /// Where its policy and limits are.
    pub inspect: String,
    /// The folder with its policy file.
    pub folder: tempfile::TempDir,
    /// Its process: the audit log on standard output, its own log on standard error.
    pub process: Process,
}

impl Sidecar {
    /// Starts a sidecar with this policy in front of this server and waits until it is ready.
    pub fn start(policy: &str, upstream: &str) -> Self {
        Self::start_with(policy, upstream, &[])
    }

    /// Starts a sidecar with more flags.
    ///
    /// # Panics
    /// If it ends before it is ready; with its log.
    pub fn start_with(policy: &str, upstream: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, policy).expect("the policy can be written");
        let ports = [free_port(), free_port(), free_port()];
        let [listen, admin, inspect] = ports.map(|port| format!("127.0.0.1:{port}"));
        let mut command = Command::new(built("reeve-sidecar"));
        command.arg("--policy").arg(&file).args(["--upstream", upstream, "--listen", &listen]);
        command.args(["--admin", &admin, "--inspect", &inspect]).args(flags);
        let mut process = Process::start(&mut command);
        let admin = format!("http://{admin}");
        eventually("the sidecar is ready", || {
            assert!(process.exit_code().is_none(), "the sidecar ended: {}", process.log());
            http::get(&format!("{admin}/ready")).is_ok_and(|answer| answer.status == 200).then_some(())
        });
        let (_, path) = http::split(upstream);
        Self { url: format!("http://{listen}{path}"), admin, inspect: format!("http://{inspect}"), folder, process }
    }

    /// The policy file.
    pub fn policy_file(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }

    /// The metrics, as Prometheus reads them.
    ///
    /// # Panics
    /// If they cannot be had.
    pub fn metrics(&self) -> String {
        http::get(&format!("{}/metrics", self.admin)).expect("the sidecar serves its metrics").body
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
