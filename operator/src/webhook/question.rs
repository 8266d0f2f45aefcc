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

    fn busy() -> Self {
        let message = "the operator holds as many questions as it has room for: try again in a moment; if it lasts, see \
             reeve_injections_total{outcome=\"error\",reason=\"Busy\"} and who else reaches the operator's port";
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message: message.into(), bound: Some("Busy") }
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
    let waiting = room.enter(declared).ok_or_else(Unread::busy)?;
    let held = within_room(until, room.body(declared)).await?;
    drop(waiting);
    let body = match tokio::time::timeout_at(until, whole(body, declared)).await {
        Err(_) => {
            let message = "the body took too long to come: try again".into();
            return Err(Unread { status: StatusCode::REQUEST_TIMEOUT, message, bound: None });
        }
        Ok(Ok(body)) => body,
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Unread::too_long()),
        Ok(Err(error)) => return Err(Unread::bad(format!("the body cannot be read: {error}"))),
    };
    let tree = within_room(until, room.tree(&body)).await?;
    let review = review::Request::read(&body).map_err(Unread::bad)?;
    drop((body, held));
    Ok(Question { review, _held: tree })
}

/// A body of at most so many bytes. Its pieces are copied as they come: each that was kept, however small, would keep what it was read
/// into.
async fn whole<B>(body: B, most: usize) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = Limited::new(body, LONGEST_BODY);
    let mut bytes = Vec::with_capacity(most);
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            bytes.extend_from_slice(&piece);
        }
    }
    Ok(bytes)
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
        Err(_) => Err(Unread::busy()),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    const PATIENT: Duration = Duration::from_secs(4);

    /// A byte in a buffer of its own, of which is seen whether anybody holds it.
    struct Piece {
        _seen: Arc<()>,
    }

    impl AsRef<[u8]> for Piece {
        fn as_ref(&self) -> &[u8] {
            b" "
        }
    }

    #[tokio::test]
    async fn a_body_that_comes_byte_by_byte_is_held_as_one_and_no_piece_of_it_is() {
        let seen = Arc::new(());
        let most = Arc::new(std::sync::Mutex::new(0));
        let pieces = (0..10_000).map({
            let (seen, most) = (Arc::clone(&seen), Arc::clone(&most));
            move |_| {
                let mut most = most.lock().unwrap();
                *most = Arc::strong_count(&seen).max(*most);
                Ok::<_, Infallible>(Frame::data(Bytes::from_owner(Piece { _seen: Arc::clone(&seen) })))
            }
        });
        let unread = read(StreamBody::new(stream::iter(pieces)), &Room::default(), PATIENT).await.err().unwrap();
        assert!(unread.status == StatusCode::BAD_REQUEST && unread.message.contains("EOF"), "{unread:?}");
        // What counts here, what the body has, and one piece.
        assert!(*most.lock().unwrap() <= 4, "{most:?} are held");
    }

    #[tokio::test]
    async fn one_question_too_many_that_waits_is_told_to_come_again_at_once_and_large_ones_take_no_place_of_small_ones()
    {
        let room = Room::default();
        let asked = async |bytes: usize| {
            let body = http_body_util::Full::new(Bytes::from(" ".repeat(bytes)));
            let unread = read(body, &room, PATIENT).await.err().unwrap();
            (unread.status, unread.bound)
        };
        let busy = (StatusCode::SERVICE_UNAVAILABLE, Some("Busy"));
        let read = (StatusCode::BAD_REQUEST, None);
        let large: Vec<_> = std::iter::from_fn(|| room.enter(LONGEST_BODY)).collect();
        assert_eq!((asked(1 << 20).await, asked(2).await), (busy, read));
        let small: Vec<_> = std::iter::from_fn(|| room.enter(2)).collect();
        assert_eq!(asked(2).await, busy);
        drop((large, small));
        assert_eq!((asked(1 << 20).await, asked(2).await), (read, read));
    }
}
