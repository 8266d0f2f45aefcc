//! Why a stream is not begun: a sentence for whoever reads the sidecar's log, a word for the metrics, and a status.

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use crate::http::{Body, whole};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there is nothing at this path: sidecars ask for {}", reeve_wire::PATH)]
    Path,
    #[error("the method is not POST: a sidecar makes one POST request, and both bodies stay open")]
    Method,
    #[error("the request came by HTTP/1: both bodies are open at once, which takes HTTP/2")]
    Protocol,
    #[error("this replica ends: connect to another")]
    Draining,
    #[error("this replica has not yet read the cluster's policies, servers and pods: ask again")]
    NotReady,
    #[error("this replica has as many streams as it may have: ask again, or add replicas")]
    TooManyStreams,
    #[error("no token: send `Authorization: Bearer` with the pod's token of audience {}", reeve_wire::AUDIENCE)]
    NoToken,
    #[error("what was sent is not a ServiceAccount's token (a JSON Web Token with audience and expiry)")]
    Malformed,
    #[error("the token is not of audience {}: mount one that is", reeve_wire::AUDIENCE)]
    Audience,
    #[error("the token has expired: read the file again, the kubelet renews it")]
    Expired,
    #[error("the API server does not vouch for the token: {0}")]
    NotAuthenticated(String),
    #[error("the token is of {0}, which is not a ServiceAccount")]
    NotServiceAccount(String),
    #[error("the token of {0} is bound to no pod: use one that the kubelet projects into the pod")]
    NoPod(String),
    #[error("pod {0} is not known to have a sidecar: it has none, was deleted, has finished, or was not seen here yet")]
    UnknownPod(String),
    #[error("the token is of {token}, and the pod of that UID is {pod}")]
    OtherPod { token: String, pod: String },
    #[error("the API server could not be asked about the token: {0}")]
    Unreviewed(String),
}

impl Refusal {
    /// One word.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Path => "UnknownPath",
            Self::Method => "MethodNotAllowed",
            Self::Protocol => "NotHttp2",
            Self::Draining => "Draining",
            Self::NotReady => "NotReady",
            Self::TooManyStreams => "TooManyStreams",
            Self::NoToken => "NoToken",
            Self::Malformed => "TokenMalformed",
            Self::Audience => "WrongAudience",
            Self::Expired => "TokenExpired",
            Self::NotAuthenticated(_) => "NotAuthenticated",
            Self::NotServiceAccount(_) => "NotServiceAccount",
            Self::NoPod(_) => "NotBoundToPod",
            Self::UnknownPod(_) => "UnknownPod",
            Self::OtherPod { .. } => "OtherPod",
            Self::Unreviewed(_) => "ReviewUnavailable",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Protocol => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::NoToken | Self::Malformed | Self::Audience | Self::Expired | Self::NotAuthenticated(_) => {
                StatusCode::UNAUTHORIZED
            }
            Self::NotServiceAccount(_) | Self::NoPod(_) | Self::OtherPod { .. } => StatusCode::FORBIDDEN,
            Self::Draining | Self::NotReady | Self::TooManyStreams | Self::UnknownPod(_) | Self::Unreviewed(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Whether it says something of who asks, not of this replica: worth a line in the log.
    pub(super) fn is_of_caller(&self) -> bool {
        self.status() != StatusCode::SERVICE_UNAVAILABLE || matches!(self, Self::UnknownPod(_) | Self::Unreviewed(_))
    }

    /// The answer.
    pub(super) fn response(&self, retry_after: Duration) -> Response<Body> {
        let mut response = Response::new(whole(format!("{self}\n")));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
