//! Keys against many names at a time.

use proptest::prelude::*;

use super::*;

/// Names and keys of characters that are taken for one another, or end a key for some.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec!['s', 'S', 'ſ', 'ß', 'k', '\u{212a}', 'é', 'É', '\0', '"', '😀']),
        0..4,
    )
    .prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn a_key_meets_just_the_names_that_it_is_or_is_a_variant_of(names in prop::collection::vec(text(), 0..12), key in text(), escaped in any::<bool>()) {
        let written = match escaped {
            true => key.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect::<String>(),
            false => key.replace('"', "\\\"").replace('\0', "\\u0000"),
        };
        let document = parsed(&format!("{{\"{written}\":1}}"));
        let mut sorted: Vec<_> = names.iter().map(|name| Name::new(name)).collect();
        sorted.sort();
        let (found, _) = document.root().keyed().next().unwrap();
        let met: Vec<_> = found.alike(&sorted, |name| name).iter().map(Name::as_str).collect();
        let expected: Vec<_> = sorted.iter().map(Name::as_str)
            .filter(|name| *name == key || document.root().has_case_variant(name))
            .collect();
        prop_assert_eq!(met, expected);
        for name in &names {
            prop_assert_eq!(found.is(name), *name == key);
        }
    }
}
