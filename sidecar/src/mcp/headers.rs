//! Request and response headers: what is refused, verified against the body, forwarded, dropped.
//!
//! Headers are never what policy decides on; the body is. They are verified because the server, or a gateway before it,
//! may act on them.

mod encoding;
mod forward;
mod names;
mod parameters;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use reeve_policy::catalogue::Repeated;

pub use forward::{for_agent, for_upstream};
pub(super) use parameters::is_parameter;

use super::envelope::{Envelope, Message};
use super::rejection::{Cause, Rejection};
use super::version::Era;

/// The header that repeats the method.
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// The header that repeats what is called.
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// The header that carries a legacy session.
pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// The header by which a legacy stream is resumed.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Headers of which a request has at most one, beside every `Mcp-*`: somebody on the way could read another one.
const SINGLE: [HeaderName; 5] =
    [CONTENT_TYPE, CONTENT_ENCODING, http::header::CONTENT_LENGTH, http::header::AUTHORIZATION, LAST_EVENT_ID];

/// The most headers of a request, however large they may be together: well below what a map of headers can hold, beyond which
/// adding one more panics.
pub const MOST: usize = 4_096;

/// Whether a request's headers are such that they mean one thing. Of every request, whatever its method.
///
/// # Errors
/// [`Cause::HeadersTooLarge`] if they are too many; [`Cause::DuplicateHeader`]; [`Cause::InvalidHeader`] if `Connection` would have a header of the protocol removed on the
/// way, or if a header of the protocol is not visible ASCII.
pub fn check(headers: &HeaderMap) -> Result<(), Rejection> {
    if headers.len() > MOST {
        return Err(Rejection::new(Cause::HeadersTooLarge, format!("The request has more than {MOST} headers.")));
    }
    let some_repeat = headers.len() > headers.keys_len();
    for name in headers.keys() {
        let protocol = name.as_str().starts_with("mcp-");
        if some_repeat && (protocol || SINGLE.contains(name)) && headers.get_all(name).iter().nth(1).is_some() {
            return Err(Rejection::new(Cause::DuplicateHeader, format!("`{name}` occurs more than once.")));
        }
        if protocol && headers.get(name).is_some_and(|value| value.to_str().is_err()) {
            let message = format!("`{name}` is not visible ASCII: encode it as =?base64?…?=.");
            return Err(Rejection::new(Cause::InvalidHeader, message));
        }
    }
    match forward::named_in_connection(headers).find(|name| protected(name)) {
        Some(name) => {
            let message = format!("`Connection` names `{name}`, which is no hop-by-hop header.");
            Err(Rejection::new(Cause::InvalidHeader, message))
        }
        None => Ok(()),
    }
}

/// Whether a request's headers say that its body is plain JSON in UTF-8.
///
/// # Errors
/// [`Cause::ContentEncoding`], [`Cause::MediaType`], [`Cause::Charset`].
pub fn check_body(headers: &HeaderMap) -> Result<(), Rejection> {
    if headers.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Rejection::new(Cause::ContentEncoding, "Encoded bodies are not read: send the JSON as it is."));
    }
    let media_type = || Rejection::new(Cause::MediaType, "Content-Type must be application/json.");
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(media_type)?;
    if value == "application/json" {
        return Ok(());
    }
    let mut parts = value.split(';');
    if !parts.next().is_some_and(|part| part.trim_matches([' ', '\t']).eq_ignore_ascii_case("application/json")) {
        return Err(media_type());
    }
    // A parameter may be empty (RFC 9110 section 5.6.6).
    for parameter in parts.map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or_else(media_type)?;
        if !name.eq_ignore_ascii_case("charset") {
            return Err(Rejection::new(Cause::MediaType, "Content-Type may have no parameter but charset=utf-8."));
        }
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        // Both spellings are labels of UTF-8, and of nothing else.
        if !["utf-8", "utf8"].iter().any(|label| value.eq_ignore_ascii_case(label)) {
            return Err(Rejection::new(Cause::Charset, "The charset must be utf-8."));
        }
    }
    Ok(())
}

