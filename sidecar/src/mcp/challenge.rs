//! `WWW-Authenticate`: how a server says that a login is wanted, and where to read how.
//!
//! A client that gets a 401 reads the server's protected-resource metadata (RFC 9728), to which the parameter
//! `resource_metadata` of the challenge leads. Metadata at the server's own URL describe another resource than the one
//! the client called, so that clients refuse them: the parameter must lead to the sidecar.
//!
//! ```text
//! WWW-Authenticate: Bearer error="invalid_token", resource_metadata="https://imaging.example/.well-known/…"
//!                   └ scheme ┘└── parameter ───┘  └ name ──────────┘ └ span, quotes included ────────────┘
//! ```

use std::borrow::Cow;
use std::ops::Range;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

use super::headers::is_token;

/// The parameter that names the metadata's URL (RFC 9728, 5.1).
const RESOURCE_METADATA: &str = "resource_metadata";

/// Makes every challenge lead to these metadata. What cannot be read as challenges stays as it is.
pub fn lead_to(headers: &mut HeaderMap, metadata: &str) {
    let values: Vec<HeaderValue> = headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect();
    let led: Vec<Option<HeaderValue>> = values.iter().map(|value| leading_to(value, metadata)).collect();
    if led.iter().all(Option::is_none) {
        return;
    }
    headers.remove(WWW_AUTHENTICATE);
    for (value, led) in values.into_iter().zip(led) {
        headers.append(WWW_AUTHENTICATE, led.unwrap_or(value));
    }
}

/// Where the first challenge that says so leads.
pub fn metadata_url(headers: &HeaderMap) -> Option<String> {
    headers.get_all(WWW_AUTHENTICATE).iter().find_map(|value| {
        let text = value.to_str().ok()?;
        let found = parameters(text)?.into_iter().find(Parameter::is_resource_metadata)?;
        Some(found.value(text).into_owned())
    })
}

fn leading_to(value: &HeaderValue, metadata: &str) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    let found = parameters(text)?.into_iter().filter(Parameter::is_resource_metadata);
    let mut led = String::with_capacity(text.len() + metadata.len());
    let mut at = 0;
    for Parameter { span, .. } in found {
        led.push_str(&text[at..span.start]);
        led.push_str(&quoted(metadata));
        at = span.end;
    }
    if at == 0 {
        return None;
    }
    led.push_str(&text[at..]);
    HeaderValue::try_from(led).ok()
}

/// A quoted string (RFC 9110, 5.6.4).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A parameter of a challenge: its name, and where its value stands, with its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameter<'v> {
    name: &'v str,
    span: Range<usize>,
}

impl Parameter<'_> {
    fn is_resource_metadata(&self) -> bool {
        self.name.eq_ignore_ascii_case(RESOURCE_METADATA)
    }

    /// What the value stands for, given the text that it stands in.
    fn value<'v>(&self, text: &'v str) -> Cow<'v, str> {
        let written = &text[self.span.clone()];
        let Some(inner) = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Cow::Borrowed(written);
        };
        if !inner.contains('\\') {
            return Cow::Borrowed(inner);
        }
        let mut value = String::with_capacity(inner.len());
        let mut characters = inner.chars();
        while let Some(character) = characters.next() {
            value.extend(if character == '\\' { characters.next() } else { Some(character) });
        }
        Cow::Owned(value)
    }
}

/// The parameters of all challenges of one header; none if it is not a list of challenges (RFC 9110, 11.6.1). A comma
/// parts both challenges and their parameters: what is followed by `=` is a parameter, and anything else a scheme.
fn parameters(text: &str) -> Option<Vec<Parameter<'_>>> {
    let mut reader = Reader { text, at: 0 };
    let mut found = Vec::new();
    let mut in_challenge = false;
    loop {
        reader.skip(|byte| matches!(byte, b' ' | b'\t' | b','));
        if reader.is_at_end() {
            return Some(found);
        }
        if in_challenge && let Some(parameter) = reader.parameter() {
            found.push(parameter);
        } else {
            reader.token()?;
            in_challenge = true;
            if reader.skip(|byte| byte == b' ') > 0 && !reader.is_at_element_end() {
                match reader.parameter() {
                    Some(parameter) => found.push(parameter),
                    None => reader.token68()?,
                }
            }
        }
        if !reader.is_at_element_end() {
            return None;
        }
    }
}

/// Reads on from a place in a header.
struct Reader<'v> {
    text: &'v str,
    at: usize,
}

impl<'v> Reader<'v> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Skips what is like this; tells how much.
    fn skip(&mut self, is_like: impl Fn(u8) -> bool) -> usize {
        let begun = self.at;
        while self.peek().is_some_and(&is_like) {
            self.at += 1;
        }
        self.at - begun
    }

    fn token(&mut self) -> Option<&'v str> {
        let begun = self.at;
        (self.skip(is_token) > 0).then(|| &self.text[begun..self.at])
    }

    fn token68(&mut self) -> Option<()> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        (self.skip(is_part) > 0).then(|| _ = self.skip(|byte| byte == b'='))
    }

    /// A name, `=` and a value, up to the end of the element; else nothing is read.
    fn parameter(&mut self) -> Option<Parameter<'v>> {
        let begun = self.at;
        let parameter = self.read_parameter().filter(|_| self.is_at_element_end());
        if parameter.is_none() {
            self.at = begun;
        }
        parameter
    }

    fn read_parameter(&mut self) -> Option<Parameter<'v>> {
        let name = self.token()?;
        self.skip(is_space);
        if self.skip(|byte| byte == b'=') != 1 {
            return None;
        }
        self.skip(is_space);
        let start = self.at;
        if self.peek() == Some(b'"') {
            self.quoted()?;
        } else if self.skip(is_unquoted) == 0 {
            return None;
        }
        Some(Parameter { name, span: start..self.at })
    }

    fn quoted(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }

    /// Whether nothing but white space stands before the next comma, or the end.
    fn is_at_element_end(&self) -> bool {
        self.text[self.at..].bytes().find(|byte| !is_space(*byte)).is_none_or(|byte| byte == b',')
    }
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// A value without quotes should be a token. Clients read a URL there too.
fn is_unquoted(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",".contains(&byte)
}

#[cfg(test)]
mod tests;
