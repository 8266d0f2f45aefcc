//! What an agent is told when the server or the network fails, and what that costs it.

use std::net::TcpListener;

use reeve_tests::agent::{Agent, told};
use reeve_tests::eventually::eventually;
use reeve_tests::http::Answer;
use reeve_tests::process::free_port;
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar};
use reeve_tests::upstream::{Request, Upstream};
use serde_json::json;

use super::{ECHO_ONLY, ONE_ECHO};

/// Asserts that this is a JSON-RPC error with this code, that names the server and in no word a policy.
fn is_the_servers_fault(answer: &Answer, code: &str, sentence: &str) {
    assert_eq!(answer.status, 200, "the client reads the error in it: {answer:?}");
    let (found, text) = told(answer);
    assert_eq!(found, code, "{answer:?}");
    assert!(text.contains("\"upstream\"") && text.contains(sentence), "it names server and cause: {text}");
    for word in ["policy", "rule", "denied", "limit", "not permit"] {
        assert!(!answer.body.to_lowercase().contains(word), "it is no matter of policy ({word}): {}", answer.body);
    }
}

#[test]
fn a_call_of_which_nothing_was_sent_costs_no_quota() {
    let address = format!("127.0.0.1:{}", free_port());
    let sidecar = Sidecar::start(ONE_ECHO, &format!("http://{address}/mcp"));
    for agent in [Agent::modern(&sidecar.url), Agent::legacy(&sidecar.url)] {
        is_the_servers_fault(&agent.call("echo", json!({})), "502", "could not be reached");
    }
    assert!(sidecar.metric("reeve_upstream_errors_total{cause=\"connect\",server=\"upstream\"}") >= 2.0);

    let upstream = Upstream::on(TcpListener::bind(&*address).unwrap());
    let agent = Agent::modern(&sidecar.url);
    let exchange = agent.begin_call("echo");
    upstream.next().text("hello");
    assert_eq!(told(&exchange.rest()), ("result".into(), "hello".into()), "the one call was still there");
    assert_eq!(told(&agent.call("echo", json!({}))).0, "isError", "and now is not");
}

#[test]
fn a_call_that_reached_the_server_keeps_its_quota_whatever_became_of_it() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ONE_ECHO, &upstream.url);
    let agent = Agent::modern(&sidecar.url);
    let exchange = agent.begin_call("echo");
    upstream.next().end();
    is_the_servers_fault(&exchange.rest(), "502", "ended the connection before its answer was complete");
    assert_eq!(told(&agent.call("echo", json!({}))).0, "isError");
    upstream.saw_nothing();
}

#[test]
fn a_refused_call_is_not_told_as_a_fault_of_the_server() {
    let sidecar = Sidecar::start(ECHO_ONLY, &format!("http://127.0.0.1:{}/mcp", free_port()));
    let (kind, text) = told(&Agent::modern(&sidecar.url).call("delete_everything", json!({})));
    assert_eq!(kind, "isError", "policy comes before the server: {text}");
}

/// What a server answers, with which code and words the agent is told of it.
type Fault = (fn(Request), &'static str, &'static str);

#[test]
fn answers_that_are_none_are_told_as_faults_of_the_server() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let faults: [Fault; 5] = [
        (|mut request| request.write("SSH-2.0-OpenSSH_9.6\r\n"), "502", "not valid HTTP"),
        (|mut request| request.write("HTTP/1.1 200 OK\r\nContent-"), "502", "ended the connection"),
        (
            |request| request.answer("307 Temporary Redirect", &["Location: http://127.0.0.1:1/elsewhere"], ""),
            "502",
            "redirect",
        ),
        (
            |request| {
                let headers = ["Content-Type: application/json", "Content-Encoding: gzip"];
                request.answer("200 OK", &headers, "\x1f\u{8b}");
            },
            "502",
            "cannot be relayed: it is compressed, unasked",
        ),
        (
            |request| {
                let large = "x".repeat(1 << 20);
                request.try_write(format!("HTTP/1.1 200 OK\r\nX-Large: {large}\r\n\r\n"));
            },
            "502",
            "larger than permitted",
        ),
    ];
    for (fail, code, sentence) in faults {
        for agent in [Agent::modern(&sidecar.url), Agent::legacy(&sidecar.url)] {
            let exchange = agent.begin_call("echo");
            fail(upstream.next());
            let answer = exchange.rest();
            is_the_servers_fault(&answer, code, sentence);
            assert_eq!(answer.header("Location"), None, "nothing leads around the sidecar");
            upstream.saw_nothing();
        }
    }
}

#[test]
fn a_status_of_500_or_more_is_counted_as_the_servers_fault_and_the_agent_is_given_it() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = Agent::modern(&sidecar.url);
    for status in ["404 Not Found", "500 Internal Server Error", "503 Service Unavailable"] {
        let exchange = agent.begin_call("echo");
        upstream.next().answer(status, &["Content-Type: text/plain"], "as it was written");
        let answer = exchange.rest();
        assert!(status.starts_with(&answer.status.to_string()) && answer.body == "as it was written", "{answer:?}");
    }
    assert_eq!(sidecar.metric("reeve_upstream_errors_total{cause=\"server_error\",server=\"upstream\"}"), 2.0);
}

