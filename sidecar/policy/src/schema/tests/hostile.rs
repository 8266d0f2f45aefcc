//! Whatever schema and arguments are, loading and validating end soon.

use std::time::Instant;

use serde_json::{Value as Json, json};

use super::*;

/// What validation is given here, and what a machine that is busy with other tests may take beyond it.
const DEADLINE: Duration = Duration::from_millis(20);
const LEEWAY: Duration = Duration::from_millis(480);

/// Loads a schema that may be refused, and says how.
fn load(schema: &Json) -> Result<ArgumentSchema, SchemaError> {
    let document = document(schema);
    let started = Instant::now();
    let compiled = ArgumentSchema::compile(document.root());
    assert!(started.elapsed() < Duration::from_secs(2), "loading took {:?}", started.elapsed());
    compiled
}

/// Validates, and says how it ended and that it did in time.
fn run(schema: &Json, arguments: &Json) -> Result<(), String> {
    let compiled = load(schema).expect("a schema");
    let document = document(arguments);
    let started = Instant::now();
    let outcome = compiled.validate(Some(document.root()), DEADLINE);
    assert!(started.elapsed() < DEADLINE + LEEWAY, "validating took {:?}", started.elapsed());
    outcome.map_err(|mismatch| mismatch.to_string())
}

/// `{"a": {"a": … }}`, this deep.
fn nested(depth: usize) -> Json {
    (0..depth).fold(json!({}), |inner, _| json!({"a": inner}))
}

/// Definitions in a chain, each made of the next one's reference.
fn chain(length: usize, link: impl Fn(Json) -> Json) -> Json {
    let mut definitions = serde_json::Map::new();
    for index in 0..length {
        definitions.insert(format!("d{index}"), link(json!({"$ref": format!("#/$defs/d{}", index + 1)})));
    }
    definitions.insert(format!("d{length}"), json!({"type": "null"}));
    json!({"$ref": "#/$defs/d0", "$defs": definitions})
}

#[test]
fn references_that_double_for_one_value_are_refused_at_load() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let error = load(&chain(12, |next| json!({keyword: [next, next]}))).expect_err("2^12 subschemas");
        assert_eq!(error.0, "it expands to more than 4096 subschemas for one value", "{keyword}");
        assert!(load(&chain(6, |next| json!({keyword: [next, next]}))).is_ok());
    }
    let conditions = chain(12, |next| json!({"if": next, "then": next, "else": next}));
    assert!(load(&conditions).is_err());
    let unevaluated = chain(12, |next| json!({"allOf": [next], "unevaluatedProperties": false}));
    assert!(load(&unevaluated).is_err());
}

#[test]
fn a_chain_of_references_is_refused_before_it_needs_much_stack() {
    for length in [40, 5_000] {
        let error = load(&chain(length, |next| next)).expect_err("a long chain");
        assert_eq!(error.0, "it applies more than 32 subschemas to a value, one through the other");
    }
}

#[test]
fn definitions_that_refer_to_each_other_for_one_value_are_refused() {
    let all: Vec<_> = (0..10).map(|index| json!({"$ref": format!("#/$defs/d{index}")})).collect();
    let definitions: serde_json::Map<_, _> =
        (0..10).map(|index| (format!("d{index}"), json!({"anyOf": all}))).collect();
    assert!(load(&json!({"$ref": "#/$defs/d0", "$defs": definitions})).is_err());
}

#[test]
fn recursion_that_branches_at_every_level_of_the_arguments_ends_at_the_deadline() {
    let again = json!({"properties": {"a": {"$ref": "#/$defs/node"}}});
    for keyword in ["allOf", "anyOf", "oneOf"] {
        // Inline, so that no result of a reference can be reused.
        let twice =
            json!({keyword: [again, {"properties": {"a": {keyword: [again, again]}}}, {"required": ["never"]}]});
        for leaf in [json!({"type": "null"}), json!({"type": "object"})] {
            let node = json!({"allOf": [twice, {"if": {"maxProperties": 0}, "then": leaf}]});
            let schema = json!({"$ref": "#/$defs/node", "$defs": {"node": node}});
            let _ = run(&schema, &nested(30));
        }
    }
    let unevaluated = json!({"allOf": [again, again], "unevaluatedProperties": {"$ref": "#/$defs/node"}});
    let _ = run(&json!({"$ref": "#/$defs/node", "$defs": {"node": unevaluated}}), &nested(60));
}

