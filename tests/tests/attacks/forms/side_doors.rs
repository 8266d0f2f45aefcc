//! Methods beside `tools/call`: what they give out, and whether a tool runs by them.

use reeve_tests::http::Exchange;

use super::{Aim, Attempt, Form, LEGACY, MODERN, form, steps};
use crate::scene::PATIENCE;

const fn read(name: &'static str, seen: &'static str, attempt: Attempt) -> Form {
    form(Aim::Read, name, seen, attempt)
}

pub(super) const FORMS: &[Form] = &[
    steps("a call that is to become a task", "CVE-2026-52870", |scene| {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"$D","arguments":{$X},"task":{"ttl":60000}$M}}"#;
        scene.send(&scene.request("tools/call", "$D", body));
        for method in ["tasks/list", "tasks/result", "tasks/get"] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"{method}","params":{{"taskId":"1"$M}}}}"#);
            scene.send(&scene.request(method, "1", &body));
        }
    }),
    steps("a call that says it was asked for more", "SEP-2322", |scene| {
        let body = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"$D","arguments":{$X},"inputResponses":{"a":{"action":"accept","content":{}}},"requestState":"x"$M}}"#;
        scene.send(&scene.request("tools/call", "$D", body));
    }),
    steps("a call while a permitted one goes on, with the same id", "CVE-2026-25536", |scene| {
        let permitted = scene.permitted();
        let denied = scene.denied();
        std::thread::scope(|scope| {
            let bytes = permitted.bytes(scene.address);
            let address = scene.address;
            let other = scope.spawn(move || {
                Exchange::attempt(address, &bytes).whole_within(PATIENCE)
            });
            scene.send(&denied);
            other.join().unwrap();
        });
    }),
    read(
        "`resources/read` of what policy denies",
        "HackTricks-wiki/hacktricks#1566",
        Attempt::Steps(|scene| {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"$R"$M}}"#;
            scene.send(&scene.request("resources/read", "$R", body));
        }),
    ),
    read(
        "`resources/read` with the URI written otherwise",
        "HackTricks-wiki/hacktricks#1566",
        Attempt::Steps(|scene| {
            let uri = scene.fill("$R");
            let (scheme, rest) = uri.split_once("://").unwrap();
            let detour = rest.rsplit_once('/').map_or(format!("x/../{rest}"), |(folder, file)| format!("{folder}/x/../{file}"));
            for uri in [
                format!("{}://{rest}", scheme.to_uppercase()),
                format!("{scheme}://{}", rest.replacen('s', "%73", 1)),
                format!("{scheme}://{detour}"),
                format!("{scheme}:///{rest}"),
                format!("{uri}?x"),
                format!("{uri}#x"),
                format!("{uri}/"),
                format!(" {uri}"),
                format!("{scheme}://{}", rest.replacen('s', "S", 1)),
            ] {
                let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"uri":"{uri}"$M}}}}"#);
                scene.send(&scene.request("resources/read", &uri, &body));
            }
        }),
    ),
    read(
        "`resources/read` with the URI escaped",
        "tried",
        Attempt::Steps(|scene| {
            let uri = scene.fill("$R").replace(':', "\\u003a").replace('/', "\\/");
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"\u0075ri":"{uri}"$M}}}}"#);
            scene.send(&scene.request("resources/read", "$R", &body));
        }),
    ),
    read(
        "`resources/read` in a batch",
        "stacklok/toolhive#5745",
        Attempt::Steps(|scene| {
            let body = r#"[{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"$R"$M}}]"#;
            scene.send(&scene.request("resources/read", "$R", body));
        }),
    ),
    read(
        "`resources/read` with `uri` twice",
        "tried",
        Attempt::Steps(|scene| {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x://y","uri":"$R"$M}}"#;
            scene.send(&scene.request("resources/read", "$R", body));
        }),
    ),
    read(
        "`prompts/get` of what policy denies",
        "stacklok/toolhive#3168, Pinvou/pinvou-agent#513",
        Attempt::Steps(|scene| {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"$Q"$M}}"#;
            scene.send(&scene.request("prompts/get", "$Q", body));
        }),
    ),
    read(
        "`prompts/get` with `name` twice",
        "tried",
        Attempt::Steps(|scene| {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"x","name":"$Q"$M}}"#;
            scene.send(&scene.request("prompts/get", "$Q", body));
        }),
    ),
    read(
        "`resources/subscribe` to what policy denies",
        "stacklok/toolhive#3168",
        Attempt::Steps(|scene| {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"$R"$M}}"#;
            scene.send(&scene.request("resources/subscribe", "", body));
        }),
    )
    .in_eras(LEGACY),
    read(
        "`subscriptions/listen` to what policy denies",
        "stephnangue/warden#592",
        Attempt::Steps(|scene| {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["$R"]}$M}}"#;
            scene.send(&scene.request("subscriptions/listen", "", body));
        }),
    )
    .in_eras(MODERN),
];
