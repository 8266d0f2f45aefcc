//! The two eras of the protocol on one port, and the sessions of the older one.

use reeve_tests::agent;

use super::{Aim, Attempt, Form, LEGACY, MODERN, change, form, steps};
use crate::scene::{DENIED, PERMITTED, Scene};

/// The metadata by which a body says that it is of the modern era.
const META: &str = r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;

pub(super) const FORMS: &[Form] = &[
    change("a modern body under a legacy header", "tried", |scene, call| {
        call.body = scene.fill(DENIED).replace("}}", &format!("}}{META}}}")).into();
        call.set("Mcp-Method", "tools/call");
        call.set("Mcp-Name", scene.target.permitted.name);
    })
    .in_eras(LEGACY),
    change("a modern body without a header", "tried", |scene, call| {
        call.body = scene.fill(DENIED).replace("}}", &format!("}}{META}}}")).into();
        call.remove("MCP-Protocol-Version");
    })
    .in_eras(LEGACY),
    change("a legacy body under a modern header", "tried", |scene, call| {
        call.set("MCP-Protocol-Version", agent::MODERN);
        call.set("Mcp-Method", "tools/call");
        call.set("Mcp-Name", scene.target.permitted.name);
    })
    .in_eras(LEGACY),
    change("a body of one modern version under another", "tried", |_, call| {
        call.replace("2026-07-28", "2026-07-29");
    })
    .in_eras(MODERN),
    change("the version twice in `_meta`, that of the header last", "tried", |_, call| {
        call.replace(r#""_meta":{"#, r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25","#);
    })
    .in_eras(MODERN),
    change("a version that does not exist", "tried", |_, call| {
        call.set("MCP-Protocol-Version", "2030-01-01");
    }),
    change("a version that does not exist, in header and body", "tried", |_, call| {
        call.set("MCP-Protocol-Version", "2030-01-01");
        call.replace("2026-07-28", "2030-01-01");
    })
    .in_eras(MODERN),
    change("two versions in two headers", "tried", |_, call| call.add("MCP-Protocol-Version", "2025-06-18")),
    change("the version that is assumed", "tried", |_, call| call.remove("MCP-Protocol-Version")),
    change("a version in which batches were called for", "stacklok/toolhive#5745", |scene, call| {
        call.set("MCP-Protocol-Version", "2025-03-26");
        call.body = format!("[{}]", scene.fill(DENIED)).into();
    })
    .in_eras(LEGACY),
    change("the first version", "tried", |_, call| call.set("MCP-Protocol-Version", "2024-11-05")).in_eras(LEGACY),
    change("a call before the handshake", "campfirein/byterover-cli#330", |_, call| call.remove("Mcp-Session-Id"))
        .in_eras(LEGACY),
    steps("a handshake that is a call as well", "GHSA-g53w-w6mj-hrpp", |scene| {
        let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;
        let batch = format!("[{hello},{}]", scene.fill(DENIED));
        let mut request = scene.request("", "", &batch);
        request.remove("Mcp-Session-Id");
        scene.send(&request);
    })
    .in_eras(LEGACY),
    form(
        Aim::Reach,
        "a session that nobody was given",
        "CVE-2025-6515, agentic-community/mcp-gateway-registry#1357",
        Attempt::Change(|_, call| call.set("Mcp-Session-Id", "0f0e0d0c-0b0a-4908-8706-050403020100")),
    )
    .in_eras(LEGACY),
    form(
        Aim::Reach,
        "a session that the server gave to somebody else",
        "CVE-2026-52869, chandshy/mailpouch#264",
        Attempt::Steps(|scene| {
            let other = Scene::begin(scene.target, scene.era, scene.server, scene.server, scene.site, 0);
            let Some(session) = other.as_ref().and_then(|other| other.session()) else { return };
            let mut call = scene.permitted();
            call.set("Mcp-Session-Id", session);
            scene.send(&call);
        }),
    )
    .in_eras(LEGACY),
    form(
        Aim::Reach,
        "two sessions at once",
        "tried",
        Attempt::Change(|_, call| {
            call.set("Mcp-Session-Id", "0f0e0d0c-0b0a-4908-8706-050403020100");
            call.add("Mcp-Session-Id", "0f0e0d0c-0b0a-4908-8706-050403020101");
        }),
    )
    .in_eras(LEGACY),
    form(
        Aim::Reach,
        "a session that has ended",
        "tried",
        Attempt::Steps(|scene| {
            let Some(session) = scene.session() else { return };
            let mut end = scene.permitted();
            end.method = "DELETE".into();
            end.body.clear();
            end.set("Mcp-Session-Id", session);
            scene.send(&end);
            scene.send(&scene.request("tools/call", "$P", PERMITTED));
        }),
    )
    .in_eras(LEGACY),
];
