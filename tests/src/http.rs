//! HTTP as plain as it gets, for what no SDK would send and for looking at answers as they come: one request on one
//! connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long a part of an answer may take to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code; 0 if what came is not HTTP.
    pub status: u16,
    /// The head, as it was written.
    pub head: String,
    /// The body, chunks undone.
    pub body: String,
}

impl Answer {
    /// The value of a header, if there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The body as JSON: all of it, or the data of the last event of a stream.
    ///
    /// # Panics
    /// If it is none; with the answer.
    pub fn json(&self) -> serde_json::Value {
        let data = self.body.lines().rev().find_map(|line| line.strip_prefix("data:"));
        let text = data.unwrap_or(&self.body);
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The value of a header in a head, if there is one.
pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// An answer on its way.
#[derive(Debug)]
pub struct Exchange {
    stream: TcpStream,
    /// What came and was not looked at yet.
    buffer: Vec<u8>,
}

impl Exchange {
    /// Sends raw bytes to an address.
    ///
    /// # Errors
    /// If no connection can be made.
    pub fn begin(address: &str, request: &[u8]) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends raw bytes to an address, as many of them as are taken: who is refused in the middle reads why.
    ///
    /// # Panics
    /// If no connection can be made.
    pub fn attempt(address: &str, request: &[u8]) -> Self {
        let mut stream = TcpStream::connect(address).expect("a connection can be made");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let _ = stream.write_all(request);
        Self { stream, buffer: Vec::new() }
    }

    /// Waits until this text has come, and gives everything up to its end that was not given before.
    ///
    /// # Panics
    /// If the connection ends, or half a minute passes, before it comes; with what came.
    pub fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = position(&self.buffer, text.as_bytes()) {
                let rest = self.buffer.split_off(at + text.len());
                return String::from_utf8_lossy(&std::mem::replace(&mut self.buffer, rest)).into_owned();
            }
            let came = self.more();
            assert!(came, "{text:?} never came, but: {}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// Reads to the end of the connection.
    pub fn rest(mut self) -> Answer {
        while self.more() {}
        self.answer_so_far()
    }

    fn answer_so_far(self) -> Answer {
        let text = String::from_utf8_lossy(&self.buffer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let chunked = header(head, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let body = if chunked { unchunk(body) } else { body.to_owned() };
        Answer { status, head: head.to_owned(), body }
    }

    /// Waits until this text has come, and gives everything up to its end; nothing if the connection ends, or nothing comes
    /// for this long, before that.
    ///
    /// # Panics
    /// If the connection is no longer ours.
    pub fn until_within(&mut self, text: &str, silence: Duration) -> Option<String> {
        self.stream.set_read_timeout(Some(silence)).expect("a timeout can be set");
        while position(&self.buffer, text.as_bytes()).is_none() {
            if !self.more() {
                return None;
            }
        }
        Some(self.until(text))
    }

    /// Reads one answer to its end, which need not be that of the connection, but not for longer than this.
    ///
    /// # Panics
    /// If the connection is no longer ours.
    pub fn whole_within(mut self, patience: Duration) -> Answer {
        self.read_until(patience, is_whole);
        self.answer_so_far()
    }

    /// Reads one answer to its end. If it has not come after a moment, `meanwhile` is done, and what has not come after that
    /// and another moment will not come.
    ///
    /// # Panics
    /// If the connection is no longer ours.
    pub fn whole_or_none(mut self, moment: Duration, meanwhile: impl FnOnce()) -> Answer {
        if !self.read_until(moment, is_whole) {
            meanwhile();
            self.read_until(moment, is_whole);
        }
        self.answer_so_far()
    }

    /// Reads to the end of the connection, but not for longer than this.
    ///
    /// # Panics
    /// If the connection is no longer ours.
    pub fn rest_within(mut self, patience: Duration) -> Answer {
        self.read_until(patience, |_| false);
        self.answer_so_far()
    }

    /// Reads to the end of the connection, but not for longer than this; gives everything that came so far, as it came.
    ///
    /// # Panics
    /// If the connection is no longer ours.
    pub fn everything_within(&mut self, patience: Duration) -> String {
        self.read_until(patience, |_| false);
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Whether enough came, or the connection ended, before this time was over.
    fn read_until(&mut self, patience: Duration, enough: impl Fn(&[u8]) -> bool) -> bool {
        let begun = Instant::now();
        loop {
            if enough(&self.buffer) {
                return true;
            }
            let Some(left) = patience.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else { return false };
            self.stream.set_read_timeout(Some(left)).expect("a timeout can be set");
            if !self.more() && begun.elapsed() < patience {
                return true;
            }
        }
    }

    /// Sends another request on the same connection.
    ///
    /// # Panics
    /// If the connection has ended.
    pub fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).expect("the connection is open");
    }

    /// Waits for the next answer on a connection that goes on; gives its body, whose length must be stated.
    pub fn answer(&mut self) -> String {
        let head = self.until("\r\n\r\n");
        let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while self.buffer.len() < length && self.more() {}
        let rest = self.buffer.split_off(length.min(self.buffer.len()));
        String::from_utf8_lossy(&std::mem::replace(&mut self.buffer, rest)).into_owned()
    }

    /// Whether anything of the answer has come, after a moment for it to come.
    ///
    /// # Panics
    /// If the connection is no longer ours.
    pub fn has_begun(&self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(10))).expect("a timeout can be set");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        !self.buffer.is_empty() || peeked.is_ok()
    }

    /// Ends the connection, as an agent does that has lost interest.
    pub fn hang_up(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 16_384];
        let read = self.stream.read(&mut bytes).unwrap_or(0);
        self.buffer.extend_from_slice(&bytes[..read]);
        read > 0
    }
}

/// Whether one whole answer has come; interim ones do not count.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = position(bytes, b"\r\n\r\n") else { return false };
    let (head, mut body) = (String::from_utf8_lossy(&bytes[..end]), &bytes[end + 4..]);
    if head.starts_with("HTTP/1.1 1") {
        return is_whole(body);
    }
    if let Some(length) = header(&head, "content-length") {
        return length.parse().is_ok_and(|length: usize| body.len() >= length);
    }
    // What ends with the connection has a length that nobody knows before that.
    let chunked = header(&head, "transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    while let (true, Some(line)) = (chunked, position(body, b"\r\n")) {
        let size = String::from_utf8_lossy(&body[..line]).into_owned();
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(usize::MAX);
        match body.get(line + 2..).and_then(|rest| rest.get(size.saturating_add(2)..)) {
            Some(_) if size == 0 => return true,
            Some(rest) => body = rest,
            None => return false,
        }
    }
    false
}

fn position(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
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

/// The bytes of a request that ends its connection.
pub fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let (address, path) = split(url);
    let path = if path.is_empty() { "/" } else { path };
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += &format!("Host: {address}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// Gets a URL.
///
/// # Errors
/// If no connection can be made.
pub fn get(url: &str) -> std::io::Result<Answer> {
    Ok(Exchange::begin(split(url).0, &request("GET", url, &[], ""))?.rest())
}

/// Whether something answers HTTP there.
pub fn answers(url: &str) -> bool {
    get(url).is_ok_and(|answer| answer.status != 0)
}
