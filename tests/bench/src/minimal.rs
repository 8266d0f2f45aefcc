//! The least that a proxy of tool calls can do with hyper: it reads the body, parses it with serde, compares the tool's
//! name with one that it knows, and forwards what it was sent over a connection that it keeps.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::identity;

/// What it does.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it forwards to.
    pub server: SocketAddr,
    /// The tool that may be called.
    pub tool: String,
    /// The authority to trust, if the server has TLS.
    pub authority: Option<PathBuf>,
}

/// What it reads of a call.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

type Sender = SendRequest<Full<Bytes>>;
type Error = Box<dyn std::error::Error + Send + Sync>;

struct Proxy {
    options: Options,
    tls: Option<TlsConnector>,
    idle: Mutex<Vec<Sender>>,
}

/// Serves for ever.
///
/// # Panics
/// If it cannot listen.
pub async fn run(options: Options) {
    let listener = TcpListener::bind(options.listen).await.expect("the address is free");
    let tls = options.authority.as_deref().map(identity::connector);
    let proxy = Arc::new(Proxy { options, tls, idle: Mutex::default() });
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let proxy = Arc::clone(&proxy);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let proxy = Arc::clone(&proxy);
                async move { Ok::<_, Infallible>(proxy.answer(request).await.unwrap_or_else(failed)) }
            });
            // An agent that hangs up is no one's fault.
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn failed(error: Error) -> Response<BoxBody<Bytes, hyper::Error>> {
    let body = Full::new(Bytes::from(error.to_string())).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

impl Proxy {
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<BoxBody<Bytes, hyper::Error>>, Error> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let call: Call<'_> = serde_json::from_slice(&body)?;
        if call.method != "tools/call" || call.params.name != self.options.tool {
            let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
            *response.status_mut() = StatusCode::FORBIDDEN;
            return Ok(response);
        }
        let mut sender = self.sender().await?;
        parts.version = http::Version::HTTP_11;
        parts.uri = parts.uri.path().parse()?;
        parts.headers.entry(http::header::HOST).or_insert(self.options.server.to_string().parse()?);
        let response = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
        Ok(response.map(|body| Returning { body, sender: Some(sender), proxy: self }.boxed()))
    }

    async fn sender(&self) -> Result<Sender, Error> {
        while let Some(mut sender) = self.idle() {
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = TcpStream::connect(self.options.server).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => {
                let (sender, driver) = handshake(TokioIo::new(stream)).await?;
                tokio::spawn(driver);
                Ok(sender)
            }
            Some(tls) => {
                let stream = tls.connect(identity::name(), stream).await?;
                let (sender, driver) = handshake(TokioIo::new(stream)).await?;
                tokio::spawn(driver);
                Ok(sender)
            }
        }
    }

    fn idle(&self) -> Option<Sender> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// An answer on its way; gives its connection back at its end.
struct Returning {
    body: Incoming,
    sender: Option<Sender>,
    proxy: Arc<Proxy>,
}

impl Body for Returning {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Poll::Ready(ready!(Pin::new(&mut self.body).poll_frame(context)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take().filter(|_| self.body.is_end_stream()) {
            self.proxy.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        }
    }
}
