//! Reads an object as JSON without the record of who set which field, `metadata.managedFields`: often the longer half of it, and
//! no webhook's business.

use std::fmt;

use serde::Deserialize as _;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads it. To be used as `deserialize_with`.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Without(&["metadata", "managedFields"]).deserialize(deserializer)
}

/// Reads whatever is there, without what is at this path of fields.
struct Without(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Without {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Without {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(field) = map.next_key::<String>()? {
            match self.0 {
                [left_out] if field == *left_out => drop(map.next_value::<IgnoredAny>()?),
                [on_the_way, rest @ ..] if field == *on_the_way => {
                    object.insert(field, map.next_value_seed(Self(rest))?);
                }
                _ => drop(object.insert(field, map.next_value()?)),
            }
        }
        Ok(Value::Object(object))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Value, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(seq))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_from(text: &str) -> Result<Value, serde_json::Error> {
        read(&mut serde_json::Deserializer::from_str(text))
    }

    #[test]
    fn all_is_read_but_who_set_which_field() {
        let kept =
            json!({"managedFields": 1, "spec": {"metadata": {"managedFields": 2}}, "list": [1, -1, 0.5, true, null]});
        let mut written = kept.clone();
        written["metadata"] = json!({"name": "a", "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}]});
        let mut read = read_from(&written.to_string()).unwrap();
        assert_eq!(read["metadata"].take(), json!({"name": "a"}));
        read.as_object_mut().unwrap().remove("metadata");
        assert_eq!(read, kept);
    }

    #[test]
    fn what_is_no_object_is_read_as_it_is() {
        for value in [json!(null), json!(true), json!(1), json!(-1), json!(0.5), json!("x"), json!([{"metadata": 1}])] {
            assert_eq!(read_from(&value.to_string()).unwrap(), value);
        }
        assert_eq!(read_from(r#"{"metadata": 7}"#).unwrap(), json!({"metadata": 7}));
        assert!(read_from(r#"{"metadata": {"managedFields": [}}"#).is_err());
    }
}
