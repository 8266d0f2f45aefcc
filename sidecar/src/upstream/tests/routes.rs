//! What the server sees of a request, and the ways to it: directly, by a Unix socket, through proxies.

use std::sync::Mutex;

use http::Request;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixListener};

use super::super::{Cause, Environment, Progress, Sent, Traffic, Upstream};
use super::support::{Scripted, build, call, echo, eventually, outgoing, read_request, server, text, upstream, within};

#[tokio::test]
async fn the_server_sees_its_own_target_and_host_and_the_bytes_of_the_call() {
    let scripted = Scripted::start(|stream, _| echo(stream)).await;
    let upstream = upstream(&format!("http://{}/%6Dcp/?a=1", scripted.address));
    let request = Request::post("/agents/own?x")
        .header("host", "agent.example")
        .header("content-length", "99")
        .header("transfer-encoding", "chunked")
        .header("mcp-method", "tools/call")
        .body("{ \"odd\":  1e2 }".into())
        .unwrap();
    let seen = text(within(upstream.send(outgoing(&request), Traffic::Call, &Progress::new())).await.unwrap()).await;
    assert!(seen.starts_with("POST /%6Dcp/?a=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("host: {}\r\n", scripted.address)), "{seen}");
    assert!(seen.contains("content-length: 15\r\n") && !seen.contains("chunked"), "{seen}");
    assert!(seen.contains("mcp-method: tools/call\r\n"), "{seen}");
    assert!(seen.ends_with("{ \"odd\":  1e2 }"), "{seen}");
}

#[tokio::test]
async fn another_path_of_the_server_is_got_without_its_credential() {
    let scripted = Scripted::start(|stream, _| echo(stream)).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "s3cret").unwrap();
    let proxied = [None, Some(format!("http://{}", scripted.address))];
    for proxy in proxied {
        let mut server = server(&scripted.url());
        server.credentials =
            Some(serde_json::from_value(serde_json::json!({"file": file, "insecurePlainText": true})).unwrap());
        let target = if proxy.is_some() { format!("http://{}/about?x", scripted.address) } else { "/about?x".into() };
        server.proxy = proxy;
        let seen =
            text(within(build(&server).unwrap().get("/about?x".parse().unwrap(), "text/css")).await.unwrap()).await;
        assert!(seen.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{seen}");
        assert!(seen.contains("accept: text/css\r\n") && seen.contains(&format!("host: {}\r\n", scripted.address)));
        assert!(!seen.contains("s3cret"), "{seen}");
    }
}

#[tokio::test]
async fn a_server_on_a_unix_socket_is_reached_and_a_missing_one_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("imaging.sock");
    let upstream = upstream(&format!("unix://{}:/mcp", path.display()));
    let error = call(&upstream, "call").await.unwrap_err();
    assert_eq!((error.cause, error.sent), (Cause::Connect, Sent::No));
    assert!(error.detail.contains("imaging.sock"), "{error}");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move { echo(listener.accept().await.unwrap().0).await });
    let seen = text(call(&upstream, "call").await.unwrap()).await;
    assert!(seen.starts_with("POST /mcp HTTP/1.1\r\n") && seen.contains("host: localhost\r\n"), "{seen}");
}

