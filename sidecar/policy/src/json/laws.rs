//! What is true of any bytes at all: for property tests, and for fuzzing.

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Document, Kind, Limits, Number, ParseError, ParseErrorKind, Value, canonical, hash};

/// Checks that the parser agrees with serde_json about these bytes, and that the canonical form of what they say is one.
///
/// # Panics
/// If it does not.
pub fn hold(bytes: &[u8]) {
    let document = Document::parse(Bytes::copy_from_slice(bytes), Limits::default());
    torn_is_what_is_strict_once_it_is_mended(bytes, &document);
    let strict = serde_json::from_slice::<Strict>(bytes);
    match (document, strict) {
        (Ok(document), Ok(Strict(other))) => {
            assert!(same(document.root(), &other), "read differently");
            canonical_form_is_stable(&document);
        }
        // serde_json stops one level earlier, and rounds the largest doubles up.
        (Ok(_), Err(error)) => assert!(is_excused(&error.to_string()), "accepted, but: {error}"),
        (Err(error), Ok(_)) => assert!(
            matches!(error.kind, ParseErrorKind::TooDeep | ParseErrorKind::TooManyTokens | ParseErrorKind::Number),
            "refused: {error}"
        ),
        (Err(_), Err(_)) => {}
    }
}

fn torn_is_what_is_strict_once_it_is_mended(bytes: &[u8], document: &Result<Document, ParseError>) {
    let torn = Document::parse_torn(Bytes::copy_from_slice(bytes), Limits::default());
    match (document, torn) {
        (Ok(_), torn) => assert!(torn.is_ok_and(|torn| !torn.is_torn() && torn.bytes() == bytes), "not read alike"),
        (Err(error), Ok(torn)) => {
            assert!(error.kind == ParseErrorKind::LoneSurrogate && torn.is_torn(), "accepted, but: {error}");
            let mended = Document::parse(torn.bytes().clone(), Limits::default());
            assert!(mended.is_ok_and(|mended| mended.tape.len() == torn.tape.len()), "mended to another document");
        }
        (Err(_), Err(_)) => {}
    }
}

fn is_excused(error: &str) -> bool {
    error.contains("recursion limit") || error.contains("out of range")
}

fn canonical_form_is_stable(document: &Document) {
    let form = |document: &Document| {
        let mut form = Vec::new();
        canonical(document.root(), &mut |piece| form.extend_from_slice(piece));
        form
    };
    let first = form(document);
    let again = Document::parse(Bytes::from(first.clone()), Limits::default());
    assert_eq!(again.as_ref().map(form).as_ref(), Ok(&first), "the form of the form");
    assert_eq!(again.map(|again| hash(again.root())), Ok(hash(document.root())));
}

/// Whether a value is what serde_json read.
pub fn same(value: Value<'_>, other: &serde_json::Value) -> bool {
    match (value.kind(), other) {
        (Kind::Null, serde_json::Value::Null) => true,
        (Kind::Bool, &serde_json::Value::Bool(other)) => value.as_bool() == Some(other),
        (Kind::String, serde_json::Value::String(other)) => {
            value.as_str().as_deref() == Some(other) && value.is_str(other)
        }
        (Kind::Number, serde_json::Value::Number(other)) => match value.as_number() {
            Some(Number::Int(number)) => {
                other.as_i64().map_or(Some(number as f64) == other.as_f64(), |other| other == number)
            }
            Some(Number::UInt(number)) => {
                other.as_u64().map_or(Some(number as f64) == other.as_f64(), |other| other == number)
            }
            // serde_json may be off by the last bit.
            Some(Number::Float(number)) => {
                other.as_f64().is_some_and(|other| (number - other).abs() <= number.abs() * 1e-15)
            }
            None => false,
        },
        (Kind::Array, serde_json::Value::Array(other)) => {
            value.len() == other.len() && value.items().zip(other).all(|(value, other)| same(value, other))
        }
        (Kind::Object, serde_json::Value::Object(other)) => {
            value.len() == other.len()
                && value.members().all(|(key, value)| other.get(&*key).is_some_and(|other| same(value, other)))
                && other.iter().all(|(key, other)| value.get(key).is_some_and(|value| same(value, other)))
        }
        _ => false,
    }
}

/// A value in which no key occurs twice in one object.
struct Strict(serde_json::Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = serde_json::Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(serde_json::Value::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(value.into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(value.into())
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(value.into())
            }

            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(value.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
                let mut array = Vec::new();
                while let Some(Strict(element)) = elements.next_element()? {
                    array.push(element);
                }
                Ok(array.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut object = serde_json::Map::new();
                let mut seen = HashSet::new();
                while let Some((key, Strict(value))) = members.next_entry::<String, _>()? {
                    if !seen.insert(key.clone()) {
                        return Err(A::Error::custom("a key occurs twice"));
                    }
                    object.insert(key, value);
                }
                Ok(object.into())
            }
        }

        deserializer.deserialize_any(Any).map(Strict)
    }
}
