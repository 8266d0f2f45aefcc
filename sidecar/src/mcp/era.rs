//! Which version a message speaks: the one table header × body.
//!
//! Servers choose the era by different evidence: some by the body's `_meta`, some by the `MCP-Protocol-Version` header, and
//! legacy-only servers look at neither. A message on which the two differ would be checked under one era's rules and
//! carried out under another's, so header and body must agree and everything else is refused.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use super::envelope::{Envelope, Message};
use super::rejection::{Cause, Rejection};
use super::version::{Era, Version};

/// The header that names the version.
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// What the header says: the rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// There is none.
    Absent,
    /// A version of the legacy era.
    Legacy,
    /// A version of the modern era.
    Modern,
    /// Anything else.
    Unknown,
}

/// What the body says: the columns of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `initialize`, without a version in `_meta`: the handshake of the legacy era.
    Handshake,
    /// Any other request without a version in `_meta`.
    Request,
    /// A notification without a version in `_meta`.
    Notification,
    /// A response.
    Response,
    /// A request or notification whose `_meta` names a version of the legacy era, which had no such key.
    MetaLegacy,
    /// A request or notification whose `_meta` names a version of the modern era.
    MetaModern,
    /// A request or notification whose `_meta` names anything else.
    MetaUnknown,
}

/// What a header and a body lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// It speaks the header's version.
    Header,
    /// It speaks the header's version if the body names the same; else [`Cause::HeaderMismatch`].
    Same,
    /// It speaks [`Version::ASSUMED`].
    Assumed,
    /// It speaks the legacy version that the handshake offers, else [`Version::ASSUMED`].
    Offered,
    /// Refused as [`Cause::UnsupportedVersion`] if header and body name the same, else as [`Cause::HeaderMismatch`].
    Unsupported,
    /// Refused.
    Refuse(Cause),
}

impl Header {
    /// The rows, in the order of [`TABLE`].
    pub const ALL: [Self; 4] = [Self::Absent, Self::Legacy, Self::Modern, Self::Unknown];

    fn of(text: Option<&str>) -> Self {
        match text.map(Version::parse) {
            None => Self::Absent,
            Some(None) => Self::Unknown,
            Some(Some(version)) => match version.era() {
                Era::Legacy => Self::Legacy,
                Era::Modern => Self::Modern,
            },
        }
    }
}

impl Body {
    /// The columns, in the order of [`TABLE`].
    pub const ALL: [Self; 7] = [
        Self::Handshake,
        Self::Request,
        Self::Notification,
        Self::Response,
        Self::MetaLegacy,
        Self::MetaModern,
        Self::MetaUnknown,
    ];

    fn of(envelope: &Envelope<'_>, meta: Option<&str>) -> Self {
        match (&envelope.message, meta) {
            (Message::Response { .. }, _) => Self::Response,
            (_, Some(text)) => match Version::parse(text).map(Version::era) {
                Some(Era::Legacy) => Self::MetaLegacy,
                Some(Era::Modern) => Self::MetaModern,
                None => Self::MetaUnknown,
            },
            (Message::Request { method, .. }, None) if method == "initialize" => Self::Handshake,
            (Message::Request { .. }, None) => Self::Request,
            (Message::Notification { .. }, None) => Self::Notification,
        }
    }
}

/// The table: a row for each [`Header`], a column for each [`Body`].
///
/// A modern header without a version in the body is a request that lacks a required member (`InvalidParams`), as the
/// specification words it, and not a mismatch. Only the modern era requires the header of notifications, and no era a
/// version in them. Responses have no place in the modern era.
#[rustfmt::skip]
pub const TABLE: [[Cell; 7]; 4] = {
    use Cause::{EraMismatch, HeaderMismatch, InvalidParams, MissingHeader, UnsupportedVersion};
    use Cell::{Assumed, Header, Offered, Refuse, Same, Unsupported};
    [
        // Handshake            Request                     Notification                Response                    MetaLegacy               MetaModern               MetaUnknown
        [Offered,               Assumed,                    Assumed,                    Assumed,                    Refuse(MissingHeader),   Refuse(MissingHeader),   Refuse(MissingHeader)], // Absent
        [Offered,               Header,                     Header,                     Header,                     Unsupported,             Refuse(EraMismatch),     Refuse(HeaderMismatch)], // Legacy
        [Refuse(EraMismatch),   Refuse(InvalidParams),      Header,                     Refuse(EraMismatch),        Refuse(EraMismatch),     Same,                    Refuse(HeaderMismatch)], // Modern
        [Refuse(UnsupportedVersion), Refuse(UnsupportedVersion), Refuse(UnsupportedVersion), Refuse(UnsupportedVersion), Refuse(HeaderMismatch), Refuse(HeaderMismatch), Unsupported], // Unknown
    ]
};

/// The version that a posted message speaks.
///
/// # Errors
/// If header and body do not agree, or on a version that does not exist.
pub fn agree(headers: &HeaderMap, envelope: &Envelope<'_>) -> Result<Version, Rejection> {
    agreed(headers, envelope).map_err(|rejection| rejection.of(envelope.id().map(super::envelope::Id::raw)))
}

