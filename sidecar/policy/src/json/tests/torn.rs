//! Strings in which half of a surrogate pair stands alone.

use super::*;

fn parse_torn(text: &str) -> Result<Document, ParseError> {
    Document::parse_torn(Bytes::copy_from_slice(text.as_bytes()), Limits::default())
}

#[test]
fn half_a_pair_in_a_value_is_mended_and_the_string_is_no_text() {
    for (text, mended) in [
        (r#"["\ud83d"]"#, r#"["\ufffd"]"#),
        (r#"["a\uDE00b"]"#, r#"["a\ufffdb"]"#),
        (r#"["\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#),
        (r#"["\ude00\ud83d"]"#, r#"["\ufffd\ufffd"]"#),
        (r#"["\ud83d\u0041\n"]"#, r#"["\ufffd\u0041\n"]"#),
        (r#"["\\\ud83d\\ud83d"]"#, r#"["\\\ufffd\\ud83d"]"#),
    ] {
        let document = parse_torn(text).unwrap();
        assert_eq!(document.bytes(), mended);
        assert!(document.is_torn() && parsed(mended).root().items().next().unwrap().as_str().is_some());
        let value = document.root().items().next().unwrap();
        assert_eq!((value.kind(), value.as_str(), value.is_torn()), (Kind::String, None, true), "{text}");
        assert!(!value.is_str("\u{fffd}") && !value.is_str("a\u{fffd}b") && !value.is_str(""), "{text}");
        assert_eq!(parse(text).map_err(|error| error.kind).err(), Some(ParseErrorKind::LoneSurrogate));
    }
}

#[test]
fn half_a_pair_in_a_key_is_refused_everywhere() {
    for (text, offset) in [(r#"{"\ud83d":1}"#, 2), (r#"["\ud83d",{"a":{"b\ude00":1}}]"#, 18)] {
        let expected = ParseError { kind: ParseErrorKind::LoneSurrogate, offset };
        assert_eq!(parse_torn(text).err(), Some(expected), "{text}");
    }
}

#[test]
fn nothing_else_is_accepted_for_half_a_pair_before_it() {
    use ParseErrorKind::{DuplicateKey, InvalidUtf8, Number, Syntax, TooDeep, TrailingData};
    for (text, kind) in [
        (r#"["\ud83d"#.to_owned(), Syntax),
        (r#"["\ud83d\u00G0"]"#.to_owned(), Syntax),
        (r#"["\ud83d\x"]"#.to_owned(), Syntax),
        (r#"["\ud83d"]]"#.to_owned(), TrailingData),
        (r#"["\ud83d",1e400]"#.to_owned(), Number),
        (r#"{"a":"\ud83d","a":1}"#.to_owned(), DuplicateKey),
        (format!(r#"["\ud83d",{}"#, "[".repeat(200)), TooDeep),
    ] {
        assert_eq!(parse_torn(&text).map_err(|error| error.kind).err(), Some(kind), "{text}");
    }
    let bytes = Bytes::from_static(b"[\"\\ud83d\",\"\xed\xa0\x80\"]");
    let error = Document::parse_torn(bytes, Limits::default()).err();
    assert_eq!(error.map(|error| error.kind), Some(InvalidUtf8));
}

/// Every value of a document, in order.
fn all<'d>(value: Value<'d>, into: &mut Vec<Value<'d>>) {
    into.push(value);
    value.items().chain(value.members().map(|(_, value)| value)).for_each(|value| all(value, into));
}

proptest! {
    #[test]
    fn a_torn_document_is_the_mended_one_but_for_what_its_torn_strings_say(text in texts()) {
        // Some escapes of whole characters become halves; in keys they stay.
        let torn = text.replace(":\"\\u00E9", ":\"\\ud83d").replace(",\"\\u0061\"", ",\"\\ude00\"");
        let mended = text.replace(":\"\\u00E9", ":\"\\ufffd").replace(",\"\\u0061\"", ",\"\\ufffd\"");
        let Ok(document) = parse_torn(&torn) else { return Ok(()) };
        let strict = parsed(&mended);
        prop_assert_eq!(document.bytes(), strict.bytes());
        prop_assert_eq!(document.is_torn(), torn != mended);
        let (mut values, mut others) = (Vec::new(), Vec::new());
        all(document.root(), &mut values);
        all(strict.root(), &mut others);
        prop_assert_eq!(values.len(), others.len());
        for (value, other) in values.into_iter().zip(others) {
            prop_assert_eq!((value.kind(), value.span(), value.len()), (other.kind(), other.span(), other.len()));
            prop_assert_eq!(value.as_str(), other.as_str().filter(|_| !value.is_torn()));
            prop_assert_eq!(value.is_torn(), torn[value.span()] != mended[value.span()] && value.kind() == Kind::String);
        }
    }
}
