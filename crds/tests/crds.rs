//! What the API server is told of Reeve's kinds: the files are those that the types give, they are bounded and described, and
//! what they refuse is said in words that help.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "what fails here fails the test; objects are written where they are used"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use kube::core::cel::Validator;
use reeve_crds::definition::{Definition, definitions};
use reeve_crds::v1alpha1::{ClusterMcpPolicy, McpPolicy, McpServer, Policy};
use reeve_policy::{compile, load};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn definition(plural: &str) -> Definition {
    definitions().unwrap().into_iter().find(|definition| definition.plural == plural).unwrap()
}

fn schema(definition: &Definition) -> &Value {
    &definition.object["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// Visits every schema inside a schema with the path that leads to it.
fn each(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        each(property, &format!("{path}.{name}"), visit);
    }
    for (keyword, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[keyword].is_object() {
            each(&schema[keyword], &format!("{path}{mark}"), visit);
        }
    }
}

/// The paths of all kinds at which something is found.
fn paths(is_found: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for definition in definitions().unwrap() {
        each(schema(&definition), &definition.plural, &mut |path, schema| {
            if is_found(schema) {
                found.push(path.to_owned());
            }
        });
    }
    found
}

#[test]
fn generated_files_are_what_the_types_say() {
    let definitions = definitions().unwrap();
    let folders = ["", "../charts/reeve/files/crds"];
    for (folder, definition) in folders.iter().flat_map(|folder| definitions.iter().map(move |each| (folder, each))) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let path = folder.join(format!("{}.yaml", definition.plural));
        let text = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            text == definition.to_yaml(),
            "{} is stale: run cargo run -p reeve-crds --features kube --bin crdgen",
            path.display()
        );
    }
}

#[test]
fn a_file_reads_back_as_the_definition_it_was_written_from() {
    for definition in definitions().unwrap() {
        let read = load::document::<Value>("definition.yaml", definition.to_yaml().as_bytes()).unwrap();
        assert!(read.value == definition.object, "{}", definition.plural);
    }
}

#[test]
fn every_list_map_and_text_is_bounded() {
    let unbounded = paths(|schema| match schema["type"].as_str() {
        Some("array") => schema["maxItems"].is_null(),
        Some("string") => schema["maxLength"].is_null() && schema["enum"].is_null(),
        Some("integer") => schema["minimum"].is_null() && schema["format"] != "int64",
        Some("object") => schema["additionalProperties"].is_object() && schema["maxProperties"].is_null(),
        Some("boolean") => false,
        _ => true,
    });
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn every_field_is_described() {
    let bare = paths(|schema| schema["description"].as_str().is_none_or(str::is_empty));
    // What a list or map holds is described by the field, and the metadata by Kubernetes.
    let bare: Vec<_> =
        bare.into_iter().filter(|path| !path.ends_with(['}', ']']) && !path.ends_with(".metadata")).collect();
    assert_eq!(bare, Vec::<String>::new());
    let generated = paths(|schema| schema["description"].as_str().is_some_and(|text| text.contains("erived type")));
    assert_eq!(generated, Vec::<String>::new());
}

#[test]
fn an_optional_choice_is_described_by_its_field_and_not_by_its_type() {
    for (plural, pointer, words) in [
        ("mcppolicies", "/rules/items/properties/mode", "Audit: try this one rule"),
        ("mcppolicies", "/rules/items/properties/risk/properties/minSeverity", "The tool's risk is at least"),
        ("mcppolicies", "/serverRequests/properties/sampling", "`sampling/createMessage`"),
        ("clustermcppolicies", "/default", "What happens to a call that no rule selects. Boundary: Pass (the default)"),
    ] {
        let definition = definition(plural);
        let spec = &schema(&definition)["properties"]["spec"]["properties"];
        let description = spec.pointer(pointer).unwrap()["description"].as_str().unwrap();
        assert!(description.starts_with(words), "{plural} {pointer}: {description}");
    }
}

#[test]
fn a_rule_points_at_what_the_schema_mentions() {
    // Otherwise the API server refuses the whole definition.
    for definition in definitions().unwrap() {
        each(schema(&definition), &definition.plural, &mut |path, schema| {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let Some(field) = rule["fieldPath"].as_str() else { continue };
                let parts = field.trim_start_matches('.').split('.');
                let found = parts.fold(schema, |schema, part| &schema["properties"][part]);
                assert!(found.is_object(), "{path}: {field}");
            }
        });
    }
}

