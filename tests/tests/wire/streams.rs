//! Streams of events on their way through, and what an agent's hanging up does.

use reeve_tests::agent::{Agent, told};
use reeve_tests::http;
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::{Value, json};

fn progress(step: u32) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": step}})
}

fn result() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "result": {"resultType": "complete", "content": [{"type": "text", "text": "done"}]}})
}

#[test]
fn each_event_is_with_the_agent_before_the_server_sends_the_next() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    for agent in [Agent::modern(&sidecar.url), Agent::legacy(&sidecar.url)] {
        let mut exchange = agent.begin_call("echo");
        let mut request = upstream.next();
        request.begin_events();
        let head = exchange.until("\r\n\r\n");
        assert_eq!(http::header(&head, "Content-Type"), Some("text/event-stream"));
        assert_eq!(http::header(&head, "X-Accel-Buffering"), Some("no"), "no proxy before the agent may buffer");
        for step in 1..=3 {
            let event = format!("event: message\ndata: {}\n\n", progress(step));
            request.write(&event);
            exchange.until(&event);
        }
        request.write(format!("data: {}\n\n", result()));
        exchange.until("done");
        request.end();
    }
}

#[test]
fn events_pass_as_they_were_written_in_every_form_that_servers_write() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let (step, last) = (progress(1), result());
    let pretty = serde_json::to_string_pretty(&last).unwrap().replace('\n', "\ndata: ");
    for stream in [
        format!("event: message\r\ndata: {step}\r\n\r\nevent: message\r\ndata: {last}\r\n\r\n"),
        format!("data: {step}\n\ndata: {last}\n\n"),
        format!("data:{step}\rid:1\r\rdata:{last}\r\r"),
        format!(": hello\n\n:\ndata: {step}\n\n: ping\n\ndata: {last}\n\n"),
        format!("id: 1\nretry: 50\ndata: \n\nid: 2\ndata: {last}\n\n"),
        format!("id: 1/0\ndata:\n\nevent: message\nid: 1/1\ndata: {pretty}\n\n"),
        format!("\u{feff}data: {last}\n\n"),
        format!("unknown: field\nevent: message\ndata: {last}\n\n"),
    ] {
        let exchange = Agent::legacy(&sidecar.url).begin_call("echo");
        let mut request = upstream.next();
        request.begin_events();
        request.write(&stream);
        request.end();
        // A byte order mark at the beginning says nothing, and not every reader passes over it.
        assert_eq!(exchange.rest().body, stream.trim_start_matches('\u{feff}'));
    }
}

#[test]
fn no_event_hides_behind_what_only_some_readers_take_for_line_ends_or_pass_over() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    for odd in ['\u{b}', '\u{c}', '\u{1c}', '\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'] {
        let hidden = format!("{odd}{odd}data: \"hidden\"{odd}{odd}");
        let text =
            json!({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": format!("a{odd}b")}]}});
        let exchange = Agent::legacy(&sidecar.url).begin_call("echo");
        let mut request = upstream.next();
        request.begin_events();
        request.write(format!(": x{hidden}\n\nid: 1{hidden}\n\nevent: message{hidden}\nid: 2\ndata: {text}\n\n"));
        request.end();
        let answer = exchange.rest();
        assert!(!answer.body.contains(odd) && !answer.body.contains("hidden"), "{answer:?}");
        assert_eq!(answer.json()["result"], text["result"], "it means the same");
    }
}

#[test]
fn an_event_in_pieces_arrives_whole() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let mut exchange = Agent::modern(&sidecar.url).begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    let (step, event) = (progress(1).to_string(), format!("data: {}\n\n", result()));
    let (start, end) = event.split_at(30);
    // The piece of the second event follows a whole one, so that the test sees when it has come.
    request.write(format!("data: {step}\n\n{start}"));
    let before = exchange.until(&step);
    assert!(!before.contains(start), "a piece alone says nothing: {before}");
    request.write(end);
    exchange.until(&event);
    request.end();
}

#[test]
fn a_stream_that_ends_without_its_answer_is_told_to_the_modern_agent() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let exchange = Agent::modern(&sidecar.url).begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    request.write(format!("data: {}\n\n", progress(1)));
    request.end();
    let (code, text) = told(&exchange.rest());
    assert_eq!(code, "502");
    assert!(text.contains("\"upstream\" ended the connection"), "{text}");
}

#[test]
fn an_event_that_is_no_message_is_not_relayed() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let hostile = [
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"hidden\"}],\"tools\":[]}}",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"hidden\":1}}]",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"hidden\":NaN}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"hidden\":",
    ];
    for data in hostile {
        let exchange = Agent::modern(&sidecar.url).begin_call("echo");
        let mut request = upstream.next();
        request.begin_events();
        request.write(format!("data: {data}\n\n"));
        request.end();
        let answer = exchange.rest();
        assert!(!answer.body.contains("hidden"), "{data}: {answer:?}");
        assert_eq!(told(&answer).0, "502", "{data}: the agent is told: {answer:?}");
    }
}

/// A sidecar that permits events of 1,000 bytes.
fn small_events(upstream: &Upstream) -> Setup {
    let config = format!(
        "servers:\n- {{name: upstream, url: '{}', path: /mcp, limits: {{maxEventBytes: 1000}}}}\npolicyFiles: [policy.yaml]",
        upstream.url
    );
    let setup = Setup::config(&config);
    setup.write("policy.yaml", ALLOW_ALL);
    setup
}

#[test]
fn an_event_that_is_larger_than_permitted_ends_the_stream() {
    let upstream = Upstream::start();
    let setup = small_events(&upstream);
    let sidecar = setup.start();
    let exchange = Agent::modern(&format!("{}/mcp", sidecar.agents)).begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    request.write(format!("data: {}", "x".repeat(2_000)));
    let (code, text) = told(&exchange.rest());
    assert_eq!(code, "502");
    assert!(text.contains("larger than permitted"), "{text}");
    request.closed();
}

#[test]
fn an_answer_that_came_with_a_part_of_an_event_that_is_larger_than_permitted_reaches_its_agent() {
    let upstream = Upstream::start();
    let setup = small_events(&upstream);
    let sidecar = setup.start();
    let url = format!("{}/mcp", sidecar.agents);
    for agent in [Agent::modern(&url), Agent::legacy(&url)] {
        let mut exchange = agent.begin_call("echo");
        let mut request = upstream.next();
        request.begin_events();
        exchange.until("\r\n\r\n");
        request.write(format!("data: {}\n\ndata: {}", result(), "x".repeat(2_000)));
        exchange.until("done");
        request.closed();
    }
}

#[test]
fn an_agent_that_hangs_up_ends_its_call_at_the_server_at_once() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    // Before the server has begun to answer.
    let exchange = Agent::modern(&sidecar.url).begin_call("echo");
    let request = upstream.next();
    exchange.hang_up();
    request.closed();
    // In the middle of a stream.
    let mut exchange = Agent::modern(&sidecar.url).begin_call("echo");
    let mut request = upstream.next();
    request.begin_events();
    request.write(format!("data: {}\n\n", progress(1)));
    exchange.until("progress");
    exchange.hang_up();
    request.closed();
    // In the middle of a plain answer.
    let exchange = Agent::modern(&sidecar.url).begin_call("echo");
    let mut request = upstream.next();
    request.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"jsonrpc\"");
    exchange.hang_up();
    request.closed();
}
