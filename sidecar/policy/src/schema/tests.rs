//! What schemas promise, claim by claim; what hostile ones cannot do is in [`hostile`], and that the tape reads as any
//! other JSON does in [`agreement`].

mod agreement;
mod hostile;
mod naming;
mod permitted;

use serde_json::json;

use super::*;
use crate::json::{Document, Limits as Bounds};

const SECOND: Duration = Duration::from_secs(1);

fn document(value: &serde_json::Value) -> Document {
    Document::parse(value.to_string().into(), Bounds::default()).expect("JSON")
}

fn compile(schema: &serde_json::Value) -> Result<ArgumentSchema, SchemaError> {
    ArgumentSchema::compile(document(schema).root())
}

fn refused(schema: &serde_json::Value) -> String {
    compile(schema).expect_err("a schema that is not accepted").0
}

/// What the schema says of these arguments.
fn check(schema: &serde_json::Value, arguments: &serde_json::Value) -> Result<(), String> {
    let schema = compile(schema).expect("a schema");
    schema.validate(Some(document(arguments).root()), SECOND).map_err(|violation| violation.to_string())
}

fn violation(schema: &serde_json::Value, arguments: &serde_json::Value) -> String {
    check(schema, arguments).expect_err("a violation")
}

/// The `inputSchema` of a tool as real servers write it.
fn start_export() -> serde_json::Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "datastore_id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "title": "Datastore Id"},
            "max_results": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 50}, {"type": "null"}], "default": null},
            "priority": {"enum": ["LOW", "NORMAL", "HIGH"]},
            "output": {"anyOf": [{"$ref": "#/definitions/Output"}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": true}
        },
        "required": ["datastore_id"],
        "additionalProperties": false,
        "definitions": {
            "Output": {
                "type": "object",
                "properties": {"s3_uri": {"type": "string"}, "kms_key": {"type": ["string", "null"]}},
                "required": ["s3_uri"]
            }
        }
    })
}

#[test]
fn arguments_that_match_pass() {
    let id = "0123456789abcdef0123456789abcdef";
    for arguments in [
        json!({"datastore_id": id}),
        json!({"datastore_id": id, "max_results": 50, "priority": "LOW", "tags": ["a", "b"]}),
        json!({"datastore_id": id, "max_results": null, "output": {"s3_uri": "s3://x/", "kms_key": null}}),
        json!({"datastore_id": id, "max_results": 3.0, "output": null}),
    ] {
        assert_eq!(check(&start_export(), &arguments), Ok(()), "{arguments}");
    }
}

#[test]
fn what_a_schema_accepts_it_accepts_as_a_server_reads_it_that_rounds() {
    let schema = json!({"properties": {
        "not": {"not": {"const": 10_000_000_000_000_000_u64}},
        "most": {"maximum": 10_000_000_000_000_003_u64},
        "any": {"type": "integer", "minimum": 1, "maximum": i64::MAX},
        "set": {"uniqueItems": true},
    }});
    let accepts = |arguments: serde_json::Value| check(&schema, &arguments);
    assert_eq!(accepts(json!({"any": 123_456_789_012_345_678_u64, "most": 10_000_000_000_000_002_u64})), Ok(()));
    assert_eq!(accepts(json!({"set": [9_007_199_254_740_992_u64, 9_007_199_254_740_994_u64]})), Ok(()));
    for (place, value) in [
        ("not", json!(10_000_000_000_000_001_u64)),
        ("most", json!(10_000_000_000_000_003_u64)),
        ("set", json!([9_007_199_254_740_992_u64, 9_007_199_254_740_993_u64])),
    ] {
        let why = accepts(json!({place: value})).expect_err(place);
        assert!(why.contains(&format!("`/{place}`")) && why.contains("round numbers beyond 2^53"), "{why}");
    }
}

