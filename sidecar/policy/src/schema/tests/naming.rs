//! Keys that some servers take for a name of the schema.

use super::*;

/// The name that the arguments have a twin of.
fn twin(schema: &serde_json::Value, arguments: &serde_json::Value) -> Option<String> {
    let schema = compile(schema).expect("a schema");
    match schema.validate(Some(document(arguments).root()), SECOND) {
        Err(Mismatch::Ambiguous(name)) => Some(name),
        Ok(()) | Err(Mismatch::Violation(_)) => None,
    }
}

/// Something with the name `bucket`, wherever it says so.
fn bucket() -> serde_json::Value {
    json!({"properties": {"bucket": {"enum": ["good"]}}})
}

#[test]
fn a_key_that_differs_only_in_case_from_one_of_the_schema_is_refused_alone_or_beside_it() {
    for arguments in [
        json!({"bucket": "good", "Bucket": "evil"}),
        json!({"Bucket": "evil"}),
        json!({"BUCKET": "good"}),
        json!({"buc\u{212a}et": "evil"}),
        json!({"bucket\u{0}": "evil"}),
    ] {
        assert_eq!(twin(&bucket(), &arguments).as_deref(), Some("bucket"), "{arguments}");
    }
    for arguments in [json!({}), json!({"bucket": "good", "buckets": 1, "Other": 2}), json!({"x": {"Bucket": 1}})] {
        assert_eq!(check(&bucket(), &arguments), Ok(()), "{arguments}");
    }
}

#[test]
fn every_keyword_that_names_a_member_counts() {
    for schema in [
        json!({"required": ["bucket"]}),
        json!({"dependentRequired": {"bucket": ["x"]}}),
        json!({"dependentRequired": {"x": ["bucket"]}}),
        json!({"dependentSchemas": {"bucket": true}}),
        json!({"dependencies": {"bucket": {}}}),
        json!({"dependencies": {"x": ["bucket"]}}),
        json!({"not": {"const": {"bucket": "evil"}}}),
        json!({"not": {"enum": [1, {"bucket": "evil"}]}}),
    ] {
        assert_eq!(twin(&schema, &json!({"Bucket": "evil"})).as_deref(), Some("bucket"), "{schema}");
    }
    for (schema, arguments) in [
        (json!({"enum": [{"a": {"bucket": 1}}]}), json!({"a": {"Bucket": 1}})),
        (json!({"const": {"a": [{"bucket": 1}]}}), json!({"a": [0, {"Bucket": 1}]})),
    ] {
        assert_eq!(twin(&json!({"not": schema}), &arguments).as_deref(), Some("bucket"), "{schema}");
    }
}

#[test]
fn every_subschema_that_applies_counts() {
    for schema in [
        json!({"allOf": [true, bucket()]}),
        json!({"anyOf": [bucket(), true]}),
        json!({"oneOf": [bucket(), false]}),
        json!({"not": {"required": ["bucket"]}}),
        json!({"if": bucket()}),
        json!({"if": false, "then": bucket()}),
        json!({"if": true, "else": bucket()}),
        json!({"dependentSchemas": {"x": bucket()}}),
        json!({"dependencies": {"x": bucket()}}),
        json!({"$ref": "#/$defs/b", "$defs": {"b": {"allOf": [bucket()]}}}),
    ] {
        assert_eq!(twin(&schema, &json!({"Bucket": "evil"})).as_deref(), Some("bucket"), "{schema}");
    }
}

#[test]
fn every_place_to_which_validation_descends_counts() {
    let inside = [
        (json!({"properties": {"a": bucket()}}), json!({"a": {"Bucket": 1}})),
        (json!({"patternProperties": {"^a": bucket()}}), json!({"a": {"Bucket": 1}})),
        (json!({"additionalProperties": bucket()}), json!({"a": {"Bucket": 1}})),
        (json!({"unevaluatedProperties": bucket()}), json!({"a": {"Bucket": 1}})),
        (json!({"properties": {"a": {"items": bucket()}}}), json!({"a": [1, {"Bucket": 1}]})),
        (json!({"properties": {"a": {"prefixItems": [true, bucket()]}}}), json!({"a": [1, {"Bucket": 1}]})),
        (json!({"properties": {"a": {"contains": bucket()}}}), json!({"a": [1, {"Bucket": 1}]})),
        (json!({"properties": {"a": {"unevaluatedItems": bucket()}}}), json!({"a": [1, {"Bucket": 1}]})),
        (json!({"properties": {"a": {"$ref": "#"}}, "required": ["bucket"]}), json!({"bucket": 1, "a": {"Bucket": 1}})),
    ];
    for (schema, arguments) in inside {
        assert_eq!(twin(&schema, &arguments).as_deref(), Some("bucket"), "{schema}");
    }
}

#[test]
fn names_count_only_where_the_schema_has_them() {
    let schema = json!({
        "properties": {
            "name": {"type": "string"},
            "tags": {"additionalProperties": {"type": "string"}},
            "pair": {"prefixItems": [{"properties": {"left": {}}}, {"properties": {"right": {}}}]},
        },
        "additionalProperties": {"properties": {"other": {}}},
    });
    for arguments in [
        json!({"tags": {"Name": "x", "Tags": "y"}}),
        json!({"pair": [{"Right": 1}, {"Left": 1}, {"Left": 1, "Right": 1}]}),
        json!({"name": "x", "more": {"Name": 1}, "tags": {}}),
    ] {
        assert_eq!(check(&schema, &arguments), Ok(()), "{arguments}");
    }
    assert_eq!(twin(&schema, &json!({"more": {"Other": 1}})).as_deref(), Some("other"));
}

#[test]
fn a_key_that_the_schema_names_exactly_is_the_servers_own() {
    let schema =
        json!({"properties": {"id": {"type": "string"}}, "anyOf": [{"properties": {"ID": {"type": "string"}}}]});
    assert_eq!(check(&schema, &json!({"id": "a", "ID": "b"})), Ok(()));
    assert!(twin(&schema, &json!({"Id": "a"})).is_some());
}
