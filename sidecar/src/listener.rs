//! Accepts connections within bounds, HTTP/1.1 and HTTP/2 on one port, and ends them when the process drains.
//!
//! Generic over what answers: the proxy for agents, [`crate::admin`] and [`crate::inspect`] for people and probes.
//!
//! | bound | what it stops |
//! |---|---|
//! | connections at once | exhausting file descriptors; the one too many is told so and closed, but at the ports of probes and people takes the place of the oldest |
//! | time for a request's headers, from their first byte | a byte a second, for ever |
//! | time without a request | connections that are kept for nothing |
//! | time without a byte taken of an answer | holding places and memory by not reading |
//! | bytes of headers | memory |
//! | streams at once, streams reset before they are answered | HTTP/2's cheap ways to make a server work (rapid reset) |

mod activity;
mod bind;
mod connection;
mod seldom;
mod streams;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use reeve_policy::time::parse_duration;
use reeve_process::places::{Overflow, Places};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

pub use bind::{Addresses, BindError, bind};

use crate::config;
use crate::lifecycle::Drain;

/// How long a connection may be without a request. Longer than the idle time of common clients (Node 4 s, httpx 5 s,
/// Go and reqwest 90 s), so that it is they who close, and no call is lost to a connection that closes under it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a client may take nothing of what is written to it. The kernel says that something was taken only once a good part of
/// its buffer is free again, up to 2 MiB: this is the time for that.
const STALL_TIMEOUT: Duration = Duration::from_secs(300);

/// How long accepting pauses after the system had no descriptor or memory left: long enough not to spin, short enough
/// that nobody notices once there is room again.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// Bounds of one listener.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most connections at once, over all addresses.
    pub connections: usize,
    /// What happens when there is one more.
    pub overflow: Overflow,
    /// How long a request's headers may take, from their first byte; of a connection's first request, from the accept.
    pub header_timeout: Duration,
    /// How long a connection may be without a request.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of what is written to it.
    pub stall_timeout: Duration,
    /// The most bytes of a request's headers. Slightly larger ones reach the service, which is to refuse them.
    pub header_bytes: usize,
    /// The most HTTP/2 streams of one connection at once.
    pub streams: u32,
}

impl Bounds {
    /// The bounds that a configuration asks for.
    ///
    /// # Errors
    /// A sentence about the duration that is none.
    pub fn of(listener: &config::Listener) -> Result<Self, String> {
        Ok(Self {
            connections: listener.max_connections,
            overflow: Overflow::TurnAway,
            header_timeout: parse_duration(&listener.header_timeout)?,
            idle_timeout: IDLE_TIMEOUT,
            stall_timeout: STALL_TIMEOUT,
            header_bytes: listener.max_header_bytes,
            streams: 256,
        })
    }

    /// The bounds of a listener for probes, scrapes and people. Nobody can keep the kubelet out by holding connections.
    pub fn small() -> Self {
        Self {
            connections: 64,
            overflow: Overflow::EndOldest,
            header_timeout: Duration::from_secs(5),
            idle_timeout: IDLE_TIMEOUT,
            stall_timeout: STALL_TIMEOUT,
            header_bytes: 16 << 10,
            streams: 16,
        }
    }
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who connected.
    pub remote: SocketAddr,
    /// To which of our addresses.
    pub local: SocketAddr,
}

/// Why a connection was refused or closed by this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There were too many already.
    TooManyConnections,
    /// A request's headers took too long.
    HeaderTimeout,
    /// A request's headers were so large that they were not read.
    HeadersTooLarge,
    /// Nothing of an answer was taken for too long. Of HTTP/2 that stream alone is ended.
    Stalled,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: &'static [Self] =
        &[Self::TooManyConnections, Self::HeaderTimeout, Self::HeadersTooLarge, Self::Stalled];

    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooManyConnections => "too_many_connections",
            Self::HeaderTimeout => "header_timeout",
            Self::HeadersTooLarge => "headers_too_large",
            Self::Stalled => "stalled",
        }
    }
}

