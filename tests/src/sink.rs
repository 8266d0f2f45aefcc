//! Where a server sends what its tools do: an HTTP server that remembers every request.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::http;

/// What AWS HealthImaging answers, as far as its MCP server looks at it.
const GRANTED: &str = r#"{"datastoreId":"0","jobId":"0","jobStatus":"SUBMITTED","submittedAt":0,"datastoreProperties":{"datastoreId":"0","datastoreName":"images","datastoreStatus":"ACTIVE"}}"#;

/// Stands where AWS, or a site that a tool fetches from, would.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Where it is: without a path.
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Sink {
    /// Listens on a port of its own.
    ///
    /// # Panics
    /// If there is none.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound listener has an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let request = read(&mut stream);
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", GRANTED.len());
                let _ = stream.write_all((head + GRANTED).as_bytes());
            }
        });
        Self { url, requests }
    }

    /// The requests so far: each the head and what came with it.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads a request to its end, so that its sender can read the answer.
fn read(stream: &mut TcpStream) -> String {
    let (mut request, mut bytes) = (Vec::new(), [0; 65_536]);
    while !is_whole(&request) {
        match stream.read(&mut bytes) {
            Ok(read) if read > 0 => request.extend(&bytes[..read]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = http::header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    body.len() >= length
}
