//! What can go wrong between the sidecar and a server, in words for metrics, logs and the agent.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Whether a server can have got a call. Quota returns to a call only if it is `No`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// Certainly not: no connection, not one byte of the request written, or turned away by HTTP/2 before it began.
    No,
    /// It may have, in whole or in part.
    Maybe,
}

/// Declares [`Cause`]: each cause, its word in metrics, what the agent reads after the server's name, and what it means.
macro_rules! causes {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, $sentence:literal;)+) => {
        /// Why a request to a server failed: the label `cause` of `reeve_upstream_errors_total`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause { $($(#[doc = $doc])+ $name,)+ }

        impl Cause {
            /// Every cause, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word used in metrics and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// One sentence that says what the cause means.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }
        }
    };
}

causes! {
    /// The server's name could not be resolved.
    Dns = "dns", "could not be reached: its name could not be resolved";
    /// No connection could be made: refused, unreachable, or the socket is not there.
    Connect = "connect", "could not be reached: the connection was refused or failed";
    /// A connection was not made in time (`connectTimeout`).
    ConnectTimeout = "connect_timeout", "could not be reached: no connection was made in time";
    /// The HTTP proxy could not be reached or did not open a tunnel.
    Proxy = "proxy", "could not be reached: the HTTP proxy on the way did not connect";
    /// TLS failed: an unknown authority, a wrong name, an expired or missing certificate.
    Tls = "tls", "could not be reached: no trusted TLS connection could be made";
    /// The credential file could not be read, or holds no usable value.
    Credential = "credential", "was not called: the credential for it is not available";
    /// The server's definition cannot be used in this pod: something that it names is missing or wrong. Its status and the
    /// sidecar's log say what.
    Unusable = "unusable", "was not called: something that its definition names is missing or cannot be used. The status of \
        the McpServer says what";
    /// The server refused the credential that the sidecar holds for it (status 401, or 403 with a challenge).
    CredentialRefused = "credential_refused", "refused the credential that the sidecar holds for it: whoever runs the \
        sidecar should check the file that credentials.file names, and what the credential may do";
    /// The server refused a token that a login through the sidecar has just brought, and that names the sidecar's URL.
    TokenRefused = "token_refused", "refused the token of a login through this sidecar: the token was issued for the \
        sidecar's URL, and the server seems to take only tokens that were issued for its own. Logging in again changes \
        nothing: whoever runs the sidecar can give it a credential for the server (servers[].credentials)";
    /// What the server says of logging in to it cannot be passed on.
    Metadata = "metadata", "publishes protected-resource metadata that cannot be passed on, so that agents cannot log in \
        to it through the sidecar";
    /// The agent's request has more headers than one can have together with those that the sidecar adds.
    Headers = "headers", "was not called: the request has too many headers";
    /// As many calls to the server are in flight as may be (`maxConcurrentCalls`), and none ended in time.
    Busy = "busy", "was not called: as many calls to it are in flight as may be";
    /// As many streams of the server are open as may be (`maxStreams`), and none ended in time.
    Streams = "streams", "was not asked for a stream: as many of its streams are open as may be";
    /// The server turned the call away before it began it (HTTP/2 `REFUSED_STREAM` or `GOAWAY`).
    Refused = "refused", "turned the call away before it began";
    /// The connection ended before the answer did.
    Reset = "reset", "ended the connection before its answer was complete";
    /// What the server sent is not valid HTTP, or could be read in two ways.
    Protocol = "protocol", "sent an answer that is not valid HTTP";
    /// The server began a session by an id that no request could name: it is not visible ASCII, or leaves no room
    /// (`listener.maxHeaderBytes`).
    Session = "session", "began a session by an id (Mcp-Session-Id) that agents could not name in requests: it is not visible \
        ASCII, or larger than listener.maxHeaderBytes permits";
    /// The answer is not one strict JSON-RPC message, or has a form in which it could not be decided on. The server has got the
    /// request. The sidecar's log says what is wrong, and where.
    Unreadable = "unreadable", "gave an answer that cannot be relayed";
    /// The server answered with a redirect, which is never followed.
    Redirect = "redirect", "answered with a redirect, which is not followed";
    /// The answer did not begin in time (`responseTimeout`).
    ResponseTimeout = "response_timeout", "did not begin its answer in time";
    /// The answer was silent for too long (`streamIdleTimeout`; without it, of an answer that is no stream, `responseTimeout`).
    StreamIdle = "stream_idle", "was silent for too long in the middle of its answer";
    /// The sidecar holds as many bytes of answers, or of this server's, as it may (`listener.maxTotalAnswerBytes`).
    Memory = "memory", "gave an answer for which the sidecar has no room at the moment";
    /// The answer, its headers or an event of it is larger than permitted.
    TooLarge = "too_large", "sent an answer that is larger than permitted";
    /// The server, or a proxy before it, answered with a status of 500 or more. The agent is given that answer.
    ServerError = "server_error", "answered that it failed";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call to a server failed. Displayed for the log, with the detail; [`UpstreamError::message`] is for the agent.
#[derive(Clone, Debug, thiserror::Error)]
#[error("server {server:?}: {detail} ({cause})")]
pub struct UpstreamError {
    /// The server's name.
    pub server: Arc<str>,
    /// Why, as a word.
    pub cause: Cause,
    /// Whether the server can have got the call.
    pub sent: Sent,
    /// Why, for the log: may name addresses and files, never a secret or a value of the call. Of [`Cause::Unreadable`] the agent
    /// reads it too, and it names neither.
    pub detail: String,
}

impl UpstreamError {
    /// Whether the server may go on with the call: it may have got it, and what failed says nothing of what became of it.
    pub fn may_go_on(&self) -> bool {
        self.sent == Sent::Maybe && matches!(self.cause, Cause::Reset | Cause::ResponseTimeout | Cause::StreamIdle)
    }

    /// What the agent reads: one sentence that names the server and the cause, and nothing of the network behind.
    pub fn message(&self) -> String {
        if self.cause == Cause::Unreadable {
            return format!(
                "The MCP server {:?} {}: {}. {MAY_BE_DONE}",
                self.server,
                self.cause.sentence(),
                self.detail
            );
        }
        format!("The MCP server {:?} {}.", self.server, self.cause.sentence())
    }
}

/// What an agent reads that gets an error for an answer: it must not take the call for one that was not made.
pub const MAY_BE_DONE: &str =
    "The server got the request and has probably carried it out: check that before sending it again.";

/// A failure before it is known whose it is.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) sent: Sent,
    pub(super) detail: String,
}

