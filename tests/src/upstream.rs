//! A server made of a socket: it shows the bytes that reached it, and answers what and when the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::eventually::eventually;
use crate::http::{self, Exchange};

/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The socket. Requests come one by one, over whatever connections they come.
#[derive(Debug)]
pub struct Upstream {
    /// Where it is.
    pub url: String,
    requests: Receiver<Request>,
}

impl Upstream {
    /// Listens on a port of its own.
    pub fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("loopback has a free port"))
    }

    /// Listens where a test has bound.
    pub fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address");
        let (send, requests) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let send = send.clone();
                std::thread::spawn(move || read(stream, &send));
            }
        });
        Self { url: format!("http://{address}/mcp"), requests }
    }

    /// The next request.
    ///
    /// # Panics
    /// If none comes within half a minute.
    pub fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request reaches the upstream")
    }

    /// Asserts that no request comes for a while.
    ///
    /// # Panics
    /// If one comes.
    pub fn sees_nothing_for(&self, while_: Duration) {
        let arrived = self.requests.recv_timeout(while_);
        assert!(arrived.is_err(), "the upstream was called: {arrived:?}");
    }

    /// Has `answer` answer the request that an exchange leads to. False: the agent was answered without one.
    ///
    /// # Panics
    /// If neither happens within a minute.
    pub fn serves(&self, exchange: &Exchange, answer: impl FnOnce(Request)) -> bool {
        let reached = eventually("the agent is answered, or its request arrives", || match self.arrived() {
            Some(request) => Some(Some(request)),
            None => exchange.has_begun().then_some(None),
        });
        reached.map(answer).is_some()
    }

    /// A request, if one has come.
    pub fn arrived(&self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// Asserts that no request has come that was not looked at. To be called when the agent has its answer, as nothing is
    /// forwarded after that.
    ///
    /// # Panics
    /// If one has come.
    pub fn saw_nothing(&self) {
        let arrived = self.arrived();
        assert!(arrived.is_none(), "the upstream was called: {arrived:?}");
    }
}

/// A request that arrived, and the connection to answer it on.
#[derive(Debug)]
pub struct Request {
    /// The head, as it was written.
    pub head: String,
    /// The body's bytes.
    pub body: Vec<u8>,
    stream: TcpStream,
}

/// Reads one request. Connections that end before one came are of no interest.
fn read(stream: TcpStream, send: &Sender<Request>) {
    let Ok(copy) = stream.try_clone() else { return };
    let mut reader = BufReader::new(copy);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let length = http::header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_ok() {
        let _ = send.send(Request { head, body, stream });
    }
}

impl Request {
    /// The value of a header, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        http::header(&self.head, name)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }

    /// Writes bytes as they are.
    ///
    /// # Panics
    /// If the sidecar no longer reads.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).and_then(|()| self.stream.flush()).expect("the sidecar reads the answer");
    }

    /// Writes bytes as far as the sidecar reads them.
    pub fn try_write(mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Writes bytes as far as the sidecar reads them, and nothing more until it has closed the connection.
    pub fn stands_still_after(mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
        let _ = self.stream.read(&mut [0]);
    }

    /// Answers with a status, headers (each a line without its end) and a body, and ends the connection.
    pub fn answer(mut self, status: &str, headers: &[&str], body: &str) {
        let mut head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
        headers.iter().for_each(|line| head += &format!("{line}\r\n"));
        self.write(format!("{head}\r\n{body}"));
        self.end();
    }

    /// Answers the JSON-RPC request with a result.
    pub fn result(self, result: Value) {
        let message = json!({"jsonrpc": "2.0", "id": self.json()["id"], "result": result}).to_string();
        self.answer("200 OK", &["Content-Type: application/json"], &message);
    }

    /// Answers a call of a tool with a text.
    pub fn text(self, text: &str) {
        self.result(json!({"resultType": "complete", "content": [{"type": "text", "text": text}]}));
    }

    /// The same, as far as the sidecar reads it.
    pub fn try_text(self, text: &str) {
        let result = json!({"resultType": "complete", "content": [{"type": "text", "text": text}]});
        let body = json!({"jsonrpc": "2.0", "id": self.json()["id"], "result": result}).to_string();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        self.try_write(head + &body);
    }

    /// Begins an answer that is a stream of events, which ends with the connection.
    pub fn begin_events(&mut self) {
        self.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
    }

    /// Waits until the other side has closed the connection.
    ///
    /// # Panics
    /// If it has not within half a minute.
    pub fn closed(mut self) {
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let mut byte = [0];
        let read = self.stream.read(&mut byte);
        let closed = match &read {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        };
        assert!(closed, "the connection was not closed: {read:?}");
    }

    /// Ends the connection.
    pub fn end(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