/// Whether the headers that repeat parts of the body say what the body says. `repeated`: which arguments are, of a tool whose
/// schema is known; headers of others are forwarded as they are, as the specification requires.
///
/// In the legacy era, which has no such headers, they are not read; [`for_upstream`] drops them.
///
/// # Errors
/// [`Cause::MissingHeader`], [`Cause::HeaderMismatch`], [`Cause::InvalidHeader`], each with the message's id.
pub fn verify(headers: &HeaderMap, envelope: &Envelope<'_>, era: Era, repeated: &[Repeated]) -> Result<(), Rejection> {
    match era {
        Era::Legacy => Ok(()),
        Era::Modern => verify_routing(headers, envelope)
            .and_then(|()| parameters::verify(repeated, headers, &envelope.params))
            .map_err(|rejection| rejection.of(envelope.id().map(super::envelope::Id::raw))),
    }
}

/// Which member of `params` a method's `Mcp-Name` repeats, and whether it must be there. The tasks extension requires it of
/// `tasks/*`, but not every client of that extension sends it.
fn named(method: &str) -> Option<(Member, Presence)> {
    match method {
        "tools/call" | "prompts/get" => Some((Member::Name, Presence::Required)),
        "resources/read" => Some((Member::Uri, Presence::Required)),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some((Member::TaskId, Presence::Optional)),
        _ => None,
    }
}

enum Member {
    Name,
    Uri,
    TaskId,
}

#[derive(PartialEq)]
enum Presence {
    Required,
    Optional,
}

fn verify_routing(headers: &HeaderMap, envelope: &Envelope<'_>) -> Result<(), Rejection> {
    let Some(method) = envelope.method() else {
        return Ok(());
    };
    match headers.get(METHOD) {
        Some(value) if value.as_bytes() == method.as_bytes() => {}
        Some(_) => return Err(mismatch(&METHOD, "`method`")),
        // The specification leaves the headers of notifications undefined.
        None if matches!(envelope.message, Message::Notification { .. }) => {}
        None => return Err(missing(&METHOD)),
    }
    let Some((member, presence)) = named(method) else {
        let unnamed = !headers.contains_key(NAME);
        return if unnamed { Ok(()) } else { Err(mismatch(&NAME, "what the method names, which is nothing,")) };
    };
    let (body, source) = match member {
        Member::Name => (envelope.params.name()?, "`params.name`"),
        Member::Uri => (envelope.params.uri()?, "`params.uri`"),
        Member::TaskId => (envelope.params.task_id()?, "`params.taskId`"),
    };
    match headers.get(NAME) {
        Some(value) if encoding::decode(NAME.as_str(), value)? == body => Ok(()),
        Some(_) => Err(mismatch(&NAME, source)),
        None if presence == Presence::Optional => Ok(()),
        None => Err(missing(&NAME)),
    }
}

/// Headers that decide what a request is, which `Connection` cannot have removed.
fn protected(name: &str) -> bool {
    let name = name.trim_matches([' ', '\t']).to_ascii_lowercase();
    name.starts_with("mcp-")
        || SINGLE.iter().any(|single| single.as_str() == name)
        || [http::header::HOST, http::header::ACCEPT, http::header::ORIGIN].iter().any(|known| known.as_str() == name)
}

/// Whether a token, such as the name of a header, may hold it (RFC 9110, 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn mismatch(name: &HeaderName, source: &str) -> Rejection {
    Rejection::new(Cause::HeaderMismatch, format!("`{name}` differs from {source} in the body."))
}

fn missing(name: &HeaderName) -> Rejection {
    Rejection::new(Cause::MissingHeader, format!("`{name}` is missing; this era of the protocol requires it."))
}

#[cfg(test)]
mod tests;
