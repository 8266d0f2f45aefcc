//! HTTP as plain as it gets, for what no SDK would send: one request on one connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The head, as it was written.
    pub head: String,
    /// The body, chunks undone.
    pub body: String,
}

/// Sends raw bytes to `address` and reads one answer. The request should say `Connection: close`.
///
/// # Errors
/// If no connection can be made or it breaks before an answer came.
pub fn exchange(address: &str, request: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(body) } else { body.to_owned() };
    Ok(Answer { status, head: head.to_owned(), body })
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or_default();
        if size == 0 || rest.len() < size || !rest.is_char_boundary(size) {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// Splits `http://host:port/path`.
pub fn split(url: &str) -> (&str, &str) {
    let rest = url.trim_start_matches("http://");
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

/// Gets a URL.
///
/// # Errors
/// If there is no answer.
pub fn get(url: &str) -> std::io::Result<Answer> {
    let (address, path) = split(url);
    exchange(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
}

/// Posts JSON to a URL with more headers.
///
/// # Errors
/// If there is no answer.
pub fn post(url: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<Answer> {
    let (address, path) = split(url);
    let mut head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    head += "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
    head += &format!("Content-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    exchange(address, format!("{head}\r\n{body}").as_bytes())
}

/// Whether something answers HTTP there.
pub fn answers(url: &str) -> bool {
    get(url).is_ok_and(|answer| answer.status != 0)
}
