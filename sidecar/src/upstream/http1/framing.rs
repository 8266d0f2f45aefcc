//! How an answer ends, and whether its connection can carry another. Pure.

use std::time::Duration;

use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};

use super::malformed::Malformed;

/// Where the body of an answer ends (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// After the last of its chunks.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It may carry another call.
    Kept,
    Closed,
}

/// How an answer to a request of this method ends, and what becomes of its connection then.
///
/// # Errors
/// It cannot be told, or not by everybody in the same way.
pub(super) fn of(method: &Method, head: &Parts) -> Result<(Framing, After), Malformed> {
    let stated = stated(head);
    if has_no_body(method, head.status) {
        // Where one is stated all the same, it could come and be taken for the next answer.
        let unstated = *method == Method::HEAD || matches!(stated, Ok(Framing::UntilClose | Framing::Length(0)));
        return Ok((Framing::Length(0), if unstated { after(head) } else { After::Closed }));
    }
    let framing = stated?;
    Ok((framing, if framing == Framing::UntilClose { After::Closed } else { after(head) }))
}

/// Where the body ends by what the headers say.
fn stated(head: &Parts) -> Result<Framing, Malformed> {
    match (is_chunked(head)?, content_length(&head.headers)?) {
        (true, Some(_)) => Err(Malformed::TwoFramings),
        (true, None) => Ok(Framing::Chunked),
        (false, Some(length)) => Ok(Framing::Length(length)),
        (false, None) => Ok(Framing::UntilClose),
    }
}

/// Whatever its headers say.
fn has_no_body(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// RFC 9112, 9.3. After a switch of protocols it speaks another.
fn after(head: &Parts) -> After {
    let closes = |option: &[u8]| option.eq_ignore_ascii_case(b"close");
    let ends = head.version != Version::HTTP_11
        || head.status == StatusCode::SWITCHING_PROTOCOLS
        || members(&head.headers, &header::CONNECTION).any(closes);
    if ends { After::Closed } else { After::Kept }
}

/// How much earlier than its server closes it a connection is not used any more: a call could cross the close on its way.
const AHEAD: Duration = Duration::from_secs(1);

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// For how long a connection may wait for another call, if the server says when it closes it (`Keep-Alive: timeout=5`; RFC 2068,
/// 19.7.1.1, and what many servers send).
pub(super) fn may_wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = members(headers, &KEEP_ALIVE).filter_map(|parameter| {
        let (name, value) = parameter.split_at_checked(b"timeout=".len())?;
        if name.eq_ignore_ascii_case(b"timeout=") { number(value) } else { None }
    });
    let timeout = Duration::from_secs(seconds.min()?);
    Some(timeout - AHEAD.min(timeout / 2))
}

/// The one coding that is read is `chunked`, and once (RFC 9112, 6.1). No other was asked for.
fn is_chunked(head: &Parts) -> Result<bool, Malformed> {
    let mut codings = members(&head.headers, &header::TRANSFER_ENCODING);
    let Some(first) = codings.next() else { return Ok(false) };
    if head.version != Version::HTTP_11 {
        return Err(Malformed::OldTransferEncoding);
    }
    if first.eq_ignore_ascii_case(b"chunked") && codings.next().is_none() {
        Ok(true)
    } else {
        Err(Malformed::TransferEncoding)
    }
}

/// The same number may be stated more than once (RFC 9110, 8.6).
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut lengths = members(headers, &header::CONTENT_LENGTH).map(number);
    let Some(first) = lengths.next() else { return Ok(None) };
    if first.is_some() && lengths.all(|other| other == first) { Ok(first) } else { Err(Malformed::ContentLength) }
}

