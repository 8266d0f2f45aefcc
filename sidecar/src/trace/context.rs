//! Where a call stands in a trace: W3C Trace Context, read and written.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header, and the key of `params._meta` (SEP-414), that names the caller's span.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The header with what tracing systems add to it, each in its own words.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The bit of [`Context::flags`] that says that the caller records its span.
const SAMPLED: u8 = 1;

/// The flags that are passed on: sampled, and that the trace's id is random (level 2 of the specification).
const KNOWN_FLAGS: u8 = 3;

/// A trace: 16 bytes, not all of them zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// A span of a trace: 8 bytes, not all of them zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// One span of one trace, as its children are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// What the specification calls trace-flags.
    pub flags: u8,
}

impl TraceId {
    /// Reads 32 lower-case hexadecimal digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        hex(text).map(Self).filter(|id| id.0 != [0; 16])
    }

    /// Of two random numbers.
    pub(super) fn random(high: u64, low: u64) -> Self {
        let id = (u128::from(high) << 64) | u128::from(low);
        Self(if id == 0 { 1 } else { id }.to_be_bytes())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl SpanId {
    /// Reads 16 lower-case hexadecimal digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        hex(text).map(Self).filter(|id| id.0 != [0; 8])
    }

    /// Of a random number.
    pub(super) fn random(id: u64) -> Self {
        Self(id.max(1).to_be_bytes())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl Context {
    /// Reads a `traceparent`: `00-TRACE-SPAN-FLAGS`. Of a version that is not known yet, what version 00 has is read, as the
    /// specification asks. None if it is not one: the caller is then in no trace.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (head, rest) = text.split_at_checked(55)?;
        let [version] = hex::<1>(&head[..2])?;
        let is_whole = if version == 0 { rest.is_empty() } else { matches!(rest.first(), None | Some(b'-')) };
        if version == 0xff || !is_whole || [2, 35, 52].iter().any(|at| head[*at] != b'-') {
            return None;
        }
        let [flags] = hex(&head[53..])?;
        Some(Self {
            trace: TraceId::parse(&head[3..35])?,
            span: SpanId::parse(&head[36..52])?,
            flags: flags & KNOWN_FLAGS,
        })
    }

    /// What the headers of a request say. More than one `traceparent` says nothing.
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        Self::parse(value.as_bytes())
    }

    /// Whether the caller records its span.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The same, recorded or not.
    pub(super) fn sampled(self, sampled: bool) -> Self {
        Self { flags: (self.flags & !SAMPLED) | u8::from(sampled), ..self }
    }

    /// The value of the header.
    pub fn header(self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.to_string()).ok()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }
}

/// Bytes of twice as many lower-case hexadecimal digits; upper case is not permitted here.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_written_as_it_was_read() {
        let context = Context::parse(PARENT.as_bytes()).unwrap();
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), PARENT);
        assert_eq!(context.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_later_version_is_read_as_the_first_one_and_flags_that_nobody_knows_are_not_passed_on() {
        for later in
            ["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-what-will-be", &PARENT.replace("00-4", "01-4")]
        {
            let context = Context::parse(later.as_bytes()).unwrap();
            assert!(context.is_sampled() && context.flags <= KNOWN_FLAGS, "{later}");
            assert_eq!(context.span, SpanId::parse(b"00f067aa0ba902b7").unwrap());
        }
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        let zero_trace = PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        let zero_span = PARENT.replace("00f067aa0ba902b7", &"0".repeat(16));
        for text in [
            "",
            "00-1-2-01",
            &PARENT[..54],
            &format!("{PARENT}-00"),
            &format!("{PARENT} "),
            &PARENT.replace("00-4", "ff-4"),
            &PARENT.replace("00-4", "0x-4"),
            &PARENT.to_uppercase(),
            &PARENT.replace('-', "_"),
            &zero_trace,
            &zero_span,
        ] {
            assert_eq!(Context::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn two_headers_name_no_parent() {
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_static(PARENT));
        assert!(Context::of_headers(&headers).is_some());
        headers.append(TRACEPARENT, HeaderValue::from_static(PARENT));
        assert_eq!(Context::of_headers(&headers), None);
    }

    proptest! {
        #[test]
        fn what_is_read_of_any_bytes_is_written_in_a_form_that_reads_the_same(text in "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?|.*") {
            if let Some(context) = Context::parse(text.as_bytes()) {
                prop_assert_eq!(Context::parse(context.to_string().as_bytes()), Some(context));
            }
        }
    }
}
