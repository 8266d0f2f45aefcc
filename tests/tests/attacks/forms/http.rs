//! What a request says of its body, by which method it comes, and where it goes.

use reeve_tests::clients::Era;
use reeve_tests::request::Request;

use super::{Aim, Form, LEGACY, change, form, steps};
use crate::forms::Attempt;
use crate::scene::Scene;
use crate::wire;

/// A call of the denied tool under another Content-Type.
const fn typed(name: &'static str, seen: &'static str, media_type: fn(&Scene<'_>, &mut Request)) -> Form {
    change(name, seen, media_type)
}

/// A call of the denied tool to another path.
const fn path(name: &'static str, seen: &'static str, path: fn(&Scene<'_>, &mut Request)) -> Form {
    change(name, seen, path)
}

/// Calls by a name that is made of the address.
fn host(scene: &Scene<'_>, call: &mut Request, name: fn(&str, &str) -> String) {
    let (host, port) = scene.address.split_once(':').unwrap();
    call.set("Host", &name(host, port));
}

pub(super) const FORMS: &[Form] = &[
    typed("a body that says it is text", "CVE-2026-33252, stacklok/toolhive#6234", |_, call| {
        call.set("Content-Type", "text/plain");
    }),
    typed("a body that says nothing of itself", "stacklok/toolhive#6234", |_, call| call.remove("Content-Type")),
    typed("a body that says it is JSON in other letters", "TykTechnologies/tyk#8539", |_, call| {
        call.set("Content-Type", "Application/JSON");
    }),
    typed("a body that says it is some JSON", "tried", |_, call| call.set("Content-Type", "application/vnd.mcp+json")),
    typed("a body that says it is a form", "tried", |_, call| {
        call.set("Content-Type", "application/x-www-form-urlencoded");
    }),
    typed(
        "a body that says it is text, and JSON in a parameter",
        "GHSA-qm2p-4gh2-q6pm, gethelio/helio#229",
        |_, call| {
            call.set("Content-Type", "text/plain;x=application/json");
        },
    ),
    typed("a body of two types", "tried", |_, call| call.set("Content-Type", "text/plain, application/json")),
    typed("a body of two types, in two headers", "tried", |_, call| {
        call.set("Content-Type", "text/plain");
        call.add("Content-Type", "application/json");
    }),
    change("GET with a body", "wso2/docs-apim#11867", |_, call| call.method = "GET".into()),
    change("PUT", "tried", |_, call| call.method = "PUT".into()),
    change("a method that is no word of HTTP", "tried", |_, call| call.method = "POSTS".into()),
    change("the method in lower case", "tried", |_, call| call.method = "post".into()),
    change("GET that is to count as POST", "tried", |_, call| {
        call.method = "GET".into();
        call.add("X-HTTP-Method-Override", "POST");
        call.add("X-HTTP-Method", "POST");
        call.add("X-Method-Override", "POST");
    }),
    change("DELETE with a body", "CVE-2026-29057", |_, call| call.method = "DELETE".into()),
    change("PATCH", "tried", |_, call| call.method = "PATCH".into()),
    change("QUERY", "tried", |_, call| call.method = "QUERY".into()),
    steps("a call that waits until its body is asked for", "golang/go#67555", |scene| {
        wire::once_asked_for(scene, scene.denied());
    }),
    change("a call that expects something else than to be asked", "golang/go#67555", |_, call| {
        call.set("Expect", "200-ok");
    }),
    path("an escaped letter in the path", "tried", |_, call| call.target = "/%6dcp".into()),
    path("the path in capitals", "tried", |_, call| call.target = "/MCP".into()),
    path("the path with a slash after it", "tried", |_, call| call.target = "/mcp/".into()),
    path("the path with two slashes before it", "tried", |_, call| call.target = "//mcp".into()),
    path("the path by a detour", "tried", |_, call| call.target = "/x/../mcp".into()),
    path("the path by an escaped detour", "tried", |_, call| call.target = "/x/%2e%2e/mcp".into()),
    path("the path by a dot", "tried", |_, call| call.target = "/./mcp".into()),
    path("the path with a query", "tried", |_, call| call.target = "/mcp?x=1".into()),
    path("the path with a parameter", "tried", |_, call| call.target = "/mcp;x=1".into()),
    path("the path with a fragment", "tried", |_, call| call.target = "/mcp#x".into()),
    path("the path with a NUL", "tried", |_, call| call.target = "/mcp%00".into()),
    path("a target with another host", "tried", |_, call| call.target = "http://localhost:1/mcp".into()),
    path("a target with a user", "tried", |scene, call| call.target = format!("http://x@{}/mcp", scene.address)),
    change("another path in a header", "tried", |_, call| {
        call.target = "/".into();
        call.add("X-Original-URL", "/mcp");
        call.add("X-Rewrite-URL", "/mcp");
    }),
    steps("a call over HTTP/2", "tried", |scene| scene.keep(&wire::h2::call(scene.address, &scene.denied(), &[]))),
    steps("a call over HTTP/2 that names another host", "tried", |scene| {
        scene.keep(&wire::h2::call(scene.address, &scene.denied(), &[(":authority", "other.example")]));
    }),
    steps("a call over HTTP/2 with names of headers in capitals", "RFC 9113 section 8.2.1", |scene| {
        let call = scene.denied();
        let mut fields = wire::h2::fields(scene.address, &call, &[]);
        for (name, _) in fields.iter_mut().filter(|(name, _)| !name.starts_with(':')) {
            *name = name.to_ascii_uppercase();
        }
        scene.keep(&wire::h2::send(scene.address, &fields, &call.body, &[]));
    }),
    steps("a call over HTTP/2 with cookies in several headers", "cloudflare/pingora#892, jdx/pitchfork#845", |scene| {
        let mut call = scene.denied();
        call.add("Cookie", "a=1");
        call.add("Cookie", "b=2");
        scene.keep(&wire::h2::call(scene.address, &call, &[]));
    }),
    steps("a call over HTTP/2 that says its name in a trailer", "tried", |scene| {
        let call = scene.denied();
        let mut fields = wire::h2::fields(scene.address, &call, &[]);
        fields.retain(|(name, _)| name != "mcp-name");
        let trailers = [("mcp-name".to_owned(), scene.target.permitted.name.to_owned())];
        scene.keep(&wire::h2::send(scene.address, &fields, &call.body, &trailers));
    }),
    change("an upgrade to HTTP/2", "tried", |_, call| {
        call.set("Connection", "Upgrade, HTTP2-Settings");
        call.add("Upgrade", "h2c");
        call.add("HTTP2-Settings", "AAMAAABkAAQAAP__");
    }),
    change("an upgrade to WebSocket", "tried", |_, call| {
        call.set("Connection", "Upgrade");
        call.add("Upgrade", "websocket");
    }),
    steps("the transport of 2024-11-05", "msaad00/agent-bom#2119, quarkiverse/quarkus-mcp-server#630", sse)
        .in_eras(LEGACY),
    steps("a call to the paths of other transports", "MystenLabs/MemWal#491", |scene| {
        let mut call = scene.denied();
        for path in ["/sse", "/message", "/messages", "/messages/", "/mcp/messages", "/messages/?session_id=0"] {
            call.target = path.into();
            scene.send(&call);
        }
    }),
    form(
        Aim::Reach,
        "a page's own Origin",
        "CVE-2025-66414, CVE-2025-66416, CVE-2026-33252",
        Attempt::Change(|_, call| call.set("Origin", "https://evil.example")),
    ),
    form(
        Aim::Reach,
        "a name that resolves to loopback",
        "CVE-2025-66414, CVE-2026-35568, CVE-2026-42559",
        Attempt::Change(|_, call| {
            call.set("Host", "evil.example:80");
            call.set("Origin", "http://evil.example");
        }),
    ),
    form(
        Aim::Reach,
        "a name that resolves to loopback, without an Origin",
        "CVE-2025-66414",
        Attempt::Change(|_, call| call.set("Host", "evil.example:80")),
    ),
    form(Aim::Reach, "an Origin of nobody", "CVE-2025-49596", Attempt::Change(|_, call| call.set("Origin", "null"))),
    form(
        Aim::Reach,
        "the address that is every address",
        "CVE-2025-49596",
        Attempt::Change(|scene, call| host(scene, call, |_, port| format!("0.0.0.0:{port}"))),
    ),
    form(
        Aim::Reach,
        "a name that begins like its own",
        "tried",
        Attempt::Change(|scene, call| host(scene, call, |host, port| format!("{host}.evil.example:{port}"))),
    ),
    form(
        Aim::Reach,
        "its own name with a dot after it",
        "tried",
        Attempt::Change(|scene, call| host(scene, call, |_, port| format!("localhost.:{port}"))),
    ),
    form(
        Aim::Reach,
        "a name below its own",
        "tried",
        Attempt::Change(|scene, call| host(scene, call, |_, port| format!("evil.localhost:{port}"))),
    ),
    form(
        Aim::Reach,
        "a user before its own name",
        "tried",
        Attempt::Change(|scene, call| host(scene, call, |host, port| format!("evil.example@{host}:{port}"))),
    ),
    form(
        Aim::Reach,
        "no Host",
        "tried",
        Attempt::Steps(|scene| {
            let bytes = scene.permitted().bytes(scene.address);
            let text = String::from_utf8(bytes).unwrap();
            scene.send_bytes(text.replacen(&format!("Host: {}\r\n", scene.address), "", 1).as_bytes());
        }),
    ),
    form(Aim::Reach, "two Hosts", "tried", Attempt::Change(|_, call| call.add("Host", "evil.example"))),
];

/// Some bridges and servers serve every tool by the older transport too, at paths beside the one.
fn sse(scene: &Scene<'_>) {
    assert_eq!(scene.era, Era::Legacy);
    let mut open = scene.denied();
    open.method = "GET".into();
    open.target = "/sse".into();
    open.set("Accept", "text/event-stream");
    open.body.clear();
    let Some((event, stream)) = wire::first_event(scene, &open) else { return };
    let Some(endpoint) = event.lines().find_map(|line| line.strip_prefix("data:")) else { return };
    for body in [
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        crate::scene::DENIED,
    ] {
        let mut message = scene.request("", "", body);
        message.target = endpoint.trim().to_owned();
        scene.send(&message);
    }
    drop(stream);
}
