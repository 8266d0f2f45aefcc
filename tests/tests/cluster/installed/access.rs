//! Who is given what by the operator: a pod's own configuration to who has that pod's token, and nothing to anybody else.

use reeve_tests::cluster::clinic::{agent, policy, programmed};
use reeve_tests::cluster::operator::{Operator, Refused};
use reeve_tests::cluster::pod::{Pod, shell};
use reeve_tests::cluster::{Namespace, kubectl, token};
use reeve_wire::message::{FromSidecar, PodReport};
use reeve_wire::{AUDIENCE, Uid};
use serde_json::{Value, json};

use super::{ENABLED, clinic};

fn lists(name: &str) -> Value {
    policy(name, "agent", &json!([{"name": "lists", "tools": ["list_*"], "action": "Allow"}]))
}

/// How a stream with this token is refused.
fn refused(operator: &Operator, what: &str, token: Option<&str>) -> Refused {
    operator.ask(token).err().unwrap_or_else(|| panic!("{what} is let in: {token:?}"))
}

#[test]
fn a_stream_is_given_to_the_token_of_a_live_pods_sidecar_and_to_no_other() {
    let namespace = clinic(&[ENABLED]);
    let agent = namespace.pod(agent(&namespace, "agent"));
    let own = token::of_pod(&namespace, &agent, AUDIENCE);
    let bare = Pod::named(&namespace, "imaging");
    let operator = Operator::service();
    let vouch = "the API server does not vouch for the token";
    for (what, token, status, words) in [
        ("nobody", None, 401, "no token"),
        ("a word", Some("letmein".to_owned()), 401, "what was sent is not a ServiceAccount's token"),
        ("a forged signature", Some(token::signed_by_nobody(&own)), 401, vouch),
        ("no signature", Some(token::unsigned(&own)), 401, vouch),
        (
            "another pod's name under this pod's signature",
            Some(token::altered(&own, |claims| claims["kubernetes.io"]["pod"]["name"] = json!("imaging"))),
            401,
            vouch,
        ),
        (
            "a longer life under the same signature",
            Some(token::altered(&own, |claims| claims["exp"] = json!(4_000_000_000_u64))),
            401,
            vouch,
        ),
        (
            "a token that has expired",
            Some(token::altered(&own, |claims| claims["exp"] = json!(1_700_000_000))),
            401,
            "the token has expired",
        ),
        (
            "another audience",
            Some(token::of_pod(&namespace, &agent, "https://vault.example")),
            401,
            "the token is not of audience reeve-operator",
        ),
        (
            "a ServiceAccount outside of any pod",
            Some(token::of_account(&namespace, "default", AUDIENCE)),
            403,
            "is bound to no pod",
        ),
        (
            "a pod without a sidecar",
            Some(token::of_pod(&namespace, &bare, AUDIENCE)),
            503,
            "imaging is not known to have a sidecar",
        ),
    ] {
        let refused = refused(&operator, what, token.as_deref());
        assert!(refused.status == status && refused.words.contains(words), "{what}: {refused:?}");
    }
    assert!(operator.ask(Some(&own)).is_ok(), "the pod's own token is let in");
}

#[test]
fn a_pods_token_is_worth_nothing_once_the_pod_is_gone() {
    let namespace = clinic(&[ENABLED]);
    let manifest = agent(&namespace, "agent");
    let pod = namespace.pod(&manifest);
    let (used, unused) = (token::of_pod(&namespace, &pod, AUDIENCE), token::of_pod(&namespace, &pod, AUDIENCE));
    let operator = Operator::service();
    let mut stream = operator.ask(Some(&used)).expect("while the pod is there");
    stream.hello();
    namespace.told(&["delete", &pod.object()]);
    namespace.wait_gone(&pod.object());
    // Whatever it was offered before: it ends.
    while stream.heard().is_some() {}
    namespace.pod(&manifest);
    for (what, token) in [("a token that was known", &used), ("one that was not", &unused)] {
        let refused = refused(&operator, what, Some(token));
        let words = ["is not known", "does not vouch"];
        assert!(
            words.iter().any(|words| refused.words.contains(words)),
            "{what}, beside a pod of that name: {refused:?}"
        );
    }
}

