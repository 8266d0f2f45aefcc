//! Who gets into the sidecar's container, where its token and its servers' credentials are.

use reeve_tests::eventually::eventually;

use super::*;

const VERSION: [&str; 2] = ["/usr/local/bin/reeve-sidecar", "--version"];
const WORDS: &str = "this namespace requires Reeve's sidecar: its container may be entered only by who may update mcppolicies.reeve.dev here";

/// Runs something in a container of the agent, as eve.
fn by_eve(namespace: &Namespace, container: &str) -> Result<kubectl::Said, String> {
    let exec = ["--as", "eve", "exec", "agent", "--container", container, "--"];
    namespace.kubectl(&[&exec[..], &VERSION].concat())
}

#[test]
fn a_sidecar_that_is_required_is_entered_by_who_may_write_policies_and_by_nobody_else() {
    let namespace = watched(&[REQUIRED]);
    let elsewhere = namespace.another(&[ENABLED]);
    for of in [&namespace, &elsewhere] {
        of.told(&["create", "rolebinding", "eve", "--clusterrole", "edit", "--user", "eve"]);
        of.pod(agent(of, "agent"));
        eventually("eve may enter her own container", || by_eve(of, "main").ok());
    }
    let exec = by_eve(&namespace, "reeve-sidecar").expect_err("it is refused");
    let attach = namespace.kubectl(&["--as", "eve", "attach", "agent", "--container", "reeve-sidecar"]);
    for refused in [exec, attach.expect_err("it is refused")] {
        assert!(refused.contains("'reeve-required-entered'") && refused.contains(WORDS), "{refused}");
    }
    by_eve(&elsewhere, "reeve-sidecar").expect("nothing is required there");
    namespace.told(&["create", "rolebinding", "eve-writes", "--clusterrole", "reeve-admin", "--user", "eve"]);
    eventually("who may write policies may", || by_eve(&namespace, "reeve-sidecar").ok());
}
