//! Refusals, as they stand on the wire.

use reeve_tests::agent::Agent;
use reeve_tests::clients::Era;
use reeve_tests::sidecar::Sidecar;
use reeve_tests::upstream::Upstream;
use serde_json::{Value, json};

use super::ONE_ECHO;

const VALUE: &str = "patient-0815";

/// The answer to a call with this id, which must be no call for the server.
fn refused(agent: &Agent, tool: &str, id: &Value) -> Value {
    let mut body: Value = serde_json::from_str(&agent.body("tools/call", json!({"name": tool}))).unwrap();
    body["id"] = id.clone();
    body["params"]["arguments"] = json!({"message": VALUE});
    let answer = agent.begin_raw("tools/call", Some(tool), &body.to_string()).rest();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.head.contains(VALUE) && !answer.body.contains(VALUE), "no value of an argument: {answer:?}");
    answer.json()
}

#[test]
fn a_refusal_answers_its_request_and_tells_programs_what_models_read() {
    for era in [Era::Legacy, Era::Modern] {
        let upstream = Upstream::start();
        let sidecar = Sidecar::start(ONE_ECHO, &upstream.url);
        let agent = match era {
            Era::Legacy => Agent::legacy(&sidecar.url),
            Era::Modern => Agent::modern(&sidecar.url),
        };
        assert!(agent.passes("echo", &upstream));
        for id in [json!(7), json!("7"), json!("seven"), json!(0)] {
            let limited = refused(&agent, "echo", &id);
            let denied = refused(&agent, "other", &id);
            for answer in [&limited, &denied] {
                assert_eq!((&answer["id"], &answer["result"]["isError"]), (&id, &json!(true)), "{answer}");
                let kind = (era == Era::Modern).then(|| json!("complete"));
                assert_eq!(answer["result"].get("resultType"), kind.as_ref(), "{era:?}: {answer}");
            }
            says(
                &limited,
                &["policy default/one-echo, rule echo", "at most 1 call in any 1h", "`echo`", "Retry after "],
            );
            let decision = &limited["result"]["_meta"]["reeve.dev/decision"];
            let told = [&decision["decision"], &decision["reason"], &decision["policy"], &decision["rule"]];
            assert_eq!(told, ["limited", "LimitExceeded", "default/one-echo", "default/one-echo#echo/limits/echoes"]);
            let retry = decision["retryAfterMs"].as_u64().unwrap_or_default();
            assert!((1..=3_600_000).contains(&retry), "{decision}");

            says(&denied, &["policy default/one-echo", "`other`"]);
            let decision = &denied["result"]["_meta"]["reeve.dev/decision"];
            assert_eq!([&decision["decision"], &decision["reason"]], ["deny", "NoRule"], "{decision}");
            assert_eq!(decision.get("retryAfterMs"), None, "{decision}");
        }
        upstream.saw_nothing();
    }
}

fn says(answer: &Value, words: &[&str]) {
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
    words.iter().for_each(|word| assert!(text.contains(word), "{word:?}: {text}"));
}
