//! Events are found whatever the line ends and the chunks, and nothing of the stream is lost.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 16;

/// All pieces of a stream that arrives in these chunks.
fn pieces<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Piece> {
    let mut scanner = Scanner::new(LIMIT);
    let mut pieces = Vec::new();
    for chunk in chunks {
        scanner.push(chunk);
        while let Some(piece) = scanner.piece().unwrap() {
            pieces.push(piece);
        }
    }
    pieces.extend(scanner.finish().unwrap());
    pieces
}

fn raw(pieces: &[Piece]) -> Vec<u8> {
    pieces
        .iter()
        .flat_map(|piece| match piece {
            Piece::Event(event) => event.raw.to_vec(),
            Piece::Between(bytes) => bytes.to_vec(),
        })
        .collect()
}

/// The data of all events, as text.
fn data(pieces: &[Piece]) -> Vec<Option<String>> {
    let text = |data: &Bytes| String::from_utf8(data.to_vec()).unwrap();
    pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Event(event) => Some(event.data.as_ref().map(text)),
            Piece::Between(_) => None,
        })
        .collect()
}

fn data_of(stream: &str) -> Vec<Option<String>> {
    data(&pieces([stream.as_bytes()]))
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn every_line_end_ends_a_line() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = ["event: message", "data: 1", "", "id: 7", "data: 2", "", ""].join(end);
        assert_eq!(data_of(&stream), some(&["1", "2"]), "{end:?}");
    }
    assert_eq!(data_of("data: 1\r\n\ndata: 2\n\r\ndata: 3\r\r"), some(&["1", "2", "3"]));
}

#[test]
fn a_carriage_return_at_the_end_of_a_chunk_ends_its_event_at_once_and_its_line_feed_follows() {
    let mut scanner = Scanner::new(LIMIT);
    scanner.push(b"data: 1\r\n\r");
    assert!(matches!(scanner.piece(), Ok(Some(Piece::Event(event))) if event.raw == "data: 1\r\n\r"));
    assert_eq!(scanner.piece(), Ok(None));
    scanner.push(b"\ndata: 2\r");
    assert_eq!(scanner.piece(), Ok(Some(Piece::Between(Bytes::from_static(b"\n")))));
    assert_eq!(scanner.piece(), Ok(None));
    scanner.push(b"\n\r\n");
    assert!(matches!(scanner.piece(), Ok(Some(Piece::Event(event))) if event.raw == "data: 2\r\n\r\n"));
}

#[test]
fn data_of_several_lines_is_joined_and_one_space_after_the_colon_is_dropped() {
    assert_eq!(data_of("data: {\ndata:  \"a\":1\ndata:}\n\n"), some(&["{\n \"a\":1\n}"]));
    assert_eq!(data_of("data\ndata\n\n"), some(&["\n"]));
    assert_eq!(data_of("data:\n\n"), some(&[""]));
}

#[test]
fn fields_that_are_not_data_carry_none() {
    assert_eq!(data_of("database: 1\n\n"), [None]);
    assert_eq!(data_of(" data: 1\n\n"), [None]);
    assert_eq!(data_of("DATA: 1\n\n"), [None]);
    assert_eq!(data_of("retry: 5\n\n"), [None]);
}

#[test]
fn a_priming_event_has_no_message() {
    let pieces = pieces([&b"id: 1\nretry: 500\ndata:\n\n"[..]]);
    assert!(matches!(&pieces[..], [Piece::Event(event)] if event.message().is_none() && event.data.is_some()));
}

#[test]
fn comments_and_blank_lines_between_events_pass_at_once() {
    let mut scanner = Scanner::new(LIMIT);
    scanner.push(b": keep-alive\n");
    assert_eq!(scanner.piece(), Ok(Some(Piece::Between(Bytes::from_static(b": keep-alive\n")))));
    scanner.push(b"\n");
    assert_eq!(scanner.piece(), Ok(Some(Piece::Between(Bytes::from_static(b"\n")))));
    scanner.push(b"id: 1\n: within\ndata: x\n\n");
    assert!(matches!(scanner.piece(), Ok(Some(Piece::Event(event))) if event.raw == "id: 1\n: within\ndata: x\n\n"));
}