#[test]
fn a_violation_says_what_the_schema_asks_for_and_nothing_of_the_value() {
    let with = |more: serde_json::Value| {
        let mut arguments = json!({"datastore_id": "0123456789abcdef0123456789abcdef"});
        arguments.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        violation(&start_export(), &arguments)
    };
    assert_eq!(violation(&start_export(), &json!({})), r#"the arguments object needs the property "datastore_id""#);
    assert_eq!(with(json!({"datastore_id": 5})), "the argument `/datastore_id` must be a string");
    assert_eq!(
        with(json!({"datastore_id": "secret"})),
        "the argument `/datastore_id` must match the pattern `^[0-9a-f]{32}$`"
    );
    assert_eq!(with(json!({"max_results": "7"})), "the argument `/max_results` must be null or an integer");
    assert_eq!(with(json!({"max_results": 51})), "the argument `/max_results` must be at most 50");
    assert_eq!(
        with(json!({"priority": "secret"})),
        r#"the argument `/priority` must be one of "LOW", "NORMAL", "HIGH""#
    );
    assert_eq!(with(json!({"output": {}})), r#"the argument `/output` needs the property "s3_uri""#);
    assert_eq!(
        with(json!({"output": {"s3_uri": "", "kms_key": [1]}})),
        "the argument `/output/kms_key` must be null or a string"
    );
    assert_eq!(with(json!({"tags": ["a", "b", "a"]})), "the argument `/tags` must not have the same item twice");
    assert_eq!(with(json!({"tags": ["a", ""]})), "the argument `/tags/1` must be at least 1 characters long");
    assert_eq!(
        with(json!({"dataStoreId": "secret"})),
        r#"the arguments object does not take the property "dataStoreId": did you mean "datastore_id"?"#
    );
    assert_eq!(with(json!({"bucket": "secret"})), r#"the arguments object does not take the property "bucket""#);
}

#[test]
fn every_keyword_has_its_words() {
    for (schema, value, words) in [
        (json!({"const": {"a": 1}}), json!(2), r#"must be {"a":1}"#),
        (
            json!({"enum": (0..100).collect::<Vec<_>>()}),
            json!(-1),
            "must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 90 more",
        ),
        (json!({"type": ["string", "array", "null"]}), json!(1), "must be null, a string or an array"),
        (json!({"exclusiveMinimum": 3}), json!(3), "must be more than 3"),
        (json!({"exclusiveMaximum": 3}), json!(3), "must be less than 3"),
        (json!({"minimum": 3}), json!(2), "must be at least 3"),
        (json!({"multipleOf": 0.5}), json!(0.75), "must be a multiple of 0.5"),
        (json!({"maxLength": 3}), json!("üüüü"), "must be at most 3 characters long"),
        (json!({"minItems": 1}), json!([]), "must have at least 1 items"),
        (json!({"maxItems": 1}), json!([1, 2]), "must have at most 1 items"),
        (json!({"minProperties": 1}), json!({}), "must have at least 1 properties"),
        (json!({"maxProperties": 0}), json!({"secret": 1}), "must have at most 0 properties"),
        (json!({"unevaluatedItems": false}), json!(["secret"]), "has items that the schema does not allow"),
        (json!({"unevaluatedProperties": false}), json!({"a": 1, "b": 2}), r#"does not take the properties "a", "b""#),
        (
            json!({"contains": {"type": "null"}}),
            json!([1]),
            "does not have the items that the schema's `contains` asks for",
        ),
        (
            json!({"propertyNames": {"maxLength": 2}}),
            json!({"abc": 1}),
            "has a property whose name must be at most 2 characters long",
        ),
        (
            json!({"propertyNames": {"pattern": "^[a-z]+$"}}),
            json!({"A": 1}),
            "has a property whose name must match the pattern `^[a-z]+$`",
        ),
        (json!({"not": {"type": "null"}}), json!(null), "is what the schema's `not` excludes"),
        (json!(false), json!(1), "is not allowed"),
        (json!({"dependentRequired": {"a": ["b"]}}), json!({"a": 1}), r#"needs the property "b""#),
        (
            json!({"oneOf": [{"minimum": 1}, {"minimum": 2}]}),
            json!(3),
            "matches more than one of the alternatives of which it must match one",
        ),
        (
            json!({"anyOf": [{"minimum": 1}, {"minimum": 2}]}),
            json!(0),
            "matches none of the alternatives that the schema has",
        ),
        (json!({"if": true, "then": {"type": "null"}}), json!(0), "must be null"),
    ] {
        let schema = json!({"properties": {"x": schema}});
        assert_eq!(violation(&schema, &json!({"x": value})), format!("the argument `/x` {words}"), "{schema}");
    }
}

#[test]
fn absent_arguments_are_an_empty_object() {
    let absent = |schema| compile(&schema).expect("a schema").validate(None, SECOND).map_err(|wrong| wrong.to_string());
    assert_eq!(absent(json!({"type": "object"})), Ok(()));
    assert_eq!(absent(json!({"required": ["a"]})), Err(r#"the arguments object needs the property "a""#.into()));
    assert_eq!(absent(json!({"properties": {"a": false}, "maxProperties": 0, "additionalProperties": false})), Ok(()));
    assert_eq!(absent(json!({"type": "array"})), Err("the arguments object must be an array".into()));
    assert_eq!(absent(json!({"enum": [{}]})), Ok(()));
}

#[test]
fn names_of_the_agents_are_shown_short() {
    let name = "n".repeat(5_000);
    let closed = json!({"additionalProperties": false});
    assert!(violation(&closed, &json!({name.clone(): 1})).len() < 200);
    let numbers = json!({"additionalProperties": {"type": "number"}});
    let shown = violation(&numbers, &json!({name: "x"}));
    assert!(shown.len() < 400 && shown.ends_with("…` must be a number"), "{shown}");
    assert_eq!(violation(&closed, &json!({"a": 1})), "the arguments object takes no properties");
    let closed = json!({"properties": {"c": {}}, "additionalProperties": false});
    assert!(violation(&closed, &json!({"n".repeat(5_000): 1})).len() < 200);
    assert_eq!(violation(&closed, &json!({"a\"b": 1})), r#"the arguments object does not take the property "a\"b""#);
}

#[test]
fn formats_and_contents_are_annotations() {
    for draft in ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"] {
        let schema = json!({"$schema": draft, "properties": {"x": {
            "format": "email", "contentEncoding": "base64", "contentMediaType": "application/json", "contentSchema": false
        }}});
        assert_eq!(check(&schema, &json!({"x": "not an address, ~base64~ or JSON"})), Ok(()));
    }
}

#[test]
fn references_are_followed_within_the_schema() {
    for schema in [
        json!({"$ref": "#/$defs/text", "$defs": {"text": {"type": "string"}}}),
        json!({"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": {"type": "string"}}}),
        json!({"$ref": "#text", "$defs": {"text": {"$anchor": "text", "type": "string"}}}),
        json!({"$dynamicRef": "#text", "$defs": {"text": {"$dynamicAnchor": "text", "type": "string"}}}),
        json!({"$ref": "#/components/schemas/Text", "components": {"schemas": {"Text": {"type": "string"}}}}),
        json!({"$ref": "#/$defs/one", "$defs": {"one": {"$ref": "#/$defs/two"}, "two": {"type": "string"}}}),
    ] {
        let mut schema = json!({"properties": {"x": schema}});
        // References are resolved against the whole schema.
        let inner = schema["properties"]["x"].as_object_mut().expect("an object");
        let moved: Vec<_> =
            ["$defs", "components"].iter().filter_map(|key| Some((*key, inner.remove(*key)?))).collect();
        for (key, value) in moved {
            schema[key] = value;
        }
        assert_eq!(check(&schema, &json!({"x": "y"})), Ok(()), "{schema}");
        assert_eq!(violation(&schema, &json!({"x": 1})), "the argument `/x` must be a string", "{schema}");
        schema["$id"] = json!("https://example.com/tool.json");
        assert_eq!(violation(&schema, &json!({"x": 1})), "the argument `/x` must be a string", "{schema}");
    }
    let own = json!({"$id": "https://example.com/t", "properties": {"x": {"$ref": "https://example.com/t#/$defs/n"}}, "$defs": {"n": {"type": "null"}}});
    assert_eq!(violation(&own, &json!({"x": 1})), "the argument `/x` must be null");
}

#[test]
fn a_tree_may_refer_to_itself() {
    let tree = json!({"$ref": "#/$defs/node", "$defs": {"node": {
        "type": "object",
        "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
        "additionalProperties": false
    }}});
    let good = json!({"value": 1, "children": [{"children": [{"value": 2}]}, {}]});
    assert_eq!(check(&tree, &good), Ok(()));
    let bad = json!({"value": 1, "children": [{"children": [{"value": "two"}]}, {}]});
    assert_eq!(violation(&tree, &bad), "the argument `/children/0/children/0/value` must be an integer");
}

#[test]
fn what_leads_out_of_the_schema_is_named() {
    for (reference, problem) in [
        ("https://example.com/other.json", "which is another document"),
        ("other.json#/a", "which is another document"),
        ("file:///etc/passwd", "which is another document"),
        ("https://json-schema.org/draft/2020-12/schema", "which is another document"),
        ("#/$defs/missing", "which it does not have"),
        ("#missing", "which it does not have"),
        ("#/%zz", "which it does not have"),
    ] {
        let error = refused(&json!({"properties": {"x": {"items": {"$ref": reference}}}}));
        assert!(error.starts_with(&format!("it refers to `{reference}`, {problem}")), "{error}");
    }
    let error = refused(&json!({"$defs": {"a": {"$id": "https://example.com/a"}}, "$ref": "https://example.com/a"}));
    assert_eq!(error, "a part of it has an `$id` of its own, `https://example.com/a`");
}

#[test]
fn a_schema_that_is_none_is_refused_with_the_reason() {
    for (schema, reason) in [
        (json!(true), "it is not an object"),
        (json!([]), "it is not an object"),
        (json!({"type": "strnig"}), "it is not a JSON Schema: `/type`"),
        (
            json!({"properties": {"a": {"minLength": -1}}}),
            "it is not a JSON Schema: `/properties/a/minLength` must be at least 0",
        ),
        (json!({"properties": {"a": 1}}), "it has a subschema that is neither an object nor a boolean"),
        (
            json!({"$schema": "http://json-schema.org/draft-04/schema#"}),
            "its `$schema` is `http://json-schema.org/draft-04/schema#`",
        ),
        (json!({"$schema": "https://example.com/mine"}), "its `$schema` is `https://example.com/mine`"),
        (
            json!({"properties": {"a": {"pattern": "^(?!x)"}}}),
            "the pattern `^(?!x)` is not a regular expression that can be matched in linear time",
        ),
        (json!({"patternProperties": {"(a)\\1": true}}), "the pattern `(a)\\1` is not"),
        (json!({"$ref": "#"}), "it has a reference that leads back to itself for the same value"),
        (
            json!({"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}),
            "it has a reference that leads back",
        ),
    ] {
        let error = refused(&schema);
        assert!(error.starts_with(reason), "{error}");
    }
}

fn declares(schema: &serde_json::Value, path: &[&str]) -> Option<Result<(), Option<String>>> {
    let path: Vec<_> = path.iter().map(|&name| name.to_owned()).collect();
    compile(schema).expect("a schema").declares(&path)
}

#[test]
fn a_path_is_declared_through_references_and_alternatives() {
    for path in [&["datastore_id"][..], &["output", "s3_uri"], &[]] {
        assert_eq!(declares(&start_export(), path), Some(Ok(())), "{path:?}");
    }
}

#[test]
fn a_path_that_cannot_be_is_told_with_the_nearest_one() {
    let near = |path: &str| Some(Err(Some(path.to_owned())));
    assert_eq!(declares(&start_export(), &["datastoreid"]), near("datastore_id"));
    assert_eq!(declares(&start_export(), &["dataStore_ID"]), near("datastore_id"));
    assert_eq!(declares(&start_export(), &["output", "s3_url"]), near("output.s3_uri"));
    assert_eq!(declares(&start_export(), &["bucket"]), Some(Err(None)), "other properties are forbidden");
    assert_eq!(declares(&start_export(), &["output", "bucket"]), None, "other properties are allowed");
}

#[test]
fn a_schema_that_does_not_tell_says_nothing() {
    for schema in
        [json!({}), json!({"type": "object"}), json!({"patternProperties": {"^x-": {}}, "additionalProperties": false})]
    {
        assert_eq!(declares(&schema, &["anything"]), None, "{schema}");
    }
    let tree = json!({"properties": {"child": {"$ref": "#"}}, "additionalProperties": false});
    assert_eq!(declares(&tree, &["child", "child", "chidl"]), Some(Err(Some("child.child.child".into()))));
}
