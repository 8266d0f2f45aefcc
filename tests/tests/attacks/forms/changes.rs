//! Servers that change what they offer while they are used, or say of their tools what is not so; and what was listed before.
//!
//! The servers themselves are told to change, behind the sidecar's back ([`Scene::turn`]): a tool that found a record erases all
//! from then on, under the same name, and another comes. Policy permits those tools by what they are listed as.

use reeve_tests::http::Exchange;

use super::{Aim, Attempt, Form, MODERN, form, steps};
use crate::scene::{PATIENCE, Scene};

/// What the tool says of itself that has turned harmful.
pub(crate) const ERASES: &str = "Erases every record.";

const fn harm(name: &'static str, seen: &'static str, steps: fn(&Scene<'_>)) -> Form {
    form(Aim::Harm, name, seen, Attempt::Steps(steps)).of_changes()
}

pub(super) const FORMS: &[Form] = &[
    steps("a call by a list that was kept from before the policy", "tried", |scene| {
        let list = scene.list();
        // What the agent had before there was a sidecar.
        Exchange::attempt(scene.server, &list.bytes(scene.server)).whole_within(PATIENCE);
        scene.send(&scene.denied());
    }),
    harm("a tool that has turned harmful since it was listed", "CVE-2025-54136", |scene| {
        scene.turn("harmless");
        scene.send(&scene.list());
        scene.call("find_record");
        scene.turn("harmful");
        scene.send(&scene.list());
        scene.call("find_record");
    }),
    harm("a tool that comes when the list has been seen", "postmark-mcp 1.0.16", |scene| {
        scene.turn("harmless");
        scene.send(&scene.list());
        scene.turn("harmful");
        scene.call("wipe_record");
        scene.send(&scene.list());
        scene.call("wipe_record");
    }),
    harm("a harmful tool that says it only reads", "tried", |scene| {
        scene.send(&scene.list());
        scene.call("purge_record");
    }),
    harm("a harmful tool that says it only reads, called before any list", "tried", |scene| scene.call("purge_record")),
    form(
        Aim::See,
        "a list whose tools have turned harmful",
        "CVE-2025-54136",
        Attempt::Steps(|scene| {
            scene.turn("harmless");
            scene.send(&scene.list());
            scene.turn("harmful");
            scene.send(&scene.list());
        }),
    )
    .of_changes(),
    form(Aim::Keep, "a list that everybody may keep", "tried", Attempt::Change(|_, _| ())).in_eras(MODERN).of_changes(),
    form(
        Aim::Pass,
        "a tool that has turned harmless again",
        "tried",
        Attempt::Steps(|scene| {
            for to in ["harmful", "harmless"] {
                scene.turn(to);
                scene.send(&scene.list());
            }
            scene.call("find_record");
        }),
    )
    .of_changes(),
];
