//! Every mistake of a file is told at once: each once, where it stands, and none that only follows from another.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::load::check;

/// What `check` refuses a file for: lines and pointers.
fn told(name: &str, text: &str) -> Vec<(usize, String)> {
    let found = check(name, text.as_bytes(), None);
    found.into_iter().map(|found| (found.line, found.pointer)).collect()
}

#[track_caller]
fn tells(text: &str, expected: &[(usize, &str)]) {
    let found = check("p.yaml", text.as_bytes(), None);
    let places: Vec<(usize, &str)> = found.iter().map(|found| (found.line, found.pointer.as_str())).collect();
    let all: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(places, expected, "{text}\n{}", all.join("\n"));
}

/// What stands before the rules, which begin in line 7.
const HEAD: &str = "apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: a}
spec:
  serverRefs: [{name: x}]
  rules:
";

#[test]
fn a_manifest_tells_exactly_its_mistakes() {
    for (rules, expected) in [
        (
            "  - name: a
    tols: 3
    when: arg.x
    action: Deny
    limits:
    - {counter: c, window: 0s, max: 1}
",
            &[
                (8, "/spec/rules/0/tols"),
                (9, "/spec/rules/0/when"),
                (11, "/spec/rules/0/limits"),
                (12, "/spec/rules/0/limits/0/window"),
            ][..],
        ),
        (
            "  - {name: a, tools: [x], action: Allow, limits: [
      {counter: c, window: 0s,
       max: -1}]}
",
            &[(8, "/spec/rules/0/limits/0/window"), (9, "/spec/rules/0/limits/0/max")],
        ),
        (
            "  - {name: a, tools: [x], action: Allow, listng: Auto}
  - {name: a, tools: [x], action: Deny,
     limits: [{counter: c, window: 0s, max: 1}]}
",
            &[
                (7, "/spec/rules/0/listng"),
                (8, "/spec/rules/1/name"),
                (9, "/spec/rules/1/limits"),
                (9, "/spec/rules/1/limits/0/window"),
            ],
        ),
        // What follows from the action, the scope, a name or a pattern that is not known is not told.
        ("  - {name: a, tools: [x], action: Dny, limits: [{counter: c, window: 1m, max: 1}], approval: {expiresAfter: 1m}}\n", &[(7, "/spec/rules/0/action")]),
        ("  - {name: a, tools: [x], acton: Deny, require: [{expression: args.}]}\n", &[(7, "/spec/rules/0/acton"), (7, "/spec/rules/0/require/0/expression")]),
        ("  - {name: a, tools: [x], action: Allow, limits: [{counter: c, window: 1m, max: 1, scope: Kye, key: args.x}]}\n", &[(7, "/spec/rules/0/limits/0/scope")]),
        ("  - {name: a, tools: [x], action: Allow, limits: [{counter: c, window: 1m, max: 1, scope: Key, kye: args.x}]}\n", &[(7, "/spec/rules/0/limits/0/kye")]),
        ("  - {name: A B, tools: [x], action: Allow}\n  - {name: A B, tools: [7], risk: {}, action: Allow}\n", &[(7, "/spec/rules/0/name"), (8, "/spec/rules/1/name"), (8, "/spec/rules/1/tools/0")]),
        ("  - {name: a, tools: 7, validateArguments: true, action: Allow}\n", &[(7, "/spec/rules/0/tools")]),
        ("  - {name: a, tools: [x], action: Constrain, limits: 7}\n", &[(7, "/spec/rules/0/limits")]),
        ("  - {name: a, tools: ['*'], action: Allow, when: 7}\n", &[(7, "/spec/rules/0/when")]),
        ("  - {tools: [x], action: Allow}\n  - {tools: [x], action: Allow, concurrency: {heldAtMost: 0s}}\n", &[(7, "/spec/rules/0"), (8, "/spec/rules/1"), (8, "/spec/rules/1/concurrency"), (8, "/spec/rules/1/concurrency/heldAtMost")]),
        // Limits on one counter.
        (
            "  - {name: a, tools: [x], action: Allow, limits: [{counter: c, window: 7, max: 1, scope: Pod}]}
  - {name: b, tools: [x], action: Allow, limits: [{counter: c, window: 1m, max: 1, scope: Pood}]}
  - {name: c, tools: [x], action: Allow, limits: [{counter: c, window: 2m, max: 1, scope: Grant}]}
",
            &[
                (7, "/spec/rules/0/limits/0/window"),
                (8, "/spec/rules/1/limits/0/scope"),
                (9, "/spec/rules/2/limits/0/window"),
                (9, "/spec/rules/2/limits/0/scope"),
            ],
        ),
        (
            "  - {name: a, tools: [x], action: Allow, limits: [{counter: c, window: 0s, max: 1}, {counter: c, window: 1x, max: 1, cost: args.}]}
  - {name: b, tools: [x], action: Allow, limits: [{counter: c, window: 1m, max: 1, scope: Pod}]}
",
            &[
                (7, "/spec/rules/0/limits/0/window"),
                (7, "/spec/rules/0/limits/1/counter"),
                (7, "/spec/rules/0/limits/1/window"),
                (7, "/spec/rules/0/limits/1/cost"),
                (8, "/spec/rules/1/limits/0/scope"),
            ],
        ),
        ("  - {name: a, tools: [x], action: Allow, limits: [{counter: 7, window: 1m, max: 1}, {counter: x, window: 1m, max: 1}, {counter: true, window: 2m, max: 1}]}\n", &[(7, "/spec/rules/0/limits/0/counter"), (7, "/spec/rules/0/limits/2/counter")]),
    ] {
        let text = format!("{HEAD}{rules}");
        tells(&text, expected);
    }
}

