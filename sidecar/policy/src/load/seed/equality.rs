//! Equality of the format → CEL. A number or boolean equals its own text: an agent must not get around `"value": 5` by sending
//! `"5"`.
//!
//! In CEL a comparison of two types is an error where one comes from the arguments, so each type is tested for by itself. A text
//! beside a number is read as one: what spells the number otherwise equals it too, and what cannot be read is an error,
//! as a server may be able to.

use serde_json::Value;

use crate::expr::spelling::text;

/// The values that something is compared with, as literals, by what they are equal to.
#[derive(Default)]
struct Literals {
    /// Texts that equal a text.
    texts: Vec<String>,
    /// Numbers that a text is read for, and whether all of them are whole.
    numbers: Vec<String>,
    are_whole: bool,
    /// Booleans that a text may be the text of.
    booleans: Vec<bool>,
    /// Everything that equals a number, and a boolean.
    as_numbers: Vec<String>,
    as_booleans: Vec<String>,
}

/// The expression that is true where something equals one of these values; none if one is no scalar, or there is none.
pub(super) fn one_of(access: &str, values: &[&Value]) -> Option<String> {
    let mut literals = Literals { are_whole: true, ..Literals::default() };
    for value in values {
        literals.add(value)?;
    }
    let as_text = literals.of_a_text(access);
    let otherwise = match (is_in(access, &literals.as_numbers), is_in(access, &literals.as_booleans)) {
        (Some(number), Some(boolean)) => format!("(type({access}) == bool ? {boolean} : {number})"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => return as_text,
    };
    Some(format!("(type({access}) == string ? {} : {otherwise})", as_text?))
}

impl Literals {
    fn add(&mut self, value: &Value) -> Option<()> {
        match value {
            Value::String(string) => {
                self.texts.push(text(string));
                match serde_json::from_str(string) {
                    Ok(Value::Number(number)) if plain(&number) == *string => self.as_numbers.push(literal(&number)),
                    Ok(Value::Bool(boolean)) => self.as_booleans.push(boolean.to_string()),
                    _ => {}
                }
            }
            Value::Number(number) => {
                self.are_whole &= number.is_i64();
                self.numbers.push(literal(number));
                self.as_numbers.push(literal(number));
            }
            Value::Bool(boolean) => {
                self.booleans.push(*boolean);
                self.as_booleans.push(boolean.to_string());
            }
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        }
        Some(())
    }

    /// The expression for something that is a text.
    fn of_a_text(&self, access: &str) -> Option<String> {
        let read = if self.are_whole { format!("int({access})") } else { format!("double({access})") };
        // Of the texts that are neither, a server may take any for either.
        let boolean =
            |value: &bool| format!("{access} == \"{value}\" || ({access} != \"{}\" && {access} == {value})", !value);
        let ways = is_in(access, &self.texts).into_iter().chain(is_in(&read, &self.numbers));
        let ways: Vec<_> = ways.chain(self.booleans.iter().map(boolean)).collect();
        (!ways.is_empty()).then(|| ways.join(" || "))
    }
}

fn is_in(access: &str, literals: &[String]) -> Option<String> {
    match literals {
        [] => None,
        [only] => Some(format!("{access} == {only}")),
        several => Some(format!("{access} in [{}]", several.join(", "))),
    }
}

/// A number as people write it: `5`, not `5.0`.
fn plain(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float.to_string(),
        _ => number.to_string(),
    }
}

/// A number in CEL: a whole number, or with a point.
pub(super) fn literal(number: &serde_json::Number) -> String {
    let plain = plain(number);
    if number.is_i64() || plain.contains('.') { plain } else { format!("{plain}.0") }
}
