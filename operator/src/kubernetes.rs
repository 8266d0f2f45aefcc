//! Everything that is read from and written into the API server.
//!
//! | module | holds |
//! |---|---|
//! | [`kinds`] | the kinds that are watched, and how each is read |
//! | [`watch`] | list, then watch, of one kind; feeds what `control` takes in |
//! | [`mod@write`] | statuses, written by the leader alone |
//! | [`events`] | Events, written by the leader alone |
//! | [`leader`] | the Lease that says who leads |
//! | [`owner`] | the operator's own Deployment |

pub mod events;
pub mod kinds;
pub mod leader;
pub mod owner;
pub mod watch;
pub mod write;

use std::future::Future;
use std::time::Duration;

use reeve_process::back_off::BackOff;

/// How long one request may take: a frozen API server must not hold anything for ever.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The waits of what must go on soon after the API server is there again.
fn back_off() -> BackOff {
    BackOff::new(Duration::from_millis(100), Duration::from_secs(5))
}

/// Why a request to the API server came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// No answer.
    #[error("the API server did not answer within {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout,
    /// The API server, or the way to it, says no.
    #[error("{}", describe(.0))]
    Client(#[from] kube::Error),
    /// The request cannot be put together.
    #[error("the request cannot be made: {0}")]
    Request(#[from] kube::core::request::Error),
}

impl KubernetesError {
    /// The HTTP status of the API server's answer, if it gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Client(kube::Error::Api(status)) => Some(status.code),
            _ => None,
        }
    }

    /// Whether someone else changed the object first, or it is not the object that was meant.
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether the object is gone.
    pub fn is_missing(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether asking again with the same words cannot help.
    pub fn is_final(&self) -> bool {
        matches!(self.code(), Some(400 | 404 | 405 | 409 | 413 | 415 | 422))
    }

    /// One word for metrics.
    pub fn reason(&self) -> &'static str {
        match self.code() {
            Some(401 | 403) => "forbidden",
            Some(404) => "missing",
            Some(409) => "conflict",
            Some(410) => "gone",
            Some(400 | 422) => "invalid",
            Some(429) => "throttled",
            Some(_) => "refused",
            None if matches!(self, Self::Timeout) => "timeout",
            None => "unreachable",
        }
    }
}

/// The error and what it comes from, without the structure that the client library shows.
fn describe(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return format!("the API server says {}: {}", status.code, status.message);
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// A request's answer, within the time that one may take.
///
/// # Errors
/// What went wrong, or that no answer came.
pub async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, KubernetesError> {
    Ok(tokio::time::timeout(REQUEST_TIMEOUT, request).await.map_err(|_| KubernetesError::Timeout)??)
}
