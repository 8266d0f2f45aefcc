//! The canonical form of URIs: RFC 3986 section 6.2.2, and where that leaves two spellings of what servers take for one
//! resource, one of them.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The schemes whose URIs have a host and a path, and their ports (RFC 9110 section 4.2, RFC 6455 section 3, RFC 1738 section
/// 3.2): those that the URL Standard calls special, but for `file`. Parsers mend their URIs if they lack one.
const WEB: [(&str, &str); 5] = [("http", "80"), ("https", "443"), ("ws", "80"), ("wss", "443"), ("ftp", "21")];

const ESCAPED_CONTROL: &str = "a URI with an escaped control character is always refused; leave it out";

/// The URI with those escapes written out that stand for characters which a path may have: clients that fill in a template escape them
/// (RFC 6570 section 3.2.2), and servers that read one undo that, so that both spellings are one resource. URIs, and the patterns that
/// select them, are compared so. Not `*`, which a pattern cannot say.
pub fn alike(uri: &str) -> Cow<'_, str> {
    unescaped(uri, |byte| byte != b'*' && OF_A_PATH.contains(&byte))
}

/// The text with those escapes written out that stand for such bytes of ASCII.
pub fn unescaped(text: &str, is_written_out: impl Fn(u8) -> bool) -> Cow<'_, str> {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default();
    if first.len() == text.len() {
        return Cow::Borrowed(text);
    }
    let mut unescaped = first.to_owned();
    for part in parts {
        let escaped = part.split_at_checked(2).and_then(|(digits, rest)| {
            let byte = u8::from_str_radix(digits, 16).ok()?;
            (byte.is_ascii() && is_written_out(byte)).then_some((char::from(byte), rest))
        });
        match escaped {
            Some((character, rest)) => {
                unescaped.push(character);
                unescaped.push_str(rest);
            }
            None => {
                unescaped.push('%');
                unescaped.push_str(part);
            }
        }
    }
    Cow::Owned(unescaped)
}

/// Whether a URI is in canonical form: RFC 3986 characters alone, lower-case scheme and host, no `.` or `..` segment, no escape
/// of an unreserved character, upper-case escapes, no control characters, no backslash, no user information, no default
/// port. Beyond section 6.2.2, where servers differ: no escape of a control character, nor, in a path, of `/` or `\`, nor a segment
/// that is `.` or `..` but for its parameters (`..;x`); addresses in their usual form; no empty query or fragment; a path, if only
/// `/`, in `http`, `https`, `ws`, `wss` and `ftp` URIs; in those of `ftp` no empty segment, no parameters and no query; `file`
/// URIs begin with `file:///`, so that they name no host, and have no empty segment and no query; in all of these, no fragment,
/// and in their paths no escape of a character that a path may have. Only such a URI is matched against `resources`, so that two
/// spellings of one resource cannot be told apart by a server alone. In other schemes an escape and what it stands for are [`alike`].
pub fn is_canonical_uri(uri: &str) -> bool {
    check(uri).is_ok()
}

/// Whether a URI in canonical form may begin like this: no segment of its path that is complete stands in the way, nor
/// anything before. Of a beginning without a path all is possible.
pub fn may_begin_canonical_uri(beginning: &str) -> bool {
    let authority = beginning.find("://").map_or(0, |scheme| scheme + 3);
    match beginning[authority..].rfind('/') {
        Some(slash) => is_canonical_uri(&format!("{}x", &beginning[..=authority + slash])),
        None => true,
    }
}

/// Why a URI is not in canonical form: what does not match, and what to write.
pub(super) fn check(uri: &str) -> Result<(), &'static str> {
    let (scheme, rest) = uri.split_once(':').unwrap_or_default();
    let first = scheme.bytes().next().unwrap_or_default();
    if !first.is_ascii_alphabetic()
        || !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    {
        return Err("a URI begins with its scheme; write it too, as in file:///etc/** or s3://bucket/**");
    }
    if scheme.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("the scheme of a URI is matched in lower case; write it so");
    }
    check_escapes(rest)?;
    let (rest, fragment) = after(rest, '#');
    let (rest, query) = after(rest, '?');
    if query == Some("") || fragment == Some("") {
        return Err("a URI with an empty query or fragment is always refused; leave out the ? or #");
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (Some(authority), path)
        }
        None => (None, rest),
    };
    if let Some(authority) = authority {
        check_authority(scheme, authority)?;
    }
    check_characters(path, b":@/")?;
    check_characters(query.unwrap_or_default(), b":@/?")?;
    check_characters(fragment.unwrap_or_default(), b":@/?")?;
    check_path(path)?;
    if is_web(scheme) || scheme == "file" {
        check_read_as_path(path, fragment)?;
    }
    if is_web(scheme) && (authority.is_none() || path.is_empty()) {
        return Err("a URL has a host and a path; write both, as in https://example.com/ or https://*/**");
    }
    match scheme {
        "file" => check_file(authority, path, query),
        "ftp" => check_ftp(path, query),
        _ => Ok(()),
    }
}

