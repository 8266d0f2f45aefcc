use super::*;

/// What a schema says of each step of a path: the kinds, and whether it must be there.
fn permits(schema: &serde_json::Value, path: &str) -> Vec<(String, bool)> {
    let path: Vec<_> = path.split('.').map(str::to_owned).collect();
    let permitted = compile(schema).expect("a schema").permits(&path);
    permitted.iter().map(|permitted| (permitted.kinds.to_string(), permitted.required)).collect()
}

fn each<const N: usize>(steps: [(&str, bool); N]) -> Vec<(String, bool)> {
    steps.map(|(kinds, required)| (kinds.to_owned(), required)).into()
}

#[test]
fn kinds_are_those_of_type_enum_and_const() {
    for (schema, kinds) in [
        (json!({"type": "integer"}), "a whole number"),
        (json!({"type": "number"}), "a number"),
        (json!({"type": ["null", "boolean", "string"]}), "a string, a boolean or null"),
        (json!({"enum": ["a", 1, 1.5]}), "a string or a number"),
        (json!({"type": "number", "enum": [1, 2.0]}), "a whole number"),
        (json!({"type": ["string", "null"], "const": "a"}), "a string"),
        (json!({"type": "string", "enum": [1]}), "nothing"),
        (json!({}), "a string, a number, a boolean, a list, an object or null"),
        (json!(true), "a string, a number, a boolean, a list, an object or null"),
        (json!(false), "nothing"),
    ] {
        assert_eq!(permits(&json!({"properties": {"x": schema}}), "x"), each([(kinds, false)]), "{schema}");
    }
}

#[test]
fn a_path_is_followed_through_references_and_alternatives() {
    assert_eq!(permits(&start_export(), "datastore_id"), each([("a string", true)]));
    assert_eq!(permits(&start_export(), "max_results"), each([("a whole number or null", false)]));
    assert_eq!(permits(&start_export(), "output.s3_uri"), each([("an object or null", false), ("a string", true)]));
    assert_eq!(
        permits(&start_export(), "output.kms_key"),
        each([("an object or null", false), ("a string or null", false)])
    );
    let all = json!({"allOf": [{"properties": {"x": {"type": ["string", "null"]}}}, {"required": ["x"]}], "properties": {"x": {"type": ["string", "array"]}}});
    assert_eq!(permits(&all, "x"), each([("a string", true)]));
}

#[test]
fn of_alternatives_each_counts_that_permits_an_object() {
    let either = |branches: serde_json::Value| json!({"properties": {"x": {"oneOf": branches}}});
    let open = json!({"properties": {"y": {"type": "string"}}, "required": ["y"]});
    let closed = json!({"properties": {"z": {}}, "additionalProperties": false});
    assert_eq!(permits(&either(json!([open, {"type": "null"}])), "x.y")[1], ("a string".to_owned(), true));
    assert_eq!(permits(&either(json!([open, closed])), "x.y")[1], ("a string".to_owned(), false));
    assert_eq!(permits(&either(json!([open, {}])), "x.y")[1].0, Kinds::ANY.to_string());
}

#[test]
fn nothing_is_said_of_what_is_not_declared() {
    assert_eq!(permits(&start_export(), "bucket"), []);
    assert_eq!(permits(&start_export(), "output.bucket"), each([("an object or null", false)]));
    assert_eq!(permits(&json!({"patternProperties": {"^x": {"type": "string"}}}), "x"), []);
    assert_eq!(permits(&json!({"additionalProperties": {"type": "string"}}), "x"), []);
}

#[test]
fn a_schema_that_is_too_large_to_read_says_nothing() {
    let tree = json!({"properties": {"child": {"$ref": "#"}}, "required": ["child"]});
    assert_eq!(permits(&tree, "child.child.child").len(), 3, "a reference is followed as often as the path asks");
    let many: Vec<_> = (0..100).map(|_| json!({"properties": {"x": {"$ref": "#/$defs/wide"}}})).collect();
    let wide: Vec<_> = (0..100).map(|_| json!({"type": "string"})).collect();
    let schema = json!({"anyOf": many, "$defs": {"wide": {"anyOf": wide}}});
    let start = Instant::now();
    assert_eq!(permits(&schema, "x"), []);
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
}