#[test]
fn a_server_that_does_not_answer_in_time_is_told_as_such() {
    let upstream = Upstream::start();
    let config = format!(
        "servers:\n- {{name: upstream, url: '{}', path: /mcp, limits: {{responseTimeout: 1s}}}}\npolicyFiles: [policy.yaml]",
        upstream.url
    );
    let setup = Setup::config(&config);
    setup.write("policy.yaml", ALLOW_ALL);
    let sidecar = setup.start();
    let exchange = Agent::modern(&format!("{}/mcp", sidecar.agents)).begin_call("echo");
    let request = upstream.next();
    is_the_servers_fault(&exchange.rest(), "504", "did not begin its answer in time");
    request.closed();
}

#[test]
fn an_answer_that_breaks_off_is_not_taken_for_the_whole() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let exchange = Agent::modern(&sidecar.url).begin_call("echo");
    let mut request = upstream.next();
    request.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\"");
    request.end();
    is_the_servers_fault(&exchange.rest(), "502", "ended the connection before its answer was complete");
}

#[test]
fn answers_for_which_there_is_no_room_are_told_as_the_servers_and_leave_room_for_the_next() {
    let upstream = Upstream::start();
    let server = format!("{{name: upstream, path: /mcp, url: '{}'}}", upstream.url);
    let listener = "listener: {maxTotalAnswerBytes: 131072}";
    let setup = Setup::config(&format!("servers: [{server}]\npolicyFiles: [policy.yaml]\n{listener}\n"));
    setup.write("policy.yaml", ALLOW_ALL);
    let sidecar = setup.start();
    let agent = Agent::modern(&format!("{}/mcp", sidecar.agents));
    let large = "x".repeat(200_000);

    let whole = agent.begin_call("echo");
    let request = upstream.next();
    std::thread::spawn({
        let large = large.clone();
        move || request.try_text(&large)
    });
    is_the_servers_fault(&whole.rest(), "502", "no room at the moment");

    let stream = agent.begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    std::thread::spawn(move || request.try_write(format!("data: {large}")));
    is_the_servers_fault(&stream.rest(), "502", "no room at the moment");

    let next = agent.begin_call("echo");
    upstream.next().text("hello");
    assert_eq!(told(&next.rest()).1, "hello");
    assert_eq!(sidecar.metric("reeve_upstream_errors_total{cause=\"memory\",server=\"upstream\"}"), 2.0);
}

#[test]
fn a_server_whose_answers_hold_all_they_may_keeps_out_no_answer_of_another() {
    let (hog, other) = (Upstream::start(), Upstream::start());
    let limits = "limits: {maxResponseBytes: 2097152, maxEventBytes: 2097152}";
    let server = |name: &str, url: &str| format!("{{name: {name}, path: /{name}, url: '{url}', {limits}}}");
    let servers = [server("hog", &hog.url), server("other", &other.url)].join(", ");
    let listener = "listener: {maxTotalAnswerBytes: 8388608}";
    let setup = Setup::config(&format!("servers: [{servers}]\npolicyFiles: [policy.yaml]\n{listener}\n"));
    setup.write("policy.yaml", ALLOW_ALL);
    let sidecar = setup.start();
    let hogging = Agent::modern(&format!("{}/hog", sidecar.agents));

    // Four of them would hold all that there is.
    let unfinished: Vec<_> = (0..4)
        .map(|_| {
            let exchange = hogging.begin_call("echo");
            let request = hog.next();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2097152\r\n\r\n";
            let most = "x".repeat(2_097_142);
            std::thread::spawn(move || request.stands_still_after(format!("{head}{most}")));
            exchange
        })
        .collect();
    let refused = "reeve_upstream_errors_total{cause=\"memory\",server=\"hog\"}";
    eventually("what has no room is refused", || (sidecar.metric(refused) >= 2.0).then_some(()));

    let agent = Agent::modern(&format!("{}/other", sidecar.agents));
    let large = "x".repeat(1 << 20);
    for text in ["hello", &*large] {
        let exchange = agent.begin_call("echo");
        other.next().text(text);
        assert_eq!(told(&exchange.rest()).1, text);
    }
    let small = hogging.begin_call("echo");
    hog.next().text("hello");
    assert_eq!(told(&small.rest()).1, "hello", "a small answer passes whatever is held");
    drop(unfinished);
}

#[test]
fn an_answer_that_stands_still_ends_with_the_time_that_its_beginning_has() {
    let upstream = Upstream::start();
    let server = format!("{{name: upstream, path: /mcp, url: '{}', limits: {{responseTimeout: 1s}}}}", upstream.url);
    let setup = Setup::config(&format!("servers: [{server}]\npolicyFiles: [policy.yaml]\n"));
    setup.write("policy.yaml", ALLOW_ALL);
    let sidecar = setup.start();
    let whole = Agent::modern(&format!("{}/mcp", sidecar.agents)).begin_call("echo");
    let mut request = upstream.next();
    request.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"jsonrpc\"");
    is_the_servers_fault(&whole.rest(), "504", "silent for too long");
    request.closed();
}
