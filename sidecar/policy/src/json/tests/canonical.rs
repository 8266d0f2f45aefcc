use sha2::{Digest as _, Sha256};

use super::*;

#[test]
fn the_form_is_that_of_rfc_8785() {
    let text = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let form = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
    assert_eq!(canonical_text(text), form);
}

#[test]
fn members_stand_in_the_order_of_utf16_code_units() {
    let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
    assert_eq!(canonical_text(text), "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}");
}

#[test]
fn a_number_is_written_as_ecmascript_writes_it() {
    let cases = [
        ("0.0", "0"),
        ("-0.0", "0"),
        ("0e9", "0"),
        ("1e-400", "0"),
        ("1.0", "1"),
        ("-1.50", "-1.5"),
        ("1e2", "100"),
        ("123.456e1", "1234.56"),
        ("1e20", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("1.5e300", "1.5e+300"),
        ("123456789012345680000.0", "123456789012345680000"),
        ("0.000001", "0.000001"),
        ("1.25e-6", "0.00000125"),
        ("0.0000001", "1e-7"),
        ("-1.25e-7", "-1.25e-7"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("9007199254740993.0", "9007199254740992"),
    ];
    for (text, form) in cases {
        assert_eq!(canonical_text(text), form, "{text}");
    }
}

#[test]
fn a_whole_number_keeps_its_digits_however_many() {
    assert_eq!(canonical_text("-0"), "0");
    for digits in ["9007199254740992", "9007199254740993", "-18446744073709551617", "1000000000000000000000000000001"] {
        assert_eq!(canonical_text(digits), digits);
    }
}

#[test]
fn the_hash_is_that_of_the_form() {
    let long = format!("[{}\"{}\"]", "1,".repeat(400), "x".repeat(700));
    for text in ["{}", r#"{"b":[1,{"d":1,"c":"\u0041"}],"a":2}"#, &long] {
        let expected: [u8; 32] = Sha256::digest(canonical_text(text)).into();
        assert_eq!(hash(parsed(text).root()), expected);
    }
}

#[test]
fn values_that_differ_have_different_forms() {
    let texts = [
        "null",
        "\"null\"",
        "[]",
        "{}",
        "[[]]",
        "[[],[]]",
        "[1,2]",
        "[12]",
        "[\"1,2\"]",
        "{\"a\":1}",
        "{\"a\":{\"b\":1}}",
        "[\"a\",1]",
        "\"\\n\"",
        "\"\\\\n\"",
    ];
    let forms: std::collections::HashSet<_> = texts.iter().map(|text| canonical_text(text)).collect();
    assert_eq!(forms.len(), texts.len());
}

/// The value written anew: members in another order, more white space, every character escaped.
fn respelled(value: Value<'_>) -> String {
    let escaped = |text: &str| {
        let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{}\"", units.concat())
    };
    match value.kind() {
        Kind::Array => format!("[ {}\n]", value.items().map(respelled).collect::<Vec<_>>().join("\t, ")),
        Kind::Object => {
            let mut members: Vec<_> =
                value.members().map(|(key, value)| format!("{} :\r{}", escaped(&key), respelled(value))).collect();
            members.reverse();
            format!("{{\n{} }}", members.join(" ,"))
        }
        Kind::String => escaped(&value.as_str().unwrap()),
        _ => String::from_utf8(value.raw().to_vec()).unwrap(),
    }
}

proptest! {
    #[test]
    fn the_form_does_not_depend_on_spelling(text in texts()) {
        let again = respelled(parsed(&text).root());
        prop_assert_eq!(canonical_text(&text), canonical_text(&again));
        prop_assert_eq!(hash(parsed(&text).root()), hash(parsed(&again).root()));
    }

    #[test]
    fn the_form_is_its_own_form_and_says_the_same(text in texts()) {
        let form = canonical_text(&text);
        prop_assert_eq!(&canonical_text(&form), &form);
        prop_assert!(laws::same(parsed(&form).root(), &serde_json::from_str(&text).unwrap()));
    }

    #[test]
    fn a_double_written_reads_back(number in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL) {
        let form = canonical_text(&format!("{number:e}"));
        prop_assert_eq!(form.parse::<f64>(), Ok(number), "{}", form);
    }

    #[test]
    fn keys_are_ordered_as_their_code_units_are(one in "\\PC{0,4}|[\u{e000}-\u{ffff}😀]{0,4}", other in "\\PC{0,4}|[\u{e000}-\u{ffff}😀]{0,4}") {
        // A key cannot occur twice.
        let other = if one == other { format!("{other}x") } else { other };
        let text = serde_json::to_string(&std::collections::HashMap::from([(&one, 1), (&other, 1)])).unwrap();
        let document = canonical_text(&text);
        let document = parsed(&document);
        let first = document.root().members().next().unwrap().0.into_owned();
        prop_assert_eq!(first == one, one.encode_utf16().lt(other.encode_utf16()));
    }
}
