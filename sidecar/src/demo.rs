//! A server, a policy and a client, to see the sidecar work: `reeve-sidecar demo`.
//!
//! ```text
//! client ──► the real listener, policy, audit log and metrics of this program ──► server (in this process)
//! ```
//!
//! Nothing is staged: the policy is a file that may be edited while the demonstration stands, the client speaks HTTP.

mod screen;
mod server;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reeve_resident::Program;
use serde_json::json;
use tokio::net::TcpListener;

use self::screen::Screen;
use crate::client::{Answer, Client};
use crate::config;
use crate::config::source::{Inputs, Origin};
use crate::lifecycle::Signals;
use crate::listener::Addresses;
use crate::serve::{Options, ServeError, Sidecar};
use crate::supply::Supply;
use crate::trace;

/// The seed policy, as `examples/` has it.
const POLICY: &str = include_str!("../../examples/start-dicom-export-job.json");
const TOOL: &str = "start_dicom_export_job";
const CALLS: usize = 12;

/// Why the demonstration ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The sidecar did not start.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A file or connection failed.
    #[error("the demonstration failed: {0}")]
    Io(#[from] io::Error),
}

/// Whether the demonstration stays up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Until Ctrl-C, so that one can try by hand.
    Up,
    /// It ends when all is shown.
    Once,
}

/// Runs the demonstration and prints it.
///
/// # Errors
/// If it cannot be shown.
pub async fn run(stay: Stay) -> Result<(), DemoError> {
    let mut screen = Screen::stdout();
    let folder = Folder::make()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let upstream = format!("http://{}/mcp", listener.local_addr()?);
    let server = tokio::spawn(server::serve(listener));
    let sidecar = Sidecar::start(options(&folder, &upstream)).await?;
    let url = format!("http://{}/mcp", sidecar.agents());

    screen.title("The tools of the server, and what the policy leaves of them");
    let direct = Client::new(upstream).tools().await?;
    let client = Client::new(url.clone());
    screen.tools(&direct, &client.tools().await?);
    screen.title(&format!("{CALLS} calls of {TOOL} through the sidecar"));
    screen.calls(&call(&client).await?);
    screen.title("The audit log, one line for each decision");
    screen.audit(&folder.audit_lines(CALLS).await?);
    screen.title("What Prometheus reads");
    let metrics = client.page(&format!("http://{}/metrics", sidecar.admin())).await?;
    screen.metrics(&metrics);

    if stay == Stay::Up {
        screen.title("Try it by hand");
        screen.by_hand(&url, &folder.policy(), sidecar.admin(), sidecar.inspect());
        Signals::install()?.stop().await;
    }
    sidecar.stop().await;
    server.abort();
    Ok(())
}

/// Runs the demonstration's server alone, until a signal says to end: something to put behind policies of one's own.
///
/// # Errors
/// The address cannot be had.
pub async fn serve(address: SocketAddr) -> Result<(), DemoError> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!("the demonstration's server is at http://{}/mcp", listener.local_addr()?);
    let server = tokio::spawn(server::serve(listener));
    Signals::install()?.stop().await;
    server.abort();
    Ok(())
}

fn options(folder: &Folder, upstream: &str) -> Options {
    let origin = Origin::Flags { policies: vec![folder.policy()], upstream: upstream.to_owned() };
    let audit = Some(folder.audit().display().to_string());
    Options {
        supply: Supply::Files(Inputs { origin, grant: Some("demo".into()), audit, audit_on_full: None }),
        listen: Addresses::Preferred(config::AGENT_ADDRESSES[0]),
        admin: Addresses::Preferred(config::ADMIN_ADDRESS),
        inspect: Addresses::Preferred(config::INSPECT_ADDRESS),
        cache_dir: None,
        grace_period: Duration::from_secs(1),
        tracing: trace::Settings::default(),
        program: Program::default(),
    }
}

async fn call(client: &Client) -> io::Result<Vec<Answer>> {
    let mut answers = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let arguments = json!({"datastore_id": "ds-1", "output_s3_uri": "s3://clinic-exports/today/"});
        answers.push(client.call(TOOL, arguments).await?);
    }
    Ok(answers)
}

/// The folder of the policy and the audit log; removed at the end.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("reeve-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        let folder = Self(path);
        std::fs::write(folder.policy(), POLICY)?;
        Ok(folder)
    }

    fn policy(&self) -> PathBuf {
        self.0.join("start-dicom-export-job.json")
    }

    fn audit(&self) -> PathBuf {
        self.0.join("audit.jsonl")
    }

    /// The decisions in the audit log, once `count` have been written: its writer is a thread of its own.
    async fn audit_lines(&self, count: usize) -> io::Result<Vec<String>> {
        for _ in 0..200 {
            let lines = decisions(&self.audit())?;
            if lines.len() >= count {
                return Ok(lines);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        decisions(&self.audit())
    }
}

fn decisions(path: &Path) -> io::Result<Vec<String>> {
    let text = std::fs::read_to_string(path)?;
    Ok(text.lines().filter(|line| line.contains("\"decision\"")).map(str::to_owned).collect())
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the temporary folder does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
