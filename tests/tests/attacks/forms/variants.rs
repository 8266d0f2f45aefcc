//! Ways of saying something harmless that are unusual and right: all of them must pass.

use reeve_tests::clients::Era;
use reeve_tests::http::Exchange;

use super::{Aim, Attempt, Form, LEGACY, MODERN, form};
use crate::forms::documents::chunk_bytes;
use crate::scene::{PATIENCE, PERMITTED};
use crate::wire;

const fn pass(name: &'static str, attempt: Attempt) -> Form {
    form(Aim::Pass, name, "", attempt)
}

pub(super) const FORMS: &[Form] = &[
    pass("a plain call", Attempt::Body(PERMITTED)),
    pass(
        "every character of the name escaped",
        Attempt::Body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$p","arguments":{$E}$M}}"#),
    ),
    pass(
        "keys and method escaped",
        Attempt::Body(
            r#"{"\u006asonrpc":"2.0","id":1,"m\u0065thod":"t\u006fols\/call","p\u0061rams":{"n\u0061me":"$P","arguments":{$E}$M}}"#,
        ),
    ),
    pass(
        "white space everywhere",
        Attempt::Body(
            "\r\n\t {\n\"jsonrpc\" : \"2.0\" , \"id\"\t:\r\n1,\"method\": \"tools/call\" ,\"params\" : { \"name\": \"$P\" , \"arguments\" :\n{$E} $M } } \r\n",
        ),
    ),
    pass(
        "keys in another order",
        Attempt::Body(r#"{"params":{"arguments":{$E},"name":"$P"$M},"method":"tools/call","id":1,"jsonrpc":"2.0"}"#),
    ),
    pass(
        "an id that is a string",
        Attempt::Body(r#"{"jsonrpc":"2.0","id":"ü\u0031","method":"tools/call","params":{"name":"$P","arguments":{$E}$M}}"#),
    ),
    pass(
        "the largest id that every language has",
        Attempt::Body(
            r#"{"jsonrpc":"2.0","id":9007199254740991,"method":"tools/call","params":{"name":"$P","arguments":{$E}$M}}"#,
        ),
    ),
    pass(
        "a trace in `_meta`",
        Attempt::Body(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","arguments":{$E},"_meta":{"progressToken":"p","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}}"#,
        ),
    )
    .in_eras(LEGACY),
    pass(
        "a large body",
        Attempt::Steps(|scene| {
            let padding = "é".repeat(500_000);
            let call = scene.request("tools/call", "$P", &PERMITTED.replace("$M", &format!(r#","x":"{padding}"$M"#)));
            scene.send(&call);
        }),
    ),
    pass("a body in one chunk", Attempt::Change(|_, call| chunk_bytes(call))),
    pass(
        "a body a byte a chunk",
        Attempt::Change(|_, call| {
            let chunks = call.body.iter().flat_map(|byte| [b"1;x=\"y\"\r\n".as_slice(), &[*byte], b"\r\n"].concat());
            call.body = chunks.chain(*b"0\r\nX-Trailer: 1\r\n\r\n").collect();
            call.set("Transfer-Encoding", "chunked");
        }),
    ),
    pass("over HTTP/2", Attempt::Steps(|scene| scene.keep(&wire::h2::call(scene.address, &scene.permitted(), &[])))),
    pass("a charset", Attempt::Change(|_, call| call.set("Content-Type", "application/json; charset=utf-8"))),
    pass(
        "a charset in quotes and capitals",
        Attempt::Change(|_, call| call.set("Content-Type", "APPLICATION/JSON;charset=\"UTF-8\"")),
    ),
    pass(
        "a charset by its other name",
        Attempt::Change(|_, call| call.set("Content-Type", "application/json; charset=utf8")),
    ),
    pass("a type with a semicolon and no more", Attempt::Change(|_, call| call.set("Content-Type", "application/json;"))),
    pass(
        "accepted types in capitals",
        Attempt::Change(|_, call| call.set("Accept", "APPLICATION/JSON, TEXT/EVENT-STREAM")),
    ),
    pass(
        "accepted types by weight",
        Attempt::Change(|_, call| call.set("Accept", "text/event-stream;q=0.8, application/json; q=0.9")),
    ),
    pass("any accepted type", Attempt::Change(|_, call| call.set("Accept", "*/*"))),
    pass(
        "an answer with half a surrogate pair",
        Attempt::Steps(|scene| {
            scene.send(&scene.list());
            scene.call("get_excerpt");
        }),
    )
    .of_changes(),
    pass(
        "cookies in several headers, over HTTP/2",
        Attempt::Steps(|scene| {
            let mut call = scene.permitted();
            call.add("Cookie", "a=1");
            call.add("Cookie", "b=2; c=3");
            scene.keep(&wire::h2::call(scene.address, &call, &[]));
        }),
    ),
    pass("an encoding that is none", Attempt::Change(|_, call| call.set("Content-Encoding", "identity"))),
    pass(
        "header names in capitals",
        Attempt::Change(|_, call| {
            for (name, _) in &mut call.headers {
                *name = name.to_ascii_uppercase();
            }
        }),
    ),
    pass(
        "white space around the headers' values",
        Attempt::Change(|_, call| {
            for (_, value) in &mut call.headers {
                *value = format!("\t {value} \t");
            }
        }),
    ),
    pass(
        "the name in Base64",
        Attempt::Change(|scene, call| {
            call.set("Mcp-Name", &format!("=?base64?{}?=", base64(scene.target.permitted.name)));
        }),
    )
    .in_eras(MODERN),
    pass(
        "a header that nobody knows",
        Attempt::Change(|_, call| {
            call.add("X-Tenant", "clinic");
            call.add("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        }),
    ),
    pass("a body that waits to be asked for", Attempt::Change(|_, call| call.set("Expect", "100-continue"))),
    pass("a body that waits until it is asked for", Attempt::Steps(|scene| wire::once_asked_for(scene, scene.permitted()))),
    pass(
        "the name of the host",
        Attempt::Change(|scene, call| {
            let (_, port) = scene.address.split_once(':').unwrap();
            call.set("Host", &format!("localhost:{port}"));
        }),
    ),
    pass(
        "two calls on one connection, the second sent before the first is answered",
        Attempt::Steps(|scene| {
            let mut first = scene.permitted();
            first.set("Connection", "keep-alive");
            let both = [first.bytes(scene.address), scene.permitted().bytes(scene.address)].concat();
            let answers = Exchange::attempt(scene.address, &both).everything_within(PATIENCE);
            if answers.matches("HTTP/1.1 200").count() == 2 {
                scene.keep(&answers);
            }
        }),
    ),
    pass(
        "the version of each legacy revision",
        Attempt::Steps(|scene| {
            assert_eq!(scene.era, Era::Legacy);
            for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
                let mut call = scene.permitted();
                call.set("MCP-Protocol-Version", version);
                scene.send(&call);
            }
        }),
    )
    .in_eras(LEGACY),
];

/// RFC 4648, of text whose length the tools' names have.
pub(super) fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let letter = LETTERS[usize::try_from(bits >> (18 - 6 * index) & 63).unwrap()];
            encoded.push(if index <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    encoded
}