#[test]
fn what_governs_a_manifest_is_told_with_the_rest() {
    tells(
        "\
apiVersion: reeve.dev/v1alpha1
kind: ClusterMcpPolcy
metadata: {}
spec:
  tier: Boundry
  default: Pass
  configMaxAge: 1x
  podSelector: {matchExpressions: [{key: a, operator: Inn, values: []}]}
  rules:
  - {name: a, tools: [x], action: Allow}
",
        &[
            (2, "/kind"),
            (3, "/metadata"),
            (5, "/spec/tier"),
            (7, "/spec/configMaxAge"),
            (8, "/spec/podSelector/matchExpressions/0/operator"),
        ],
    );
    tells(
        "\
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: a}
spec: {serverRefs: [], rules: [{name: a, action: Allow}]}
---
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: a}
spec: {serverRefs: [{name: x}], mode: Adit}
---
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {nmae: a}
spec: {serverRefs: [{name: x}]}
",
        &[(4, "/spec/serverRefs"), (4, "/spec/rules/0"), (8, "/metadata/name"), (9, "/spec/mode"), (13, "/metadata")],
    );
}

#[test]
fn an_item_of_a_list_tells_its_mistakes_too() {
    tells(
        "\
apiVersion: v1
kind: List
items:
- apiVersion: reeve.dev/v1alpha1
  kind: McpPolicy
  metadata: {name: a}
  spec:
    serverRefs: [{name: x}]
    rules:
    - {name: a, tols: [x], action: Deny, when: arg.x}
",
        &[(10, "/items/0/spec/rules/0/tols"), (10, "/items/0/spec/rules/0/when")],
    );
}