#[test]
fn a_byte_order_mark_before_the_first_line_is_not_part_of_it_and_later_ones_are() {
    assert_eq!(data_of("\u{feff}data: 1\n\n\u{feff}data: 2\n\n"), [Some("1".into()), None]);
    assert_eq!(data(&pieces([&b"\xef"[..], b"\xbb", b"\xbfdata: 1\n\n"])), some(&["1"]));
    assert!(matches!(&pieces(["\u{feff}: hello\n".as_bytes()])[..], [Piece::Between(_), Piece::Between(_)]));
    assert_eq!(data_of("\u{feff}"), []);
}

#[test]
fn an_event_that_the_stream_breaks_off_in_is_still_an_event() {
    assert_eq!(data_of("data: 1\n\ndata: 2"), some(&["1", "2"]));
    assert_eq!(data_of("data: 1\n"), some(&["1"]));
    assert!(matches!(&pieces([&b": bye"[..]])[..], [Piece::Between(_)]));
}

#[test]
fn an_event_above_its_bound_ends_the_stream_however_it_arrives() {
    let event = b"data: 0123456789\n\n";
    let scan = |limit, chunk| {
        let mut scanner = Scanner::new(limit);
        for chunk in event.chunks(chunk) {
            scanner.push(chunk);
            if let Some(piece) = scanner.piece()? {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    };
    for chunk in [1, 5, 100] {
        assert!(matches!(scan(event.len(), chunk), Ok(Some(Piece::Event(_)))), "{chunk}");
        let limit = event.len() - 1;
        assert_eq!(scan(limit, chunk), Err(SseError::EventTooLarge { limit }), "{chunk}");
    }
    let mut scanner = Scanner::new(8);
    scanner.push(&[b'x'; 9]);
    assert!(scanner.piece().is_err() && scanner.piece().is_err());
    assert!(scanner.finish().is_err());
}

#[test]
fn the_room_of_a_large_event_goes_with_it() {
    let mut scanner = Scanner::new(2 * LARGE);
    scanner.push(b"data: ");
    for _ in 0..20 {
        scanner.push(&[b'x'; LARGE / 16]);
        assert_eq!(scanner.piece(), Ok(None));
    }
    assert!(scanner.buffer.capacity() > 2 * LARGE);
    scanner.push(b"\n\ndata: 2\n");
    assert!(matches!(scanner.piece(), Ok(Some(Piece::Event(event))) if event.raw.len() > LARGE));
    assert!(scanner.buffer.capacity() < LARGE);
    scanner.push(b"\n");
    assert!(matches!(scanner.piece(), Ok(Some(Piece::Event(event))) if event.raw == "data: 2\n\n"));
}

#[test]
fn many_small_events_in_one_chunk_may_together_be_larger_than_one_may_be() {
    let mut scanner = Scanner::new(16);
    scanner.push(&b"data: 1\n\n".repeat(100));
    let events = std::iter::from_fn(|| scanner.piece().unwrap()).count();
    assert_eq!(events, 100);
}

#[test]
fn replaced_data_stands_where_the_data_stood_and_all_else_stays() {
    let replaced = replace_data(b"event: message\r\nid: 7\r\ndata: {\r\ndata: }\r\nretry: 5\r\n\r\n", b"[]");
    assert_eq!(replaced, "event: message\nid: 7\ndata: []\nretry: 5\n\n");
    assert_eq!(replace_data(b"data: 1", b"2"), "data: 2\n\n");
    assert_eq!(replace_data(b"id: 1\n\n", b"2"), "id: 1\ndata: 2\n\n");
}

#[test]
fn replaced_data_with_line_ends_reads_back_joined() {
    let replaced = replace_data(b"data: 1\n\n", b"{\r\n\"a\":\r1\n}");
    assert_eq!(data(&pieces([&replaced[..]])), some(&["{\n\"a\":\n1\n}"]));
}

/// What `str.splitlines` takes for line ends, or some decoders pass over, and the standard does not.
const ODD: [(&str, &str); 9] = [
    ("\u{b}", "000b"),
    ("\u{c}", "000c"),
    ("\u{1c}", "001c"),
    ("\u{1d}", "001d"),
    ("\u{1e}", "001e"),
    ("\u{85}", "0085"),
    ("\u{2028}", "2028"),
    ("\u{2029}", "2029"),
    ("\u{feff}", "feff"),
];

#[test]
fn only_carriage_returns_and_line_feeds_end_lines() {
    for (odd, _) in ODD {
        let text = format!("\"a{odd}{odd}data: b\"");
        assert_eq!(data_of(&format!("data: {text}\n\n")), some(&[&text]), "{odd:?}");
        assert_eq!(data_of(&format!(":{odd}{odd}data: b\n\n")), [], "{odd:?}");
    }
}

#[test]
fn what_only_some_readers_take_for_line_ends_is_known_and_replaced() {
    for (odd, code) in ODD {
        assert!(has_odd_character(odd.as_bytes()), "{code}");
        let raw = format!("id: 1{odd}{odd}data: x\ndata: 1\n: a{odd}\nretry: 5\n\n");
        let replaced = replace_data(raw.as_bytes(), format!("\"{odd}a{odd}\"").as_bytes());
        assert_eq!(replaced, format!("data: \"\\u{code}a\\u{code}\"\nretry: 5\n\n"));
        assert!(!has_odd_character(&replaced), "{code}");
    }
    for text in ["data: é â\u{2027} €\t\u{a0}", "\r\n"] {
        assert!(!has_odd_character(text.as_bytes()), "{text:?}");
    }
    for cut in [&b"\xe2"[..], b"\xe2\x80", b"\xc2"] {
        assert!(!has_odd_character(cut), "{cut:?}");
    }
}

proptest! {
    #[test]
    fn each_such_character_and_nothing_else_is_escaped_wherever_it_stands(
        parts in prop::collection::vec(prop_oneof![
            prop::sample::select(ODD.map(|(odd, _)| odd).to_vec()).prop_map(str::to_owned),
            prop::sample::select(vec!["\u{2014}", "\u{a0}", "\u{fffd}", "\u{1f}", "a"]).prop_map(str::to_owned),
            "[a-z\u{80}-\u{2fff}]{0,80}",
        ], 0..20),
    ) {
        let text = parts.concat();
        let expected = ODD.iter().fold(text.clone(), |text, (odd, code)| text.replace(odd, &format!("\\u{code}")));
        prop_assert_eq!(has_odd_character(text.as_bytes()), expected != text);
        prop_assert_eq!(replace_data(b"", text.as_bytes()), format!("data: {expected}\n\n"));
    }
}

/// Streams of all kinds of lines and line ends, some not UTF-8.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        &b"data: {\"a\":1}"[..],
        b"data:",
        b"data",
        b": comment",
        b"id: 1",
        b"event: message",
        b"retry: 5",
        b"",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"data: \xe2\x80\xa8x",
    ]);
    let end = prop::sample::select(vec![&b"\n"[..], b"\r", b"\r\n", b""]);
    prop::collection::vec((line, end), 0..40)
        .prop_map(|lines| lines.into_iter().flat_map(|(line, end)| [line, end].concat()).collect())
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_events_and_loses_no_byte(stream in stream(), sizes in prop::collection::vec(1usize..12, 1..8)) {
        let mut chunks = Vec::new();
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, later) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = later;
        }
        let whole = pieces([&stream[..]]);
        let chunked = pieces(chunks);
        prop_assert_eq!(raw(&whole), stream.clone());
        prop_assert_eq!(raw(&chunked), stream);
        let data = |pieces: &[Piece]| pieces.iter().filter_map(|piece| match piece {
            Piece::Event(event) => Some(event.data.clone()),
            Piece::Between(_) => None,
        }).collect::<Vec<_>>();
        prop_assert_eq!(data(&whole), data(&chunked));
    }

    #[test]
    fn replacing_changes_the_data_and_nothing_else(stream in stream(), new in "[a-z{}\r\n]{0,20}") {
        let fields = |raw: &[u8]| -> Vec<Vec<u8>> {
            let lines = raw.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty());
            // A comment in front, once nothing stands before it, is not part of the event.
            let kept = lines.filter(|line| !line.starts_with(b"data") && !line.starts_with(b":"));
            kept.filter(|line| !has_odd_character(line)).map(<[u8]>::to_vec).collect()
        };
        for piece in pieces([&stream[..]]) {
            let Piece::Event(event) = piece else { continue };
            // Behind a comment, so that it does not stand at the start of a stream.
            let replaced = pieces([&b":\n"[..], &replace_data(&event.raw, new.as_bytes())]);
            let lines = new.replace("\r\n", "\n").replace('\r', "\n");
            let replaced: Vec<_> = replaced.into_iter().filter_map(|piece| match piece {
                Piece::Event(event) => Some(event),
                Piece::Between(_) => None,
            }).collect();
            prop_assert_eq!(replaced.len(), 1);
            prop_assert_eq!(replaced[0].data.as_deref(), Some(lines.as_bytes()));
            prop_assert_eq!(fields(&replaced[0].raw), fields(&event.raw));
        }
    }
}