#[test]
fn there_is_no_format_that_clients_warn_of_and_no_null() {
    let formats = paths(|schema| {
        schema["format"].as_str().is_some_and(|format| !["int32", "int64", "date-time"].contains(&format))
    });
    assert_eq!(formats, Vec::<String>::new());
    let nullable = paths(|schema| {
        !schema["nullable"].is_null() || schema["enum"].as_array().is_some_and(|words| words.contains(&Value::Null))
    });
    assert_eq!(nullable, Vec::<String>::new());
}

#[test]
fn no_choice_between_schemas_hides_what_is_wrong() {
    let choices = paths(|schema| ["oneOf", "anyOf", "allOf", "not"].iter().any(|keyword| !schema[*keyword].is_null()));
    assert_eq!(choices, Vec::<String>::new());
}

#[test]
fn lists_of_named_things_are_maps_by_name() {
    let policy = definition("mcppolicies");
    for (pointer, key) in [
        ("/spec/properties/rules", "name"),
        ("/spec/properties/rules/items/properties/limits", "counter"),
        ("/spec/properties/serverRefs", "name"),
        ("/status/properties/conditions", "type"),
        ("/status/properties/limits", "pointer"),
    ] {
        let list = schema(&policy)["properties"].pointer(pointer).unwrap();
        assert_eq!(list["x-kubernetes-list-type"], "map", "{pointer}");
        assert_eq!(list["x-kubernetes-list-map-keys"], json!([key]), "{pointer}");
        let required = &list["items"]["required"];
        assert!(required.as_array().unwrap().contains(&json!(key)), "{pointer}: {required}");
    }
    let selectors = paths(|schema| schema["x-kubernetes-map-type"] == "atomic");
    assert_eq!(selectors.len(), 3, "{selectors:?}");
}

#[test]
fn what_is_unset_has_the_default_that_columns_and_selectors_need() {
    for (plural, field, default) in [
        ("mcppolicies", "mode", "Enforce"),
        ("mcppolicies", "default", "Deny"),
        ("clustermcppolicies", "mode", "Enforce"),
    ] {
        assert_eq!(schema(&definition(plural))["properties"]["spec"]["properties"][field]["default"], default);
    }
}

#[test]
fn get_shows_mode_pods_programmed_and_age() {
    for (plural, columns, selectable) in [
        ("mcppolicies", vec!["Mode", "Pods", "Programmed", "Age", "Reason"], json!([{"jsonPath": ".spec.mode"}])),
        (
            "clustermcppolicies",
            vec!["Tier", "Mode", "Pods", "Programmed", "Age", "Reason"],
            json!([{"jsonPath": ".spec.mode"}, {"jsonPath": ".spec.tier"}]),
        ),
        ("mcpservers", vec!["URL", "Pods", "Accepted", "Resolved", "Age"], json!([{"jsonPath": ".spec.url"}])),
    ] {
        let definition = definition(plural);
        let version = &definition.object["spec"]["versions"][0];
        let shown: Vec<_> =
            version["additionalPrinterColumns"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
        assert_eq!(shown, columns, "{plural}");
        assert_eq!(version["selectableFields"], selectable, "{plural}");
        assert!(version["subresources"]["status"].is_object(), "{plural}");
    }
}

/// What the rules of a schema say of an object.
fn refusals(plural: &str, object: &Value) -> Vec<(String, String)> {
    let definition = definition(plural);
    match Validator::new().validate(schema(&definition), object, None) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .as_slice()
            .iter()
            .map(|error| (error.field_path.trim_start_matches('.').to_owned(), error.message.clone()))
            .collect(),
    }
}

fn policy(spec: Value) -> Value {
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpPolicy", "metadata": {"name": "p", "namespace": "clinic"}, "spec": spec})
}

fn with_rule(rule: Value) -> Value {
    policy(json!({"serverRefs": [{"name": "aws"}], "rules": [rule]}))
}

fn cluster(spec: Value) -> Value {
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "ClusterMcpPolicy", "metadata": {"name": "p"}, "spec": spec})
}

fn server(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": name, "namespace": "clinic"}, "spec": spec})
}

