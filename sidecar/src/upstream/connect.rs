//! Makes connections: names to addresses, TCP or a Unix socket, a tunnel through a proxy, TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;

use super::error::{Cause, Chain, Failure};
use super::proxy::Proxy;
use super::target::{Place, Target};
use super::tls::Tls;
use super::wire::{Wire, Wired};

/// How long an address is tried alone before the next is tried beside it (RFC 8305, 5, recommends 250 ms).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// How long a connection is silent before the kernel asks whether its other end is still there: a stream may be silent
/// for hours, and a firewall may forget it.
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(60);

/// Knows how to reach one server.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) target: Target,
    pub(super) proxy: Option<Proxy>,
    pub(super) tls: Option<Tls>,
    /// Without TLS, HTTP/2 is spoken only if the configuration says that the server does.
    pub(super) prior_knowledge: bool,
}

/// A connection on which nothing of HTTP was said yet.
pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    pub(super) wire: Arc<Wire>,
    pub(super) http2: bool,
}

/// What HTTP needs of a connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connector {
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let stream = match (self.target.place(), &self.proxy) {
            (Place::Socket(path), _) => {
                let stream = UnixStream::connect(path)
                    .await
                    .map_err(|error| Failure::unsent(Cause::Connect, format!("{}: {error}", path.display())))?;
                let stream = Wired::new(stream);
                let wire = stream.wire();
                return Ok(Connection { stream: Box::new(stream), wire, http2: self.prior_knowledge });
            }
            (Place::Host(host, port), None) => tcp(host, *port).await?,
            (Place::Host(..), Some(proxy)) => {
                let at_proxy = |failure: Failure| Failure::unsent(Cause::Proxy, failure.detail);
                let stream = tcp(&proxy.host, proxy.port).await.map_err(at_proxy)?;
                if self.relays() { stream } else { proxy.tunnel(stream, &self.target).await? }
            }
        };
        let wire = stream.wire();
        match &self.tls {
            None => Ok(Connection { stream: Box::new(stream), wire, http2: self.prior_knowledge }),
            Some(tls) => {
                let stream = tls
                    .connector
                    .connect(tls.name.clone(), stream.of_tls())
                    .await
                    .map_err(|error| tls_failed(&error))?;
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                Ok(Connection { stream: Box::new(stream), wire, http2 })
            }
        }
    }

    /// Whether the proxy is asked to relay each request rather than to open a tunnel: plain HTTP/1.1.
    pub(super) fn relays(&self) -> bool {
        self.proxy.is_some() && self.tls.is_none() && !self.prior_knowledge
    }

    /// What a proxy that relays wants to see in each request.
    pub(super) fn proxy_authorization(&self) -> Option<&HeaderValue> {
        self.proxy.as_ref().filter(|_| self.relays())?.authorization.as_ref()
    }

    /// Whether a connection may turn out to be HTTP/2, which one connection suffices for.
    pub(super) fn may_be_http2(&self) -> bool {
        self.tls.is_some() || self.prior_knowledge
    }
}

/// What a failed handshake means, with what to do about the likeliest cause.
fn tls_failed(error: &io::Error) -> Failure {
    let chain = Chain(error);
    let hint = match chain.find::<rustls::Error>() {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)) => {
            ": name the authority's file in `tls.caBundle`"
        }
        _ => "",
    };
    Failure::unsent(Cause::Tls, format!("the TLS handshake failed: {chain}{hint}"))
}

/// Resolves a name, anew each time, and connects to the first of its addresses that answers.
pub(super) async fn tcp(host: &str, port: u16) -> Result<Wired<TcpStream>, Failure> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| Failure::unsent(Cause::Dns, format!("{host:?} could not be resolved: {error}")))?;
    let stream = first_to_answer(addresses.collect()).await.map_err(|error| match error {
        Some((address, error)) => Failure::unsent(Cause::Connect, format!("{address}: {error}")),
        None => Failure::unsent(Cause::Dns, format!("{host:?} has no address")),
    })?;
    // Neither is worth failing for: the connection works without.
    let _ = stream.set_nodelay(true);
    let _ = rustix::net::sockopt::set_socket_keepalive(&stream, true);
    let _ = rustix::net::sockopt::set_tcp_keepidle(&stream, KEEP_ALIVE_AFTER);
    Ok(Wired::new(stream))
}

type AddressError = Option<(SocketAddr, io::Error)>;

/// Tries the addresses in the resolver's order. The next one starts when the one before has failed, or has not answered
/// for a while; the first error is told.
async fn first_to_answer(addresses: Vec<SocketAddr>) -> Result<TcpStream, AddressError> {
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut first_error = None;
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(async move { TcpStream::connect(address).await.map_err(|error| (address, error)) });
        }
        let outcome = if waiting.len() == 0 {
            attempts.join_next().await
        } else {
            match tokio::time::timeout(NEXT_ADDRESS_AFTER, attempts.join_next()).await {
                Ok(outcome) => outcome,
                Err(_) => continue,
            }
        };
        match outcome {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => first_error = first_error.or(Some(error)),
            Some(Err(_)) => {}
            None => return Err(first_error),
        }
    }
}
