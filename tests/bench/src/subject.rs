//! What can be measured, and how each is started: a fresh process, on the core that is the proxies' own.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::identity;
use crate::load::PATH;
use crate::policies;
use crate::server::TOOL;

/// How long a proxy may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is asked whether it is.
const ASK_EVERY: Duration = Duration::from_micros(500);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Nothing stands between.
    Direct,
    /// [`crate::splice`].
    Splice,
    /// [`crate::minimal`].
    Minimal,
    /// Reeve with everything on and this many rules.
    Reeve {
        /// The rules.
        rules: usize,
    },
    /// Reeve with this many rules for a tool each, all of which have a limit.
    Limited {
        /// The rules.
        rules: usize,
    },
    /// Envoy, as `envoy.yaml` says.
    Envoy,
}

impl Subject {
    /// What it is called in tables.
    pub fn name(self) -> String {
        match self {
            Self::Direct => "direct".into(),
            Self::Splice => "TCP splice".into(),
            Self::Minimal => "minimal hyper proxy".into(),
            Self::Reeve { rules: 1 } | Self::Limited { rules: 1 } => "Reeve, 1 rule".into(),
            Self::Reeve { rules } | Self::Limited { rules } => format!("Reeve, {rules} rules"),
            Self::Envoy => "Envoy".into(),
        }
    }
}

/// Where programs are, and where they run.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// The core that proxies run on; everything else should run on another.
    #[arg(long, default_value_t = 0)]
    pub core: usize,
    /// The sidecar's program.
    #[arg(long)]
    pub reeve: PathBuf,
    /// Envoy's program.
    #[arg(long)]
    pub envoy: PathBuf,
}

/// The server as proxies reach it.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Where it is.
    pub address: SocketAddr,
    /// The authority to trust, if it has TLS.
    pub authority: Option<PathBuf>,
}

/// A running proxy; ends when dropped.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    /// Where agents connect.
    pub address: SocketAddr,
    /// Where it tells of itself, if it does.
    pub admin: Option<SocketAddr>,
    /// From its start until it was ready.
    pub ready_after: Duration,
    folder: tempfile::TempDir,
}

impl Place {
    /// Starts a proxy and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready; with what it has written.
    pub async fn start(&self, subject: Subject, upstream: &Upstream) -> Running {
        self.start_in(&[], subject, upstream).await
    }

    /// The same, run by another program: a debugger or a counter of instructions.
    ///
    /// # Panics
    /// If it does not become ready; with what it has written.
    pub async fn start_in(&self, wrapper: &[&str], subject: Subject, upstream: &Upstream) -> Running {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (listen, admin) = (free(), free());
        let at = At { folder: folder.path(), listen, admin, upstream };
        let (arguments, admin) = match subject {
            Subject::Direct => {
                let address = upstream.address;
                return Running { child: None, address, admin: None, ready_after: Duration::ZERO, folder };
            }
            Subject::Splice | Subject::Minimal => (at.own(subject), None),
            Subject::Reeve { rules } => (at.reeve(&self.reeve, &policies::yaml(rules)), Some(admin)),
            Subject::Limited { rules } => (at.reeve(&self.reeve, &policies::limited(rules)), Some(admin)),
            Subject::Envoy => (at.envoy(&self.envoy), Some(admin)),
        };
        let output = File::create(folder.path().join("output")).expect("a temporary file can be made");
        let mut command = Command::new("taskset");
        command.args(["-c", &self.core.to_string()]).args(wrapper).args(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("REEVE_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        let began = Instant::now();
        let child = command.spawn().expect("taskset is installed");
        let mut running = Running { child: Some(child), address: listen, admin, ready_after: Duration::ZERO, folder };
        while !running.is_ready().await {
            let ended = running.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "{} is not ready: {}",
                subject.name(),
                running.output()
            );
            tokio::time::sleep(ASK_EVERY).await;
        }
        running.ready_after = began.elapsed();
        running
    }
}

impl Running {
    /// Its process id; none of what is no process.
    pub fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// A file of its own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn is_ready(&self) -> bool {
        match self.admin {
            None => TcpStream::connect(self.address).await.is_ok(),
            Some(admin) => get(admin, "/ready").await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200")),
        }
    }

    fn output(&self) -> String {
        fs::read_to_string(self.file("output")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a GET answers, head and body; nothing if there is no answer.
pub async fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

/// An address that nothing listens on, and that the kernel gives to no connection until the proxy does: it takes those from 32768
/// up.
fn free() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], NEXT.fetch_add(1, Ordering::Relaxed)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// Where a proxy is to be.
struct At<'a> {
    folder: &'a Path,
    listen: SocketAddr,
    admin: SocketAddr,
    upstream: &'a Upstream,
}

impl At<'_> {
    fn write(&self, name: &str, content: &str) -> String {
        let file = self.folder.join(name);
        fs::write(&file, content).expect("a temporary file can be written");
        file.display().to_string()
    }

    /// The proxies that this program is itself.
    fn own(&self, subject: Subject) -> Vec<String> {
        let program = std::env::current_exe().expect("a program has a file").display().to_string();
        let role = if subject == Subject::Splice { "splice" } else { "minimal" };
        let (listen, server) = (self.listen.to_string(), self.upstream.address.to_string());
        let mut arguments = vec![program, role.into(), "--listen".into(), listen, "--server".into(), server];
        if subject == Subject::Minimal {
            arguments.extend(["--tool".into(), TOOL.into()]);
            let authority = self.upstream.authority.as_ref().map(|file| file.display().to_string());
            arguments.extend(authority.into_iter().flat_map(|file| ["--authority".into(), file]));
        }
        arguments
    }

    fn reeve(&self, program: &Path, policy: &str) -> Vec<String> {
        self.write("policy.yaml", policy);
        let (scheme, host, tls) = match &self.upstream.authority {
            None => ("http", "127.0.0.1", String::new()),
            Some(file) => ("https", identity::NAME, format!("\n  tls: {{caBundle: {}}}", file.display())),
        };
        // In a folder of its own: the policy's is watched, and each line would look like a change of it at first.
        let audit = self.folder.join("audit");
        fs::create_dir(&audit).expect("a temporary folder can be made");
        let (port, audit) = (self.upstream.address.port(), audit.join("audit.jsonl"));
        let config = format!(
            "servers:
- name: bench
  url: {scheme}://{host}:{port}{PATH}
  path: {PATH}{tls}
policyFiles: [policy.yaml]
audit: {{to: {}}}
",
            audit.display()
        );
        let config = self.write("sidecar.yaml", &config);
        let (listen, admin) = (self.listen.to_string(), self.admin.to_string());
        let program = program.display().to_string();
        [&*program, "--config", &config, "--listen", &listen, "--admin", &admin, "--inspect", "127.0.0.1:0"]
            .map(str::to_owned)
            .into()
    }

    fn envoy(&self, program: &Path) -> Vec<String> {
        let mut config = include_str!("../envoy.yaml")
            .replace("${listen}", &self.listen.port().to_string())
            .replace("${admin}", &self.admin.port().to_string())
            .replace("${server}", &self.upstream.address.port().to_string());
        if let Some(authority) = &self.upstream.authority {
            config += &include_str!("../envoy-tls.yaml").replace("${authority}", &authority.display().to_string());
        }
        let config = self.write("envoy.yaml", &config);
        let program = program.display().to_string();
        let fixed = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
        [&*program, "-c", &config].into_iter().chain(fixed).map(str::to_owned).collect()
    }
}