/// Hears of connections; [`crate::metrics`] counts them.
pub trait Observer: Send + Sync {
    /// A connection was accepted.
    fn opened(&self) {}
    /// It has ended.
    fn closed(&self) {}
    /// A connection was refused, or closed for what it did.
    fn refused(&self, refusal: Refusal) {
        let _ = refusal;
    }
}

/// Counts nothing.
impl Observer for () {}

/// Answers requests. `respond` must not fail: what goes wrong is a response too; what goes wrong in the middle of one is
/// an error of its body, which ends the connection (HTTP/1.1) or the stream (HTTP/2).
pub trait Service: Clone + Send + Sync + 'static {
    /// The body of its responses.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static;

    /// Answers one request. Dropped when the client hangs up.
    fn respond(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Response<Self::Body>> + Send + 'static;
}

impl<S, F, B> Service for S
where
    S: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;

    fn respond(&self, request: Request<Incoming>, peer: Peer) -> impl Future<Output = Response<B>> + Send + 'static {
        self(request, peer)
    }
}

/// Serves until the process drains, then closes the ports at once and returns when the last connection has ended: by itself
/// once its requests are answered, or cut when the grace period is over.
pub async fn serve<S: Service>(
    listeners: Vec<TcpListener>,
    bounds: Bounds,
    observer: Arc<dyn Observer>,
    drain: Drain,
    service: S,
) {
    let places = Arc::new(Places::new(bounds.connections, bounds.overflow));
    let acceptors: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            let acceptor = Acceptor {
                bounds,
                observer: Arc::clone(&observer),
                drain: drain.clone(),
                places: Arc::clone(&places),
                service: service.clone(),
            };
            tokio::spawn(acceptor.run(listener))
        })
        .collect();
    for acceptor in acceptors {
        if let Err(error) = acceptor.await {
            tracing::error!(%error, "a listener ended");
        }
    }
    places.all_free().await;
}

struct Acceptor<S> {
    bounds: Bounds,
    observer: Arc<dyn Observer>,
    drain: Drain,
    places: Arc<Places>,
    service: S,
}

impl<S: Service> Acceptor<S> {
    async fn run(self, listener: TcpListener) {
        let drain = self.drain.clone();
        let mut draining = std::pin::pin!(drain.draining());
        let mut exhausted = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut draining => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => {
                    exhausted = false;
                    self.admit(stream, remote).await;
                }
                Err(error) if is_exhausted(&error) => {
                    if !exhausted {
                        tracing::warn!(%error, "connections cannot be accepted: trying until they can");
                    }
                    exhausted = true;
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
                // The connection was gone before it was accepted.
                Err(error) => tracing::debug!(%error, "a connection could not be accepted"),
            }
        }
    }

    async fn admit(&self, stream: TcpStream, remote: SocketAddr) {
        match self.places.take(|| self.observer.refused(Refusal::TooManyConnections)).await {
            Some(place) => self.open(stream, remote, place),
            None => connection::turn_away(&stream),
        }
    }

    fn open(&self, stream: TcpStream, remote: SocketAddr, place: OwnedSemaphorePermit) {
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let open = Open::new(Arc::clone(&self.observer));
        let connection = connection::Connection {
            peer: Peer { remote, local },
            bounds: self.bounds,
            observer: Arc::clone(&self.observer),
            drain: self.drain.clone(),
        };
        let service = self.service.clone();
        let serving = tokio::spawn(async move {
            connection.serve(stream, service).await;
            drop((open, place));
        });
        self.places.hold(serving.abort_handle());
    }
}

/// Counts as an open connection while it lives.
struct Open(Arc<dyn Observer>);

impl Open {
    fn new(observer: Arc<dyn Observer>) -> Self {
        observer.opened();
        Self(observer)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}

/// Whether the system ran out of something, so that trying again at once cannot help.
fn is_exhausted(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests;
