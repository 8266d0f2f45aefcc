//! Requests of the server to the agent.

use super::world::{World, brief, imaging, policy};
use crate::decide::ServerRequest;
use crate::reason::Reason;

fn mcp(name: &str, spec: &str) -> String {
    policy("McpPolicy", name, &format!("serverRefs: [{{name: aws}}]\n{spec}"), "")
}

fn sampling(policies: &str) -> (Reason, String) {
    let world = World::new(policies);
    let verdict = world.ruleset.server_request(ServerRequest::Sampling);
    let (reason, pointer) = brief(&verdict);
    (reason, pointer.to_owned())
}

#[test]
fn an_explicit_deny_wins_over_every_allow() {
    let policies = mcp("a", "serverRequests: {sampling: Allow}") + &mcp("b", "serverRequests: {sampling: Deny}");
    assert_eq!(sampling(&policies), (Reason::ServerRequestDenied, "clinic/b".into()));
    let guard = policy("ClusterMcpPolicy", "guard", "tier: Boundary\nserverRequests: {sampling: Deny}", "");
    let policies = mcp("a", "serverRequests: {sampling: Allow}") + &guard;
    assert_eq!(sampling(&policies), (Reason::ServerRequestDenied, "guard".into()));
}

#[test]
fn an_explicit_allow_of_a_policy_that_decides_is_enough() {
    let policies = mcp("a", "default: Deny") + &mcp("b", "serverRequests: {sampling: Allow}");
    assert_eq!(sampling(&policies), (Reason::AllowedByRule, "clinic/b".into()));
    let guard = policy("ClusterMcpPolicy", "guard", "tier: Boundary\nserverRequests: {sampling: Allow}", "");
    assert_eq!(sampling(&(mcp("a", "") + &guard)).0, Reason::ServerRequestDenied, "a Boundary cannot grant");
}

#[test]
fn without_a_word_every_policy_that_decides_must_default_to_allow() {
    assert_eq!(sampling(&mcp("a", "default: Allow")), (Reason::AllowedByDefault, "clinic/a".into()));
    let policies = mcp("a", "default: Allow") + &mcp("b", "");
    assert_eq!(sampling(&policies), (Reason::ServerRequestDenied, "clinic/b".into()));
}

#[test]
fn audit_policies_let_requests_pass_and_record() {
    let world = World::new(&imaging("mode: Audit\nserverRequests: {roots: Deny}", ""));
    let verdict = world.ruleset.server_request(ServerRequest::Roots);
    assert_eq!(verdict.reason, Reason::AuditOnly);
    assert_eq!(verdict.shadow[0].reason, Reason::ServerRequestDenied);
    assert_eq!(sampling("").0, Reason::NoPolicy);
}
