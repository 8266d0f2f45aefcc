use super::*;
use ParseErrorKind::*;

#[test]
fn what_rfc_8259_allows_is_accepted() {
    let texts = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "1e5",
        "1E+05",
        "1e-400",
        "-12.50e-2",
        "1.7976931348623157e308",
        "\"\"",
        "\"\u{7f}\u{80}\u{2028}\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        " \t\r\n[1,2]\r\n",
        "[[[]],{}]",
        r#"{"":{"":[]}}"#,
        r#"{"a":1,"A":2,"á":3}"#,
        r#""\"\\\/\b\f\n\r\t\u00e9\uFFFF""#,
        r#""\ud83d\ude00 \uD83D\uDE00""#,
        r#"[{"a":1},{"a":1}]"#,
        r#"{"a":{"a":{"a":1}}}"#,
        "9007199254740993",
        "100000000000000000000000000000",
    ];
    for text in texts {
        assert_eq!(parsed(text).root().raw(), text.trim().as_bytes());
    }
}

#[test]
fn everything_else_is_refused_with_its_cause_and_place() {
    let cases: &[(&str, ParseErrorKind, usize)] = &[
        ("", Empty, 0),
        (" \n", Empty, 0),
        ("\u{feff}{}", ByteOrderMark, 0),
        ("\u{feff}", ByteOrderMark, 0),
        // Not JSON.
        ("nul", Syntax, 0),
        ("True", Syntax, 0),
        ("NaN", Syntax, 0),
        ("Infinity", Syntax, 0),
        ("[NaN]", Syntax, 1),
        ("undefined", Syntax, 0),
        ("'a'", Syntax, 0),
        ("+1", Syntax, 0),
        (".5", Syntax, 0),
        ("[1,]", Syntax, 3),
        ("[,1]", Syntax, 1),
        ("[1 2]", Syntax, 3),
        ("[1", Syntax, 2),
        ("[", Syntax, 1),
        ("]", Syntax, 0),
        ("[1}", Syntax, 2),
        ("{\"a\":1]", Syntax, 6),
        ("{", Syntax, 1),
        ("{\"a\"", Syntax, 4),
        ("{\"a\":", Syntax, 5),
        ("{\"a\":1", Syntax, 6),
        ("{\"a\":1,}", Syntax, 7),
        ("{\"a\",1}", Syntax, 4),
        ("{\"a\" 1}", Syntax, 5),
        ("{a:1}", Syntax, 1),
        ("{1:1}", Syntax, 1),
        ("{\"a\":1 \"b\":2}", Syntax, 7),
        ("{\"a\"::1}", Syntax, 5),
        ("// c\n1", Syntax, 0),
        ("[1/**/]", Syntax, 2),
        ("\u{b}1", Syntax, 0),
        ("\u{c}1", Syntax, 0),
        ("\u{a0}1", Syntax, 0),
        ("[1\u{2028}]", Syntax, 2),
        ("\0", Syntax, 0),
        // Strings.
        ("\"a", Syntax, 2),
        ("\"a\nb\"", Syntax, 2),
        ("\"\t\"", Syntax, 1),
        ("\"abcdefghijk\u{1f}\"", Syntax, 12),
        ("\"\0\"", Syntax, 1),
        (r#""\x41""#, Syntax, 1),
        (r#""\'""#, Syntax, 1),
        (r#""\u12""#, Syntax, 1),
        (r#""\u12G4""#, Syntax, 1),
        (r#""\u+123""#, Syntax, 1),
        (r#""\U0041""#, Syntax, 1),
        ("\"\\", Syntax, 1),
        ("\"\\u00", Syntax, 1),
        (r#"{"\x":1}"#, Syntax, 2),
        (r#""\ud800""#, LoneSurrogate, 1),
        (r#""a\udc00""#, LoneSurrogate, 2),
        (r#""\ud800\ud800""#, LoneSurrogate, 1),
        (r#""\ud800A""#, LoneSurrogate, 1),
        (r#""\ud800\u0041""#, LoneSurrogate, 1),
        (r#""\ud800\n""#, LoneSurrogate, 1),
        (r#""\udc00\ud800""#, LoneSurrogate, 1),
        (r#"{"\udfff":1}"#, LoneSurrogate, 2),
        // Numbers.
        ("01", Number, 0),
        ("-01", Number, 0),
        ("[00]", Number, 1),
        ("-", Number, 1),
        ("-Infinity", Number, 1),
        ("1.", Number, 2),
        ("[1.,2]", Number, 3),
        ("1.e5", Number, 2),
        ("1e", Number, 2),
        ("1e+", Number, 3),
        ("-e1", Number, 1),
        ("1e400", Number, 0),
        ("[-1e400]", Number, 1),
        ("1.7976931348623159e308", Number, 0),
        ("1e99999999999999999999", Number, 0),
        // Numbers that end early.
        ("0x10", TrailingData, 1),
        ("1_000", TrailingData, 1),
        ("1.2.3", TrailingData, 3),
        ("[1.2.3]", Syntax, 4),
        ("[0x1]", Syntax, 2),
        // After the document.
        ("1 2", TrailingData, 2),
        ("{}{}", TrailingData, 2),
        ("{}\n[]", TrailingData, 3),
        ("{},", TrailingData, 2),
        ("[]]", TrailingData, 2),
        ("{}\0", TrailingData, 2),
        ("truefalse", TrailingData, 4),
        // Keys.
        (r#"{"a":1,"a":2}"#, DuplicateKey, 7),
        (r#"{"a":1,"b":2,"a":1}"#, DuplicateKey, 13),
        (r#"{"":1,"":2}"#, DuplicateKey, 6),
        (r#"{"a":1,"\u0061":2}"#, DuplicateKey, 7),
        (r#"{"\u0061":1,"a":2}"#, DuplicateKey, 12),
        (r#"{"\/":1,"/":2}"#, DuplicateKey, 8),
        (r#"{"\ud83d\ude00":1,"😀":2}"#, DuplicateKey, 18),
        (r#"[{"x":{"a":[],"a":{}}}]"#, DuplicateKey, 14),
        (r#"{"x":[{"k":{"a":1}},{"k":{"a":1,"a":1}}]}"#, DuplicateKey, 32),
    ];
    for &(text, kind, offset) in cases {
        assert_eq!(parse(text).err(), Some(ParseError { kind, offset }), "{text:?}");
    }
}

#[test]
fn invalid_utf8_is_refused_wherever_it_is() {
    let cases: &[(&[u8], usize)] = &[
        (b"\"\xff\"", 1),
        (b"\"ab\xc3\"", 3),
        (b"\"\xed\xa0\x80\"", 1),
        (b"\"\xc0\xaf\"", 1),
        (b"\"\xf4\x90\x80\x80\"", 1),
        (b"{\"\xe9\":1}", 2),
        (b"[]\xff", 2),
        (b"\xff\xfe[\0]\0", 0),
    ];
    for &(bytes, offset) in cases {
        let error = Document::parse(Bytes::from_static(bytes), Limits::default()).err();
        assert_eq!(error, Some(ParseError { kind: InvalidUtf8, offset }), "{bytes:?}");
    }
}

#[test]
fn nesting_is_counted_in_arrays_and_objects() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(128)).is_ok());
    assert_eq!(parse(&nested(129)).err(), Some(ParseError { kind: TooDeep, offset: 128 }));
    let nested = |depth: usize| format!("{}1{}", "{\"a\":[".repeat(depth), "]}".repeat(depth));
    assert!(parse(&nested(64)).is_ok());
    assert_eq!(parse(&nested(65)).err(), Some(ParseError { kind: TooDeep, offset: 64 * 6 }));
    assert!(parse(&format!("[{}[]]", "[],".repeat(1_000))).is_ok(), "siblings do not add up");
}

#[test]
fn values_and_keys_are_counted() {
    let limits = Limits { tokens: 6, ..Limits::default() };
    let parse = |text: &'static str| Document::parse(Bytes::from_static(text.as_bytes()), limits);
    assert!(parse(r#"[1,{"a":2},3]"#).is_ok());
    assert_eq!(parse(r#"[1,{"a":2},3,4]"#).err(), Some(ParseError { kind: TooManyTokens, offset: 13 }));
    let zeros = |count: usize| Bytes::from(format!("[0{}]", ",0".repeat(count - 1)));
    assert!(Document::parse(zeros(131_071), Limits::default()).is_ok());
    assert_eq!(
        Document::parse(zeros(131_072), Limits::default()).map_err(|error| error.kind).err(),
        Some(TooManyTokens)
    );
}

#[test]
fn a_key_that_occurs_twice_among_many_is_found() {
    for count in [2, 15, 16, 17, 18, 200] {
        for key in ["k0", "\\u006b0"] {
            let keys: Vec<_> = (0..count - 1).map(|at| format!("\"k{at}\":{{}}")).collect();
            let text = format!("{{{},\"{key}\":[]}}", keys.join(","));
            let offset = text.find(&format!("\"{key}\":[]")).unwrap();
            assert_eq!(parse(&text).err(), Some(ParseError { kind: DuplicateKey, offset }), "{count} keys, {key}");
            assert!(parse(&text.replace(&format!("\"{key}\":[]"), "\"K0\":[]")).is_ok());
        }
    }
}

#[test]
fn of_keys_that_look_alike_only_equal_ones_are_refused() {
    // Each as long as others, and with the same ends.
    let keys = ["axb", "ayb", "azb", "", "a", "b", "aa", "\u{e9}", "\u{e8}"];
    let object = |keys: &[&str]| {
        format!("{{{}}}", keys.iter().map(|key| format!("\"{key}\":[0]")).collect::<Vec<_>>().join(","))
    };
    assert!(parse(&object(&keys)).is_ok());
    for key in keys {
        let offset = object(&keys).len();
        let twice = object(&[&keys[..], &[key]].concat());
        assert_eq!(parse(&twice).err(), Some(ParseError { kind: DuplicateKey, offset }), "{key}");
    }
}

#[test]
fn a_number_is_refused_from_the_first_that_no_double_holds() {
    assert!(parse(&format!("1{}", "0".repeat(308))).is_ok());
    assert_eq!(parse(&format!("1{}", "0".repeat(309))).err(), Some(ParseError { kind: Number, offset: 0 }));
    assert_eq!(parse(&format!("[{}e98]", "9".repeat(211))).err(), Some(ParseError { kind: Number, offset: 1 }));
    assert!(parse(&format!("0.{}1e400", "0".repeat(400))).is_ok());
}

#[test]
fn an_error_reads_as_a_cause_and_a_place() {
    assert_eq!(parse("[1,]").err().map(|error| error.to_string()).as_deref(), Some("not JSON at byte 3"));
}

proptest! {
    #[test]
    fn what_serde_accepts_without_a_duplicate_key_is_accepted_and_nothing_else(text in texts(), at in any::<prop::sample::Index>(), with in "[\\PC\0-\u{20}]|[\\[\\]{}\",:0-9eE.\\\\u-]") {
        laws::hold(text.as_bytes());
        prop_assert!(parse(&text).is_ok());
        // A text that is nearly right: one character replaced, inserted or removed.
        let characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        let (before, after) = (String::from_iter(&characters[..at]), String::from_iter(&characters[at..]));
        let without = after.chars().skip(1).collect::<String>();
        for near in [format!("{before}{with}{after}"), format!("{before}{with}{without}"), format!("{before}{without}"), before] {
            laws::hold(near.as_bytes());
        }
    }

    #[test]
    fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        laws::hold(&bytes);
    }
}
