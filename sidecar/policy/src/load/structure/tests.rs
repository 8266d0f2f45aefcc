use std::collections::{BTreeMap, BTreeSet};

use reeve_crds::v1alpha1::Policy;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::load::{json, yaml};

/// A document with every kind of field.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
struct Sample {
    #[schemars(length(min = 2, max = 4))]
    short: Option<String>,
    #[schemars(range(min = 1, max = 9))]
    count: Option<i64>,
    ratio: Option<f64>,
    flag: Option<bool>,
    #[serde(default)]
    #[schemars(length(min = 1, max = 2))]
    list: Vec<String>,
    #[serde(default)]
    #[schemars(extend("maxProperties" = 3))]
    labels: BTreeMap<String, String>,
    color: Option<Color>,
    either: Option<Either>,
    shape: Option<Shape>,
}

#[derive(Debug, Deserialize, JsonSchema)]
enum Color {
    Red,
    Green,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Either {
    Number(i64),
    Text(String),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used")]
enum Shape {
    Circle { radius: i64 },
    Square { side: i64 },
}

fn mistakes(text: &str) -> Vec<String> {
    let document = yaml::read(text).documents.remove(0);
    let findings = Schema::of::<Sample>().check(&document);
    findings.into_iter().map(|finding| format!("{}: {}", finding.pointer, finding.message)).collect()
}

#[test]
fn what_a_schema_permits_has_no_mistake() {
    for text in [
        "{}",
        "{short: abc, count: 9, ratio: 1, flag: true, list: [a], labels: {a: b, 12: c}, color: Red}",
        "{either: 1, shape: {kind: Circle, radius: 1}}",
        "{either: a, shape: {kind: Square, side: 1}}",
        "{short: ~, color: null, either: null}",
    ] {
        assert_eq!(mistakes(text), [""; 0], "{text}");
    }
}

#[test]
fn each_mistake_is_one_sentence() {
    for (text, sentence) in [
        ("{short: a}", "/short: short must have at least 2 characters"),
        ("{short: ''}", "/short: short must not be empty"),
        ("{short: abcde}", "/short: short has 5 characters, and may have 4"),
        ("{short: 12}", "/short: short must be text, not the number 12; quote it: \"12\""),
        ("{short: 010}", "/short: short must be text, and \"010\" without quotes is a number to kubectl: quote it"),
        ("{short: true}", "/short: short must be text, not true; quote it: \"true\""),
        ("{short: [a]}", "/short: short must be text, not a list"),
        ("{count: 0}", "/count: count must be at least 1, not 0"),
        ("{count: 10}", "/count: count must be at most 9, not 10"),
        ("{count: 1.5}", "/count: count must be a whole number, not the number 1.5"),
        ("{count: '1'}", "/count: count must be a whole number, not the text \"1\""),
        ("{ratio: x}", "/ratio: ratio must be a number, not the text \"x\""),
        ("{flag: yes}", "/flag: flag must be true or false, not the text \"yes\"; YAML 1.2 knows only true and false"),
        ("{list: []}", "/list: list needs at least 1 entry"),
        ("{list: [a, b, c]}", "/list: list has 3 entries, and may have 2"),
        ("{list: [a, 1]}", "/list/1: list[1] must be text, not the number 1; quote it: \"1\""),
        ("{labels: {a: a, b: b, c: c, d: d}}", "/labels: labels has 4 entries, and may have 3"),
        ("{labels: {a: 1}}", "/labels/a: a must be text, not the number 1; quote it: \"1\""),
        ("{labels: {yes: a}}", "/labels/yes: quote the key: \"yes\" without quotes is not text to kubectl"),
        ("{color: Rde}", "/color: color cannot be \"Rde\": write Red or Green; did you mean Red?"),
        ("{color: 1}", "/color: color must be Red or Green, not the number 1"),
        ("{either: [1]}", "/either: either must be a whole number or text, not a list"),
        ("{shape: {radius: 1}}", "/shape: shape has no \"kind\": write Circle or Square"),
        ("{shape: {kind: Circle, side: 1}}", "/shape/side: unknown field \"side\" in shape; it has kind and radius"),
        ("{shape: circle}", "/shape: shape must be an object, not the text \"circle\""),
        ("{colour: Red}", "/colour: unknown field \"colour\" in the document; did you mean \"color\"?"),
        ("[1]", ": the document must be an object, not a list"),
        ("short:\n", "/short: short has no value: write one, or remove it"),
    ] {
        assert!(mistakes(text).iter().any(|mistake| mistake == sentence), "{text}: {:#?}", mistakes(text));
    }
}

#[test]
fn a_kind_that_is_misspelled_does_not_hide_the_mistakes_below_it() {
    let found = mistakes("{shape: {kind: Circel, radios: 1}}");
    assert_eq!(
        found,
        [
            "/shape/radios: unknown field \"radios\" in shape; did you mean \"radius\"?",
            "/shape/kind: kind cannot be \"Circel\": write Circle or Square; did you mean Circle?"
        ]
    );
}

#[test]
fn text_of_the_user_is_cut_and_escaped() {
    let found = mistakes(&format!("{{color: \"{}\\n\"}}", "x".repeat(1_000)));
    assert_eq!(found, [format!("/color: color cannot be \"{}…\": write Red or Green", "x".repeat(60))]);
    assert_eq!(mistakes("{color: \"a\\nb\"}"), ["/color: color cannot be \"a\\nb\": write Red or Green"]);
}

/// The keywords that [`Checker`] knows, and those that only describe. In a build that has the operator in it, the schemas also
/// have what the API server is told, which begins with `x-kubernetes-`; the compiler of policies checks the same.
const KEYWORDS: [&str; 25] = [
    "$defs",
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
    "writeOnly",
];

fn keywords(schema: &Value, found: &mut BTreeSet<String>, patterns: &mut BTreeSet<String>) {
    let Some(schema) = schema.as_object() else { return };
    for (keyword, value) in schema {
        found.insert(keyword.clone());
        match (keyword.as_str(), value) {
            ("properties" | "$defs", Value::Object(inner)) => {
                inner.values().for_each(|one| keywords(one, found, patterns));
            }
            ("anyOf" | "oneOf", Value::Array(inner)) => {
                inner.iter().for_each(|one| keywords(one, found, patterns));
            }
            ("items" | "additionalProperties", inner) => keywords(inner, found, patterns),
            ("pattern", Value::String(pattern)) => {
                patterns.insert(pattern.clone());
            }
            _ => {}
        }
    }
}

#[test]
fn every_keyword_and_pattern_of_a_policy_is_known_here() {
    let (mut found, mut patterns) = (BTreeSet::new(), BTreeSet::new());
    keywords(&Schema::of::<Policy>().into_value(), &mut found, &mut patterns);
    found.retain(|keyword| !keyword.starts_with("x-kubernetes-"));
    let unknown: Vec<_> = found.iter().filter(|keyword| !KEYWORDS.contains(&keyword.as_str())).collect();
    assert_eq!(unknown, Vec::<&String>::new());
    assert!(patterns.len() >= 3, "{patterns:?}");
    for pattern in patterns {
        assert!(!words::pattern(&pattern).contains("must match"), "no words for {pattern}");
    }
}

#[test]
fn the_walk_agrees_with_a_validator_of_json_schema() {
    let schema = Schema::of::<Sample>();
    let validator = jsonschema::validator_for(&Schema::of::<Sample>().into_value()).expect("a schema");
    for document in [
        json!({}),
        json!({"short": "abc", "count": 3}),
        json!({"short": "a"}),
        json!({"short": null}),
        json!({"count": 0}),
        json!({"count": "1"}),
        json!({"list": []}),
        json!({"list": ["a", "b", "c"]}),
        json!({"labels": {"a": 1}}),
        json!({"labels": {"a": "a", "b": "b", "c": "c", "d": "d"}}),
        json!({"color": "Blue"}),
        json!({"either": true}),
        json!({"shape": {"kind": "Circle", "radius": 1}}),
        json!({"shape": {"kind": "Circle", "side": 1}}),
        json!({"shape": {"kind": "Triangle"}}),
        json!({"other": 1}),
        json!([]),
    ] {
        let node = json::read(&document.to_string()).unwrap_or_else(|_| panic!("{document}"));
        assert_eq!(schema.check(&node).is_empty(), validator.is_valid(&document), "{document}");
    }
}
