//! Reads serde types from a [`Node`].

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::{Data, Node};
use crate::pace::pause;

/// Why a document could not be read into its type. Structure is checked before, so that this is rare.
pub(in crate::load) type Error = serde::de::value::Error;

impl Node {
    /// Reads the value into a type.
    ///
    /// # Errors
    /// What serde says.
    pub(in crate::load) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(self)
    }

    /// Reads an object into a type, as if it lacked one field.
    ///
    /// # Errors
    /// What serde says.
    pub(in crate::load) fn read_without<T: DeserializeOwned>(&self, field: &str) -> Result<T, Error> {
        let others = self.members().iter().filter(|member| member.key != field);
        T::deserialize(MapDeserializer::new(others.map(|member| (member.key.as_str(), &member.value))))
    }
}

impl<'de> IntoDeserializer<'de, Error> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.data {
            Data::Null => visitor.visit_unit(),
            Data::Bool(value) => visitor.visit_bool(*value),
            Data::Number(number) => {
                if let Some(value) = number.as_u64() {
                    visitor.visit_u64(value)
                } else if let Some(value) = number.as_i64() {
                    visitor.visit_i64(value)
                } else if let Some(value) = number.as_f64() {
                    visitor.visit_f64(value)
                } else {
                    Err(Error::custom("a number out of range"))
                }
            }
            Data::String(text) => visitor.visit_borrowed_str(text),
            Data::Array(items) => SeqDeserializer::new(items.iter().inspect(|_| pause())).deserialize_any(visitor),
            Data::Object(members) => {
                let members = members.iter().map(|member| (member.key.as_str(), &member.value));
                MapDeserializer::new(members).deserialize_any(visitor)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.data {
            Data::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.data {
            Data::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => Err(Error::custom("expected a word")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
