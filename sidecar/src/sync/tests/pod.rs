//! A pod's sidecar: what it was given, what it keeps, and what it answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::operator::{DEADLINE, Operator};
use crate::clock::Clock;
use crate::config::Audit;
use crate::listener::Addresses;
use crate::serve::{Options, ServeError, Sidecar};
use crate::state::StateError;
use crate::supply::Supply;
use crate::sync::{Mounted, Settings};

pub(super) struct Pod {
    folder: tempfile::TempDir,
    settings: Settings,
    /// By which the pod tells the time, over restarts.
    clock: Clock,
    sidecar: Option<Sidecar>,
}

impl Pod {
    /// A new pod of an operator that it knows, with nothing mounted.
    pub(super) async fn start(operator: &Operator) -> Self {
        Self::knowing(operator, &operator.pem()).await
    }

    /// A new pod that knows its operator by these authorities.
    pub(super) async fn knowing(operator: &Operator, authorities: &str) -> Self {
        Self::given(operator, authorities, "", Clock::system()).await
    }

    /// A new pod for which the webhook has mounted this.
    pub(super) async fn mounting(operator: &Operator, mounts: &str) -> Self {
        Self::given(operator, &operator.pem(), mounts, Clock::system()).await
    }

    /// A new pod in which no time passes but by this clock's being moved on.
    pub(super) async fn timed_by(operator: &Operator, clock: &Clock) -> Self {
        Self::given(operator, &operator.pem(), "", clock.clone()).await
    }

    async fn given(operator: &Operator, authorities: &str, mounts: &str, clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "token-of-the-pod\n").unwrap();
        let settings = Settings {
            operator: operator.url(),
            authorities: authorities.to_owned(),
            token,
            servers: folder.path().join("servers"),
            mounts: Mounted::parse(mounts).unwrap(),
        };
        let mut pod = Self { folder, settings, clock, sidecar: None };
        pod.restart().await;
        pod
    }

    /// The container ends, if it runs, and is started again in the same pod.
    pub(super) async fn restart(&mut self) {
        if let Some(sidecar) = self.sidecar.take() {
            sidecar.stop().await;
        }
        let any = || Addresses::Given(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]);
        let options = Options {
            supply: Supply::Operator {
                settings: self.settings.clone(),
                audit: Audit { to: "off".into(), ..Audit::default() },
            },
            listen: any(),
            admin: any(),
            inspect: any(),
            cache_dir: Some(self.folder.path().join("cache")),
            grace_period: Duration::from_secs(1),
            tracing: crate::trace::Settings::default(),
            program: reeve_resident::Program::default(),
        };
        let begun = Instant::now();
        self.sidecar = loop {
            match Sidecar::start_by(options.clone(), self.clock.clone()).await {
                Ok(sidecar) => break Some(sidecar),
                // What the one before has left to its threads may take a moment to end.
                Err(ServeError::State(StateError::InUse { .. })) if begun.elapsed() < DEADLINE => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => panic!("{error}"),
            }
        };
    }

    fn sidecar(&self) -> &Sidecar {
        self.sidecar.as_ref().unwrap()
    }

    /// Where the pod has a file of a server.
    pub(super) fn mounted(&self, server: &str, name: &str) -> PathBuf {
        let folder = self.settings.servers.join(server);
        std::fs::create_dir_all(&folder).unwrap();
        folder.join(name)
    }

    /// The files of the cache folder.
    pub(super) fn kept(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("cache")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Whether a file of the cache folder can be replaced from now on.
    pub(super) fn lets_replace(&self, name: &str, lets: bool) {
        // Where it is written first.
        let in_the_way = self.folder.path().join("cache").join(format!("{name}.tmp"));
        if lets {
            std::fs::remove_dir(in_the_way).unwrap();
        } else {
            std::fs::create_dir(in_the_way).unwrap();
        }
    }

    /// Writes something else into a file of the cache folder.
    pub(super) fn damage(&self, name: &str) {
        let path = self.folder.path().join("cache").join(name);
        let mut content = std::fs::read(&path).unwrap();
        *content.last_mut().unwrap() ^= 1;
        std::fs::write(path, content).unwrap();
    }

    /// The whole answer to a call of a tool of the server `aws`.
    pub(super) async fn call(&self) -> String {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
        let head = format!("POST /aws HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {}", call.len());
        exchange(self.sidecar().agents(), &head, call).await
    }

    /// Whether a call passes: the server that it is for does not listen, and the agent is told so.
    pub(super) async fn permits(&self) -> bool {
        let text = self.call().await;
        text.contains("could not be reached")
    }

    /// A page of the admin port.
    pub(super) async fn page(&self, path: &str) -> String {
        exchange(self.sidecar().admin(), &format!("GET {path} HTTP/1.1"), "").await
    }

    /// Waits until a page of the admin port has this.
    pub(super) async fn shows(&self, path: &str, what: &str) {
        eventually(what, async || self.page(path).await.contains(what)).await;
    }
}

/// Waits until something holds.
pub(super) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn exchange(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut text)).await.expect("it answers").unwrap();
    text
}
