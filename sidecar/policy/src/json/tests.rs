mod canonical;
mod documents;
mod hostile;
mod names;
mod torn;
mod values;

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Document, ParseError> {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), Limits::default())
}

fn parsed(text: &str) -> Document {
    parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn canonical_text(text: &str) -> String {
    let mut form = Vec::new();
    canonical(parsed(text).root(), &mut |piece| form.extend_from_slice(piece));
    String::from_utf8(form).unwrap()
}

/// A JSON text of any shape, spelled in many ways, in which no key occurs twice.
fn texts() -> impl Strategy<Value = String> {
    let scalar =
        prop_oneof![Just("null".to_owned()), Just("true".to_owned()), Just("false".to_owned()), numbers(), strings(),];
    scalar.prop_recursive(5, 64, 20, |inner| {
        let spaced = (inner, spaces()).prop_map(|(value, space)| format!("{space}{value}{space}")).boxed();
        let array = prop::collection::vec(spaced.clone(), 0..20).prop_map(|items| format!("[{}]", items.join(",")));
        let object = prop::collection::vec((strings(), spaced), 0..20).prop_map(|members| {
            let mut seen = HashSet::new();
            let mut texts = Vec::new();
            for (key, value) in members {
                if seen.insert(serde_json::from_str::<String>(&key).unwrap()) {
                    texts.push(format!("{key}:{value}"));
                }
            }
            format!("{{{}}}", texts.join(","))
        });
        prop_oneof![array, object]
    })
}

fn spaces() -> impl Strategy<Value = String> {
    "[ \t\n\r]{0,2}"
}

fn numbers() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?"
}

/// Strings of few characters, each as itself or escaped.
fn strings() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => "[ab]",
        1 => "[é\u{fb33}😀/]",
        1 => prop::sample::select(vec!["\\u0061", "\\u00E9", "\\ud83d\\uDE00", "\\n", "\\\"", "\\\\", "\\/", "\\u0000", "\\u001f", "\\b"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(character, 0..5).prop_map(|characters| format!("\"{}\"", characters.concat()))
}
