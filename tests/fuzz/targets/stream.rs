//! The scanner of event streams. Laws: its pieces together are what went in, however that was cut; an event whose data is replaced is
//! one event with the other data.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use reeve_sidecar::mcp::sse::{Event, Piece, Scanner, replace_data};

const OTHER: &[u8] = br#"{"jsonrpc":"2.0","id":1,"result":{}}"#;

/// The largest event that is read.
const LARGEST: usize = 4_096;

fn pieces(data: &[u8], chunk: usize, largest: usize) -> Option<Vec<Piece>> {
    let mut scanner = Scanner::new(largest);
    let mut pieces = Vec::new();
    for chunk in data.chunks(chunk) {
        scanner.push(chunk);
        while let Some(piece) = scanner.piece().ok()? {
            pieces.push(piece);
        }
    }
    pieces.extend(scanner.finish().ok()?);
    Some(pieces)
}

fn events(pieces: &[Piece]) -> Vec<&Event> {
    pieces.iter().filter_map(|piece| if let Piece::Event(event) = piece { Some(event) } else { None }).collect()
}

fn joined(pieces: &[Piece]) -> Vec<u8> {
    let bytes = |piece: &Piece| match piece {
        Piece::Event(event) => event.raw.clone(),
        Piece::Between(bytes) => bytes.clone(),
    };
    pieces.iter().map(bytes).collect::<Vec<Bytes>>().concat()
}

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let (whole, cut) = (pieces(data, data.len().max(1), LARGEST), pieces(data, usize::from(*first) + 1, LARGEST));
    let (Some(whole), Some(cut)) = (whole, cut) else { return };
    assert_eq!(joined(&whole), data);
    assert_eq!(joined(&cut), data);
    let told = |pieces: &[Piece]| events(pieces).iter().map(|event| event.data.clone()).collect::<Vec<_>>();
    assert_eq!(told(&whole), told(&cut), "where a stream is cut changes what no event says");
    for event in events(&whole).into_iter().filter(|event| event.message().is_some()) {
        let mut replaced = replace_data(&event.raw, OTHER).to_vec();
        replaced.extend_from_slice(b"\n\n");
        let again = pieces(&replaced, replaced.len(), replaced.len()).expect("it is as large as it may be");
        let again = events(&again);
        let [again] = again.as_slice() else { panic!("one event became {again:?}") };
        assert_eq!(again.message().map(|data| &data[..]), Some(OTHER));
    }
});
