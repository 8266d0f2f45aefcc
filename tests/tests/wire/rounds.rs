//! Calls that come again with what the server asked for: one unit of quota for all rounds, and none saved by pretending.

use reeve_tests::agent::told;
use reeve_tests::eventually::eventually;
use serde_json::{Value, json};

use super::World;

const TWO_EXPORTS: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: exports, namespace: clinic}
spec:
  serverRefs: [{name: '*'}]
  serverRequests: {elicitation: Allow}
  rules:
  - name: export
    tools: [export]
    action: Allow
    require: [{expression: 'args.to != \"elsewhere\"', message: not there}]
    limits: [{counter: exports, window: 1h, max: 2}]
  - {name: rest, tools: [other], action: Allow}
";

/// The same, and one call of anything in three seconds.
const AND_ONE_IN_ALL: &str = "
  - {name: all, tools: ['*'], action: Constrain, limits: [{counter: all, window: 3s, max: 1}]}
";

impl World {
    /// Sends a call and has the server answer with `result`. What the agent reads; none reached the server if it is a refusal.
    fn call(&self, params: Value, result: Value) -> Value {
        let exchange = self.modern().begin("tools/call", params);
        self.upstream.serves(&exchange, |request| request.result(result));
        exchange.rest().json()["result"].clone()
    }

    /// A call to which the server answers that it needs to know more; it gives this state to come again with.
    fn asks(&self, to: &str, state: &str) {
        let asked = json!({"who": {"method": "elicitation/create", "params": {}}});
        let question = json!({"resultType": "input_required", "inputRequests": asked, "requestState": state});
        assert_eq!(self.call(call(to), question)["resultType"], "input_required");
    }

    /// The same in a later round.
    fn asks_again(&self, to: &str, before: &str, state: &str) {
        let question = json!({"resultType": "input_required", "requestState": state});
        assert_eq!(self.call(retry(to, before), question)["resultType"], "input_required");
    }

    /// Whether a call passes.
    fn is_done(&self, params: Value) -> bool {
        let done = json!({"resultType": "complete", "content": [{"type": "text", "text": "done"}]});
        self.call(params, done)["content"][0]["text"] == "done"
    }
}

impl World {
    /// Whether a call passes, once the limit on all calls is not what refuses it.
    fn is_done_in_time(&self, params: &Value) -> bool {
        eventually("the limit on all calls has room", || {
            let done = json!({"resultType": "complete", "content": [{"type": "text", "text": "done"}]});
            let result = self.call(params.clone(), done);
            let rule = &result["_meta"]["reeve.dev/decision"]["rule"];
            (rule != "clinic/exports#all/limits/all").then(|| result["content"][0]["text"] == "done")
        })
    }
}

fn call(to: &str) -> Value {
    json!({"name": "export", "arguments": {"to": to}})
}

fn retry(to: &str, state: &str) -> Value {
    let answers = json!({"who": {"action": "accept", "content": {}}});
    json!({"name": "export", "arguments": {"to": to}, "inputResponses": answers, "requestState": state})
}

#[test]
fn a_call_in_two_rounds_takes_one_unit() {
    let world = World::new(TWO_EXPORTS);
    world.asks("us", "s1");
    assert!(world.is_done(retry("us", "s1")));
    assert!(world.is_done(call("us")), "the second unit");
    assert!(!world.is_done(call("us")));
}

#[test]
fn each_answer_of_the_server_spares_one_unit_and_no_more() {
    let world = World::new(TWO_EXPORTS);
    world.asks("us", "s1");
    assert!(world.is_done(retry("us", "s1")));
    assert!(world.is_done(retry("us", "s1")), "the second unit");
    assert!(!world.is_done(retry("us", "s1")));
}

