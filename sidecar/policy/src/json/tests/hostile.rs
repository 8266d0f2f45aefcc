use std::time::{Duration, Instant};

use super::*;

/// Far more than any of these takes, far less than what is quadratic would.
const DEADLINE: Duration = Duration::from_secs(10);

const UNBOUNDED: Limits = Limits { depth: usize::MAX, tokens: usize::MAX };

fn large(text: String) -> Result<Document, ParseError> {
    let began = Instant::now();
    let document = Document::parse(Bytes::from(text), UNBOUNDED);
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
    document
}

fn object(keys: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", keys.map(|key| format!("\"{key}\":0")).collect::<Vec<_>>().join(","))
}

#[test]
fn many_keys_with_one_prefix_are_read_and_found_in_linear_time() {
    let prefix = "a".repeat(40);
    let document = large(object((0..100_000).map(|at| format!("{prefix}{at}")))).unwrap();
    assert_eq!(document.root().len(), 100_000);
    let began = Instant::now();
    for at in 0..100_000 {
        assert!(document.root().get(&format!("{prefix}{at}")).is_some());
    }
    // Some of these have the same half of a hash as a key that is there.
    for at in 100_000..500_000 {
        assert!(document.root().get(&format!("{prefix}{at}")).is_none());
    }
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
}

#[test]
fn many_escaped_keys_are_read_in_linear_time() {
    let escaped =
        |at: u32| format!("{at:05}").chars().map(|digit| format!("\\u{:04x}", digit as u32)).collect::<String>();
    assert_eq!(large(object((0..60_000).map(escaped))).unwrap().root().len(), 60_000);
}

#[test]
fn a_few_long_escaped_keys_are_read_in_linear_time() {
    let long = "\\u0061".repeat(40_000);
    assert_eq!(large(object((10..26).map(|at| format!("{long}{at}")))).unwrap().root().len(), 16);
}

#[test]
fn depth_takes_neither_stack_nor_time() {
    let depth = 4 << 20;
    assert_eq!(large("[".repeat(depth)).err(), Some(ParseError { kind: ParseErrorKind::Syntax, offset: depth }));
    let document = large("[".repeat(depth / 2) + &"]".repeat(depth / 2)).unwrap();
    let mut length = 0;
    canonical(document.root(), &mut |piece| length += piece.len());
    assert_eq!(length, depth);
    assert!(large("{\"\":".repeat(depth / 4)).is_err());
}

#[test]
fn long_strings_and_numbers_are_read_in_linear_time() {
    let document = large(format!("\"{}\"", "\\ud83d\\ude00".repeat(300_000))).unwrap();
    assert_eq!(document.root().as_str().unwrap().chars().count(), 300_000);
    assert_eq!(large("9".repeat(4 << 20)).map_err(|error| error.kind).err(), Some(ParseErrorKind::Number));
    assert!(large(format!("0.{}", "1".repeat(4 << 20))).is_ok());
    assert!(large(format!("[{}0]", format!("{}.5,", "8".repeat(300)).repeat(10_000))).is_ok());
    assert!(large(format!("{}1", " ".repeat(4 << 20))).is_ok());
}
