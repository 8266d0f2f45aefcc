//! Messages as agents post them, decided under a policy in a file.

use std::sync::Arc;

use reeve_policy::reason::Reason;

use super::super::tests::live;
use super::*;

/// A server that an McpPolicy with these rules governs.
fn route(rules: &str) -> Arc<Route> {
    Arc::clone(&live("http://127.0.0.1:9/mcp", rules).routes()[0])
}

/// What becomes of a request of the legacy era with this method and these `params`.
fn asked(route: &Route, method: &str, params: &str) -> Result<Ask, Rejection> {
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    examine(body.into(), &HeaderMap::new(), route, WallTime(0), Auditing::Off).map(|examined| examined.ask)
}

/// Why a request was decided as it was, for each call that it makes.
fn reasons(ask: &Ask) -> Vec<Reason> {
    match ask {
        Ask::Call(call, _) => vec![call.verdict.reason],
        Ask::Listen { calls, .. } => calls.iter().map(|call| call.verdict.reason).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn a_completion_of_a_template_is_decided_by_what_the_template_may_stand_for() {
    let params = r#"{"ref": {"type": "ref/resource", "uri": "test://template/{id}/data"},
        "argument": {"name": "id", "value": "1"}}"#;
    let open = route("{name: open, resources: ['test://template/**'], action: Allow}");
    assert_eq!(reasons(&asked(&open, "completion/complete", params).unwrap()), [Reason::AllowedByRule]);
    let closed = route("");
    assert_eq!(reasons(&asked(&closed, "completion/complete", params).unwrap()), [Reason::NoRule]);
}

#[test]
fn only_a_completion_may_name_a_template() {
    let open = route("{name: open, resources: ['test://template/**'], action: Allow}");
    for method in ["resources/read", "resources/subscribe"] {
        let ask = asked(&open, method, r#"{"uri": "test://template/{id}/data"}"#).unwrap();
        assert_eq!(reasons(&ask), [Reason::UriNotCanonical], "{method}");
    }
}
