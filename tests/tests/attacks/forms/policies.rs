//! A policy that comes while a request is on its way, or a session or a connection is open.

use reeve_tests::http::Exchange;
use reeve_tests::request::Request;

use super::{Form, LEGACY, steps};
use crate::scene::{PATIENCE, Scene};

/// Does something while policy permits everything, if there is any.
fn before_the_policy<T>(scene: &Scene<'_>, something: impl FnOnce() -> T) -> T {
    match scene.governed {
        Some(governed) => governed.while_all_is_permitted(something),
        None => something(),
    }
}

/// Begins a request while policy permits it, all but this many of its last bytes, and ends it when policy denies it.
fn held_back(scene: &Scene<'_>, request: &Request, bytes: usize) {
    let whole = request.bytes(scene.address);
    let (most, last) = whole.split_at(whole.len() - bytes);
    let mut exchange = before_the_policy(scene, || {
        let begun = Exchange::attempt(scene.address, most);
        // Whoever is answered after it has been read after it.
        scene.send(&scene.list());
        begun
    });
    exchange.send(last);
    scene.keep(&exchange.whole_within(PATIENCE).body);
}

pub(super) const FORMS: &[Form] = &[
    steps(
        "a call that was begun before the policy, its last byte held back",
        "risa-labs-inc/BossConsole#1130",
        |scene| {
            held_back(scene, &scene.denied(), 1);
        },
    ),
    steps(
        "a call whose headers came before the policy, and its body after it",
        "agentgateway/agentgateway#896",
        |scene| {
            let call = scene.denied();
            held_back(scene, &call, call.body.len());
        },
    ),
    steps("a call whose last chunk came after the policy", "tried", |scene| {
        let mut call = scene.denied();
        call.chunk();
        held_back(scene, &call, 5);
    }),
    steps("a call on a connection on which one was permitted before", "agentgateway/agentgateway#896", |scene| {
        let mut first = scene.list();
        first.set("Connection", "keep-alive");
        let mut exchange = before_the_policy(scene, || {
            let mut exchange = Exchange::attempt(scene.address, &first.bytes(scene.address));
            exchange.until_within("\r\n\r\n", PATIENCE);
            exchange
        });
        exchange.send(&scene.denied().bytes(scene.address));
        scene.keep(&exchange.everything_within(PATIENCE));
    }),
    steps("a call in a session that began before the policy", "agentgateway/agentgateway#896", |scene| {
        let session = before_the_policy(scene, || {
            let other = Scene::begin(scene.target, scene.era, scene.address, scene.server, scene.site, 0);
            other.and_then(|other| other.session().map(str::to_owned))
        });
        let mut call = scene.denied();
        if let Some(session) = session {
            call.set("Mcp-Session-Id", &session);
        }
        scene.send(&call);
    })
    .in_eras(LEGACY),
];
