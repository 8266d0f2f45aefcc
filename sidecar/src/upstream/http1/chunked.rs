//! Reads a body in chunks (RFC 9112, 7.1). Pure: bytes in, bytes out, in whatever pieces they come.

use bytes::{Buf, Bytes, BytesMut};

use super::decoder::Step;
use super::malformed::Malformed;
use crate::mcp::headers::is_token;

/// The most that the extensions of all chunks of a body may be, in bytes. They mean nothing and are dropped.
pub(super) const MAX_EXTENSION_BYTES: usize = 16 << 10;

/// The most that the trailers of a body may be, in bytes and in lines. They are dropped.
pub(super) const MAX_TRAILER_BYTES: usize = 8 << 10;
pub(super) const MAX_TRAILERS: usize = 100;

/// As many digits as a size of 64 bits has.
const MAX_DIGITS: u8 = 16;

/// How far a body in chunks has been read.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    at: Place,
    /// How many bytes of extensions there were.
    extensions: usize,
    /// How many bytes and lines of trailers there were.
    trailer_bytes: usize,
    trailers: usize,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// The first digit of a chunk's size.
    #[default]
    Chunk,
    Size {
        size: u64,
        digits: u8,
    },
    /// Blanks after a size, and what they come before.
    Blank(u64),
    Extension(u64),
    SizeLf(u64),
    /// So many bytes of content, at least one.
    Content(u64),
    ContentCr,
    ContentLf,
    /// The first byte of a trailer's name, or the end.
    Line,
    Name,
    Value,
    TrailerLf,
    LastLf,
    End,
}

impl Chunked {
    /// Takes from `bytes` what comes before the next content, and of that what is there.
    ///
    /// # Errors
    /// What is wrong. Nothing after it can be read.
    pub(super) fn step(&mut self, bytes: &mut BytesMut) -> Result<Step, Malformed> {
        loop {
            match self.at {
                Place::End => return Ok(Step::End),
                _ if bytes.is_empty() => return Ok(Step::More),
                Place::Content(left) => return Ok(Step::Data(self.content(left, bytes))),
                _ => self.skip(bytes)?,
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.at == Place::End
    }

    fn content(&mut self, left: u64, bytes: &mut BytesMut) -> Bytes {
        let length = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let left = left - length as u64;
        self.at = if left == 0 { Place::ContentCr } else { Place::Content(left) };
        bytes.split_to(length).freeze()
    }

    /// Takes bytes up to the next content or the end.
    fn skip(&mut self, bytes: &mut BytesMut) -> Result<(), Malformed> {
        let mut taken = 0;
        while !matches!(self.at, Place::Content(_) | Place::End)
            && let Some(byte) = bytes.get(taken)
        {
            self.at = self.next(*byte)?;
            taken += 1;
        }
        bytes.advance(taken);
        Ok(())
    }

    fn next(&mut self, byte: u8) -> Result<Place, Malformed> {
        match self.at {
            Place::Chunk => Ok(Place::Size { size: digit(byte)?, digits: 1 }),
            Place::Size { size, digits } => match byte {
                b'\r' | b';' | b' ' | b'\t' => self.after_size(size, byte),
                // With so few digits nothing is shifted out.
                _ if digits < MAX_DIGITS => Ok(Place::Size { size: (size << 4) | digit(byte)?, digits: digits + 1 }),
                _ => Err(Malformed::ChunkSize),
            },
            Place::Blank(size) => self.after_size(size, byte),
            Place::Extension(size) => match byte {
                b'\r' => Ok(Place::SizeLf(size)),
                _ if is_text(byte) => self.extended(Place::Extension(size)),
                _ => Err(Malformed::ChunkExtension),
            },
            Place::SizeLf(size) if byte == b'\n' => Ok(if size == 0 { Place::Line } else { Place::Content(size) }),
            Place::SizeLf(_) => Err(Malformed::ChunkSize),
            Place::ContentCr if byte == b'\r' => Ok(Place::ContentLf),
            Place::ContentLf if byte == b'\n' => Ok(Place::Chunk),
            Place::Line | Place::Name | Place::Value | Place::TrailerLf | Place::LastLf => self.next_of_trailers(byte),
            Place::Content(_) | Place::ContentCr | Place::ContentLf | Place::End => Err(Malformed::ChunkEnd),
        }
    }

    fn after_size(&mut self, size: u64, byte: u8) -> Result<Place, Malformed> {
        match byte {
            b'\r' => Ok(Place::SizeLf(size)),
            b';' => self.extended(Place::Extension(size)),
            b' ' | b'\t' => self.extended(Place::Blank(size)),
            _ => Err(Malformed::ChunkSize),
        }
    }

    fn next_of_trailers(&mut self, byte: u8) -> Result<Place, Malformed> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > MAX_TRAILER_BYTES {
            return Err(Malformed::TrailersTooLarge);
        }
        match (self.at, byte) {
            (Place::Line, b'\r') => Ok(Place::LastLf),
            (Place::LastLf, b'\n') => Ok(Place::End),
            (Place::Name, b':') => Ok(Place::Value),
            (Place::Line | Place::Name, _) if is_token(byte) => Ok(Place::Name),
            (Place::Value, b'\r') => Ok(Place::TrailerLf),
            (Place::Value, _) if is_text(byte) => Ok(Place::Value),
            (Place::TrailerLf, b'\n') if self.trailers == MAX_TRAILERS => Err(Malformed::TrailersTooLarge),
            (Place::TrailerLf, b'\n') => {
                self.trailers += 1;
                Ok(Place::Line)
            }
            _ => Err(Malformed::Trailers),
        }
    }

    /// Counts a byte that is passed over.
    fn extended(&mut self, to: Place) -> Result<Place, Malformed> {
        self.extensions += 1;
        if self.extensions > MAX_EXTENSION_BYTES { Err(Malformed::ExtensionsTooLarge) } else { Ok(to) }
    }
}

fn digit(byte: u8) -> Result<u64, Malformed> {
    char::from(byte).to_digit(16).map(u64::from).ok_or(Malformed::ChunkSize)
}

/// Whether a line may hold it: no control character but a tab.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = Result<Option<(Vec<u8>, Vec<u8>)>, Malformed>;

