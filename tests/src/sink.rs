//! Where a server sends what its tools do: an HTTP server that remembers every request and grants none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

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
                let mut bytes = [0; 65_536];
                let read = stream.read(&mut bytes).unwrap_or(0);
                let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                let _ = stream.write_all(answer);
            }
        });
        Self { url, requests }
    }

    /// The requests so far: each the head and what came with it.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
