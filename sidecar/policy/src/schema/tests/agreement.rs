//! Whatever the keyword, arguments on their tape are judged as the same arguments in a tree of values.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

/// Values that meet the schemas below often: few names, few strings, numbers that are equal in several forms.
fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        (-2..4_i64).prop_map(Json::from),
        prop::sample::select(vec![0.0, 0.5, 1.0, 2.0, 1e20, -1.5]).prop_map(Json::from),
        prop::sample::select(vec![u64::MAX, 1 << 53, (1 << 53) + 1]).prop_map(Json::from),
        prop::sample::select(vec!["", "a", "b", "ab", "ü", "\u{0}", "x-a"]).prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop::sample::select(vec!["a", "b", "c", "x-a", ""]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::btree_map(name.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// Schemas of every keyword, whose subschemas are themselves such.
fn schema() -> impl Strategy<Value = Json> {
    let types = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::from),
        prop::sample::select(types.to_vec()).prop_map(|kind| json!({"type": kind})),
        value().prop_map(|value| json!({"const": value})),
        prop::collection::vec(value(), 1..4).prop_map(|values| json!({"enum": values})),
        (0..3_i64, 0..3_i64).prop_map(|(least, most)| json!({"minimum": least, "exclusiveMaximum": most})),
        prop::sample::select(vec![0.5, 1.0, 2.0]).prop_map(|divisor| json!({"multipleOf": divisor})),
        (0..2_u32, 0..3_u32).prop_map(|(least, most)| json!({"minLength": least, "maxLength": most})),
        (0..2_u32, 0..3_u32).prop_map(|(least, most)| json!({"minItems": least, "maxItems": most})),
        (0..2_u32, 0..3_u32).prop_map(|(least, most)| json!({"minProperties": least, "maxProperties": most})),
        prop::sample::select(vec!["a", "^a$", "^.$", "^[ab]*$"]).prop_map(|pattern| json!({"pattern": pattern})),
        Just(json!({"uniqueItems": true})),
        Just(json!({"required": ["a"], "dependentRequired": {"b": ["c"]}})),
        Just(json!({"$ref": "#/$defs/again"})),
    ];
    leaf.prop_recursive(3, 24, 3, |inner| {
        let two = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            two().prop_map(|schemas| json!({"allOf": schemas})),
            two().prop_map(|schemas| json!({"anyOf": schemas})),
            two().prop_map(|schemas| json!({"oneOf": schemas})),
            inner.clone().prop_map(|schema| json!({"not": schema})),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| json!({"if": a, "then": b, "else": c})),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| json!({
                "properties": {"a": a}, "patternProperties": {"^x-": b}, "additionalProperties": c
            })),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({"properties": {"a": a}, "unevaluatedProperties": b})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"prefixItems": [a], "items": b})),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({"contains": a, "minContains": 2, "unevaluatedItems": b})),
            inner.clone().prop_map(|schema| json!({"propertyNames": schema})),
            inner.prop_map(|schema| json!({"dependentSchemas": {"a": schema}})),
        ]
    })
}

/// The value as servers read it that take every number for the nearest double.
fn rounded(value: &Json) -> Json {
    match value {
        Json::Number(number) if !number.is_f64() => match number.as_f64() {
            Some(double) if double.abs() >= 9_007_199_254_740_992.0 => Json::from(double),
            _ => value.clone(),
        },
        Json::Array(items) => items.iter().map(rounded).collect(),
        Json::Object(members) => {
            Json::Object(members.iter().map(|(name, member)| (name.clone(), rounded(member))).collect())
        }
        _ => value.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_tape_is_judged_as_a_tree_of_values(schema in schema(), again in schema(), arguments in value()) {
        let schema = json!({"properties": {"a": schema.clone()}, "allOf": [schema], "$defs": {"again": {"properties": {"a": again}}}});
        // A reference that leads back to itself for the same value is refused.
        let Ok(compiled) = compile(&schema) else { return Ok(()) };
        let outcome = compiled.validate(Some(document(&arguments).root()), SECOND);
        let valid = jsonschema::is_valid(&schema, &arguments) && jsonschema::is_valid(&schema, &rounded(&arguments));
        prop_assert_eq!(outcome.is_ok(), valid, "{} {:?}", schema, outcome);
        if let Err(Mismatch::Violation(violation)) = outcome {
            prop_assert!(arguments.pointer(&violation.pointer).is_some(), "{:?}", violation);
        }
    }
}
