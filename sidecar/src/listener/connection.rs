//! One connection: HTTP/1.1 or HTTP/2, by its first bytes, from the accept to its end.

use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;

use super::activity::{Activity, Watched};
use super::seldom::Seldom;
use super::streams::Streams;
use super::{Bounds, Observer, Peer, Refusal, Service};
use crate::lifecycle::Drain;

/// The smallest buffer that hyper accepts for a request's headers.
const SMALLEST_HEADER_BUFFER: usize = 8 << 10;

/// How much larger than permitted headers may be and still be answered by the service, which can say what is wrong. Larger ones
/// are answered 431 and no more.
const MARGIN: usize = 16 << 10;

/// HTTP/2 streams that a client has reset before they were taken up. Well-behaved clients cancel a few; more than this is
/// the rapid reset attack (CVE-2023-44487), and ends the connection.
const RESET_STREAMS: usize = 20;

pub(super) struct Connection {
    pub(super) peer: Peer,
    pub(super) bounds: Bounds,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) drain: Drain,
}

impl Connection {
    pub(super) async fn serve<S: Service>(self, stream: TcpStream, service: S) {
        // Calls are small and answers stream: waiting to fill a packet only adds latency.
        let _ = stream.set_nodelay(true);
        let activity = Arc::new(Activity::default());
        let stream = Watched::new(stream, &self.bounds, Arc::clone(&activity));
        let peer = self.peer;
        let answer = service_fn(|request| activity.begin(service.respond(request, peer)));
        let streams = Streams { stall_timeout: self.bounds.stall_timeout, observer: Arc::clone(&self.observer) };
        let builder = builder(&self.bounds, streams);
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), answer));

        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => Some(ended),
            () = Seldom::new(self.drain.draining()) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = self.drain.ending() => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
                self.observer.refused(Refusal::HeadersTooLarge);
            }
            tracing::debug!(peer = %peer.remote, %error, "a connection ended");
        }
        if activity.header_timed_out() {
            self.observer.refused(Refusal::HeaderTimeout);
        }
        if activity.has_stalled() {
            self.observer.refused(Refusal::Stalled);
        }
    }
}

fn builder(bounds: &Bounds, streams: Streams) -> Builder<Streams> {
    let largest = bounds.header_bytes.saturating_add(MARGIN);
    let mut builder = Builder::new(streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(largest.max(SMALLEST_HEADER_BUFFER));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.streams)
        .max_header_list_size(u32::try_from(largest).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(RESET_STREAMS);
    builder
}

/// Tells a connection that it is one too many, as far as that is possible without waiting for it.
pub(super) fn turn_away(stream: &TcpStream) {
    const WHY: &str = "Too many connections to the Reeve sidecar (listener.maxConnections)\n";
    let _ = stream.try_write(answer("503 Service Unavailable", WHY).as_bytes());
}

/// An answer to what is not served, after which the connection ends.
pub(super) fn answer(status: &str, why: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{why}",
        why.len()
    )
}