#[test]
fn a_pods_token_gives_what_governs_that_pod_and_nothing_of_another_namespace() {
    let ours = clinic(&[ENABLED]);
    let theirs = ours.another(&[ENABLED]);
    reeve_tests::cluster::clinic::server(&theirs);
    for (namespace, name) in [(&ours, "our-policy"), (&theirs, "their-policy")] {
        namespace.apply(lists(name));
        namespace.pod(agent(namespace, "agent"));
        programmed(namespace, &format!("mcppolicy/{name}"), "True", "Programmed");
    }
    let agent = Pod::named(&ours, "agent");
    let mut stream = Operator::service().ask(Some(&token::of_pod(&ours, &agent, AUDIENCE))).expect("it is let in");
    stream.hello();
    let given = stream.given().expect("a configuration");
    assert_eq!((&given.identity.namespace, &given.identity.pod), (&ours.name, &agent.name));
    let document = given.document.expect("who runs nothing is given a document").get().to_owned();
    assert!(document.contains("our-policy"), "{document}");
    for foreign in ["their-policy", &theirs.name] {
        assert!(!document.contains(foreign), "{foreign} is in what the pod is given: {document}");
    }
    // It cannot speak for others as a replica of the operator would.
    let other = Pod::named(&theirs, "agent").now();
    let other = Uid::from(other["metadata"]["uid"].as_str().unwrap());
    let report = PodReport { pod: other, connected: false, running: None, servers: Vec::new() };
    stream.say(&FromSidecar::Reports(vec![report]));
    while stream.heard().is_some() {}
    programmed(&theirs, "mcppolicy/their-policy", "True", "Programmed");
    // The sidecar, whose place was taken meanwhile, has it again.
    programmed(&ours, "mcppolicy/our-policy", "True", "Programmed");
}

#[test]
fn whoever_asks_a_webhook_is_told_of_no_policy_of_a_namespace() {
    let namespace = clinic(&[ENABLED]);
    namespace.apply(lists("secret-plan"));
    namespace.pod(agent(&namespace, "agent"));
    programmed(&namespace, "mcppolicy/secret-plan", "True", "Programmed");
    // What any pod can send, without a word of who it is.
    let boundary = json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "ClusterMcpPolicy", "metadata": {"name": "asking"},
        "spec": {"tier": "Boundary", "rules": [{"name": "all", "tools": ["*"], "action": "Deny"}]}});
    for (kind, namespace, object) in
        [("ClusterMcpPolicy", None, boundary), ("McpPolicy", Some(&namespace.name), lists("asking"))]
    {
        let question = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "1",
            "kind": {"group": "reeve.dev", "version": "v1alpha1", "kind": kind}, "name": "asking", "dryRun": true,
            "namespace": namespace, "operation": "CREATE", "userInfo": {"username": "system:admin"}, "object": object}});
        let answer = Operator::service().post("/validate", &question.to_string());
        assert!(answer.contains(r#""allowed":true"#), "it is answered: {answer}");
        assert!(!answer.contains("secret-plan"), "{answer}");
    }
}

/// What an agent finds of a token in its own container.
fn found(agent: &Pod<'_>, file: &str) -> Result<String, String> {
    agent.exec("main", &["cat", file]).map(|token| token.trim().to_owned())
}

#[test]
fn the_token_that_an_agent_has_is_refused_and_the_one_that_is_taken_is_out_of_its_reach() {
    let namespace = clinic(&[ENABLED]);
    namespace.apply(lists("imaging"));
    let agent = namespace.pod(shell("agent", "exec sleep 600"));
    let own = found(&agent, "/var/run/secrets/kubernetes.io/serviceaccount/token").expect("the kubelet gives it one");
    let refused = refused(&Operator::service(), "the agent's own token", Some(&own));
    assert!(refused.status == 401 && refused.words.contains("not of audience reeve-operator"), "{refused:?}");
    let out_of_reach = found(&agent, reeve_wire::pod::TOKEN_FILE).unwrap_err();
    assert!(out_of_reach.contains("No such file or directory"), "{out_of_reach}");
    let account = format!("system:serviceaccount:{}:default", namespace.name);
    for kind in ["mcppolicies", "clustermcppolicies", "mcpservers", "secrets"] {
        let may = kubectl::kubectl(&["auth", "can-i", "list", kind, "--all-namespaces", "--as", &account]);
        assert!(may.is_err(), "nor does the API server show it {kind}: {may:?}");
    }
}

#[test]
fn an_account_that_is_named_like_the_operators_is_no_replica() {
    let namespace = clinic(&[ENABLED]);
    namespace.told(&["create", "serviceaccount", "reeve-operator"]);
    let pod = pod_of(&namespace, "reeve-operator");
    let mut stream = Operator::service().ask(Some(&token::of_pod(&namespace, &pod, AUDIENCE))).expect("a sidecar's");
    stream.say(&FromSidecar::Reports(Vec::new()));
    assert!(stream.given().is_none(), "it is heard as a sidecar, which has nothing to report of others");
}

fn pod_of<'n>(namespace: &'n Namespace, account: &str) -> Pod<'n> {
    let mut manifest = agent(namespace, "agent");
    manifest["spec"]["serviceAccountName"] = json!(account);
    namespace.pod(manifest)
}
