//! A stream to the operator: TLS, HTTP/2, one request whose two bodies are lines in both directions.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use reeve_wire::message::{FromSidecar, ToSidecar};
use reeve_wire::pod::OPERATOR_CA_VARIABLE as OPERATOR_CA;
use reeve_wire::{CONTENT_TYPE, LONGEST_TO_SIDECAR, Lines, PATH, SILENCE, lines};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::settings::Operator;
use super::trust::Trust;
use crate::upstream;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// The most lines that wait to be sent. An operator that reads none of them is silent, and given up.
const WAITING: usize = 16;

/// The longest text of a refusal that is read.
const LONGEST_REFUSAL: usize = 4 << 10;

/// Why there is no stream, or no more.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The token cannot be read.
    #[error("the token {0} cannot be read: {1}")]
    Token(String, String),
    /// No connection.
    #[error("{0}")]
    Connect(String),
    /// TLS failed.
    #[error(
        "the TLS handshake failed: {0}; the operator is known by the authorities that it gave last, or those of {OPERATOR_CA}"
    )]
    Tls(std::io::Error),
    /// Nothing in time.
    #[error("nothing was heard within {0:?}")]
    Silent(Duration),
    /// The operator refuses.
    #[error("it refuses the stream: {0}: {1}")]
    Refused(StatusCode, String),
    /// HTTP failed.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// It ended.
    #[error("the operator ended the stream")]
    Ended,
    /// What came cannot be followed.
    #[error("what it says cannot be followed: {0}")]
    NotUnderstood(String),
}

/// An open stream.
#[derive(Debug)]
pub struct Link {
    out: mpsc::Sender<Bytes>,
    incoming: Incoming,
    lines: Lines,
    /// When the operator has been silent for too long.
    silent_at: Instant,
}

impl Link {
    /// Connects, and says the first line.
    pub(super) async fn open(
        operator: &Operator,
        trust: &Trust,
        token: &str,
        hello: &FromSidecar,
    ) -> Result<Self, Broken> {
        let connect = async {
            let stream = upstream::dial(&operator.host, operator.port).await.map_err(Broken::Connect)?;
            let stream = trust.connector.connect(operator.name.clone(), stream).await.map_err(Broken::Tls)?;
            Ok::<_, Broken>(http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?)
        };
        let connected = timeout(CONNECT, connect).await.unwrap_or(Err(Broken::Silent(CONNECT)));
        let (mut sender, connection) = connected?;
        // Ends when the sender and both bodies are gone.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the operator has ended");
            }
        });
        let (out, waiting) = mpsc::channel(WAITING);
        let request = request(operator, token, Outgoing(waiting))?;
        out.send(write(hello)?).await.map_err(|_| Broken::Ended)?;
        let answered = timeout(SILENCE, sender.send_request(request)).await;
        let response = answered.map_err(|_| Broken::Silent(SILENCE))??;
        if response.status() != StatusCode::OK {
            return Err(refused(response.status(), response.into_body()).await);
        }
        let (incoming, lines) = (response.into_body(), Lines::new(LONGEST_TO_SIDECAR));
        Ok(Self { out, incoming, lines, silent_at: Instant::now() + SILENCE })
    }

    /// Says something.
    ///
    /// # Errors
    /// Why nothing can be said any more.
    pub async fn say(&self, message: &FromSidecar) -> Result<(), Broken> {
        let line = write(message)?;
        match timeout(SILENCE, self.out.send(line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Broken::Ended),
            Err(_) => Err(Broken::Silent(SILENCE)),
        }
    }

    /// The next message. May be dropped and called again.
    ///
    /// # Errors
    /// Why nothing will be heard any more.
    pub async fn heard(&mut self) -> Result<ToSidecar, Broken> {
        loop {
            let line = self.lines.next_line().map_err(|error| Broken::NotUnderstood(error.to_string()))?;
            if let Some(line) = line {
                return lines::read(&line).map_err(|error| Broken::NotUnderstood(error.to_string()));
            }
            let frame = timeout_at(self.silent_at, self.incoming.frame()).await;
            let frame = frame.map_err(|_| Broken::Silent(SILENCE))?.ok_or(Broken::Ended)??;
            self.silent_at = Instant::now() + SILENCE;
            if let Some(data) = frame.data_ref() {
                self.lines.push(data);
            }
        }
    }
}

fn request(operator: &Operator, token: &str, body: Outgoing) -> Result<Request<Outgoing>, Broken> {
    let bearer = HeaderValue::try_from(format!("Bearer {token}"));
    let mut bearer = bearer.map_err(|_| Broken::Connect("the token is none: it holds other characters".into()))?;
    bearer.set_sensitive(true);
    let request = Request::post(format!("https://{}{PATH}", operator.authority))
        .header(header::AUTHORIZATION, bearer)
        .header(header::CONTENT_TYPE, CONTENT_TYPE)
        .header(header::ACCEPT, CONTENT_TYPE)
        .body(body);
    request.map_err(|error| Broken::Connect(error.to_string()))
}

fn write(message: &FromSidecar) -> Result<Bytes, Broken> {
    lines::write(message).map_err(|error| Broken::NotUnderstood(error.to_string()))
}

async fn refused(status: StatusCode, mut body: Incoming) -> Broken {
    let mut text = Vec::new();
    while text.len() < LONGEST_REFUSAL
        && let Ok(Some(Ok(frame))) = timeout(CONNECT, body.frame()).await
    {
        text.extend(frame.data_ref().into_iter().flatten());
    }
    text.truncate(LONGEST_REFUSAL);
    Broken::Refused(status, String::from_utf8_lossy(&text).trim().to_owned())
}

/// The lines that are sent, as a body that ends when nobody can add to it any more.
pub(super) struct Outgoing(pub(super) mpsc::Receiver<Bytes>);

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
