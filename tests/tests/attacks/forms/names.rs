//! Names that look like others: to people, or to a server that is not exact.

use super::{Form, body};

/// A policy that permits by name has nothing to fear from these. One that denies by name has: each of these is another name
/// to it, and passes, so that no server may take it for the denied one.
pub(super) const FORMS: &[Form] = &[
    body(
        "the name escaped",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$d","arguments":{$X}$M}}"#,
    ),
    body(
        "`name` and `method` escaped",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"m\u0065thod":"t\u006fols\/call","params":{"n\u0061me":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a space after the name",
        "HKUDS/nanobot#4618",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D ","arguments":{$X}$M}}"#,
    ),
    body(
        "white space before the name",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\t\n$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a NUL after the name",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D\u0000","arguments":{$X}$M}}"#,
    ),
    body(
        "a permitted name, a NUL, the denied one",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P\u0000$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a zero-width space in the name",
        "IBM/mcp-context-forge#2416",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\u200b$D","arguments":{$X}$M}}"#,
    ),
    body(
        "the name with a byte order mark",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\ufeff$D","arguments":{$X}$M}}"#,
    ),
    body(
        "half a surrogate pair after the name",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D\ud800","arguments":{$X}$M}}"#,
    ),
    body(
        "the name in an array",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["$D"],"arguments":{$X}$M}}"#,
    ),
    body(
        "the name in an object",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":{"name":"$D"},"arguments":{$X}$M}}"#,
    ),
    body(
        "the server's name before it",
        "docker/mcp-gateway#228",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"upstream:$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a path before the name",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"./$D","arguments":{$X}$M}}"#,
    ),
];