#[test]
fn the_json_format_tells_exactly_its_mistakes() {
    for (tool, expected) in [
        (
            r#"{"limits": [{"counter": "c d", "window": "month", "max": -1, "scope": "user", "increment_from": "x"}]}"#,
            &["/limits/0/counter", "/limits/0/window", "/limits/0/max", "/limits/0/scope", "/limits/0/increment_from"]
                [..],
        ),
        (
            r#"{"deny_if": [{"path": "x", "op": "regex", "value": "("}, {"path": "y", "op": "eq"}, {"op": "eqals", "path": "z"}]}"#,
            &["/deny_if/0", "/deny_if/0/path", "/deny_if/1", "/deny_if/1/path", "/deny_if/2/op", "/deny_if/2/path"],
        ),
        (
            r#"{"action": "deny", "rate_limit": "x", "limits": [{"counter": "c", "window": "0s", "max": 1}], "require": [{"path": "args.x", "op": "gt", "value": "y"}], "approval_timeout": "1m"}"#,
            &["/rate_limit", "/limits", "/limits/0/window", "/require", "/require/0/value", "/approval_timeout"],
        ),
        (
            r#"{"acton": "require_approval", "approval_timeout": "1m", "limits": [{"counter": "c", "window": 0, "max": 1}]}"#,
            &["/acton", "/limits/0/window"],
        ),
        (
            r#"{"rate_limit": {"max": -1, "window": "x", "scope": "y"}}"#,
            &["/rate_limit/max", "/rate_limit/window", "/rate_limit/scope"],
        ),
        (
            r#"{"rules": [{"state": 7}, {"condition": []}, {"action": "dney"}, {"state": {"counter": 7, "window": "x"}, "conditions": [{"path": "state.t.c", "op": "lte", "value": 1}]}]}"#,
            &[
                "/rules/0/state",
                "/rules/1/condition",
                "/rules/2/action",
                "/rules/3/state/counter",
                "/rules/3/state/window",
            ],
        ),
        (
            r#"{"rules": [{"state": {"counter": "c", "window": "32d"}, "conditions": [{"path": "state.t.c", "op": "gt", "value": 1}]}, {"state": {"counter": "c", "window": "day"}, "conditions": [{"path": 7, "op": "lte", "value": 1}]}]}"#,
            &["/rules/0/state/window", "/rules/0/conditions/0/op", "/rules/1/conditions/0/path"],
        ),
        (
            r#"{"rules": [{"action": "deny", "rate_limit": "1/eon", "state": {"counter": "c", "window": 0}}]}"#,
            &["/rules/0/rate_limit", "/rules/0/state", "/rules/0/state/window"],
        ),
        (
            r#"{"reason": "", "require": [{"path": "args.x", "op": "eq", "value": 1, "on_deny": ""}]}"#,
            &["/reason", "/require/0/on_deny"],
        ),
    ] {
        let text = format!("{{\"default\": \"deny\", \"tools\": {{\"t\": {tool}}}}}");
        let mut found: Vec<String> = told("p.json", &text).into_iter().map(|(_, pointer)| pointer).collect();
        let mut expected: Vec<String> = expected.iter().map(|pointer| format!("/tools/t{pointer}")).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{tool}\n{:#?}", check("p.json", text.as_bytes(), None));
    }
    tells(
        "\
defualt: deny
hide: ['a*', 7]
all_tools: {limits: [{counter: all, window: 32d, max: 1}]}
tools:
  'b_*': {limits: [{counter: c, window: 0s, max: 1}]}
  '*': {action: allow, require: [{path: x, op: exists, value: true}]}
  u: 7
",
        &[
            (1, "/defualt"),
            (2, "/hide/0"),
            (2, "/hide/1"),
            (3, "/all_tools/limits/0/window"),
            (5, "/tools/b_*"),
            (5, "/tools/b_*/limits/0/window"),
            (6, "/tools/*/action"),
            (6, "/tools/*/require/0/path"),
            (7, "/tools/u"),
        ],
    );
}

/// A change of a sound document that makes one mistake: what to set where, and where that is told.
type Mistake = (&'static str, Value, &'static str);

fn manifest() -> Value {
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpPolicy", "metadata": {"name": "a"}, "spec": {
        "serverRefs": [{"name": "x"}], "mode": "Enforce", "podSelector": {"matchLabels": {"app": "x"}}, "rules": [
        {"name": "a", "tools": ["x", "y"], "action": "Allow", "when": "true", "message": "m",
         "limits": [{"counter": "c", "window": "1m", "max": 1, "cost": "1"},
                    {"counter": "d", "window": "1m", "max": 1, "scope": "Key", "key": "args.k"}],
         "require": [{"expression": "true"}, {"expression": "true"}], "concurrency": {"max": 1, "heldAtMost": "1m"}},
        {"name": "b", "tools": ["z"], "action": "Deny", "when": "true"},
        {"name": "c", "tools": ["*"], "action": "Constrain", "limits": [{"counter": "c", "window": "1m", "max": 2}]},
        {"name": "d", "tools": ["w"], "action": "RequireApproval", "approval": {"expiresAfter": "1m"}}]}})
}