#[test]
fn what_took_too_long_is_a_violation_that_says_so() {
    let compiled = compile(&json!({"properties": {"x": {"items": {"type": "null"}}}})).expect("a schema");
    let arguments = document(&json!({"x": [null, null, null]}));
    assert_eq!(compiled.validate(Some(arguments.root()), Duration::ZERO), Ok(()), "nothing to speak of");
    let arguments = document(&json!({"x": vec![Json::Null; 100]}));
    let violation = compiled.validate(Some(arguments.root()), Duration::ZERO).expect_err("no time");
    assert_eq!(violation.to_string(), "the arguments object took too long to check against the tool's input schema");
}

#[test]
fn errors_that_multiply_are_not_collected() {
    let names: Vec<_> = (0..2_000).map(|index| format!("name{index}")).collect();
    let schema = json!({"anyOf": [{"properties": {"x": {"items": {"required": names}}}}, {"type": "null"}]});
    let arguments = json!({"x": vec![json!({}); 30_000]});
    assert_eq!(
        check(&schema, &arguments),
        Err("the arguments object does not match the tool's input schema".to_owned())
    );

    let node =
        json!({"anyOf": [{"properties": {"a": {"$ref": "#/$defs/node"}}, "required": names}, {"required": names}]});
    let _ = run(&json!({"$ref": "#/$defs/node", "$defs": {"node": node}}), &nested(60));
}

#[test]
fn unique_items_are_told_apart_in_one_pass() {
    let schema = json!({"properties": {"x": {"uniqueItems": true}}});
    // Each a double of its own.
    let numbers: Vec<_> = (0..100_000_u64).map(|n| (1 << 60) + n * 256).collect();
    assert_eq!(
        load(&schema).expect("a schema").validate(Some(document(&json!({"x": numbers})).root()), 5 * SECOND),
        Ok(())
    );
    let arrays: Vec<_> = (0..25_000).map(|n| json!([n % 2, [n]])).collect();
    let _ = run(&schema, &json!({"x": arrays}));
}

#[test]
fn unique_items_at_every_level_end_at_the_deadline() {
    let schema = json!({"uniqueItems": true, "items": {"$ref": "#"}});
    let wide = json!(vec!["x".repeat(1_000_000), "y".repeat(1_000_000)]);
    let deep = (0..90).fold(wide, |inner, _| json!([inner]));
    let _ = run(&schema, &deep);
}

#[test]
fn large_schemas_load_and_judge_quickly() {
    let words: Vec<_> = (0..20_000).map(|n| format!("w{n}")).collect();
    let schema = json!({"properties": {"x": {"items": {"enum": words}}}});
    let arguments = json!({"x": vec!["w19999"; 50_000]});
    let _ = run(&schema, &arguments);

    let objects: Vec<_> = (0..8_000).map(|n| json!({"a": n})).collect();
    let _ =
        run(&json!({"properties": {"x": {"items": {"enum": objects}}}}), &json!({"x": vec![json!({"a": -1}); 30_000]}));

    let properties: serde_json::Map<_, _> = (0..8_000).map(|n| (format!("p{n}"), json!({"type": "null"}))).collect();
    let arguments: serde_json::Map<_, _> = (0..8_000).map(|n| (format!("p{n}"), Json::Null)).collect();
    let schema = json!({"properties": {"x": {"items": {"properties": properties}}}});
    let _ = run(&schema, &json!({"x": [arguments.clone(), arguments.clone(), arguments]}));
    let _ = run(&json!({"items": {"required": words}}), &json!([nested(3), nested(3)]));
}

#[test]
fn choices_with_many_branches_load_quickly_or_are_refused() {
    let branch = |n: usize| json!({"properties": {format!("k{n}"): {"const": n}}, "required": [format!("k{n}")]});
    let branches: Vec<_> = (0..512).map(branch).collect();
    let _ = run(&json!({"anyOf": branches}), &json!({"k511": 0}));
    let many: Vec<_> = (0..3_000).map(branch).collect();
    assert_eq!(load(&json!({"oneOf": many})).expect_err("too many").0, "its `oneOf` has more than 512 branches");
    let names = |n: usize| (0..16).map(move |m| (format!("k{n}-{m}"), json!({"const": 1})));
    let wide: Vec<_> = (0..500).map(|n| json!({"properties": names(n).collect::<serde_json::Map<_, _>>()})).collect();
    let _ = run(&json!({"anyOf": wide}), &json!({}));
}

#[test]
fn definitions_that_are_applied_in_many_places_are_refused_at_load() {
    let doubled = |next: Json| json!({"allOf": [next, next]});
    let mut schema = chain(8, doubled);
    schema["$defs"]["d8"] = json!({"properties": {"kind": {"const": 1}}, "required": ["kind"]});
    let big = json!({"$ref": "#/$defs/d0"});
    let choice = json!({"anyOf": [big, big, big]});
    let choices: serde_json::Map<_, _> = (0..3_000).map(|n| (format!("p{n}"), choice.clone())).collect();
    schema["properties"] = json!(choices);
    assert_eq!(load(&schema).expect_err("3,000 times").0, "it expands to more than 131072 subschemas");
}

