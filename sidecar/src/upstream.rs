//! Connections to servers: pools, TLS, credentials, what their failures mean.
//!
//! ```text
//! proxy ──► Upstream::send ──► credential ──► pool ──► connection (DNS, TCP or socket, HTTP proxy, TLS)
//!                                               │
//!                                               └──► response head ──► Body, or UpstreamError {cause, sent}
//! ```
//!
//! What limits count on is [`Sent`]: whether the server can have got the call. It is `No` only where that is certain.

mod body;
mod environment;
mod error;

pub use body::Body;
pub use environment::Environment;
pub use error::{BuildError, Cause, Sent, UpstreamError};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{Request, Response};

use crate::config::Server;

/// One MCP server, and the connections to it.
#[derive(Debug)]
pub struct Upstream {
    name: Arc<str>,
}

impl Upstream {
    /// Prepares everything that a call needs. Reads files, so not for the serving thread; connects to nothing.
    ///
    /// # Errors
    /// The first field of the server's configuration that cannot work, such as a CA bundle that cannot be read.
    pub fn new(server: &Server, environment: &Environment) -> Result<Self, BuildError> {
        let _ = (server, environment);
        todo!()
    }

    /// The server's name, as messages and metrics write it.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Sends a request and waits for the head of its answer. Of the request the method, headers and body are taken; the
    /// target, `Host` and the credential are the server's own. A call that was certainly not sent is tried once more.
    ///
    /// Dropping the future ends the call: the connection is closed (HTTP/1.1) or the stream reset (HTTP/2). `progress`
    /// then still tells whether the server can have got it.
    ///
    /// # Errors
    /// What went wrong, and whether the server can have got the call.
    pub async fn send(&self, request: Request<Bytes>, progress: &Progress) -> Result<Response<Body>, UpstreamError> {
        let _ = (request, progress);
        todo!()
    }
}

/// How far a call has got: kept by the caller beside the future of [`Upstream::send`], and readable after that is dropped.
#[derive(Debug, Default)]
pub struct Progress {
    handed_over: AtomicBool,
}

impl Progress {
    /// A call that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the server can have got the call.
    pub fn sent(&self) -> Sent {
        if self.handed_over.load(Ordering::Acquire) { Sent::Maybe } else { Sent::No }
    }
}
