//! What policy hides, in lists: by another way to ask, or another way for the answer to come.

use super::{Aim, Attempt, Form, LEGACY, form};
use crate::wire;

const fn see(name: &'static str, seen: &'static str, attempt: Attempt) -> Form {
    form(Aim::See, name, seen, attempt)
}

pub(super) const FORMS: &[Form] = &[
    see("a plain list", "github/gh-aw#25105, rcarmo/piclaw#1295", Attempt::Body(crate::scene::LIST)),
    see(
        "a list in a batch",
        "stephnangue/warden#382",
        Attempt::Body(
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"x":1$M}}]"#,
        ),
    ),
    see(
        "a list whose method comes twice",
        "tried",
        Attempt::Body(r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list","params":{"x":1$M}}"#),
    ),
    see(
        "a list whose `Method` is in another case",
        "CVE-2026-27896",
        Attempt::Body(r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/list","params":{"x":1$M}}"#),
    ),
    see(
        "a list whose method is escaped",
        "tried",
        Attempt::Body(r#"{"jsonrpc":"2.0","id":1,"method":"\u0074ools\/list","params":{"x":1$M}}"#),
    ),
    see(
        "a list by a cursor",
        "tried",
        Attempt::Body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":""$M}}"#),
    ),
    see(
        "a list with an id that is escaped",
        "tried",
        Attempt::Body(r#"{"jsonrpc":"2.0","id":"\u0031","method":"tools/list","params":{"x":1$M}}"#),
    ),
    see("a list without `params`", "tried", Attempt::Body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)),
    see(
        "a list under another method in `Mcp-Method`",
        "wso2/gateway-controllers#308",
        Attempt::Change(|_, list| list.set("Mcp-Method", "ping")),
    ),
    see(
        "a list that says it is text",
        "stacklok/toolhive#6234",
        Attempt::Change(|_, list| list.set("Content-Type", "text/plain")),
    ),
    see(
        "a list that is to come compressed",
        "stephnangue/warden#383",
        Attempt::Change(|_, list| list.set("Accept-Encoding", "gzip, deflate, br")),
    ),
    see(
        "a list that is to come as JSON",
        "stephnangue/warden#498",
        Attempt::Change(|_, list| list.set("Accept", "application/json")),
    ),
    see(
        "a list that is to come as events",
        "stacklok/toolhive#5257",
        Attempt::Change(|_, list| list.set("Accept", "text/event-stream")),
    ),
    see(
        "a list that is to come on another stream",
        "stacklok/toolhive#5257",
        Attempt::Steps(|scene| {
            let list = scene.list();
            let Some(id) = wire::broken_off_after_first_event(scene, &list) else { return };
            let mut resume = scene.list();
            resume.method = "GET".into();
            resume.body.clear();
            resume.set("Accept", "text/event-stream");
            resume.set("Last-Event-ID", &id);
            scene.send(&resume);
        }),
    )
    .in_eras(LEGACY),
    see(
        "a list with the id of another request",
        "CVE-2026-25536",
        Attempt::Steps(|scene| {
            for method in ["prompts/list", "tools/list", "ping", "resources/list"] {
                let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"x":1$M}}}}"#);
                scene.send(&scene.request(method, "", &body));
            }
        }),
    ),
    see(
        "a list over HTTP/2",
        "tried",
        Attempt::Steps(|scene| scene.keep(&wire::h2::call(scene.address, &scene.list(), &[]))),
    ),
];
