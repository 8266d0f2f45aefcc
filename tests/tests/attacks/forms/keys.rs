//! Keys that two readers take for different things.

use super::{Aim, Form, MODERN, body};

/// `#1` and `#2` of the bypasses that were tried on real servers, and what gateways in Go were hit by.
pub(super) const FORMS: &[Form] = &[
    body(
        "a plain call",
        "what policy is for",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`name` twice, the denied one last",
        "envoyproxy/envoy#45202",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`name` twice, the denied one first",
        "envoyproxy/envoy#45202",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X},"name":"$P"$M}}"#,
    ),
    body(
        "`name` twice, one of them escaped",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","n\u0061me":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`params` twice, the denied call last",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","arguments":{$E}$M},"params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`params` twice, the denied call first",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M},"params":{"name":"$P","arguments":{$E}$M}}"#,
    ),
    body(
        "`method` twice, the call last",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`method` twice, the call first",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M},"method":"ping"}"#,
    ),
    body(
        "`Name` after `name`",
        "CVE-2026-27896, GHSA-4gph-2hhr-5mwg, docker/mcp-gateway#418",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","Name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`NAME` before `name`",
        "CVE-2026-27896",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"NAME":"$D","name":"$P","arguments":{$X}$M}}"#,
    ),
    body(
        "`Name` alone",
        "gravitational/teleport#67174",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`Name` escaped, after `name`",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","\u004eame":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`Params` after `params`",
        "CVE-2026-27896",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","arguments":{$E}$M},"Params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`paramſ` (U+017F) after `params`",
        "CVE-2026-27896",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","arguments":{$E}$M},"paramſ":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`Method` after `method`",
        "CVE-2026-27896, modelcontextprotocol/go-sdk#805",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`ID` alone",
        "CVE-2026-27896",
        r#"{"jsonrpc":"2.0","ID":1,"method":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`METHOD` after a notification",
        "modelcontextprotocol/go-sdk#805",
        r#"{"jsonrpc":"2.0","id":1,"method":"notifications/cancelled","METHOD":"tools/call","params":{"requestId":7,"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`name` with a NUL, after `name`",
        "GHSA-q382-vc8q-7jhj, segmentio/encoding#161",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","name\u0000":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`params` with a NUL, after `params`",
        "GHSA-q382-vc8q-7jhj",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","arguments":{$E}$M},"params\u0000":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`method` with a NUL, after `method`",
        "GHSA-q382-vc8q-7jhj",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method\u0000":"tools/call","params":{"name":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`name` in full-width letters, after `name`",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$P","ｎａｍｅ":"$D","arguments":{$X}$M}}"#,
    ),
    body(
        "`_meta` twice, the version in the last",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X},"_meta":{}$M}}"#,
    )
    .in_eras(MODERN),
    body(
        "`__proto__` with a `name` of its own",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"__proto__":{"name":"$D"},"arguments":{$X}$M}}"#,
    ),
    body(
        "`name` beside `params`",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","name":"$D","arguments":{$X},"params":{"name":"$P","arguments":{$X}$M}}"#,
    ),
    body(
        "an argument twice, the bad one last",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":1,"b":2,"a":$N}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "an argument twice, the bad one first",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":$N,"b":2,"a":1}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "an argument again in another case",
        "CVE-2026-27896",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":1,"b":2,"A":$N}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "an argument again with a NUL",
        "GHSA-q382-vc8q-7jhj",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":1,"b":2,"a\u0000":$N}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "`arguments` twice, the bad ones last",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":1,"b":2},"arguments":{"a":$N,"b":2}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "`Arguments` after `arguments`",
        "GHSA-4gph-2hhr-5mwg",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":1,"b":2},"Arguments":{"a":$N,"b":2}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "`argumentſ` (U+017F) after `arguments`",
        "CVE-2026-27896",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":1,"b":2},"argumentſ":{"a":$N,"b":2}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "`arguments` with a NUL, after `arguments`",
        "GHSA-q382-vc8q-7jhj",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":1,"b":2},"arguments\u0000":{"a":$N,"b":2}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "an argument whose key is escaped",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"\u0061":$N,"b":2}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "an argument with an exponent",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":$Ne0,"b":2}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "an argument as a string of digits",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":"$N","b":2}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "an argument in an array of one",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":[$N],"b":2}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "an argument with a sign and zeros",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":{"a":" +$N.0 ","b":2}$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "the arguments as a string of JSON",
        "OpenDigitalProductFactory/opendigitalproductfactory#1932",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":"{\"a\":$N,\"b\":2}"$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "the arguments in an array of one",
        "tried",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments":[{"a":$N,"b":2}]$M}}"#,
    )
    .to(Aim::Argue),
    body(
        "an argument's path as one dotted key",
        "NVIDIA/OpenShell#1865",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$G","arguments.a":1,"arguments":{"a":$N,"b":2}$M}}"#,
    )
    .to(Aim::Argue),
];
