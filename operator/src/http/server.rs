//! Accepts connections within bounds, HTTP/1.1 and HTTP/2, with TLS or without, and ends them when the process drains.
//!
//! | bound | what it stops |
//! |---|---|
//! | connections at once | exhausting file descriptors; at the port of probes the oldest makes room, so that none holds it |
//! | time for the TLS handshake, until the first request, and for a request's headers | a byte a second, or none, for ever |
//! | HTTP/2 pings | connections whose other end is gone without a word |
//! | bytes of headers, streams of a connection | memory |
//!
//! A process that drains closes its port only when nobody came for a while, and asks a connection to end only once it was asked
//! something: a cluster hears late that a replica goes, and whoever was sent here must be answered.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::Body;
use crate::metrics::Metrics;
use crate::tls::Resolver;
use reeve_process::drain::Drain;
use reeve_process::places::{Overflow, Places};

/// What [`Bounds::patience`] is, unless a test is in a hurry.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How many bytes of a request's body a connection holds before anybody reads them. A whole connection holds those of sixteen such.
pub(crate) const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 16 * STREAM_WINDOW;
/// How often the other end of an HTTP/2 connection is asked whether it is there, and how long it may take to answer.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(20));
/// How long nobody may have come before a process that drains closes its port.
const UNVISITED: Duration = Duration::from_secs(2);
/// How long accepting pauses when the system has no descriptor or memory left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// The bounds of one port.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most connections at once.
    pub connections: usize,
    /// What happens when there is one more.
    pub overflow: Overflow,
    /// The most streams of one connection at once. The API server sends many reviews over one connection.
    pub streams: u32,
    /// How long each of these may take: the TLS handshake, the time until the first request, a request's headers.
    pub patience: Duration,
}

/// A port, and what it accepts.
pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    bounds: Bounds,
    metrics: Arc<Metrics>,
    drain: Drain,
}

/// Counts as an open connection while it lives.
struct Open(Arc<Metrics>);

/// What an accepted connection needs; shared by all.
struct Connections {
    tls: Option<TlsAcceptor>,
    patience: Duration,
    http: Builder<TokioExecutor>,
    metrics: Arc<Metrics>,
    drain: Drain,
}

impl Server {
    /// One without TLS.
    pub fn plain(listener: TcpListener, bounds: Bounds, metrics: Arc<Metrics>, drain: Drain) -> Self {
        Self { listener, tls: None, bounds, metrics, drain }
    }

    /// One with TLS, that shows what `resolver` has.
    ///
    /// # Errors
    /// If the TLS library cannot speak any version.
    pub fn tls(
        listener: TcpListener,
        resolver: Arc<Resolver>,
        bounds: Bounds,
        metrics: Arc<Metrics>,
        drain: Drain,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { tls: Some(TlsAcceptor::from(Arc::new(config))), ..Self::plain(listener, bounds, metrics, drain) })
    }

    /// Serves until the process drains and nobody comes any more, then closes the port and returns when the last connection has
    /// ended: by itself once its requests are answered, or cut off when the grace period is over.
    pub async fn run<F>(self, respond: impl Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static)
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let Self { listener, tls, bounds, metrics, drain } = self;
        let places = Places::new(bounds.connections, bounds.overflow);
        let connections = Arc::new(Connections {
            tls,
            patience: bounds.patience,
            http: builder(bounds),
            metrics,
            drain: drain.clone(),
        });
        while let Some(accepted) = next(&listener, &drain).await {
            let stream = match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    pause_if_exhausted(&error).await;
                    continue;
                }
            };
            match places.take(|| connections.metrics.refused("too_many_connections")).await {
                Some(place) => {
                    let task = tokio::spawn(Arc::clone(&connections).serve(stream, respond.clone(), place));
                    places.hold(task.abort_handle());
                }
                None => drop(stream),
            }
        }
        drop(listener);
        places.all_free().await;
    }
}

impl Open {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.opened();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}

impl Connections {
    async fn serve<F>(
        self: Arc<Self>,
        stream: TcpStream,
        respond: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        _place: OwnedSemaphorePermit,
    ) where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let _ = stream.set_nodelay(true);
        let _open = Open::new(&self.metrics);
        match &self.tls {
            None => self.exchange(stream, respond).await,
            Some(tls) => {
                let handshake = tokio::select! {
                    handshake = tokio::time::timeout(self.patience, tls.accept(stream)) => handshake,
                    () = self.drain.ending() => Ok(Err(io::ErrorKind::ConnectionAborted.into())),
                };
                match handshake {
                    Ok(Ok(stream)) => self.exchange(stream, respond).await,
                    Ok(Err(error)) => {
                        self.metrics.refused("handshake");
                        tracing::debug!(%error, "a TLS handshake failed");
                    }
                    Err(_) => self.metrics.refused("handshake_timeout"),
                }
            }
        }
    }

    async fn exchange<F>(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        respond: impl Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let (heard, asked) = watch::channel(false);
        let service = service_fn(move |request| {
            heard.send_replace(true);
            let answer = respond(request);
            async move { Ok::<_, std::convert::Infallible>(answer.await) }
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let mut finished = std::pin::pin!(self.finished(asked.clone()));
        let mut ending = std::pin::pin!(self.drain.ending());
        let mut silence = std::pin::pin!(tokio::time::sleep(self.patience));
        let (mut is_finishing, mut is_new) = (false, true);
        loop {
            tokio::select! {
                result = &mut connection => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a connection ended");
                    }
                    return;
                }
                () = &mut finished, if !is_finishing => {
                    is_finishing = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = &mut silence, if is_new => {
                    is_new = false;
                    if !*asked.borrow() {
                        self.metrics.refused("silent");
                        return;
                    }
                }
                () = &mut ending => return,
            }
        }
    }

    /// Waits until the process drains and the connection has been `asked` something, so that it has had what it was opened for.
    async fn finished(&self, mut asked: watch::Receiver<bool>) {
        self.drain.draining().await;
        if asked.wait_for(|asked| *asked).await.is_err() {
            // Nothing can be asked any more: the connection ends by itself.
            std::future::pending::<()>().await;
        }
    }
}

/// The next connection, or why there is none; nothing once the process drains and nobody came for a while.
async fn next(listener: &TcpListener, drain: &Drain) -> Option<io::Result<TcpStream>> {
    let unvisited = async {
        drain.draining().await;
        tokio::time::sleep(UNVISITED).await;
    };
    tokio::select! {
        biased;
        () = drain.ending() => None,
        accepted = listener.accept() => Some(accepted.map(|(stream, _)| stream)),
        () = unvisited => None,
    }
}

fn builder(bounds: Bounds) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(bounds.patience).max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1)
        .max_concurrent_streams(bounds.streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(16 << 10);
    builder
}

/// A short pause if the system ran out of something, so that trying again at once cannot help. Else the connection was gone before
/// it was accepted.
async fn pause_if_exhausted(error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%error, "connections cannot be accepted: trying until they can");
        tokio::time::sleep(EXHAUSTED_PAUSE).await;
    }
}

#[cfg(test)]
mod tests;
