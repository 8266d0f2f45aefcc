//! A server that records every byte and is as strict as can be about them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

type Bytes = Arc<Mutex<Vec<u8>>>;

/// The server.
pub(super) struct Tap {
    pub(super) url: String,
    connections: Arc<Mutex<Vec<Bytes>>>,
}

/// A request, read to the letter.
struct Seen {
    head: String,
    body: String,
}

impl Tap {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let connections: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let kept = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let bytes = Bytes::default();
                held(&kept).push(Arc::clone(&bytes));
                std::thread::spawn(move || record(stream, &bytes));
            }
        });
        Self { url, connections }
    }

    /// How many requests have this text in their body.
    pub(super) fn times(&self, text: &str) -> usize {
        self.requests().iter().filter(|request| request.body.contains(text)).count()
    }

    /// Asserts that every byte that came belongs to a request for this server, with a body that policy permits.
    pub(super) fn is_well_formed(&self) {
        for Seen { head, body } in self.requests() {
            let mut lines = head.split("\r\n");
            let first = lines.next().unwrap();
            // A stream may be opened by whoever is there; what came with the request for it does not come along.
            let is_stream = first == "GET /mcp HTTP/1.1";
            assert!(is_stream || first == "POST /mcp HTTP/1.1", "{head}");
            let names: Vec<String> = lines.map(|line| line.split(':').next().unwrap().to_ascii_lowercase()).collect();
            for name in &names {
                let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
                assert!(!name.is_empty() && name.bytes().all(token), "{name:?} in {head}");
                assert!(!["transfer-encoding", "upgrade", "te", "trailer", "x-smuggled"].contains(&&**name), "{head}");
            }
            for single in ["host", "content-length", "content-type", "mcp-protocol-version"] {
                let expected = usize::from(!is_stream || single != "content-length");
                assert_eq!(names.iter().filter(|name| *name == single).count(), expected, "{single} in {head}");
            }
            assert!(!head.chars().any(|character| character.is_control() && !"\r\n\t".contains(character)), "{head}");
            if is_stream {
                assert_eq!(body, "");
                continue;
            }
            let message: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!((&message["method"], &message["params"]["name"]), (&"tools/call".into(), &"echo".into()));
        }
        for bytes in held(&self.connections).iter() {
            let bytes = held(bytes);
            let read: usize = split(&bytes).1;
            assert_eq!(read, bytes.len(), "something else came: {}", String::from_utf8_lossy(&bytes[read..]));
        }
    }

    fn requests(&self) -> Vec<Seen> {
        held(&self.connections).iter().flat_map(|bytes| split(&held(bytes)).0).collect()
    }
}

/// The requests that these bytes are, and how many of the bytes they are.
fn split(bytes: &[u8]) -> (Vec<Seen>, usize) {
    let (mut requests, mut read) = (Vec::new(), 0);
    while let Some(end) = bytes[read..].windows(4).position(|window| window == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[read..read + end]).into_owned();
        let mut lengths = head.split("\r\n").filter_map(|line| line.split_once(": "));
        let length = lengths.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.map_or(0, |(_, length)| length.parse().unwrap());
        let Some(body) = bytes[read + end + 4..].get(..length) else { break };
        requests.push(Seen { head, body: String::from_utf8_lossy(body).into_owned() });
        read += end + 4 + length;
    }
    (requests, read)
}

fn record(mut stream: TcpStream, record: &Bytes) {
    let mut bytes = [0; 16_384];
    let mut answered = 0;
    while let Ok(read @ 1..) = stream.read(&mut bytes) {
        let whole = {
            let mut record = held(record);
            record.extend(&bytes[..read]);
            split(&record).0.len()
        };
        let body = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
        while answered < whole {
            answered += 1;
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
            if stream.write_all(format!("{head}\r\n{body}").as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
