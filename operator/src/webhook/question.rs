//! Reads a question to a webhook within the [room](super::room) that all of them share, or says why it is not read.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::review;
use super::room::{Held, Room, TooMuch};

/// The longest question, in bytes: the API server takes objects up to 3 MB, and sends an updated one twice.
pub(super) const LONGEST_BODY: usize = 10 << 20;

/// A question, and the room that it takes until it is answered.
pub(super) struct Question {
    pub(super) review: review::Request,
    pub(super) _held: Held,
}

/// Why a question is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unread {
    pub(super) status: StatusCode,
    pub(super) message: String,
    /// The word for metrics, if it is a bound of the operator's that keeps it from being read.
    pub(super) bound: Option<&'static str>,
}

impl Unread {
    fn bad(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message, bound: None }
    }

    fn too_large(message: String) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, message, bound: Some("TooLarge") }
    }

    fn too_long() -> Self {
        Self::too_large(format!("the body has more than {LONGEST_BODY} bytes: make the object smaller, or split it"))
    }
}

/// Reads a question that is there, with all that it has to wait for, within this time.
pub(super) async fn read<B>(body: B, room: &Room, within: Duration) -> Result<Question, Unread>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let until = tokio::time::Instant::now() + within;
    // The API server declares how long its questions are. One that does not counts as one of the longest.
    let declared = body.size_hint().exact().map_or(Some(LONGEST_BODY), |bytes| usize::try_from(bytes).ok());
    let declared = declared.filter(|bytes| *bytes <= LONGEST_BODY).ok_or_else(Unread::too_long)?;
    let held = within_room(until, room.body(declared)).await?;
    let body = match tokio::time::timeout_at(until, Limited::new(body, LONGEST_BODY).collect()).await {
        Err(_) => {
            let message = "the body took too long to come: try again".into();
            return Err(Unread { status: StatusCode::REQUEST_TIMEOUT, message, bound: None });
        }
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Unread::too_long()),
        Ok(Err(error)) => return Err(Unread::bad(format!("the body cannot be read: {error}"))),
    };
    let tree = within_room(until, room.tree(&body)).await?;
    let review = review::Request::read(&body).map_err(Unread::bad)?;
    drop((body, held));
    Ok(Question { review, _held: tree })
}

/// What is held, if there is room in time.
async fn within_room(
    until: tokio::time::Instant,
    taken: impl Future<Output = Result<Held, TooMuch>>,
) -> Result<Held, Unread> {
    match tokio::time::timeout_at(until, taken).await {
        Ok(Ok(held)) => Ok(held),
        Ok(Err(TooMuch)) => {
            let message =
                "the object has too many fields and values to be held in memory: make it smaller, or split it";
            Err(Unread::too_large(message.into()))
        }
        Err(_) => {
            let message = "the operator holds as many questions as it has room for: try again in a moment; if it lasts, see \
                 reeve_injections_total{outcome=\"error\",reason=\"Busy\"} and who else reaches the operator's port";
            Err(Unread { status: StatusCode::SERVICE_UNAVAILABLE, message: message.into(), bound: Some("Busy") })
        }
    }
}