/// What stands before the first of this character, and after it.
fn after(text: &str, character: char) -> (&str, Option<&str>) {
    text.split_once(character).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_web(scheme: &str) -> bool {
    WEB.iter().any(|&(web, _)| web == scheme)
}

fn check_escapes(text: &str) -> Result<(), &'static str> {
    for part in text.split('%').skip(1) {
        let digits =
            part.get(..2).filter(|digits| digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            None => {
                return Err("an escape in a URI is % and two hexadecimal digits in upper case; write it so");
            }
            Some(byte) if byte.is_ascii_control() => return Err(ESCAPED_CONTROL),
            Some(byte) if is_unreserved(byte) => {
                return Err(
                    "a URI with an escaped letter, digit, or one of - . _ ~ is always refused; write the character itself",
                );
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Whether a character is never to be escaped (RFC 3986 section 2.3).
pub fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Refuses all but the unreserved characters, the sub-delimiters, escapes, and these.
fn check_characters(text: &str, others: &[u8]) -> Result<(), &'static str> {
    if text.bytes().all(|byte| is_unreserved(byte) || b"!$&'()*+,;=%".contains(&byte) || others.contains(&byte)) {
        Ok(())
    } else {
        Err("a URI has only the characters of RFC 3986; escape any other, as in %20 for a space")
    }
}

fn check_authority(scheme: &str, authority: &str) -> Result<(), &'static str> {
    if authority.contains('@') {
        return Err("a URI with user information is always refused; leave out all up to the @");
    }
    // The colons of an IPv6 address stand in brackets.
    let (host, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match (port.is_empty(), port.strip_prefix(':')) {
        (true, _) => None,
        (false, port) => {
            Some(port.filter(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == *port)).ok_or(
                "a port is a number from 0 to 65535 without leading zeros; write it so, or leave it out with its colon",
            )?)
        }
    };
    if WEB.iter().any(|&(web, default)| web == scheme && Some(default) == port) {
        return Err("a URI with its scheme's default port is always refused; leave the port out");
    }
    if host.is_empty() && (port.is_some() || is_web(scheme)) {
        return Err("a URI of this kind names a host; write it, as in https://example.com/ or https://*/**");
    }
    check_host(host)
}

fn check_host(host: &str) -> Result<(), &'static str> {
    const ADDRESS: &str = "an address is matched in its usual form; write it so, as in 127.0.0.1 or [::1]";
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').ok_or(ADDRESS)?;
        return if address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address) {
            Ok(())
        } else {
            Err(ADDRESS)
        };
    }
    let name = |byte: u8| is_unreserved(byte) && !byte.is_ascii_uppercase() || b"!$&'()*+,;=".contains(&byte);
    if !host.bytes().all(name) || host.ends_with('.') {
        return Err("the host of a URI is matched in lower case, without escapes and without a final dot; write it so");
    }
    // As in the URL Standard, a host that ends in a number is an address; 127.1 and 0x7f000001 are spellings of one.
    let last = host.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let number = hexadecimal || !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    if number && host.parse::<Ipv4Addr>().is_err() { Err(ADDRESS) } else { Ok(()) }
}

/// Whether every server takes the segments of a path for the same: of any URI, its escapes in either case.
pub(crate) fn check_path(path: &str) -> Result<(), &'static str> {
    if path.split('/').any(is_dots) {
        return Err("a URI with a . or .. segment is always refused; write the path that it leads to");
    }
    for escape in path.split('%').skip(1) {
        let byte = escape.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(b'/' | b'\\') => {
                return Err(
                    "a URI with an escaped / or \\ in its path is always refused, for servers split the path there; write /",
                );
            }
            Some(byte) if byte.is_ascii_control() => return Err(ESCAPED_CONTROL),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a segment is `.` or `..` to a server that undoes escapes, and leaves out the parameters of segments (RFC 3986 section
/// 3.3), as several do before they look where a path leads.
pub(crate) fn is_dots(segment: &str) -> bool {
    if !segment.starts_with(['.', '%']) {
        return false;
    }
    let segment = segment.to_ascii_lowercase().replace("%2e", ".").replace("%3b", ";");
    matches!(segment.split(';').next(), Some("." | ".."))
}

/// Of schemes whose paths everybody reads alike: escapes undone, without what follows `#`.
fn check_read_as_path(path: &str, fragment: Option<&str>) -> Result<(), &'static str> {
    if fragment.is_some() {
        return Err("a URL or file URI with a fragment is always refused, for servers leave it out; leave out the #");
    }
    if unescaped(path, |byte| OF_A_PATH.contains(&byte)) != path {
        return Err(
            "a URL or file URI with an escaped ! $ & ' ( ) * + , ; = : or @ in its path is always refused; write the character \
             itself",
        );
    }
    Ok(())
}

/// The characters that a path may have (RFC 3986 section 3.3, `pchar`) without being unreserved.
const OF_A_PATH: &[u8] = b"!$&'()*+,;=:@";

fn check_file(authority: Option<&str>, path: &str, query: Option<&str>) -> Result<(), &'static str> {
    let Some(host) = authority else {
        return Err("a file URI begins with file://; write it so");
    };
    let segments = path.strip_prefix('/').ok_or("a file URI has a path; write it, as in file:///etc/**")?;
    if !host.is_empty() {
        return Err(
            "a file URI that names a host is always refused, for many servers leave it out; leave it out too, as in \
             file:///etc/**",
        );
    }
    if segments.contains("//") || segments.starts_with('/') {
        return Err("a file URI with an empty segment is always refused; write one / where several stand");
    }
    if query.is_some() {
        return Err("a file URI with a query is always refused, for servers leave it out; write %3F for a ? in a name");
    }
    Ok(())
}

/// RFC 1738 section 3.2: `;type=` is no part of the path, each segment is a directory to change to, and there is no query.
fn check_ftp(path: &str, query: Option<&str>) -> Result<(), &'static str> {
    if path.contains("//") {
        return Err("an ftp URI with an empty segment is always refused; write one / where several stand");
    }
    if path.contains(';') || query.is_some() {
        return Err("an ftp URI with ; or a query is always refused, for servers leave them out; leave them out too");
    }
    Ok(())
}
