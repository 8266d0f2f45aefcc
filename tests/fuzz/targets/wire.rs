//! What a sidecar and the operator read from each other. Laws: lines do not depend on how the bytes were cut; a message that is
//! understood is written as one line, and read back from it as the same; so is a document.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use reeve_wire::document::Document;
use reeve_wire::lines::{self, Lines, TooLong};
use reeve_wire::{FromSidecar, Hash, ToSidecar};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn split(data: &[u8], chunk: usize) -> (Vec<Bytes>, Result<(), TooLong>) {
    let mut lines = Lines::new(4_096);
    let mut found = Vec::new();
    for chunk in data.chunks(chunk) {
        lines.push(chunk);
        loop {
            match lines.next_line() {
                Ok(Some(line)) => found.push(line),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, Ok(()))
}

fn again<T: DeserializeOwned + Serialize>(line: &[u8]) {
    let Ok(message) = lines::read::<T>(line) else { return };
    let written = lines::write(&message).expect("a message that was read can be written");
    let (text, end) = written.split_at(written.len() - 1);
    assert!(end == b"\n" && !text.contains(&b'\n'), "a message is one line");
    let read = lines::read::<T>(text).expect("a message that was written can be read");
    assert_eq!(lines::write(&read).ok(), Some(written), "a message reads back as it was written");
}

fn document(bytes: &[u8]) {
    let Ok(document) = Document::decode(bytes, &Hash::of(bytes)) else { return };
    let encoded = document.encode().expect("a document that was read can be written");
    let read = Document::decode(&encoded.bytes, &encoded.hash).expect("a document that was written can be read");
    assert_eq!(read.encode().ok(), Some(encoded), "a document reads back as it was written");
}

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let whole = split(data, data.len().max(1));
    assert_eq!(whole, split(data, usize::from(*first) + 1), "where a stream is cut changes its lines");
    for line in &whole.0 {
        again::<FromSidecar>(line);
        again::<ToSidecar>(line);
        document(line);
    }
});
