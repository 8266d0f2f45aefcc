//! Each way in which a call can fail: its cause, and whether the server can have got the call.

use http::HeaderName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::config::Server;

use super::super::{Cause, Progress, Sent, Traffic, UpstreamError};
use super::support::{Scripted, build, call, outgoing, post, read_request, server, text, upstream, within};

/// What a call meets on a server that reads the request, answers with these bytes and hangs up.
async fn outcome_of(bytes: &'static [u8]) -> Result<String, UpstreamError> {
    let scripted = Scripted::start(move |mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(bytes).await.unwrap();
    })
    .await;
    Ok(text(call(&upstream(&scripted.url()), "call").await?).await)
}

fn with_limits(url: &str, limits: &serde_json::Value) -> Server {
    let mut server = server(url);
    server.limits = serde_json::from_value(limits.clone()).unwrap();
    server
}

#[tokio::test]
async fn a_refused_connection_is_certainly_not_sent_and_the_agent_reads_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    drop(listener);
    let error = call(&upstream(&url), "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Connect, Sent::No));
    assert_eq!(
        error.message(),
        "The MCP server \"imaging\" could not be reached: the connection was refused or failed."
    );
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn more_headers_than_a_request_can_have_are_certainly_not_sent() {
    let scripted = Scripted::start(|_, _| async {}).await;
    let mut request = post("call");
    // As many as a map of headers can hold.
    let mut count = 0;
    while request.headers_mut().try_insert(spare(count), 0.into()).is_ok() {
        count += 1;
    }
    let (upstream, progress) = (upstream(&scripted.url()), Progress::new());
    let error = within(upstream.send(outgoing(&request), Traffic::Call, &progress)).await.unwrap_err();
    assert_eq!((error.cause, error.sent, progress.sent()), (Cause::Headers, Sent::No, Sent::No));
    assert_eq!(error.message(), "The MCP server \"imaging\" was not called: the request has too many headers.");
    assert_eq!(scripted.connections(), 0);
}

fn spare(number: usize) -> HeaderName {
    HeaderName::from_bytes(format!("x-spare-{number}").as_bytes()).unwrap()
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_certainly_not_sent() {
    let error = call(&upstream("http://imaging.invalid/mcp"), "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Dns, Sent::No));
    assert!(error.detail.contains("imaging.invalid"), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_never_finished_times_out_unsent() {
    let scripted = Scripted::start(|mut stream, _| async move {
        // Takes the TLS greeting and says nothing.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let mut server =
        with_limits(&scripted.url().replace("http:", "https:"), &serde_json::json!({"connectTimeout": "1s"}));
    let authority = super::secure::Authority::new();
    server.tls = Some(authority.trusted());
    let error = call(&build(&server).unwrap(), "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::ConnectTimeout, Sent::No));
}

#[tokio::test]
async fn a_server_that_hangs_up_after_the_request_may_have_got_it() {
    let error = outcome_of(b"").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Reset, Sent::Maybe));
}

#[tokio::test]
async fn an_answer_cut_short_is_a_reset_of_its_body() {
    let scripted = Scripted::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await.unwrap();
    })
    .await;
    let response = call(&upstream(&scripted.url()), "call").await.unwrap();
    let error = within(http_body_util::BodyExt::collect(response.into_body())).await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Reset, Sent::Maybe));
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_error() {
    for bytes in [b"SSH-2.0-OpenSSH_9.9\r\n\r\n".as_slice(), b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n"] {
        let error = outcome_of(bytes).await.unwrap_err();
        assert_eq!((error.cause, error.sent), (Cause::Protocol, Sent::Maybe), "{error}");
    }
    let error = outcome_of(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n").await;
    assert_eq!(error.unwrap_err().cause, Cause::Protocol);
}

#[tokio::test]
async fn a_head_without_end_is_too_large() {
    let scripted = Scripted::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let error = call(&upstream(&scripted.url()), "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::TooLarge, Sent::Maybe));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_only_its_host_is_told() {
    let answer = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://login.example/a?token=s3cret\r\nContent-Length: 0\r\n\r\n";
    let error = outcome_of(answer).await.unwrap_err();
    assert_eq!(error.cause, Cause::Redirect);
    assert!(error.detail.contains("\"login.example\"") && !error.detail.contains("s3cret"), "{error}");
    assert!(!error.message().contains("login.example"), "{}", error.message());
}

#[tokio::test]
async fn an_answer_that_does_not_begin_in_time_ends_the_call_and_its_connection() {
    let (hung_up, noticed) = tokio::sync::oneshot::channel();
    let hung_up = std::sync::Mutex::new(Some(hung_up));
    let scripted = Scripted::start(move |mut stream, _| {
        let hung_up = hung_up.lock().unwrap().take();
        async move {
            read_request(&mut stream).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
            hung_up.unwrap().send(()).unwrap();
        }
    })
    .await;
    let server = with_limits(&scripted.url(), &serde_json::json!({"responseTimeout": "1s"}));
    let error = call(&build(&server).unwrap(), "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::ResponseTimeout, Sent::Maybe));
    within(noticed).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_falls_silent_ends_only_where_that_is_bounded() {
    let scripted = Scripted::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let server = with_limits(&scripted.url(), &serde_json::json!({"streamIdleTimeout": "1s"}));
    let response = call(&build(&server).unwrap(), "call").await.unwrap();
    let mut body = response.into_body();
    let first = within(http_body_util::BodyExt::frame(&mut body)).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "data");
    let error = within(http_body_util::BodyExt::frame(&mut body)).await.unwrap().unwrap_err();
    assert_eq!(error.cause, Cause::StreamIdle);
    assert!(http_body_util::BodyExt::frame(&mut body).await.is_none());
}

#[tokio::test]
async fn a_call_given_up_before_a_connection_is_there_was_not_sent_and_after_may_have_been() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let mut server = server(&format!("https://{address}/mcp"));
    let authority = super::secure::Authority::new();
    server.tls = Some(authority.trusted());
    let (secure, plain) = (build(&server).unwrap(), upstream(&format!("http://{address}/mcp")));
    for (upstream, sent) in [(secure, Sent::No), (plain, Sent::Maybe)] {
        let (progress, request) = (Progress::new(), post("call"));
        let given_up = tokio::time::timeout(
            std::time::Duration::from_millis(300),
            upstream.send(outgoing(&request), Traffic::Call, &progress),
        );
        assert!(given_up.await.is_err());
        assert_eq!(progress.sent(), sent);
    }
}
