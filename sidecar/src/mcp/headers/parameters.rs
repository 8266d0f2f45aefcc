//! Headers that repeat arguments: `x-mcp-header` in a tool's `inputSchema` (specification 2026-07-28).

use http::{HeaderMap, HeaderName};
use reeve_policy::json::{Kind, Number, Value};

use super::{PARAMETER_PREFIX, encoding};
use crate::mcp::envelope::Params;
use crate::mcp::rejection::{Cause, Rejection};

/// The most headers of one tool, and the deepest path to an argument; beyond, a schema's annotations are not read.
const MAX_HEADERS: usize = 64;
const MAX_DEPTH: usize = 16;

/// Which arguments of a tool are repeated in which headers. Made once for each schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterHeaders {
    entries: Vec<(HeaderName, Box<[String]>)>,
}

impl ParameterHeaders {
    /// Reads the annotations of an `inputSchema`: those reachable by `properties` alone. What the specification does not
    /// permit is left out, and its header forwarded unverified, as of an unknown tool.
    pub fn read(schema: Value<'_>) -> Self {
        let mut read = Self::default();
        read.collect(schema, &mut Vec::new());
        read
    }

    /// Whether no argument is repeated.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn collect(&mut self, schema: Value<'_>, path: &mut Vec<String>) {
        let properties = schema.get("properties").into_iter().flat_map(Value::members);
        for (key, property) in properties {
            if self.entries.len() >= MAX_HEADERS || path.len() >= MAX_DEPTH {
                return;
            }
            path.push(key.into_owned());
            let header = property.get("x-mcp-header").and_then(Value::as_str);
            if let Some(name) = header.and_then(|token| {
                HeaderName::from_bytes(format!("{PARAMETER_PREFIX}{token}").as_bytes())
                    .ok()
                    .filter(|_| !token.is_empty())
            }) {
                self.entries.push((name, path.as_slice().into()));
            }
            self.collect(property, path);
            path.pop();
        }
    }

    /// Whether each header that is there says what the argument says. One that is missing is the server's to refuse: it
    /// alone knows whether its schema has changed since it was seen.
    pub(super) fn verify(&self, headers: &HeaderMap, params: &Params<'_>) -> Result<(), Rejection> {
        if self.entries.is_empty() || !headers.keys().any(|name| name.as_str().starts_with(PARAMETER_PREFIX)) {
            return Ok(());
        }
        let arguments = params.arguments()?;
        for (name, path) in &self.entries {
            let Some(value) = headers.get(name) else {
                continue;
            };
            let text = encoding::decode(name, value)?;
            let argument = arguments.and_then(|all| path.iter().try_fold(all, |at, key| at.get(key)));
            if !argument.is_some_and(|argument| says(argument, &text)) {
                let message = format!("`{name}` differs from the argument that it repeats.");
                return Err(Rejection::new(Cause::HeaderMismatch, message));
            }
        }
        Ok(())
    }
}

/// Whether an argument's header reads so: strings as they are, booleans as words, whole numbers by value.
fn says(argument: Value<'_>, text: &str) -> bool {
    match argument.kind() {
        Kind::String => argument.as_str().is_some_and(|string| string == text),
        Kind::Bool => argument.as_bool().is_some_and(|flag| text == if flag { "true" } else { "false" }),
        Kind::Number => argument.as_number().is_some_and(|number| equals(number, text)),
        Kind::Null | Kind::Array | Kind::Object => false,
    }
}

fn equals(number: Number, text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
    match number {
        Number::Int(number) if text.parse() == Ok(number) => true,
        Number::UInt(number) if text.parse() == Ok(number) => true,
        #[allow(clippy::cast_precision_loss, reason = "the range in which it is permitted loses nothing")]
        Number::Int(number) if number.unsigned_abs() < 1 << 53 => plain && text.parse() == Ok(number as f64),
        Number::Float(number) => plain && text.parse() == Ok(number),
        Number::Int(_) | Number::UInt(_) => false,
    }
}

#[cfg(test)]
mod tests;