/// Objects with one thing wrong, and the place of it.
fn bad_policies() -> Vec<(&'static str, Value, &'static str)> {
    let limit = |limit: Value| with_rule(json!({"name": "r", "tools": ["x"], "action": "Allow", "limits": [limit]}));
    let deny = |part: &str, value: Value| {
        let mut rule = json!({"name": "r", "tools": ["x"], "action": "Deny"});
        rule[part] = value;
        with_rule(rule)
    };
    let selector = |condition: Value| {
        policy(json!({"serverRefs": [{"name": "aws"}], "podSelector": {"matchExpressions": [condition]}}))
    };
    vec![
        ("mcppolicies", with_rule(json!({"name": "r", "action": "Allow"})), "spec.rules[0]"),
        ("mcppolicies", with_rule(json!({"name": "r", "tools": [], "action": "Allow"})), "spec.rules[0]"),
        (
            "mcppolicies",
            with_rule(json!({"name": "r", "prompts": ["x"], "action": "Deny", "risk": {"minSeverity": "High"}})),
            "spec.rules[0].risk",
        ),
        (
            "mcppolicies",
            with_rule(json!({"name": "r", "prompts": ["x"], "action": "Allow", "validateArguments": true})),
            "spec.rules[0].validateArguments",
        ),
        ("mcppolicies", deny("limits", json!([{"counter": "c", "window": "1m", "max": 1}])), "spec.rules[0].limits"),
        ("mcppolicies", deny("require", json!([{"expression": "true"}])), "spec.rules[0].require"),
        ("mcppolicies", deny("concurrency", json!({"max": 1})), "spec.rules[0].concurrency"),
        ("mcppolicies", deny("validateArguments", json!(true)), "spec.rules[0].validateArguments"),
        ("mcppolicies", deny("approval", json!({})), "spec.rules[0].approval"),
        (
            "mcppolicies",
            with_rule(json!({"name": "r", "tools": ["x"], "action": "Allow", "approval": {}})),
            "spec.rules[0].approval",
        ),
        (
            "mcppolicies",
            limit(json!({"counter": "c", "window": "1m", "max": 1, "scope": "Key"})),
            "spec.rules[0].limits[0].key",
        ),
        (
            "mcppolicies",
            limit(json!({"counter": "c", "window": "1m", "max": 1, "key": "args.a"})),
            "spec.rules[0].limits[0].key",
        ),
        (
            "mcppolicies",
            policy(json!({"serverRefs": [{"name": "aws"}], "mode": "Audit",
                "rules": [{"name": "r", "tools": ["x"], "action": "Allow", "mode": "Enforce"}]})),
            "spec.rules",
        ),
        (
            "mcppolicies",
            selector(json!({"key": "app", "operator": "In"})),
            "spec.podSelector.matchExpressions[0].values",
        ),
        (
            "mcppolicies",
            selector(json!({"key": "app", "operator": "Exists", "values": ["a"]})),
            "spec.podSelector.matchExpressions[0].values",
        ),
        (
            "mcppolicies",
            policy(json!({"serverRefs": [{"name": "aws"}], "serviceAccounts": ["agent", "clinic/agent"]})),
            "spec.serviceAccounts",
        ),
        ("mcppolicies", policy(json!({"serverRefs": [{"name": "aws-*"}]})), "spec.serverRefs[0].name"),
        (
            "clustermcppolicies",
            cluster(json!({"tier": "Boundary", "serviceAccounts": ["clinic/agent", "agent"]})),
            "spec.serviceAccounts",
        ),
        (
            "clustermcppolicies",
            cluster(json!({"tier": "Boundary", "serviceAccounts": ["clinic/agent/x"]})),
            "spec.serviceAccounts",
        ),
        ("clustermcppolicies", cluster(json!({"tier": "Boundary", "default": "Allow"})), "spec.default"),
        ("clustermcppolicies", cluster(json!({"tier": "Baseline", "default": "Pass"})), "spec.default"),
        ("clustermcppolicies", cluster(json!({"tier": "Baseline", "configMaxAge": "1h"})), "spec.configMaxAge"),
    ]
}

#[test]
fn each_rule_of_the_schema_refuses_in_the_words_of_the_compiler() {
    for (plural, object, place) in bad_policies() {
        let refusals = refusals(plural, &object);
        let [(path, message)] = refusals.as_slice() else { panic!("{object}: {refusals:?}") };
        assert_eq!(path, place, "{object}");
        let read: Policy = serde_json::from_value(object.clone()).unwrap();
        let problems = compile::check(&read, None);
        assert!(problems.iter().any(|problem| problem.message == *message), "{message}\n{problems:#?}");
    }
}