/// Decimal digits only: `str::parse` takes a sign too.
fn number(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.bytes().all(|digit| digit.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// The members of a header that is a list, on however many lines.
fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let lines = headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    lines.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(status: u16, headers: &[(&str, &str)]) -> Result<(Framing, After), Malformed> {
        framed_for(&Method::POST, Version::HTTP_11, status, headers)
    }

    fn framed_for(
        method: &Method,
        version: Version,
        status: u16,
        headers: &[(&str, &str)],
    ) -> Result<(Framing, After), Malformed> {
        let response = http::Response::builder().status(status).version(version);
        let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, *value));
        of(method, &response.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn an_answer_ends_as_its_headers_say() {
        for (headers, framing, after) in [
            ([("content-length", "5")].as_slice(), Framing::Length(5), After::Kept),
            (&[("content-length", "5, 5"), ("content-length", "5")], Framing::Length(5), After::Kept),
            (&[("content-length", "18446744073709551615")], Framing::Length(u64::MAX), After::Kept),
            (&[("transfer-encoding", "Chunked")], Framing::Chunked, After::Kept),
            (&[("content-length", "5"), ("connection", "x, Close")], Framing::Length(5), After::Closed),
            (
                &[("transfer-encoding", "chunked"), ("connection", "close"), ("connection", "keep-alive")],
                Framing::Chunked,
                After::Closed,
            ),
            (&[], Framing::UntilClose, After::Closed),
            (&[("connection", "keep-alive")], Framing::UntilClose, After::Closed),
        ] {
            assert_eq!(framed(200, headers), Ok((framing, after)), "{headers:?}");
        }
    }

    #[test]
    fn an_answer_whose_end_is_not_certain_is_none() {
        for (headers, expected) in [
            ([("content-length", "5"), ("transfer-encoding", "chunked")].as_slice(), Malformed::TwoFramings),
            (&[("content-length", "5"), ("content-length", "6")], Malformed::ContentLength),
            (&[("content-length", "5, 6")], Malformed::ContentLength),
            (&[("content-length", "+5")], Malformed::ContentLength),
            (&[("content-length", "-5")], Malformed::ContentLength),
            (&[("content-length", "0x5")], Malformed::ContentLength),
            (&[("content-length", "5 5")], Malformed::ContentLength),
            (&[("content-length", "")], Malformed::ContentLength),
            (&[("content-length", "5,")], Malformed::ContentLength),
            (&[("content-length", "18446744073709551616")], Malformed::ContentLength),
            (&[("transfer-encoding", "gzip")], Malformed::TransferEncoding),
            (&[("transfer-encoding", "gzip, chunked")], Malformed::TransferEncoding),
            (&[("transfer-encoding", "chunked, chunked")], Malformed::TransferEncoding),
            (&[("transfer-encoding", "chunked"), ("transfer-encoding", "identity")], Malformed::TransferEncoding),
            (&[("transfer-encoding", "chunked;q=1")], Malformed::TransferEncoding),
            (&[("transfer-encoding", "")], Malformed::TransferEncoding),
        ] {
            assert_eq!(framed(200, headers), Err(expected), "{headers:?}");
        }
        let old = framed_for(&Method::POST, Version::HTTP_10, 200, &[("transfer-encoding", "chunked")]);
        assert_eq!(old, Err(Malformed::OldTransferEncoding));
    }

    #[test]
    fn an_answer_without_a_body_has_none_and_one_that_states_it_ends_its_connection() {
        for status in [204, 304] {
            assert_eq!(framed(status, &[]), Ok((Framing::Length(0), After::Kept)));
            assert_eq!(framed(status, &[("content-length", "0")]), Ok((Framing::Length(0), After::Kept)));
            assert_eq!(framed(status, &[("content-length", "5")]), Ok((Framing::Length(0), After::Closed)));
            assert_eq!(framed(status, &[("transfer-encoding", "chunked")]), Ok((Framing::Length(0), After::Closed)));
            let both = [("content-length", "0"), ("transfer-encoding", "chunked")];
            assert_eq!(framed(status, &both), Ok((Framing::Length(0), After::Closed)));
        }
        let head = framed_for(&Method::HEAD, Version::HTTP_11, 200, &[("content-length", "5")]);
        assert_eq!(head, Ok((Framing::Length(0), After::Kept)));
        assert_eq!(framed(101, &[]), Ok((Framing::Length(0), After::Closed)));
    }

    #[test]
    fn a_connection_waits_less_long_than_its_server_says_that_it_leaves_it_open() {
        for (value, milliseconds) in [
            ("timeout=5", Some(4_000)),
            ("Timeout=5, max=100", Some(4_000)),
            ("max=100,timeout=60", Some(59_000)),
            ("timeout=60, timeout=5", Some(4_000)),
            ("timeout=1", Some(500)),
            ("timeout=0", Some(0)),
            ("timeout=18446744073709551615", Some(18_446_744_073_709_551_614_000)),
            ("timeout=", None),
            ("timeout=-5", None),
            ("max=5", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(KEEP_ALIVE.clone(), HeaderValue::from_static(value))]);
            assert_eq!(may_wait(&headers).map(|wait| wait.as_millis()), milliseconds, "{value}");
        }
        assert_eq!(may_wait(&HeaderMap::new()), None);
    }

    #[test]
    fn a_connection_of_http_1_0_is_never_kept() {
        let old =
            framed_for(&Method::POST, Version::HTTP_10, 200, &[("content-length", "5"), ("connection", "keep-alive")]);
        assert_eq!(old, Ok((Framing::Length(5), After::Closed)));
    }
}
