//! Who is given a token that speaks for a sidecar.

use reeve_tests::eventually::eventually;
use reeve_wire::AUDIENCE;

use super::*;

#[test]
fn nobody_is_given_a_sidecars_token_by_asking_for_it_though_they_may_make_tokens_of_that_account() {
    let namespace = watched(&[ENABLED]);
    namespace.told(&["create", "rolebinding", "eve", "--clusterrole", "edit", "--user", "eve"]);
    let pod = namespace.pod(agent(&namespace, "agent")).now();
    let uid = pod["metadata"]["uid"].as_str().unwrap();
    let bound = ["--bound-object-kind", "Pod", "--bound-object-name", "agent", "--bound-object-uid", uid];
    let by_eve = |audiences: &[&str], bound: &[&str]| {
        let audiences: Vec<_> = audiences.iter().flat_map(|audience| ["--audience", audience]).collect();
        namespace.kubectl(&[&["--as", "eve", "create", "token", "default"], &audiences[..], bound].concat())
    };
    eventually("eve may make tokens of the account", || by_eve(&["vault"], &bound).ok());
    for (audiences, bound) in [(&[AUDIENCE][..], &bound[..]), (&[AUDIENCE], &[]), (&["vault", AUDIENCE], &bound)] {
        let refused = by_eve(audiences, bound).expect_err("it is refused");
        let words = "speaks for a pod's sidecar: only the kubelet of its node may ask for one";
        assert!(refused.contains("'reeve-sidecar-tokens'") && refused.contains(words), "{audiences:?}: {refused}");
    }
}