#[test]
fn each_rule_of_a_policys_schema_has_an_object_that_it_refuses() {
    let mut said: Vec<String> = bad_policies()
        .iter()
        .flat_map(|(plural, object, _)| refusals(plural, object))
        .map(|(_, message)| message)
        .collect();
    said.sort();
    said.dedup();
    let mut declared = Vec::new();
    for plural in ["mcppolicies", "clustermcppolicies"] {
        each(schema(&definition(plural)), "", &mut |_, schema| {
            let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
            declared.extend(rules.map(|rule| rule["message"].as_str().unwrap().to_owned()));
        });
    }
    declared.sort();
    declared.dedup();
    assert_eq!(said, declared);
}

#[test]
fn a_server_that_cannot_be_used_is_refused_with_what_to_do() {
    let secret = json!({"secretRef": {"name": "token", "key": "token"}});
    for (object, place, message) in [
        (
            server("aws", json!({"url": "http://aws.internal/mcp", "credentials": secret})),
            "spec.credentials",
            "a credential is sent over TLS only, and the url is not https: change the url, or remove the credentials",
        ),
        (
            server("aws", json!({"url": "http://aws.internal/mcp", "tls": {}})),
            "spec.tls",
            "tls has no effect on a url that is not https: change the url, or remove tls",
        ),
        (
            server(&"a".repeat(64), json!({"url": "http://aws.internal/mcp"})),
            "metadata.name",
            "a server's name may have at most 63 characters: agents find it at the path /NAME",
        ),
    ] {
        assert_eq!(refusals("mcpservers", &object), [(place.to_owned(), message.to_owned())]);
    }
    let good = server("aws", json!({"url": "https://aws.internal/mcp", "credentials": secret, "tls": {}}));
    assert_eq!(refusals("mcpservers", &good), []);
}

#[test]
fn a_good_policy_is_refused_by_no_rule() {
    let good = with_rule(json!({
        "name": "r", "tools": ["x"], "action": "RequireApproval", "approval": {"expiresAfter": "15m"},
        "risk": {"minSeverity": "High"}, "validateArguments": true, "concurrency": {"max": 1}, "mode": "Audit",
        "require": [{"expression": "true"}],
        "limits": [{"counter": "c", "window": "1m", "max": 1, "scope": "Key", "key": "args.a"}],
    }));
    assert_eq!(refusals("mcppolicies", &good), []);
    let whom = json!({"serverRefs": [{"name": "*"}, {"name": "aws.eu"}], "serviceAccounts": ["agent", "agent.x"]});
    assert_eq!(refusals("mcppolicies", &policy(whom)), []);
    let deny = json!({"name": "r", "tools": ["delete_*"], "action": "Deny", "message": "no", "when": "true"});
    assert_eq!(
        refusals("clustermcppolicies", &cluster(json!({"tier": "Boundary", "configMaxAge": "1h", "rules": [deny]}))),
        []
    );
    assert_eq!(refusals("clustermcppolicies", &cluster(json!({"tier": "Baseline", "default": "Allow"}))), []);
    let whom = json!({"tier": "Baseline", "serviceAccounts": ["clinic/agent", "clinic-1/agent.x"]});
    assert_eq!(refusals("clustermcppolicies", &cluster(whom)), []);
}

/// An object of the API's own type, from JSON and back.
fn round<T: DeserializeOwned + serde::Serialize>(object: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(object.clone()).unwrap()).unwrap()
}

#[test]
fn what_is_unset_is_left_out_and_never_null() {
    for object in [
        round::<McpPolicy>(&policy(
            json!({"serverRefs": [{"name": "aws"}], "rules": [{"name": "r", "tools": ["x"], "action": "Deny"}]}),
        )),
        round::<ClusterMcpPolicy>(&cluster(json!({"tier": "Boundary"}))),
        round::<McpServer>(&server("aws", json!({"url": "https://aws.internal/mcp", "tls": {}}))),
    ] {
        assert!(!object["spec"].to_string().contains("null"), "{object}");
    }
}

#[test]
fn the_sidecar_links_nothing_of_kubernetes() {
    let tree = |package: &str, more: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--package", package])
            .args(more)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let names = String::from_utf8(output.stdout).unwrap();
        let names = names.lines().filter_map(|line| line.split(' ').next());
        names.filter(|name| name.starts_with("kube") || name.starts_with("k8s-")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(tree("reeve-sidecar", &[]), Vec::<String>::new());
    assert!(!tree("reeve-crds", &["--features", "kube"]).is_empty());
}