fn agreed(headers: &HeaderMap, envelope: &Envelope<'_>) -> Result<Version, Rejection> {
    let header = version_header(headers)?;
    let header = header.as_deref();
    // A version that is no string is one that nobody knows.
    let meta = envelope.params.meta_protocol_version().map(|value| value.as_str().unwrap_or(Cow::Borrowed("")));
    let meta = meta.as_deref();
    let (row, column) = (Header::of(header), Body::of(envelope, meta));
    let named = header.and_then(Version::parse).unwrap_or(Version::ASSUMED);
    match TABLE[row as usize][column as usize] {
        Cell::Assumed => Ok(Version::ASSUMED),
        Cell::Header => Ok(named),
        Cell::Same if header == meta => Ok(named),
        Cell::Offered => {
            let offered = envelope.params.offered_version().as_deref().and_then(Version::parse);
            Ok(offered.filter(|version| version.era() == Era::Legacy).unwrap_or(Version::ASSUMED))
        }
        Cell::Unsupported if header == meta => {
            Err(Rejection::unsupported_version(header.unwrap_or_default(), Some(Era::Modern)))
        }
        Cell::Same | Cell::Unsupported => Err(refusal(Cause::HeaderMismatch)),
        Cell::Refuse(Cause::UnsupportedVersion) => {
            Err(Rejection::unsupported_version(header.unwrap_or_default(), None))
        }
        Cell::Refuse(cause) => Err(refusal(cause)),
    }
}

/// The version that a request without a body (GET, DELETE) speaks. There are none in the modern era.
///
/// # Errors
/// In the modern era ([`Cause::HttpMethod`]), and on a version that does not exist.
pub fn without_body(headers: &HeaderMap) -> Result<Version, Rejection> {
    let header = version_header(headers)?;
    match (Header::of(header.as_deref()), header.as_deref().and_then(Version::parse)) {
        (Header::Absent, _) => Ok(Version::ASSUMED),
        (Header::Legacy, Some(version)) => Ok(version),
        (Header::Modern, _) => {
            Err(Rejection::new(Cause::HttpMethod, "The modern era of the protocol has only POST requests."))
        }
        _ => Err(Rejection::unsupported_version(header.as_deref().unwrap_or_default(), None)),
    }
}

/// The header's text; what is not text is no version, and reads as such.
fn version_header(headers: &HeaderMap) -> Result<Option<Cow<'_, str>>, Rejection> {
    let mut values = headers.get_all(PROTOCOL_VERSION).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Rejection::new(Cause::DuplicateHeader, "MCP-Protocol-Version occurs more than once."));
    }
    Ok(first.map(|value| String::from_utf8_lossy(value.as_bytes())))
}

fn refusal(cause: Cause) -> Rejection {
    let message = match cause {
        Cause::MissingHeader => "The body's _meta names a protocol version: send the same in MCP-Protocol-Version.",
        Cause::InvalidParams => "This era requires params._meta[\"io.modelcontextprotocol/protocolVersion\"].",
        Cause::EraMismatch => "MCP-Protocol-Version belongs to another era of the protocol than the body.",
        _ => "MCP-Protocol-Version and the version in the body's _meta differ.",
    };
    Rejection::new(cause, message)
}

/// The table, in Markdown, as `docs/` shows it.
pub fn markdown() -> String {
    let mut table = String::from("| header \\ body |");
    for body in Body::ALL {
        table.push_str(match body {
            Body::Handshake => " `initialize` |",
            Body::Request => " request without `_meta` version |",
            Body::Notification => " notification without `_meta` version |",
            Body::Response => " response |",
            Body::MetaLegacy => " `_meta` names a legacy version |",
            Body::MetaModern => " `_meta` names a modern version |",
            Body::MetaUnknown => " `_meta` names an unknown version |",
        });
    }
    table.push_str("\n|---|---|---|---|---|---|---|---|\n");
    for (header, row) in Header::ALL.into_iter().zip(TABLE) {
        table.push_str(match header {
            Header::Absent => "| absent |",
            Header::Legacy => "| legacy version |",
            Header::Modern => "| modern version |",
            Header::Unknown => "| unknown version |",
        });
        for cell in row {
            table.push_str(&match cell {
                Cell::Header => " the header's version |".to_owned(),
                Cell::Same => format!(" the version, if both name the same; else `{}` |", Cause::HeaderMismatch),
                Cell::Assumed => format!(" {} is assumed |", Version::ASSUMED),
                Cell::Offered => format!(" legacy: the version it offers, else {} |", Version::ASSUMED),
                Cell::Unsupported => {
                    format!(
                        " `{}` if both name the same; else `{}` |",
                        Cause::UnsupportedVersion,
                        Cause::HeaderMismatch
                    )
                }
                Cell::Refuse(cause) => format!(" `{cause}` |"),
            });
        }
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests;
