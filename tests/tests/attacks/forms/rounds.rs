//! Calls that come again with what the server asked for (SEP-2322). One unit of quota is for all rounds of a call, and for no other.

use reeve_tests::http::Exchange;
use reeve_tests::request::Request;

use super::{Aim, Attempt, Form, MODERN, form};
use crate::scene::Scene;

const fn exceed(name: &'static str, attempt: fn(&Scene<'_>)) -> Form {
    form(Aim::Exceed, name, "SEP-2322", Attempt::Steps(attempt)).in_eras(MODERN).of_changes()
}

/// A call of the tool that asks first, by an agent that can be asked.
fn call(scene: &Scene<'_>, more: &str) -> Request {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"export_record","arguments":{{"token":"$T"}}{more}$M}}}}"#
    );
    let mut call = scene.request("tools/call", "export_record", &body);
    call.replace(
        r#""io.modelcontextprotocol/clientCapabilities":{}"#,
        r#""io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}}}"#,
    );
    call
}

/// The same with the answer.
fn retry(scene: &Scene<'_>) -> Request {
    call(scene, r#","inputResponses":{"sure":{"action":"accept","content":{"yes":true}}}"#)
}

pub(super) const FORMS: &[Form] = &[
    exceed("an answer to the server's question, given twice", |scene| {
        for request in [call(scene, ""), retry(scene), retry(scene)] {
            scene.send(&request);
        }
    }),
    exceed("questions that are gathered and then all answered", |scene| {
        for request in [call(scene, ""), call(scene, ""), retry(scene), retry(scene)] {
            scene.send(&request);
        }
    }),
    exceed("an answer to a question that the server never asked, given twice", |scene| {
        for request in [retry(scene), retry(scene)] {
            scene.send(&request);
        }
    }),
    exceed("an answer to the question that is given, hung up on, and given again", |scene| {
        scene.send(&call(scene, ""));
        for _ in 0..3 {
            Exchange::attempt(scene.address, &retry(scene).bytes(scene.address)).hang_up();
        }
        scene.send(&retry(scene));
    }),
    exceed("an answer to the question that is refused, and given again", |scene| {
        scene.send(&call(scene, ""));
        let mut refused = retry(scene);
        refused.remove("Mcp-Name");
        scene.send(&refused);
        for request in [retry(scene), retry(scene)] {
            scene.send(&request);
        }
    }),
    exceed("two answers to one question at once", |scene| {
        scene.send(&call(scene, ""));
        let bytes = retry(scene).bytes(scene.address);
        let both = [Exchange::attempt(scene.address, &bytes), Exchange::attempt(scene.address, &bytes)];
        for exchange in both {
            scene.keep(&exchange.whole_within(crate::scene::PATIENCE).body);
        }
    }),
];