#[test]
fn rounds_that_are_gathered_cannot_be_finished_at_once() {
    let world = World::new(TWO_EXPORTS);
    world.asks("us", "s1");
    world.asks("us", "s2");
    assert!(!world.is_done(call("us")), "two units are taken");
    world.asks_again("us", "s1", "s3");
    assert!(world.is_done(retry("us", "s2")), "each round takes the place of the one before");
    assert!(!world.is_done(call("us")));
    assert!(world.is_done(retry("us", "s3")));
    assert!(!world.is_done(retry("us", "s3")) && !world.is_done(call("us")));
}

#[test]
fn a_retry_that_another_limit_refuses_leaves_its_round_charged_and_open() {
    let world = World::new(&format!("{TWO_EXPORTS}{AND_ONE_IN_ALL}"));
    let other = json!({"name": "other", "arguments": {}});
    world.asks("us", "s1");
    // By then that limit has forgotten the first round, and it is full.
    assert!(world.is_done_in_time(&other));
    let refused = world.call(retry("us", "s1"), json!({}));
    assert_eq!(refused["_meta"]["reeve.dev/decision"]["rule"], "clinic/exports#all/limits/all", "{refused}");
    assert!(world.is_done_in_time(&call("us")), "the second unit");
    assert!(!world.is_done_in_time(&call("us")), "the first is that of the round which the server got");
    assert!(world.is_done_in_time(&retry("us", "s1")), "the round is still open");
    assert!(!world.is_done_in_time(&retry("us", "s1")), "and answered once");
}

#[test]
fn a_retry_that_never_left_leaves_its_round_charged_and_open() {
    let world = World::bounded(TWO_EXPORTS, "{maxConcurrentCalls: 1, connectTimeout: 1s}");
    world.asks("us", "s1");
    let (slow, request) = (world.modern().begin_call("other"), world.upstream.next());
    let waited = world.modern().ask("tools/call", retry("us", "s1"));
    assert!(told(&waited).1.contains("as many calls to it are in flight as may be"), "{waited:?}");
    request.text("done");
    slow.rest();
    assert!(world.is_done(call("us")), "the second unit");
    assert!(!world.is_done(call("us")), "the first is that of the round which the server got");
    assert!(world.is_done(retry("us", "s1")), "the round is still open");
    assert!(!world.is_done(retry("us", "s1")), "and answered once");
}

#[test]
fn who_pretends_to_come_again_is_charged() {
    let world = World::new(TWO_EXPORTS);
    assert!(world.is_done(retry("us", "made up")));
    assert!(world.is_done(retry("us", "made up")));
    assert!(!world.is_done(retry("us", "made up")));
}

#[test]
fn an_answer_to_one_call_spares_nothing_to_another() {
    let world = World::new(TWO_EXPORTS);
    world.asks("us", "s1");
    assert!(world.is_done(retry("them", "s1")), "other arguments: the second unit");
    assert!(!world.is_done(retry("us", "s2")), "another state");
    assert!(world.is_done(retry("us", "s1")), "the round that the server opened is still open");
}

#[test]
fn a_retry_is_a_call_like_any_other_for_every_rule() {
    let world = World::new(TWO_EXPORTS);
    world.asks("us", "s1");
    let refused = world.call(retry("elsewhere", "s1"), json!({}));
    assert_eq!(refused["_meta"]["reeve.dev/decision"]["reason"], "RequirementFailed", "{refused}");
    let recorded = world.sidecar.decisions(3);
    let events: Vec<&Value> = recorded.iter().map(|line| &line["event"]).collect();
    assert_eq!(events, ["call", "server_request", "call"], "each round and question is recorded: {recorded:?}");
}

#[test]
fn what_a_server_may_not_ask_for_before_it_answers_is_not_asked() {
    let world = World::new(TWO_EXPORTS);
    for method in ["sampling/createMessage", "roots/list"] {
        let asked =
            json!({"who": {"method": "elicitation/create", "params": {}}, "what": {"method": method, "params": {}}});
        let question = json!({"resultType": "input_required", "inputRequests": asked, "requestState": "s"});
        let told = world.call(call("us"), question);
        assert_eq!((&told["isError"], told.get("inputRequests")), (&json!(true), None), "{told}");
    }
}