    /// The content, and what is left behind the end; nothing if the end is not there.
    fn read(bytes: &[u8]) -> Read {
        let (mut chunked, mut bytes, mut content) = (Chunked::default(), BytesMut::from(bytes), Vec::new());
        loop {
            match chunked.step(&mut bytes)? {
                Step::Data(data) => content.extend_from_slice(&data),
                Step::More => return Ok(None),
                Step::End => return Ok(Some((content, bytes.to_vec()))),
            }
        }
    }

    fn is(content: &str, rest: &str) -> Read {
        Ok(Some((content.into(), rest.into())))
    }

    #[test]
    fn chunks_are_joined_and_what_follows_their_end_is_left() {
        assert_eq!(read(b"5\r\nhello\r\n06\r\n\r\nyou!\r\n0\r\n\r\nHTTP"), is("hello\r\nyou!", "HTTP"));
        assert_eq!(read(b"A\r\n0123456789\r\n000\r\n\r\n"), is("0123456789", ""));
        assert_eq!(read(b"5\r\nhello\r\n0\r\n\r"), Ok(None));
        assert_eq!(read(b"5\r\nhel"), Ok(None));
    }

    #[test]
    fn extensions_and_trailers_are_dropped() {
        assert_eq!(read(b"5 ;a=b;c=\"d\"\r\nhello\r\n0;x\t\r\n\r\n"), is("hello", ""));
        assert_eq!(read(b"5  \r\nhello\r\n0\r\nA: b\r\nC: \xC3\xA4\r\n\r\nrest"), is("hello", "rest"));
    }

    #[test]
    fn what_is_not_a_chunk_is_an_error_where_it_stands() {
        for (bytes, expected) in [
            (b"\r\n".as_slice(), Malformed::ChunkSize),
            (b"x", Malformed::ChunkSize),
            (b"-5", Malformed::ChunkSize),
            (b" 5", Malformed::ChunkSize),
            (b"5 5", Malformed::ChunkSize),
            (b"0x5", Malformed::ChunkSize),
            (b"5\n", Malformed::ChunkSize),
            (b"5\r5", Malformed::ChunkSize),
            (b"5\r\r", Malformed::ChunkSize),
            (b"5;a\n", Malformed::ChunkExtension),
            (b"5;\0", Malformed::ChunkExtension),
            (b"5;a\r5", Malformed::ChunkSize),
            (b"5\r\nhello5", Malformed::ChunkEnd),
            (b"5\r\nhello\n", Malformed::ChunkEnd),
            (b"5\r\nhello\r5", Malformed::ChunkEnd),
            (b"0\r\nA: b\n", Malformed::Trailers),
            (b"0\r\nA: b\rc", Malformed::Trailers),
            (b"0\r\nA: b\r\n c", Malformed::Trailers),
            (b"0\r\nA: \0", Malformed::Trailers),
            (b"0\r\n: b", Malformed::Trailers),
            (b"0\r\nA b", Malformed::Trailers),
            (b"0\r\nA\r", Malformed::Trailers),
            (b"0\r\n\n", Malformed::Trailers),
            (b"0\r\n\rA", Malformed::Trailers),
        ] {
            assert_eq!(read(bytes), Err(expected), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_size_of_more_than_64_bits_is_an_error_and_not_a_small_one() {
        assert_eq!(read(b"FFFFFFFFFFFFFFFF\r\nx"), Ok(None));
        assert_eq!(read(b"0000000000000001\r\nx\r\n0\r\n\r\n"), is("x", ""));
        for bytes in [b"10000000000000005\r\nhello".as_slice(), b"00000000000000005\r\nhello", &[b'0'; 100]] {
            assert_eq!(read(bytes), Err(Malformed::ChunkSize));
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded_over_the_whole_body() {
        let many = ["1;", &"x".repeat(1023), "\r\ny\r\n"].concat();
        assert_eq!(read(many.repeat(16).as_bytes()), Ok(None));
        assert_eq!(read(many.repeat(17).as_bytes()), Err(Malformed::ExtensionsTooLarge));
        assert_eq!(
            read(["5", &" ".repeat(MAX_EXTENSION_BYTES + 1)].concat().as_bytes()),
            Err(Malformed::ExtensionsTooLarge)
        );
        let trailer = ["A: ", &"x".repeat(1019), "\r\n"].concat();
        let with = |trailer: &str, count| ["0\r\n", &trailer.repeat(count), "\r\n"].concat();
        assert_eq!(read(with(&trailer, 7).as_bytes()), is("", ""));
        assert_eq!(read(with(&trailer, 8).as_bytes()), Err(Malformed::TrailersTooLarge));
        assert_eq!(read(with("A:\r\n", MAX_TRAILERS).as_bytes()), is("", ""));
        assert_eq!(read(with("A:\r\n", MAX_TRAILERS + 1).as_bytes()), Err(Malformed::TrailersTooLarge));
    }
}
