//! The operator's process: as a pod of it would run, outside of one.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kube::config::Kubeconfig;
use reeve_bench::subject::get;
use reeve_bench::usage;
use serde_json::json;

/// How long the operator may take to be ready, and anything to become of it.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// The namespace that it is installed in.
pub const NAMESPACE: &str = "reeve-system";
/// The name of everything that is its own.
pub const NAME: &str = "reeve-operator";

/// How an operator is started, time and again at the same addresses.
#[derive(Debug)]
pub struct Place {
    program: PathBuf,
    folder: tempfile::TempDir,
    listen: SocketAddr,
    admin: SocketAddr,
}

/// A running operator; ends when dropped.
#[derive(Debug)]
pub struct Operator {
    child: Child,
    admin: SocketAddr,
    log: PathBuf,
    /// When it was started.
    pub started: Instant,
}

/// What an operator has used.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    at: Instant,
    processor: Duration,
}

impl Place {
    /// Where this program runs, as whoever has this token.
    ///
    /// # Panics
    /// If there is no kubeconfig, or no folder can be made.
    pub fn new(program: &Path, token: &str) -> Self {
        let kubeconfig = Kubeconfig::read().expect("there is a kubeconfig: tests/bench/run starts a cluster");
        let mut kubeconfig = serde_json::to_value(kubeconfig).expect("a kubeconfig can be written");
        kubeconfig["users"][0]["user"] = json!({"token": token});
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string()).expect("a temporary file can be written");
        Self { program: program.to_owned(), folder, listen: free(), admin: free() }
    }

    /// Where sidecars and the API server find it.
    pub fn url(&self) -> String {
        format!("https://{}", self.listen)
    }

    /// Where it listens with TLS.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// Starts it, and does not wait for anything.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(&self) -> Operator {
        let log = self.folder.path().join("log");
        let output = File::options().create(true).append(true).open(&log).expect("a temporary file can be written");
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REEVE_")) {
            command.env_remove(name);
        }
        command
            .env("KUBECONFIG", self.folder.path().join("kubeconfig"))
            .args(["--namespace", NAMESPACE, "--pod-name", "reeve-operator-0"])
            .args(["--sidecar-image", "ghcr.io/reeve-dev/reeve-sidecar:bench", "--operator-url", &self.url()])
            .args(["--listen", &self.listen.to_string(), "--admin-listen", &self.admin.to_string()])
            .args(["--mutating-webhook", NAME, "--validating-webhook", NAME])
            .stdin(Stdio::null())
            .stderr(output.try_clone().expect("an open file can be shared"))
            .stdout(output);
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        Operator { child, admin: self.admin, log, started }
    }
}

impl Operator {
    /// Waits until it is ready; says how long after its start that was.
    ///
    /// # Panics
    /// If it ends, or is not ready in time; with what it logged last.
    pub async fn ready(&mut self) -> Duration {
        loop {
            if get(self.admin, "/ready").await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return self.started.elapsed();
            }
            self.must_live();
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    fn must_live(&mut self) {
        let ended = self.child.try_wait().ok().flatten();
        let log = || {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().rev().take(20).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        assert!(
            ended.is_none() && self.started.elapsed() < PATIENCE,
            "the operator is not ready ({ended:?}):\n{}",
            log()
        );
    }

    /// Ends it without a warning.
    pub fn kill_now(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// What it has used until now.
    pub fn used(&self) -> Used {
        Used { at: Instant::now(), processor: usage::processor(self.child.id()) }
    }

    /// The processor time that it used since.
    pub fn since(&self, before: Used) -> Duration {
        usage::processor(self.child.id()).saturating_sub(before.processor)
    }

    /// The share of a processor that it uses while nothing happens but pings, over this time.
    pub async fn idle(&self, over: Duration) -> f64 {
        let before = self.used();
        tokio::time::sleep(over).await;
        self.since(before).as_secs_f64() / before.at.elapsed().as_secs_f64()
    }

    /// Its memory (`VmRSS`), in bytes.
    pub fn memory(&self) -> u64 {
        usage::memory(self.child.id())
    }

    /// All its metrics.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn metrics(&self) -> String {
        get(self.admin, "/metrics").await.expect("the operator tells its metrics")
    }

    /// Waits until so many sidecars run what they are to run.
    ///
    /// # Panics
    /// If they do not in time.
    pub async fn current(&self, sidecars: usize) {
        let began = Instant::now();
        loop {
            let metrics = get(self.admin, "/metrics").await.unwrap_or_default();
            let current = value(&metrics, r#"reeve_sidecars{state="current"}"#);
            #[allow(clippy::cast_precision_loss, reason = "thousands")]
            if current >= sidecars as f64 {
                eprintln!("{sidecars} sidecars are current");
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{current} of {sidecars} sidecars are current");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill_now();
    }
}

/// A metric of a page, by its name with labels as they are written; zero if there is none.
pub fn value(page: &str, name: &str) -> f64 {
    let rest = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    rest.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let page = "reeve_sidecars{state=\"behind\"} 3\nreeve_sidecars{state=\"current\"} 97\nreeve_leader 1\n";
        assert!((value(page, "reeve_sidecars{state=\"current\"}") - 97.0).abs() < 1e-9);
        assert!((value(page, "reeve_lead") - 0.0).abs() < 1e-9);
    }
}
