//! What one request and one answer cannot do: streams that are broken off, and HTTP/2 as bytes.

pub(crate) mod h2;

use reeve_tests::http::Exchange;
use reeve_tests::request::Request;

use crate::scene::{PATIENCE, Scene};

/// Sends a request; gives the first event of the answer, and the stream that goes on. Nothing if no event comes.
pub(crate) fn first_event(scene: &Scene<'_>, request: &Request) -> Option<(String, Exchange)> {
    let mut exchange = Exchange::attempt(scene.address, &request.bytes(scene.address));
    let head = exchange.until_within("\r\n\r\n", PATIENCE)?;
    if !head.to_ascii_lowercase().contains("text/event-stream") {
        scene.keep(&exchange.rest_within(PATIENCE).body);
        return None;
    }
    // An event ends with an empty line, whatever ends a line.
    let mut event = exchange.until_within("data:", PATIENCE)?;
    event += &exchange.until_within("\n", PATIENCE)?;
    Some((event, exchange))
}

/// Sends a request and hangs up after the first event of the answer; gives that event's id.
pub(crate) fn broken_off_after_first_event(scene: &Scene<'_>, request: &Request) -> Option<String> {
    let (event, exchange) = first_event(scene, request)?;
    exchange.hang_up();
    let id = event.lines().find_map(|line| line.strip_prefix("id:"))?;
    Some(id.trim().to_owned())
}

/// Sends the head of a request, and its body once that is asked for.
pub(crate) fn once_asked_for(scene: &Scene<'_>, mut request: Request) {
    request.set("Expect", "100-continue");
    let whole = request.bytes(scene.address);
    let (head, body) = whole.split_at(whole.len() - request.body.len());
    let mut exchange = Exchange::attempt(scene.address, head);
    // Who refuses the head does not ask.
    if exchange.until_within("\r\n\r\n", PATIENCE).is_some_and(|told| told.starts_with("HTTP/1.1 100")) {
        exchange.send(body);
    }
    scene.keep(&exchange.whole_within(PATIENCE).body);
}
