//! Requests that two readers of HTTP split differently. Whatever an agent writes, what reaches the server's socket is well-formed
//! requests for bodies that were decided on, each once, or nothing.

mod framing;
mod heads;
mod http2;
mod tap;

use std::time::Duration;

use reeve_tests::eventually::eventually;
use reeve_tests::http::{self, Exchange};
use reeve_tests::sidecar::{ECHO_ONLY, Sidecar};

use self::tap::Tap;

/// How long a connection may go on before it is seen whether the server got what it is to get. Some requests never end, and
/// what a server never gets cannot be waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the permitted call of a form reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaches {
    /// It does not.
    Never,
    /// It does, and what was to be smuggled does not.
    Once,
    /// Both permitted calls do.
    Twice,
}

impl Reaches {
    fn times(self) -> usize {
        match self {
            Self::Never => 0,
            Self::Once => 1,
            Self::Twice => 2,
        }
    }
}

/// A form: its name, where it was seen, what is sent, and what reaches the server.
struct Form {
    name: &'static str,
    seen: &'static str,
    bytes: fn(&Writer) -> Vec<u8>,
    reaches: Reaches,
}

const fn form(name: &'static str, seen: &'static str, reaches: Reaches, bytes: fn(&Writer) -> Vec<u8>) -> Form {
    Form { name, seen, bytes, reaches }
}

/// Writes what a form is made of.
struct Writer {
    address: String,
    /// What stands in the permitted call of this form, and in no other.
    token: String,
}

impl Writer {
    /// The body of a permitted call.
    fn permitted(&self) -> String {
        message("echo", &self.token)
    }

    /// The body of a call that must not reach the server.
    fn denied(&self) -> String {
        message("delete_everything", "smuggled")
    }

    /// A head for a message, with these lines more, and an empty line.
    fn head(&self, lines: &str) -> String {
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\n{lines}\r\n",
            self.address
        )
    }

    /// A whole request of a call that is permitted.
    fn call(&self) -> String {
        let body = self.permitted();
        self.head(&format!("Content-Length: {}\r\n", body.len())) + &body
    }

    /// A whole request of a call that is not.
    fn smuggled(&self) -> String {
        let body = self.denied();
        self.head(&format!("Content-Length: {}\r\n", body.len())) + &body
    }
}

fn message(tool: &str, token: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"message":"{token}"}}}}}}"#
    )
}

/// One chunk and the end.
fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// Sends each form on a connection of its own, and looks at what reached the server.
fn holds<T>(forms: &[&[Form]], send: impl Fn(&Writer, &[u8]) -> T) {
    let tap = Tap::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &tap.url);
    let address = http::split(&sidecar.url).0;
    let writer = |token: String| Writer { address: address.to_owned(), token };
    let forms = || forms.iter().copied().flatten();
    for (index, form) in forms().enumerate() {
        let writer = writer(format!("<{index}>"));
        let connection = send(&writer, &(form.bytes)(&writer));
        eventually(form.name, || (tap.times(&writer.token) >= form.reaches.times()).then_some(()));
        drop(connection);
    }
    // What is sent last arrives last.
    let last = writer("<last>".to_owned());
    let _connection = Exchange::attempt(address, last.call().as_bytes());
    eventually("the last call arrives", || (tap.times("<last>") == 1).then_some(()));
    let wrong: Vec<String> = forms()
        .enumerate()
        .filter_map(|(index, form)| {
            let times = tap.times(&format!("<{index}>"));
            (times != form.reaches.times()).then(|| format!("{} ({}): {times} times", form.name, form.seen))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    tap.is_well_formed();
}

/// Writes bytes on a connection of their own, and reads what comes back.
fn write(writer: &Writer, bytes: &[u8]) -> Exchange {
    let mut exchange = Exchange::attempt(&writer.address, bytes);
    exchange.everything_within(PATIENCE);
    exchange
}

#[test]
fn however_a_body_is_framed_the_server_gets_one_request_or_none() {
    holds(&[framing::LENGTHS, framing::CODINGS, framing::CHUNKS, framing::PIPELINES], write);
}

#[test]
fn however_a_head_is_written_the_server_gets_one_request_or_none() {
    holds(&[heads::LINES, heads::TARGETS, heads::UPGRADES, heads::TRAILERS], write);
}

#[test]
fn whatever_fields_http2_carries_the_server_gets_one_request_or_none() {
    http2::holds();
}
