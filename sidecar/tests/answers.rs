//! What servers answer, and what of it reaches the agent: a real sidecar between two sockets, each of which says exactly what
//! a test has written down.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should fail")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use reeve_sidecar::config::source::{Inputs, Origin};
use reeve_sidecar::listener::Addresses;
use reeve_sidecar::serve::{Options, Sidecar};
use reeve_sidecar::supply::Supply;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const POLICY: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: agents, namespace: default}
spec:
  podSelector: {}
  serverRefs: [{name: '*'}]
  serverRequests: {sampling: Deny, elicitation: Allow}
  rules:
  - {name: ask, tools: [ask], action: Allow}
  - {name: once, tools: [once], action: Allow, concurrency: {max: 1}}
";

const DEADLINE: Duration = Duration::from_secs(20);

/// A sidecar before a server that gives every request the same answer. With `Then::Waits` the server leaves its connections open
/// after that, so that an answer of unstated length does not end.
struct World {
    sidecar: Sidecar,
    _folder: tempfile::TempDir,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Closes,
    Waits,
}

impl World {
    async fn new(answer: String, then: Then) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let upstream = format!("http://{}/mcp", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), then));
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let policy: PathBuf = folder.path().join("policy.yaml");
        std::fs::write(&policy, POLICY).unwrap();
        let any = || Addresses::Given(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]);
        let sidecar = Sidecar::start(Options {
            supply: Supply::Files(Inputs {
                origin: Origin::Flags { policies: vec![policy], upstream },
                grant: None,
                audit: Some("off".into()),
                audit_on_full: None,
            }),
            listen: any(),
            admin: any(),
            inspect: any(),
            cache_dir: None,
            grace_period: Duration::from_secs(1),
            tracing: reeve_sidecar::trace::Settings::default(),
            program: reeve_resident::Program::default(),
        });
        Self { sidecar: sidecar.await.unwrap(), _folder: folder }
    }

    async fn send(&self, head: &str, body: &str) -> TcpStream {
        let address = self.sidecar.agents();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let request =
            format!("{head}\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// All that the agent reads.
    async fn answer(&self, head: &str, body: &str) -> String {
        let mut stream = self.send(head, body).await;
        let mut text = Vec::new();
        tokio::time::timeout(DEADLINE, stream.read_to_end(&mut text)).await.unwrap().unwrap();
        String::from_utf8(text).unwrap()
    }
}

/// Reads a request to its end, and says what is to be said.
async fn serve(mut stream: TcpStream, answer: String, then: Then) {
    let mut read = Vec::new();
    while !is_whole(&read) {
        if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    if then == Then::Waits {
        let _ = stream.read_buf(&mut read).await;
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

/// An answer that ends with its connection.
fn http(status: &str, content_type: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: {content_type}\r\n\r\n{body}")
}

async fn after(answer: String) -> World {
    World::new(answer, Then::Closes).await
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

const LEGACY: &str = "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nMCP-Protocol-Version: 2025-11-25\r\n\
                      Accept: application/json, text/event-stream";
const MODERN_CALL: &str = "POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nMCP-Protocol-Version: 2026-07-28\r\n\
                           Mcp-Method: tools/call\r\nMcp-Name: ask\r\nAccept: application/json, text/event-stream";

fn call(tool: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}"}}}}"#)
}

fn modern_call() -> String {
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"ask","_meta":{
        "io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#
        .to_owned()
}

fn list() -> &'static str {
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#
}

fn input_required(method: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"result":{{"resultType":"input_required","inputRequests":{{"a":{{"method":"{method}","params":{{"secret":1}}}}}}}}}}"#
    )
}

#[tokio::test]
async fn a_result_that_asks_for_what_policy_forbids_is_replaced_by_a_refusal() {
    let asks = input_required("sampling/createMessage");
    for answer in [http("200 OK", JSON, &asks), http("200 OK", EVENTS, &format!("data: {asks}\n\n"))] {
        let text = after(answer).await.answer(MODERN_CALL, &modern_call()).await;
        assert!(text.contains(r#""isError":true"#) && text.contains("ServerRequestDenied"), "{text}");
        assert!(text.contains("asks for sampling") && !text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn a_result_that_asks_for_what_policy_permits_passes() {
    let asks = input_required("elicitation/create");
    for answer in [http("200 OK", JSON, &asks), http("200 OK", EVENTS, &format!("data: {asks}\n\n"))] {
        let text = after(answer).await.answer(MODERN_CALL, &modern_call()).await;
        assert!(text.contains(&asks), "{text}");
    }
}

#[tokio::test]
async fn a_request_of_the_server_does_not_pass_as_an_answer() {
    let request = r#"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"secret":1}}"#;
    let batch = format!(r#"[{request},{{"jsonrpc":"2.0","id":7,"result":{{}}}}]"#);
    for body in [request, &batch] {
        let text = after(http("200 OK", JSON, body)).await.answer(LEGACY, &call("ask")).await;
        assert!(text.contains(r#""error":{"code":502"#) && !text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn nothing_passes_that_a_client_could_take_for_a_stream_and_the_sidecar_did_not() {
    let event =
        "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\",\"params\":{\"secret\":1}}\n\n";
    for content_type in
        ["text/plain; text/event-stream", "text/event-streams", "application/json\r\nContent-Type: text/event-stream"]
    {
        let text = after(http("200 OK", content_type, event)).await.answer(LEGACY, &call("ask")).await;
        assert!(text.contains(r#""error":{"code":502"#) && !text.contains("secret"), "{content_type}: {text}");
    }
    let get = "GET /mcp HTTP/1.1\r\nMCP-Protocol-Version: 2025-11-25\r\nAccept: text/event-stream";
    for content_type in [JSON, "text/plain"] {
        let text = after(http("200 OK", content_type, event)).await.answer(get, "").await;
        assert!(text.starts_with("HTTP/1.1 502") && !text.contains("secret"), "{content_type}: {text}");
    }
}

/// The same answer as JSON, and as the event of a stream.
fn both(body: &str) -> [String; 2] {
    [http("200 OK", JSON, body), http("200 OK", EVENTS, &format!("data: {body}\n\n"))]
}

#[tokio::test]
async fn a_text_that_a_program_cut_within_a_character_passes_byte_for_byte() {
    for result in [
        r#""content":[{"type":"text","text":"nineteen characters\ud83d"}]"#,
        r#""content":[],"structuredContent":{"rows":["\uDE00 and more",{"b":"\ud83d\ud83d\ude00"}]}"#,
    ] {
        let answer = format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{{result},"resultType":"complete"}}}}"#);
        for form in both(&answer) {
            let world = after(form).await;
            for text in [world.answer(LEGACY, &call("ask")).await, world.answer(MODERN_CALL, &modern_call()).await] {
                assert!(text.contains(&answer), "{text}");
            }
        }
    }
    let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"no \ud83d"}}"#;
    for form in both(error).into_iter().chain([http("500 Internal Server Error", JSON, error)]) {
        let text = after(form).await.answer(LEGACY, &call("ask")).await;
        assert!(text.contains(error), "{text}");
    }
}

#[tokio::test]
async fn a_description_cut_within_a_character_costs_no_list() {
    let list_of = |tools: &str| format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"tools":[{tools}]}}}}"#);
    let ask = r#"{"name":"ask","description":"This tool is great \ud83d"}"#;
    for form in both(&list_of(ask)) {
        let text = after(form).await.answer(LEGACY, list()).await;
        assert!(text.contains(&list_of(ask)), "{text}");
    }
    for form in both(&list_of(&format!(r#"{ask},{{"name":"hidden","description":"\ud83d"}}"#))) {
        let text = after(form).await.answer(LEGACY, list()).await;
        assert!(text.contains(&list_of(&ask.replace("ud83d", "ufffd"))), "what is cut anew is mended: {text}");
    }
}

#[tokio::test]
async fn half_a_character_does_not_pass_where_anything_is_decided() {
    let ask = call("ask");
    for (request, answer, why) in [
        (list(), r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"secret\ud83d"}]}}"#, "`tools` without a name"),
        (&ask, r#"{"jsonrpc":"2.0","id":7,"result":{"taskId":"secret\ud83d","resultType":"task"}}"#, "`taskId`"),
        (&ask, r#"{"jsonrpc":"2.0","id":7,"result":{"task":{"taskId":"secret\ud83d"}}}"#, "`taskId`"),
        (&ask, r#"{"jsonrpc":"2.0","id":7,"result":{"requestState":"secret\ud83d"}}"#, "`requestState`"),
        (&ask, r#"{"jsonrpc":"2.0","id":7,"result":{"resultType":"secret\ud83d"}}"#, "`resultType`"),
        (&ask, r#"{"jsonrpc":"2.0","id":7,"result":{"inputRequests":{"a":{"method":"roots/list\ud83d"}}}}"#, "roots"),
        (&ask, r#"{"jsonrpc":"2.0","id":"secret\ud83d","result":{}}"#, "`id`"),
        (&ask, r#"{"jsonrpc":"2.0","id":7,"method":"secret\ud83d"}"#, "`method`"),
        (&ask, r#"{"jsonrpc":"2.0\ud83d","id":7,"result":{"secret":1}}"#, "`jsonrpc`"),
        (&ask, r#"{"jsonrpc":"2.0","id":7,"result":{"secret\ud83d":1}}"#, "a lone surrogate escape at byte 41"),
    ] {
        for form in both(answer) {
            let text = after(form).await.answer(LEGACY, request).await;
            assert!(text.contains(r#""error":{"code":502"#) && text.contains(why), "{answer}: {text}");
            assert!(!text.contains("secret") && text.contains("probably carried it out"), "{answer}: {text}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_answer_is_told_with_its_place_and_without_its_content() {
    let deep = format!(r#"{{"secret":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    for (value, why) in [
        (r#"{"secret":1,"secret":2}"#, "a key that occurs twice in one object at byte 66"),
        (r#"{"secret":1e400}"#, "a number out of range or not JSON at byte 64"),
        (&*deep, "nesting too deep at byte 189"),
        ("secret", "not JSON at byte 54"),
    ] {
        let answer = format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"structuredContent":{value}}}}}"#);
        for form in both(&answer) {
            let text = after(form).await.answer(LEGACY, &call("ask")).await;
            let told = format!("is not one strict JSON-RPC message: {why}. The server got the request");
            assert!(text.contains(r#""error":{"code":502"#) && text.contains(&told), "{why}: {text}");
            assert!(!text.contains("secret") && !text.contains("valid HTTP"), "{why}: {text}");
        }
    }
}

#[tokio::test]
async fn an_answer_in_another_charset_does_not_pass() {
    let result = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#;
    for (parameters, passes) in
        [("", true), ("; charset=UTF-8", true), ("; x=1; charset=\"utf-16le\"", false), (";charset = latin1", false)]
    {
        for (media_type, body) in [(JSON, result.to_owned()), (EVENTS, format!("data: {result}\n\n"))] {
            let answer = http("200 OK", &format!("{media_type}{parameters}"), &body);
            let text = after(answer).await.answer(LEGACY, &call("ask")).await;
            assert_eq!(text.contains(r#""content":[]"#), passes, "{media_type}{parameters}: {text}");
            assert_eq!(text.contains(r#""error":{"code":502"#), !passes, "{media_type}{parameters}: {text}");
        }
    }
}

#[tokio::test]
async fn of_an_answer_that_breaks_off_at_once_the_agent_gets_what_there_is() {
    for (answer, body) in [
        ("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nhalf", "4\r\nhalf\r\n"),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:", ""),
    ] {
        for _ in 0..10 {
            let text = after(answer.to_owned()).await.answer(LEGACY, &call("ask")).await;
            let (head, rest) = text.split_once("\r\n\r\n").expect("a head comes");
            assert!(head.starts_with(answer.lines().next().unwrap()), "{head}");
            assert_eq!(rest, body);
        }
    }
}

#[tokio::test]
async fn the_end_of_an_answer_is_told_from_its_breaking_off_though_the_server_speaks_http_1_0() {
    let half = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nhalf";
    for (answer, ends) in [(half.to_owned(), false), (half.replace('9', "4"), true)] {
        let text = after(answer).await.answer(LEGACY, &call("ask")).await;
        assert!(text.starts_with("HTTP/1.1 400") && text.contains("half"), "{text}");
        assert_eq!(text.ends_with("\r\n0\r\n\r\n"), ends, "{text}");
    }
}

#[tokio::test]
async fn the_status_of_a_failure_reaches_the_agent_with_the_servers_words() {
    let ended = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#;
    let challenge = "application/json\r\nWWW-Authenticate: Bearer realm=\"x\"";
    for (status, content_type, body) in [
        ("404 Not Found", JSON, ended),
        ("401 Unauthorized", challenge, r#"{"error":"invalid_token"}"#),
        ("500 Internal Server Error", "text/plain", "it broke"),
    ] {
        for message in [list(), &call("ask")] {
            let text = after(http(status, content_type, body)).await.answer(LEGACY, message).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")) && text.contains(body), "{text}");
            assert_eq!(text.contains("www-authenticate"), content_type == challenge, "{text}");
        }
    }
}

#[tokio::test]
async fn a_failure_brings_no_list() {
    let body = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"hidden"}]}}"#;
    let text = after(http("500 Internal Server Error", JSON, body)).await.answer(LEGACY, list()).await;
    assert!(text.starts_with("HTTP/1.1 500") && !text.contains("hidden"), "{text}");
}

#[tokio::test]
async fn a_call_is_in_flight_until_its_answer_has_come_even_if_the_stream_goes_on() {
    let answer = "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"content\":[]}}\n\n";
    let world = World::new(http("200 OK", EVENTS, answer), Then::Waits).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = world.send(LEGACY, &call("once")).await;
        let mut read = Vec::new();
        while !String::from_utf8_lossy(&read).contains("\"content\":[]") {
            let more = tokio::time::timeout(DEADLINE, stream.read_buf(&mut read)).await.unwrap().unwrap();
            assert!(more > 0, "{}", String::from_utf8_lossy(&read));
        }
        open.push(stream);
    }
}