#[tokio::test]
async fn a_proxy_relays_plain_http_and_gets_its_own_password() {
    let proxy = Scripted::start(|stream, _| echo(stream)).await;
    let variables = format!("http://me:s3cret@{}", proxy.address);
    let environment = Environment::from_variables(|name| (name == "HTTP_PROXY").then(|| variables.clone()));
    let upstream = Upstream::new(&server("http://imaging.invalid:8080/mcp"), &environment).unwrap();
    let seen = text(call(&upstream, "call").await.unwrap()).await;
    assert!(seen.starts_with("POST http://imaging.invalid:8080/mcp HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("host: imaging.invalid:8080\r\n"), "{seen}");
    assert!(seen.contains("proxy-authorization: Basic bWU6czNjcmV0\r\n"), "{seen}");
}

#[tokio::test]
async fn a_proxy_opens_a_tunnel_for_tls_and_sees_nothing_of_the_call() {
    let authority = super::secure::Authority::new();
    let behind = authority.serve(&[b"http/1.1"], None).await;
    let asked = std::sync::Arc::new(Mutex::new(String::new()));
    let record = std::sync::Arc::clone(&asked);
    let target = behind.address;
    let proxy = Scripted::start(move |mut stream, _| {
        let record = std::sync::Arc::clone(&record);
        async move {
            *record.lock().unwrap() = read_request(&mut stream).await.unwrap();
            let mut server = TcpStream::connect(target).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
        }
    })
    .await;
    let mut server = server("https://imaging.invalid/mcp");
    server.tls = Some(authority.trusted());
    server.proxy = Some(format!("http://{}", proxy.address));
    let seen = text(call(&build(&server).unwrap(), "call").await.unwrap()).await;
    assert!(seen.starts_with("POST /mcp HTTP/1.1\r\n") && seen.contains("host: imaging.invalid\r\n"), "{seen}");
    let asked = asked.lock().unwrap().clone();
    assert!(asked.starts_with("CONNECT imaging.invalid:443 HTTP/1.1\r\n"), "{asked}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_the_cause_and_nothing_is_sent() {
    let proxy = Scripted::start(|mut stream, _| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    let authority = super::secure::Authority::new();
    let mut server = server("https://imaging.invalid/mcp");
    server.tls = Some(authority.trusted());
    for (url, told) in [(format!("http://{}", proxy.address), "status 407"), ("http://127.0.0.1:1".into(), "refused")] {
        server.proxy = Some(url);
        let error = call(&build(&server).unwrap(), "call").await.unwrap_err();
        assert_eq!((error.cause, error.sent), (Cause::Proxy, Sent::No));
        assert!(error.detail.contains(told), "{error}");
    }
}

#[tokio::test]
async fn a_rotated_credential_is_picked_up_and_a_lost_one_fails_the_call_unsent() {
    let scripted = Scripted::start(|stream, _| echo(stream)).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "one").unwrap();
    let mut server = server(&scripted.url());
    let credentials = serde_json::json!({"file": file, "prefix": "Bearer "});
    server.credentials = Some(serde_json::from_value(credentials).unwrap());
    let upstream = build(&server).unwrap();
    let request = || {
        let agents = ["Bearer agent", "Bearer agent too"];
        let request = agents.into_iter().fold(Request::post("/"), |request, own| request.header("Authorization", own));
        request.body("call".into()).unwrap()
    };
    let seen = text(within(upstream.send(outgoing(&request()), Traffic::Call, &Progress::new())).await.unwrap()).await;
    assert!(seen.contains("authorization: Bearer one\r\n") && !seen.contains("agent"), "{seen}");

    std::fs::write(&file, "two").unwrap();
    eventually("the rotated credential is sent", async || {
        text(upstream.send(outgoing(&request()), Traffic::Call, &Progress::new()).await.unwrap())
            .await
            .contains("Bearer two\r\n")
    })
    .await;

    std::fs::remove_file(&file).unwrap();
    eventually("the call fails", async || {
        match upstream.send(outgoing(&request()), Traffic::Call, &Progress::new()).await {
            Ok(_) => false,
            Err(error) => {
                assert_eq!((error.cause, error.sent), (Cause::Credential, Sent::No));
                assert!(error.to_string().contains("token") && !error.message().contains("token"), "{error}");
                true
            }
        }
    })
    .await;
}

#[test]
fn a_credential_is_not_sent_where_others_can_read_it_unless_that_is_said() {
    let mut server = server("http://imaging.example/mcp");
    let credentials = |insecure: bool| serde_json::json!({"file": "/run/token", "insecurePlainText": insecure});
    server.credentials = Some(serde_json::from_value(credentials(false)).unwrap());
    let errors = build(&server).unwrap_err();
    assert_eq!(errors[0].pointer, "/credentials");
    assert!(errors[0].message.contains("https://") && errors[0].message.contains("insecurePlainText"));
    server.url = "http://127.0.0.1/mcp".into();
    assert!(build(&server).is_ok());
    server.proxy = Some("http://proxy.example".into());
    assert!(build(&server).is_err());
    server.credentials = Some(serde_json::from_value(credentials(true)).unwrap());
    assert!(build(&server).is_ok());
}