fn of_manifests() -> Vec<Mistake> {
    vec![
        ("/apiVersion", json!("v1"), "/apiVersion"),
        ("/metadata/name", json!("A B"), "/metadata/name"),
        ("/spec/mode", json!("Adit"), "/spec/mode"),
        ("/spec/serverRefs", json!([]), "/spec/serverRefs"),
        ("/spec/podSelector/matchLabels/app", json!(7), "/spec/podSelector/matchLabels/app"),
        ("/spec/ruls", json!([]), "/spec/ruls"),
        ("/spec/rules/0/name", json!("A"), "/spec/rules/0/name"),
        ("/spec/rules/0/tools/1", json!(""), "/spec/rules/0/tools/1"),
        ("/spec/rules/0/action", json!("Alow"), "/spec/rules/0/action"),
        ("/spec/rules/0/when", json!("arg.x"), "/spec/rules/0/when"),
        ("/spec/rules/0/message", json!(7), "/spec/rules/0/message"),
        ("/spec/rules/0/limits/1/window", json!("0s"), "/spec/rules/0/limits/1/window"),
        ("/spec/rules/0/limits/0/max", json!(-1), "/spec/rules/0/limits/0/max"),
        ("/spec/rules/0/limits/0/cost", json!("args."), "/spec/rules/0/limits/0/cost"),
        ("/spec/rules/0/limits/1/scope", json!("Kye"), "/spec/rules/0/limits/1/scope"),
        ("/spec/rules/0/limits/1/key", json!("nonsense"), "/spec/rules/0/limits/1/key"),
        ("/spec/rules/0/limits/1/counter", json!("c d"), "/spec/rules/0/limits/1/counter"),
        ("/spec/rules/0/require/0/expression", json!(7), "/spec/rules/0/require/0/expression"),
        ("/spec/rules/0/require/1", json!({}), "/spec/rules/0/require/1"),
        ("/spec/rules/0/concurrency/max", json!(0), "/spec/rules/0/concurrency/max"),
        ("/spec/rules/0/concurrency/heldAtMost", json!("1x"), "/spec/rules/0/concurrency/heldAtMost"),
        ("/spec/rules/1/tols", json!(3), "/spec/rules/1/tols"),
        ("/spec/rules/1/tools", json!("z"), "/spec/rules/1/tools"),
        ("/spec/rules/1/limits", json!([{"counter": "e", "window": "1m", "max": 1}]), "/spec/rules/1/limits"),
        ("/spec/rules/1/validateArguments", json!(true), "/spec/rules/1/validateArguments"),
        ("/spec/rules/2/name", json!("b"), "/spec/rules/2/name"),
        ("/spec/rules/2/limits/0/window", json!("2m"), "/spec/rules/2/limits/0/window"),
        ("/spec/rules/2/limits/0/scope", json!("Pod"), "/spec/rules/2/limits/0/scope"),
        ("/spec/rules/3/approval/expiresAfter", json!("32d"), "/spec/rules/3/approval/expiresAfter"),
        ("/spec/rules/3/listing", json!("Never"), "/spec/rules/3/listing"),
    ]
}

fn seed() -> Value {
    json!({"version": "1", "default": "deny", "hide": ["h"],
      "all_tools": {"limits": [{"counter": "all", "window": "hour", "max": 500, "scope": "session"}]},
      "tools": {
        "t": {"require": [{"path": "args.reason", "op": "exists", "value": true, "on_deny": "Say why."}],
              "deny_if": [{"path": "args.amount", "op": "gt", "value": 10}, {"path": "args.p", "op": "regex", "value": "a"}],
              "limits": [{"counter": "c", "window": "day", "max": 1, "increment_from": "args.amount"},
                         {"counter": "d", "window": 90, "max": 3, "increment": 2, "on_deny": "Slowly."}]},
        "u": {"action": "require_approval", "approval_timeout": "30m", "rate_limit": {"max": 5, "window": 60}},
        "v": {"action": "deny", "reason": "Nobody."},
        "w": {"rules": [{"name": "r", "conditions": [{"path": "args.x", "op": "lte", "value": 1}]},
                        {"conditions": [{"path": "state.w.s", "op": "lte", "value": 9}],
                         "state": {"counter": "s", "window": "day", "increment_from": "args.x"}},
                        {"action": "deny", "conditions": [{"path": "args.y", "op": "in", "value": [1]}]}]}}})
}

