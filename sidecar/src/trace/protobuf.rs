//! The little of Protocol Buffers that spans are written in, and an answer of a collector is read by.
//!
//! A message is its fields one after another, in any order; a repeated field is written once for each value. So a span is
//! written as its call goes on, and a batch is its spans put behind one another. The numbers of fields are those of
//! `opentelemetry/proto/trace/v1/trace.proto` and its neighbours, which are stable; a test reads what is written here with the
//! official types.

/// A field whose value is a length and that many bytes: text, bytes, or a message.
const LENGTH_DELIMITED: u64 = 2;
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const FIXED32: u64 = 5;

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn varint_len(value: u64) -> usize {
    let bits = u64::BITS - value.max(1).leading_zeros();
    bits.div_ceil(7) as usize
}

fn push_key(out: &mut Vec<u8>, field: u32, kind: u64) {
    push_varint(out, (u64::from(field) << 3) | kind);
}

/// A field with text, bytes, or a message that is written already.
pub(super) fn push_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    push_head(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// The beginning of a field of which `len` bytes follow.
pub(super) fn push_head(out: &mut Vec<u8>, field: u32, len: usize) {
    push_key(out, field, LENGTH_DELIMITED);
    push_varint(out, len as u64);
}

/// How many bytes a field with `len` bytes takes. Its number is below 16.
pub(super) fn field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// A field with a number or a word of an enumeration.
pub(super) fn push_number(out: &mut Vec<u8>, field: u32, value: u64) {
    push_key(out, field, VARINT);
    push_varint(out, value);
}

/// A field with a time: nanoseconds since 1970.
pub(super) fn push_fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    push_key(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A field with flags.
pub(super) fn push_fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    push_key(out, field, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A field with an attribute (`KeyValue`) whose value is text.
pub(super) fn push_attribute(out: &mut Vec<u8>, field: u32, key: &str, value: &str) {
    const KEY: u32 = 1;
    const VALUE: u32 = 2;
    const STRING_VALUE: u32 = 1;
    let any = field_len(value.len());
    push_head(out, field, field_len(key.len()) + field_len(any));
    push_bytes(out, KEY, key.as_bytes());
    push_head(out, VALUE, any);
    push_bytes(out, STRING_VALUE, value.as_bytes());
}

/// How many spans a collector says that it did not take, of an `ExportTraceServiceResponse`. Zero if it says nothing of the kind.
pub(super) fn rejected_spans(response: &[u8]) -> u64 {
    const PARTIAL_SUCCESS: u64 = 1;
    const REJECTED_SPANS: u64 = 1;
    let partial = fields(response).find_map(|(number, value)| match value {
        Value::Bytes(bytes) if number == PARTIAL_SUCCESS => Some(bytes),
        _ => None,
    });
    let rejected = fields(partial.unwrap_or_default()).find_map(|(number, value)| match value {
        Value::Number(count) if number == REJECTED_SPANS => Some(count),
        _ => None,
    });
    rejected.unwrap_or(0)
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, until its end or what is not understood.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let key = take_varint(&mut message)?;
        let value = match key & 7 {
            VARINT => Value::Number(take_varint(&mut message)?),
            LENGTH_DELIMITED => {
                let len = usize::try_from(take_varint(&mut message)?).ok()?;
                let (bytes, rest) = message.split_at_checked(len)?;
                message = rest;
                Value::Bytes(bytes)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    })
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_collector_did_not_take_is_read() {
        let mut partial = Vec::new();
        push_number(&mut partial, 1, 300);
        push_bytes(&mut partial, 2, b"too many");
        let mut response = Vec::new();
        push_bytes(&mut response, 1, &partial);
        assert_eq!(rejected_spans(&response), 300);
        assert_eq!(rejected_spans(b""), 0);
        assert_eq!(rejected_spans(b"no protobuf at all"), 0);
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_it_was_written_and_takes_as_much_as_was_said(value: u64) {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            prop_assert_eq!(out.len(), varint_len(value));
            prop_assert_eq!(take_varint(&mut &*out), Some(value));
        }

        #[test]
        fn any_answer_of_a_collector_is_read_to_its_end(response: Vec<u8>) {
            rejected_spans(&response);
        }
    }
}
