//! A running container, as its node sees it: to be killed or frozen without Kubernetes' knowledge.

use std::process::Command;

use serde_json::Value;

use super::alone::{cluster, part};
use super::pod::status;

/// A running container.
#[derive(Clone, Debug)]
pub struct Container {
    id: String,
    node: String,
}

impl Container {
    /// A container of a pod, if it runs.
    pub(super) fn of(pod: &Value, name: &str) -> Option<Self> {
        let id = status(pod, name)?["containerID"].as_str()?.strip_prefix("containerd://")?.to_owned();
        Some(Self { id, node: pod["spec"]["nodeName"].as_str()?.to_owned() })
    }

    /// Its first process.
    ///
    /// # Panics
    /// If it does not run any more.
    pub fn process(&self) -> u32 {
        let tasks = self.ctr(&["tasks", "list"]);
        let task = tasks.lines().find(|line| line.starts_with(&self.id)).unwrap_or_else(|| panic!("{self:?}: {tasks}"));
        let process = task.split_whitespace().nth(1).and_then(|process| process.parse().ok());
        process.expect("a task has a process")
    }

    /// Kills its first process.
    pub fn kill(&self) {
        part(&[&self.node, "enter", "kill", "-KILL", &self.process().to_string()]);
    }

    /// Freezes all of its processes until the value is dropped.
    pub fn freeze(&self) -> Frozen<'_> {
        self.ctr(&["tasks", "pause", &self.id]);
        Frozen(self)
    }

    fn ctr(&self, arguments: &[&str]) -> String {
        self.try_ctr(arguments).unwrap_or_else(|error| panic!("ctr {arguments:?}: {error}"))
    }

    fn try_ctr(&self, arguments: &[&str]) -> Result<String, String> {
        let socket = cluster().join(&self.node).join("containerd.sock");
        let output =
            Command::new("ctr").args(["--namespace", "k8s.io", "--address"]).arg(socket).args(arguments).output();
        let output = output.expect("ctr is on the PATH");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// A container that goes on when this value is dropped.
#[derive(Debug)]
pub struct Frozen<'c>(&'c Container);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        // The kubelet may have ended it meanwhile. A test that fails already is to fail with its own words.
        let resumed = self.0.try_ctr(&["tasks", "resume", &self.0.id]);
        assert!(resumed.is_ok() || std::thread::panicking(), "{self:?}: {resumed:?}");
    }
}