fn of_seeds() -> Vec<Mistake> {
    vec![
        ("/version", json!("2"), "/version"),
        ("/default", json!("dney"), "/default"),
        ("/hide/0", json!("h*"), "/hide/0"),
        ("/all_tools/limits/0/scope", json!("sesion"), "/all_tools/limits/0/scope"),
        ("/all_tools/limits/0/max", json!("1"), "/all_tools/limits/0/max"),
        ("/tools/t/require/0/path", json!("reason"), "/tools/t/require/0/path"),
        ("/tools/t/require/0/value", json!(1), "/tools/t/require/0/value"),
        ("/tools/t/require/0/on_deny", json!(7), "/tools/t/require/0/on_deny"),
        ("/tools/t/deny_if/0/op", json!("gtt"), "/tools/t/deny_if/0/op"),
        ("/tools/t/deny_if/0/path", json!("args.a.1.2.3"), "/tools/t/deny_if/0/path"),
        ("/tools/t/deny_if/1/value", json!("("), "/tools/t/deny_if/1"),
        ("/tools/t/deny_if/1/path", json!(7), "/tools/t/deny_if/1/path"),
        ("/tools/t/limits/0/window", json!("month"), "/tools/t/limits/0/window"),
        ("/tools/t/limits/0/max", json!(-1), "/tools/t/limits/0/max"),
        ("/tools/t/limits/0/increment_from", json!("amount"), "/tools/t/limits/0/increment_from"),
        ("/tools/t/limits/1/counter", json!("c d"), "/tools/t/limits/1/counter"),
        ("/tools/t/limits/1/on_deny", json!(""), "/tools/t/limits/1/on_deny"),
        ("/tools/t/limit", json!([]), "/tools/t/limit"),
        ("/tools/u/action", json!("aprove"), "/tools/u/action"),
        ("/tools/u/approval_timeout", json!("x"), "/tools/u/approval_timeout"),
        ("/tools/u/rate_limit/window", json!("32d"), "/tools/u/rate_limit/window"),
        ("/tools/u/rate_limit/max", json!(-1), "/tools/u/rate_limit/max"),
        ("/tools/v/rate_limit", json!("1/day"), "/tools/v/rate_limit"),
        ("/tools/w/rules/0/conditions/0/value", json!([]), "/tools/w/rules/0/conditions/0/value"),
        ("/tools/w/rules/1/conditions/0/op", json!("gt"), "/tools/w/rules/1/conditions/0/op"),
        ("/tools/w/rules/1/state/window", json!(0), "/tools/w/rules/1/state/window"),
        ("/tools/w/rules/1/state/increment_from", json!(7), "/tools/w/rules/1/state/increment_from"),
        ("/tools/w/rules/2/action", json!("dney"), "/tools/w/rules/2/action"),
        ("/tools/w/rules/2/conditions/0/value", json!(1), "/tools/w/rules/2/conditions/0/value"),
        ("/tools/x*", json!({}), "/tools/x*"),
    ]
}

fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match document.pointer_mut(parent).expect("the parent") {
        Value::Array(items) => items[key.parse::<usize>().expect("an index")] = value,
        parent => parent[key] = value,
    }
}

fn all_are_told(mut document: Value, mistakes: &[Mistake], chosen: &[usize]) {
    let mut expected = Vec::new();
    for (pointer, value, told) in chosen.iter().map(|&number| &mistakes[number]) {
        set(&mut document, pointer, value.clone());
        expected.push((*told).to_owned());
    }
    let text = serde_json::to_string_pretty(&document).expect("JSON");
    let mut found: Vec<String> = told("p.json", &text).into_iter().map(|(_, pointer)| pointer).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{text}\n{:#?}", check("p.json", text.as_bytes(), None));
}

#[test]
fn each_mistake_alone_is_told_alone_and_all_together_are_told_together() {
    for (document, mistakes) in [(manifest(), of_manifests()), (seed(), of_seeds())] {
        let text = document.to_string();
        let errors: Vec<_> = check("p.json", text.as_bytes(), None);
        assert_eq!(errors, [], "the document is sound");
        for number in 0..mistakes.len() {
            all_are_told(document.clone(), &mistakes, &[number]);
        }
        all_are_told(document, &mistakes, &(0..mistakes.len()).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_mistakes_of_a_manifest_are_told_together(
        chosen in proptest::sample::subsequence((0..30).collect::<Vec<usize>>(), 2..30)
    ) {
        all_are_told(manifest(), &of_manifests(), &chosen);
    }

    #[test]
    fn any_mistakes_of_the_json_format_are_told_together(
        chosen in proptest::sample::subsequence((0..30).collect::<Vec<usize>>(), 2..30)
    ) {
        all_are_told(seed(), &of_seeds(), &chosen);
    }
}
