//! The operator, spoken to as a sidecar would, or as nobody should: its ports, its streams, and how it is afterwards.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::{RecvStream, SendStream, client};
use http::Request;
use reeve_wire::message::{Configuration, FromSidecar, Hello, ToSidecar};
use reeve_wire::{LONGEST_TO_SIDECAR, Lines, PATH, PROTOCOL, lines};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::container::Container;
use super::installed::{NAMESPACE, OPERATOR, SELECTOR};
use super::kubectl;

/// How long an answer may take, or a line of a stream.
const PATIENCE: Duration = Duration::from_secs(30);

/// A replica, or any of them by their Service.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The port with TLS: webhooks and streams.
    pub address: String,
    /// The port with probes and metrics; none of the Service.
    pub admin: Option<String>,
    /// The replica's pod; none of the Service.
    pub pod: Option<String>,
    authorities: Arc<RootCertStore>,
}

impl Operator {
    /// By its Service, as sidecars reach it.
    pub fn service() -> Self {
        let address = format!("{OPERATOR}.{NAMESPACE}.svc.cluster.local:443");
        Self { address, admin: None, pod: None, authorities: authorities() }
    }

    /// Each replica by itself.
    pub fn replicas() -> Vec<Self> {
        let authorities = authorities();
        let pods = kubectl::json(&["-n", NAMESPACE, "get", "pods", "--selector", SELECTOR]);
        let replica = |pod: &Value| {
            let (address, name) = (pod["status"]["podIP"].as_str()?, pod["metadata"]["name"].as_str()?);
            let port = |name: &str| {
                let ports = pod["spec"]["containers"][0]["ports"].as_array()?;
                let port = ports.iter().find(|port| port["name"] == name)?["containerPort"].as_u64()?;
                Some(format!("{address}:{port}"))
            };
            let authorities = Arc::clone(&authorities);
            Some(Self { address: port("https")?, admin: Some(port("admin")?), pod: Some(name.into()), authorities })
        };
        pods["items"].as_array().into_iter().flatten().filter_map(replica).collect()
    }

    /// How often the replica's container was started again, and the bytes that its process uses.
    ///
    /// # Panics
    /// If it does not run, or for the Service.
    pub fn health(&self) -> (u64, u64) {
        let pod = self.pod.as_deref().expect("a replica has a pod");
        let now = kubectl::json(&["-n", NAMESPACE, "get", "pod", pod]);
        let container = Container::of(&now, "operator").unwrap_or_else(|| panic!("{pod} does not run: {now:#}"));
        let restarts = now["status"]["containerStatuses"][0]["restartCount"].as_u64().expect("a count");
        (restarts, crate::process::memory(container.process()))
    }

    /// Connects with TLS, for this protocol of HTTP: `h2` or `http/1.1`.
    ///
    /// # Errors
    /// If the connection, or the handshake, fails.
    pub async fn connect(&self, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the library speaks TLS")
            .with_root_certificates(Arc::clone(&self.authorities))
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from(format!("{OPERATOR}.{NAMESPACE}.svc")).expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(&self.address).await?).await
    }

    /// What is answered to a body of JSON, head and all.
    ///
    /// # Panics
    /// If the connection breaks, or there is no whole answer.
    pub fn post(&self, path: &str, body: &str) -> String {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let exchange = async {
            let mut stream = self.connect("http/1.1").await?;
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}", body.len());
            stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = runtime.block_on(async { timeout(PATIENCE, exchange).await });
        answer.expect("the operator answers").expect("and its answer is whole")
    }

    /// Asks for a stream, with this token, if any.
    ///
    /// # Errors
    /// What is answered instead of one.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn ask(&self, token: Option<&str>) -> Result<Stream, Refused> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (out, answer) = runtime.block_on(async {
            let stream = self.connect("h2").await.expect("the operator is there");
            let (mut sender, connection) = client::handshake(stream).await.expect("it speaks HTTP/2");
            tokio::spawn(connection);
            let mut request = Request::post(format!("https://{OPERATOR}{PATH}"));
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let (answer, out) = sender.send_request(request.body(()).expect("a request"), false).expect("it is sent");
            (out, timeout(PATIENCE, answer).await.expect("the operator answers").expect("it answers in HTTP/2"))
        });
        let (head, body) = answer.into_parts();
        let mut stream = Stream { runtime, out, body, lines: Lines::new(LONGEST_TO_SIDECAR) };
        if head.status == 200 {
            return Ok(stream);
        }
        let mut words = String::new();
        while let Some(piece) = stream.piece() {
            words.push_str(&String::from_utf8_lossy(&piece));
        }
        Err(Refused { status: head.status.as_u16(), words })
    }
}

/// The authorities by which the API server, and so anybody, knows the operator.
fn authorities() -> Arc<RootCertStore> {
    let webhooks = kubectl::json(&["get", "validatingwebhookconfiguration", OPERATOR]);
    let bundle = webhooks["webhooks"][0]["clientConfig"]["caBundle"].as_str().expect("the webhook has a bundle");
    let bundle = STANDARD.decode(bundle).expect("a bundle is base64");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bundle) {
        roots.add(certificate.expect("a bundle is PEM")).expect("it holds certificates");
    }
    Arc::new(roots)
}

/// An answer that is no stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status code.
    pub status: u16,
    /// What the body says.
    pub words: String,
}

/// A stream, at a sidecar's end.
#[derive(Debug)]
pub struct Stream {
    runtime: Runtime,
    out: SendStream<Bytes>,
    body: RecvStream,
    lines: Lines,
}

impl Stream {
    /// Says something. What the operator does not take any more is lost.
    pub fn say(&mut self, message: &FromSidecar) {
        self.send(lines::write(message).expect("a message can be written"));
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: Bytes) {
        let _ = self.out.send_data(bytes, false);
    }

    /// Says hello, as a sidecar that runs nothing yet.
    pub fn hello(&mut self) {
        let hello = Hello { protocol: PROTOCOL, version: "0.1.0".into(), running: None, servers: Vec::new() };
        self.say(&FromSidecar::Hello(hello));
    }

    /// The next configuration, after all that is said before it; none if the stream ends before.
    pub fn given(&mut self) -> Option<Configuration> {
        loop {
            if let ToSidecar::Configuration(given) = self.heard()? {
                return Some(given);
            }
        }
    }

    /// The next message; none when the stream has ended.
    ///
    /// # Panics
    /// If nothing comes for half a minute, or what comes is no message.
    pub fn heard(&mut self) -> Option<ToSidecar> {
        loop {
            if let Some(line) = self.lines.next_line().expect("no line is too long") {
                return Some(lines::read(&line).expect("a line is a message"));
            }
            let piece = self.piece()?;
            self.lines.push(&piece);
        }
    }

    fn piece(&mut self) -> Option<Bytes> {
        let body = &mut self.body;
        let piece = self.runtime.block_on(async { timeout(PATIENCE, body.data()).await });
        let piece = piece.expect("something is said, or the stream ends").and_then(Result::ok)?;
        let _ = self.body.flow_control().release_capacity(piece.len());
        Some(piece)
    }
}
