use super::*;

#[test]
fn each_value_tells_its_kind_and_no_other() {
    let document = parsed(r#"[null,true,"a",1,[1],{"a":1}]"#);
    let kinds: Vec<_> = document.root().items().map(Value::kind).collect();
    assert_eq!(kinds, [Kind::Null, Kind::Bool, Kind::String, Kind::Number, Kind::Array, Kind::Object]);
    for value in document.root().items() {
        let kind = value.kind();
        assert_eq!(value.is_null(), kind == Kind::Null);
        assert_eq!(value.as_bool().is_some(), kind == Kind::Bool);
        assert_eq!(value.as_str().is_some(), kind == Kind::String);
        assert_eq!(value.as_number().is_some(), kind == Kind::Number);
        assert_eq!(value.items().count(), usize::from(kind == Kind::Array));
        assert_eq!(value.members().count(), usize::from(kind == Kind::Object));
        assert_eq!(value.get("a").is_some(), kind == Kind::Object);
        assert_eq!(value.is_empty(), !matches!(kind, Kind::Array | Kind::Object));
    }
}

#[test]
fn a_number_is_read_into_the_type_that_holds_it() {
    let cases = [
        ("0", Number::Int(0)),
        ("-0", Number::Int(0)),
        ("-0.0", Number::Float(-0.0)),
        ("-9223372036854775808", Number::Int(i64::MIN)),
        ("9223372036854775807", Number::Int(i64::MAX)),
        ("9223372036854775808", Number::UInt(1 << 63)),
        ("18446744073709551615", Number::UInt(u64::MAX)),
        ("18446744073709551616", Number::Float(18_446_744_073_709_551_616.0)),
        ("-9223372036854775809", Number::Float(-9_223_372_036_854_775_808.0)),
        ("1.0", Number::Float(1.0)),
        ("1e2", Number::Float(100.0)),
        ("5e-324", Number::Float(5e-324)),
        ("1e-400", Number::Float(0.0)),
    ];
    for (text, number) in cases {
        assert_eq!(parsed(text).root().as_number(), Some(number), "{text}");
    }
}

#[test]
fn a_string_is_decoded_and_borrowed_where_it_can_be() {
    let document = parsed(r#"["plain é","\"\\\/\b\f\n\r\t","\u00e9\ud83d\ude00x\u0000"]"#);
    let strings: Vec<_> = document.root().items().filter_map(Value::as_str).collect();
    assert_eq!(strings, ["plain é", "\"\\/\u{8}\u{c}\n\r\t", "é😀x\0"]);
    assert!(matches!(strings[0], std::borrow::Cow::Borrowed(_)));
    let third = document.root().items().nth(2).unwrap();
    assert!(third.is_str("é😀x\0"));
    for other in ["", "é", "é😀x", "é😀x\0\0", "\\u00e9😀x\0"] {
        assert!(!third.is_str(other));
    }
}

#[test]
fn a_member_is_found_by_its_decoded_key() {
    for count in [1, 3, 16, 17, 200] {
        let members: Vec<_> =
            (0..count).map(|at| format!("\"k\\u00{:02x}{at}\":[{at},{{}}]", b'A' + at % 26)).collect();
        let document = parsed(&format!("{{{}}}", members.join(" , ")));
        let root = document.root();
        assert_eq!(root.len(), usize::from(count));
        for at in 0..count {
            let key = format!("k{}{at}", char::from(b'A' + (at % 26)));
            assert_eq!(root.get(&key).unwrap().raw(), format!("[{at},{{}}]").as_bytes());
        }
        assert!(root.get("k").is_none() && root.get("k\\u0041").is_none() && root.get("").is_none());
    }
    let plain: Vec<_> = (0..40).map(|at| format!("\"k{at}\":{at}")).collect();
    let document = parsed(&format!("{{{}}}", plain.join(",")));
    assert_eq!(document.root().get("k39").and_then(Value::as_number), Some(Number::Int(39)));
    assert!(document.root().get("k40").is_none());
}

#[test]
fn a_key_that_another_parser_would_take_for_this_one_is_a_variant() {
    let has = |other: &str, key: &str| parsed(&format!("{{\"x\":1,\"{other}\":1}}")).root().has_case_variant(key);
    for (other, key) in [
        ("Name", "name"),
        ("NAME", "name"),
        ("\\u004eame", "name"),
        ("paramſ", "params"),
        ("\u{212a}ey", "key"),
        ("name\\u0000", "name"),
        ("NAME\\u0000\\u0000", "name"),
        ("name\\u0000x", "name"),
        ("STRASSE", "straße"),
        ("straẞe", "straße"),
        ("ΣΑΣ", "σας"),
        ("µ", "\u{3bc}"),
        ("name", "Name"),
    ] {
        assert!(has(other, key), "{other:?} for {key:?}");
    }
    for (other, key) in [
        ("name", "name"),
        ("names", "name"),
        ("nam", "name"),
        ("na_me", "name"),
        ("\\u006eame", "name"),
        ("", "name"),
        ("ñame", "name"),
    ] {
        assert!(!has(other, key), "{other:?} for {key:?}");
    }
    assert!(!parsed("[\"Name\"]").root().has_case_variant("name"));
    assert!(!parsed("{\"x\":{\"Name\":1}}").root().has_case_variant("name"), "only siblings count");
}

#[test]
fn nothing_that_a_document_says_is_in_its_debug_output() {
    let document = parsed(r#"{"secret":"s3cr3t"}"#);
    assert_eq!(format!("{document:?} {:?}", document.root()), "Document(19 bytes) Object at 0..19");
}

/// A value's text again, put together from the spans of what it holds and what stands between them.
fn put_together(text: &str, value: Value<'_>) -> String {
    let mut whole = String::new();
    let mut at = value.span().start;
    for child in value.items().chain(value.members().map(|(_, value)| value)) {
        whole += &text[at..child.span().start];
        whole += &put_together(text, child);
        at = child.span().end;
    }
    whole + &text[at..value.span().end]
}

proptest! {
    #[test]
    fn raw_values_and_what_is_between_them_are_the_document(text in texts()) {
        let document = parsed(&text);
        prop_assert_eq!(put_together(&text, document.root()), text.trim());
    }

    #[test]
    fn a_numeral_reads_as_the_standard_library_reads_it(text in numbers()) {
        let document = parsed(&text);
        match document.root().as_number().unwrap() {
            Number::Int(number) => prop_assert_eq!(Ok(number), text.parse()),
            Number::UInt(number) => prop_assert_eq!(Ok(number), text.parse()),
            Number::Float(number) => {
                prop_assert_eq!(Ok(number), text.parse());
                prop_assert!(text.parse::<i64>().is_err() && text.parse::<u64>().is_err());
            }
        }
    }
}
