//! One event: what its lines say, and how its data is replaced.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr2;

use super::odd::{escape, has_odd_character};

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its bytes, to the end of the blank line that ends it.
    pub raw: Bytes,
    /// What its `data` lines hold, joined by line feeds; none if it has no such line.
    pub data: Option<Bytes>,
}

impl Event {
    /// Whether its type is none of messages, which have none or `message`: most clients pass over such an event.
    pub fn is_of_another_type(&self) -> bool {
        let lines = self.raw.split(|byte| matches!(byte, b'\n' | b'\r'));
        let mut types = lines.filter_map(|line| line.strip_prefix(b"event:")).map(<[u8]>::trim_ascii);
        types.next_back().is_some_and(|of| !of.is_empty() && of != b"message")
    }

    /// The message in it. None in an event without data or with empty data, which only sets an id or a retry time.
    pub fn message(&self) -> Option<&Bytes> {
        self.data.as_ref().filter(|data| !data.is_empty())
    }
}

/// Collects the data of an event. The data of a single line, the usual case, is not copied.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// The first data, as a range of the event's bytes.
    first: Option<Range<usize>>,
    /// All data, once there is more than one line of it.
    joined: Option<BytesMut>,
}

impl Builder {
    /// Reads the line at `line` of `event`, the event's bytes so far.
    pub(super) fn line(&mut self, event: &[u8], line: Range<usize>) {
        let Some(value) = data_of(&event[line.clone()]) else {
            return;
        };
        let value = line.end - value.len()..line.end;
        match (&self.first, &mut self.joined) {
            (None, _) => self.first = Some(value),
            (Some(_), Some(joined)) => {
                joined.put_u8(b'\n');
                joined.extend_from_slice(&event[value]);
            }
            (Some(first), joined @ None) => {
                let joined = joined.insert(BytesMut::from(&event[first.clone()]));
                joined.put_u8(b'\n');
                joined.extend_from_slice(&event[value]);
            }
        }
    }

    /// The event with these bytes.
    pub(super) fn finish(self, raw: Bytes) -> Event {
        let data = match (self.first, self.joined) {
            (_, Some(joined)) => Some(joined.freeze()),
            (Some(first), None) => Some(raw.slice(first)),
            (None, None) => None,
        };
        Event { raw, data }
    }
}

/// The value of a line if its field is `data`: all after the colon but for one space.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    match line.strip_prefix(b"data")? {
        [] => Some(&[]),
        [b':', value @ ..] => Some(value.strip_prefix(b" ").unwrap_or(value)),
        _ => None,
    }
}

/// The event `raw` with other data, which is JSON: the lines of `id`, `event`, `retry` and comments stay as they are and where
/// they are, and the data stands where the first data stood. Line ends in `data` become lines of their own, which a reader
/// joins again. What only some readers take for line ends, or pass over, is escaped in the data, and leaves no other line.
pub fn replace_data(raw: &[u8], data: &[u8]) -> Bytes {
    let data = &*escape(data);
    let mut out = BytesMut::with_capacity(raw.len().min(512) + data.len() + 16);
    let mut rest = raw;
    let mut written = false;
    while !rest.is_empty() {
        let (line, ended) = split_line(rest);
        rest = &rest[ended..];
        if line.is_empty() {
            break;
        }
        if data_of(line).is_none() {
            if has_odd_character(line) {
                continue;
            }
            out.extend_from_slice(line);
            out.put_u8(b'\n');
        } else if !written {
            written = true;
            put_data(&mut out, data);
        }
    }
    if !written {
        put_data(&mut out, data);
    }
    out.put_u8(b'\n');
    out.freeze()
}

fn put_data(out: &mut BytesMut, mut data: &[u8]) {
    loop {
        let (line, ended) = split_line(data);
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.put_u8(b'\n');
        if ended == line.len() {
            return;
        }
        data = &data[ended..];
    }
}

/// The first line, and where the next one begins.
fn split_line(text: &[u8]) -> (&[u8], usize) {
    match memchr2(b'\n', b'\r', text) {
        None => (text, text.len()),
        Some(end) if text[end..].starts_with(b"\r\n") => (&text[..end], end + 2),
        Some(end) => (&text[..end], end + 1),
    }
}
