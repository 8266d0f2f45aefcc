//! Messages that are no call by the letter, and run as one; and methods that look like another.

use super::{Form, body};

pub(super) const FORMS: &[Form] = &[
    body(
        "a call without an id",
        "tried",
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a call whose id is null",
        "tried",
        r#"{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a call whose id is a fraction",
        "tried",
        r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a call whose id is an object",
        "gravitational/teleport#67262",
        r#"{"jsonrpc":"2.0","id":{"id":1},"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a call that says nothing of JSON-RPC",
        "tried",
        r#"{"id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a call of JSON-RPC 1.0",
        "tried",
        r#"{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a call that is a response as well",
        "NVIDIA/OpenShell#1865",
        r#"{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a call that is an error as well",
        "NVIDIA/OpenShell#1865",
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""},"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a response that has a call's `params`",
        "NVIDIA/OpenShell#1865",
        r#"{"jsonrpc":"2.0","id":1,"result":{"method":"tools/call"},"params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body("parameters by position", "tried", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["$D",{$X}]}"#),
    body(
        "`params` as a string",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"{\"name\":\"$D\"}"}"#,
    ),
    body(
        "the method in another case",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "the method with a space",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "the method with a NUL",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call\u0000","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "the method with a slash too many",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools//call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a notification of a call",
        "stacklok/toolhive#3168",
        r#"{"jsonrpc":"2.0","id":1,"method":"notifications/tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a method that nobody knows",
        "stacklok/toolhive#3168",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/execute","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a call in a harmless method",
        "stacklok/toolhive#3168",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"method":"tools/call","name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "a call in the handshake",
        "GHSA-g53w-w6mj-hrpp",
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"},"name":"$D","arguments":{$X}$M}}"#,
    ),
];
