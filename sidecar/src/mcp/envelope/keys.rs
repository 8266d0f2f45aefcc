//! Keys that are not the protocol's but could be read as such.

use crate::mcp::rejection::{Cause, Rejection};

/// Keys of the outermost object.
pub(super) const ENVELOPE: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];

/// Keys of `params` that choose what is called, or how.
pub(super) const PARAMS: &[&str] = &[
    "name",
    "arguments",
    "uri",
    "_meta",
    "task",
    "taskId",
    "cursor",
    "inputResponses",
    "requestState",
    "protocolVersion",
    "ref",
    "notifications",
    "requestId",
    "progressToken",
];

/// Keys of `_meta` that choose the era, or are read on the way.
pub(super) const META: &[&str] = &[
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/clientCapabilities",
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/related-task",
    "io.modelcontextprotocol/subscriptionId",
    "progressToken",
];

/// Keys of a completion's `ref`.
pub(super) const REFERENCE: &[&str] = &["type", "name", "uri"];

/// Keys of the `notifications` that a listener asks for.
pub(super) const LISTEN: &[&str] =
    &["toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions", "taskIds"];

/// Refuses a key that differs from one of `known` only in case; and, because the keys of these objects are plain ASCII in
/// every version of the protocol, one that holds anything else: characters that fold to ASCII (`ſ`, `K`, `ı`, full-width
/// letters) or end a string early (NUL).
pub(super) fn check(key: &[u8], known: &[&str]) -> Result<(), Rejection> {
    if known.iter().any(|known| known.as_bytes() == key) {
        return Ok(());
    }
    let plain = key.iter().all(|byte| (0x20..0x7f).contains(byte));
    let varies = |known: &&str| known.as_bytes().eq_ignore_ascii_case(key);
    if plain && !known.iter().any(varies) {
        return Ok(());
    }
    let message = "A key differs only in case or in characters that some readers ignore from a key of the protocol: \
                   write the protocol's keys exactly, and no others like them.";
    Err(Rejection::new(Cause::CaseVariantKey, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_some_reader_takes_for_the_protocols_are_refused() {
        for key in ["Name", "NAME", "name\0", "Arguments", "argument\u{17f}", "tas\u{212a}", "ur\u{131}", "\u{ff4e}ame"]
        {
            assert_eq!(check(key.as_bytes(), PARAMS).unwrap_err().cause, Cause::CaseVariantKey, "{key:?}");
        }
    }

    #[test]
    fn no_key_of_the_protocol_is_taken_for_another() {
        for known in [ENVELOPE, PARAMS, META, REFERENCE, LISTEN] {
            for key in known {
                assert!(key.is_ascii());
                assert_eq!(known.iter().filter(|other| other.eq_ignore_ascii_case(key)).count(), 1, "{key}");
            }
        }
    }

    #[test]
    fn keys_of_extensions_pass() {
        for key in ["name", "names", "task_id", "x-trace", "com.example/name", "", "level"] {
            assert_eq!(check(key.as_bytes(), PARAMS), Ok(()), "{key:?}");
        }
    }
}