#[test]
fn counting_what_an_array_contains_ends_at_the_deadline() {
    let schema = json!({"properties": {"x": {
        "contains": {"properties": {"a": {"items": {"type": "null"}}}, "required": ["b"]},
        "minContains": 20_000
    }}});
    let _ = run(&schema, &json!({"x": vec![json!({"a": [null, null, null]}); 20_000]}));
}

#[test]
fn patterns_for_many_names_end_at_the_deadline() {
    let patterns: serde_json::Map<_, _> =
        (0..40).map(|n| (format!("[ab]*a[ab]{{10}}{n}"), json!({"type": "null"}))).collect();
    let schema = json!({"properties": {"x": {"patternProperties": patterns}}});
    let names: serde_json::Map<_, _> =
        (0..20_000).map(|n| (format!("{n:b}").replace('0', "a").replace('1', "b"), Json::Null)).collect();
    let _ = run(&schema, &json!({"x": names}));
    let long = json!({"x": {"ab".repeat(100_000): 1}});
    let message =
        "the arguments object has a property name that is too long to be checked against the tool's input schema";
    assert_eq!(run(&schema, &long), Err(message.to_owned()));
}

#[test]
fn a_pattern_made_to_be_slow_ends_at_the_deadline() {
    for pattern in ["[ab]*a[ab]{1000}c", "^(a|b|ab)*c$", "(x+x+)+y", "([ab]{1,40}){1,40}c"] {
        let schema = json!({"properties": {"x": {"pattern": pattern}}});
        let text = super::super::pattern::noise(2_000_000);
        assert!(run(&schema, &json!({"x": text})).is_err(), "{pattern}");
    }
}

#[test]
fn patterns_that_are_large_alone_or_together_are_refused_at_load() {
    for pattern in ["a".repeat(10_000), "(((a{50}){50}){50}){50}".into(), r"\p{L}{500}".into(), "(".repeat(4_000)] {
        assert!(load(&json!({"pattern": pattern})).is_err());
        assert!(load(&json!({"patternProperties": {pattern: true}})).is_err());
    }
    let many: Vec<_> = (0..2_000).map(|n| json!({"pattern": format!("{n}[a-z]{{200}}")})).collect();
    let error = load(&json!({"properties": {"x": {"prefixItems": many}}})).expect_err("large together");
    assert_eq!(error.0, "its patterns are too large together");
    let translated = json!({"pattern": r"\cA".repeat(1_000)});
    assert!(load(&translated).is_err());
}

#[test]
fn a_schema_of_more_than_256_kib_is_refused() {
    let error = load(&json!({"description": "x".repeat(256 * 1_024)})).expect_err("too large");
    assert_eq!(error.0, "it is larger than 256 KiB");
}

/// On a stack as small as a worker's: the deepest schema and arguments there can be, in the build that takes the most
/// stack.
#[test]
fn the_deepest_evaluation_fits_the_stack_of_a_worker() {
    let on_small_stack = |work: fn()| {
        let thread = std::thread::Builder::new().stack_size(2 * 1_024 * 1_024).spawn(work).expect("a thread");
        thread.join().expect("no overflow");
    };
    on_small_stack(|| {
        for links in [1, 3, 8, 13, 14, 28] {
            for keyword in ["allOf", "anyOf", "oneOf"] {
                let mut schema = chain(links, |next| json!({keyword: [next]}));
                schema["$defs"][format!("d{links}")] = json!({"properties": {"a": {"$ref": "#"}}, "unevaluatedProperties": false, "not": {"required": ["b"]}});
                let compiled = match compile(&schema) {
                    Ok(compiled) => compiled,
                    Err(error) => {
                        assert!(error.0.contains("more than 32"), "{error}");
                        continue;
                    }
                };
                for mut arguments in [nested(120), nested(OPEN / 32), nested(20)] {
                    let _ = compiled.validate(Some(document(&arguments).root()), SECOND);
                    let mut inner = &mut arguments;
                    while inner.get("a").is_some() {
                        inner = &mut inner["a"];
                    }
                    *inner = json!({"b": 1});
                    let _ = compiled.validate(Some(document(&arguments).root()), SECOND);
                }
            }
        }
    });
    on_small_stack(|| {
        let deep = (0..60).fold(json!({}), |inner, _| json!({"allOf": [inner]}));
        let _ = compile(&json!({"properties": {"a": deep}}));
        let deep = (0..60).fold(json!({}), |inner, _| json!({"properties": {"a": inner}}));
        let compiled = compile(&deep).expect("a schema");
        let _ = compiled.validate(Some(document(&nested(120)).root()), SECOND);
    });
}