impl Failure {
    /// Something that failed before anything was sent.
    pub(super) fn unsent(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, sent: Sent::No, detail: detail.into() }
    }

    /// What hyper says of a request over HTTP/2, or of the body of its answer.
    pub(super) fn of_http(error: &hyper::Error) -> Self {
        let chain = Chain(error);
        let (cause, sent) = match chain.find::<h2::Error>() {
            Some(stream) => (h2_cause(stream, &chain), h2_sent(stream)),
            None => (chain.stream_cause(), Sent::Maybe),
        };
        Self { cause, sent, detail: chain.to_string() }
    }

    pub(super) fn at(self, server: &Arc<str>) -> UpstreamError {
        UpstreamError { server: Arc::clone(server), cause: self.cause, sent: self.sent, detail: self.detail }
    }
}

/// RFC 9113, 8.7: a stream reset with REFUSED_STREAM, or one above the last that a GOAWAY names, was not processed. The
/// h2 crate reports a GOAWAY of the server only to streams above it; streams that the server still owes end by I/O error.
fn h2_sent(error: &h2::Error) -> Sent {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    if error.is_remote() && (refused || error.is_go_away()) { Sent::No } else { Sent::Maybe }
}

fn h2_cause(error: &h2::Error, chain: &Chain<'_>) -> Cause {
    if h2_sent(error) == Sent::No {
        Cause::Refused
    } else if chain.find::<rustls::Error>().is_some() {
        Cause::Tls
    } else if error.is_library() && !error.is_io() {
        Cause::Protocol
    } else {
        Cause::Reset
    }
}

/// An error and its sources, displayed in one line.
pub(super) struct Chain<'e>(pub(super) &'e (dyn StdError + 'static));

impl<'e> Chain<'e> {
    fn errors(&self) -> impl Iterator<Item = &'e (dyn StdError + 'static)> + use<'e> {
        let first: Option<&'e (dyn StdError + 'static)> = Some(self.0);
        std::iter::successors(first, |&error| error.source())
    }

    /// What it means that a stream failed with it: TLS found something wrong, or the connection ended.
    pub(super) fn stream_cause(&self) -> Cause {
        if self.find::<rustls::Error>().is_some() { Cause::Tls } else { Cause::Reset }
    }

    /// The first error of a type, also if an I/O error wraps it.
    pub(super) fn find<E: StdError + 'static>(&self) -> Option<&'e E> {
        self.errors().find_map(|error| {
            let within = || error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref::<E>();
            error.downcast_ref::<E>().or_else(within)
        })
    }
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = String::new();
        for (depth, error) in self.errors().enumerate() {
            let text = error.to_string();
            // Wrappers often repeat what they wrap.
            if text != last {
                write!(f, "{}{text}", if depth == 0 { "" } else { ": " })?;
            }
            last = text;
        }
        Ok(())
    }
}

/// A server's configuration that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BuildError {
    /// JSON pointer to the field, below the server: `/tls/caBundle`.
    pub pointer: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}
