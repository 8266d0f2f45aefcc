//! Headers that repeat the body, or speak for somebody else.

use super::{Form, LEGACY, MODERN, change};

pub(super) const FORMS: &[Form] = &[
    change("`Mcp-Name` that says another name", "wso2/gateway-controllers#308", |scene, call| {
        call.set("Mcp-Name", scene.target.permitted.name);
    }),
    change("`Mcp-Method` that says another method", "wso2/gateway-controllers#308", |_, call| {
        call.set("Mcp-Method", "ping");
        call.remove("Mcp-Name");
    }),
    change("no `Mcp-Method`", "wso2/gateway-controllers#308", |_, call| call.remove("Mcp-Method")),
    change("no `Mcp-Name`", "wso2/gateway-controllers#308", |_, call| call.remove("Mcp-Name")),
    change("`Mcp-Name` twice, the permitted name first", "ash-project/ash_ai#215", |scene, call| {
        call.set("Mcp-Name", scene.target.permitted.name);
        call.add("Mcp-Name", scene.target.denied.name);
    }),
    change("`Mcp-Name` twice, the permitted name last", "ash-project/ash_ai#215", |scene, call| {
        call.set("Mcp-Name", scene.target.denied.name);
        call.add("Mcp-Name", scene.target.permitted.name);
    }),
    change("`Mcp-Method` twice, the call last", "tried", |_, call| {
        call.set("Mcp-Method", "ping");
        call.add("Mcp-Method", "tools/call");
    }),
    change("an empty `Mcp-Name`", "tried", |_, call| call.set("Mcp-Name", "")),
    change("two names in one `Mcp-Name`", "tried", |scene, call| {
        call.set("Mcp-Name", &format!("{}, {}", scene.target.permitted.name, scene.target.denied.name));
    }),
    change("`Mcp_Name` beside `Mcp-Name`", "tried", |scene, call| {
        call.set("Mcp-Name", scene.target.denied.name);
        call.add("Mcp_Name", scene.target.permitted.name);
    }),
    change("`Mcp-Name` in Base64 that decoders read differently", "tried", |_, call| {
        call.set("Mcp-Name", "=?base64?ZWNobw?=");
    }),
    change("`Mcp-Name` taken off on the way", "RFC 9110 section 7.6.1", |_, call| {
        call.set("Connection", "close, Mcp-Name, Mcp-Method, MCP-Protocol-Version");
    }),
    change("the body's type taken off on the way", "RFC 9110 section 7.6.1", |_, call| {
        call.set("Connection", "close, Content-Type, Content-Length");
    }),
    change("headers of the modern era on a legacy call", "tried", |scene, call| {
        call.set("Mcp-Method", "ping");
        call.set("Mcp-Name", scene.target.permitted.name);
    })
    .in_eras(LEGACY),
    change("another session's header on a modern call", "tried", |_, call| call.set("Mcp-Session-Id", "x"))
        .in_eras(MODERN),
    change("a gateway's own headers", "GHSA-g53w-w6mj-hrpp", |_, call| {
        call.add("mcp-init-host", "other.example");
        call.add("router-key", "secret-api-key");
        call.add("x-mcp-authorized", "true");
    }),
    change("a forwarding history", "tried", |_, call| {
        call.add("X-Forwarded-For", "127.0.0.1");
        call.add("X-Forwarded-Host", "other.example");
        call.add("X-Forwarded-Prefix", "/admin");
        call.add("X-Envoy-Original-Path", "/admin");
        call.add("True-Client-IP", "127.0.0.1");
        call.add("Forwarded", "for=127.0.0.1;host=other.example");
    }),
    change("arguments repeated in headers, otherwise", "SEP-2243", |_, call| call.add("Mcp-Param-token", "other")),
];
