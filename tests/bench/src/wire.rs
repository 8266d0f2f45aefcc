//! The parts of HTTP/1.1 that load and server speak: heads, lengths, chunks. Only what the proxies between them write.

/// How much follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// This many bytes.
    Known(usize),
    /// Chunks, the last of which is empty.
    Chunked,
}

/// A head that has arrived as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its bytes, the empty line included.
    pub len: usize,
    /// What follows.
    pub length: Length,
    /// Whether the connection ends after that.
    pub closes: bool,
}

impl Head {
    /// The head at the beginning of `bytes`, if it is there as a whole.
    pub fn find(bytes: &[u8]) -> Option<Self> {
        let len = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
        let lines = bytes[..len].split(|byte| *byte == b'\n').skip(1);
        let (mut length, mut closes) = (Length::Known(0), false);
        for line in lines {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                let value = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                length = Length::Known(value.expect("a length is a number"));
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                length = Length::Chunked;
            } else if name.eq_ignore_ascii_case(b"connection") {
                closes = value.eq_ignore_ascii_case(b"close");
            }
        }
        Some(Self { len, length, closes })
    }

    /// Whether `bytes`, which begin with this head, hold everything that follows it.
    pub fn is_complete(&self, bytes: &[u8]) -> bool {
        match self.length {
            Length::Known(length) => bytes.len() >= self.len + length,
            Length::Chunked => bytes[self.len..].ends_with(b"0\r\n\r\n"),
        }
    }
}

/// The status of an answer.
pub fn status(answer: &[u8]) -> u16 {
    let digits = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_its_length_and_what_follows() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let head = Head::find(answer).unwrap();
        assert_eq!((head.len, head.length, status(answer)), (38, Length::Known(2), 200));
        assert!(head.is_complete(answer) && !head.is_complete(&answer[..39]));
        assert_eq!(Head::find(&answer[..37]), None);
    }

    #[test]
    fn a_head_tells_whether_the_connection_ends() {
        let head = |line: &str| Head::find(format!("HTTP/1.1 403 Forbidden\r\n{line}\r\n\r\n").as_bytes()).unwrap();
        assert!(head("connection: close").closes && !head("connection: keep-alive").closes);
    }

    #[test]
    fn chunks_end_with_an_empty_one() {
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        let head = Head::find(answer).unwrap();
        assert!(head.is_complete(answer) && !head.is_complete(&answer[..answer.len() - 2]));
    }
}
