//! Headers that repeat arguments of a call, compared with them.

use http::{HeaderMap, HeaderName};
use reeve_policy::catalogue::{REPEATED_PREFIX, Repeated};
use reeve_policy::json::{Kind, Number, Value};

use super::encoding;
use crate::mcp::envelope::Params;
use crate::mcp::rejection::{Cause, Rejection};

/// Whether each header that is there says what the argument says. One that is missing is the server's to refuse: it alone
/// knows whether its schema has changed since it was seen.
pub(super) fn verify(repeated: &[Repeated], headers: &HeaderMap, params: &Params<'_>) -> Result<(), Rejection> {
    if repeated.is_empty() || !headers.keys().any(is_parameter) {
        return Ok(());
    }
    let arguments = params.arguments()?;
    for Repeated { header, path } in repeated {
        let Some(value) = headers.get(&**header) else {
            continue;
        };
        let text = encoding::decode(header, value)?;
        let argument = arguments.and_then(|all| path.iter().try_fold(all, |at, key| at.get(key)));
        if !argument.is_some_and(|argument| says(argument, &text)) {
            let message = format!("`{header}` differs from the argument that it repeats.");
            return Err(Rejection::new(Cause::HeaderMismatch, message));
        }
    }
    Ok(())
}

/// Whether a header of this name repeats an argument.
pub(in crate::mcp) fn is_parameter(name: &HeaderName) -> bool {
    name.as_str().starts_with(REPEATED_PREFIX)
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
