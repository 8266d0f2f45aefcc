use super::*;

#[test]
fn a_manifest_loads_and_its_status_is_ignored() {
    let loaded = load("imaging.yaml", IMAGING);
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].value.key(), "clinic/imaging");
    let spec = spec(&loaded[0]);
    assert_eq!(spec.default, DefaultAction::Deny);
    assert_eq!(spec.rules.len(), 6);
    assert_eq!(spec.rules[0].limits[0].scope, Scope::Grant);
    assert_eq!(spec.rules[4].action, Action::RequireApproval);
}

#[test]
fn what_kubectl_get_writes_loads_back() {
    let text = r#"
apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: reeve.dev/v1alpha1
  kind: McpPolicy
  metadata:
    annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
    creationTimestamp: "2026-11-03T10:00:00Z"
    generation: 3
    managedFields:
    - {manager: kubectl, operation: Apply, fieldsV1: {"f:spec": {"f:rules": {'k:{"name":"a"}': {".": {}}}}}}
    name: one
    namespace: clinic
    uid: 6a1c
  spec: {serverRefs: [{name: "*"}]}
  status: {observedGeneration: 3}
- apiVersion: reeve.dev/v1alpha1
  kind: ClusterMcpPolicy
  metadata: {name: two}
  spec: {tier: Boundary, rules: [{name: a, tools: [b], action: Deny}]}
"#;
    let loaded = load("list.yaml", text);
    assert_eq!(loaded.iter().map(|loaded| loaded.value.key()).collect::<Vec<_>>(), ["clinic/one", "two"]);
    assert_eq!(loaded[0].value.metadata().generation, Some(3));
    let place = loaded[1].positions.diagnose("/spec/rules/0/tools/0", "here".into(), Severity::Warning);
    assert_eq!((place.line, place.column, place.pointer.as_str()), (22, 52, "/items/1/spec/rules/0/tools/0"));
}

#[test]
fn the_same_manifest_loads_from_json() {
    let yaml = load("imaging.yaml", IMAGING);
    let text = serde_json::to_string_pretty(&yaml[0].value).unwrap();
    let json = load("imaging.json", &text);
    assert_eq!(json[0].value, yaml[0].value);
    let place = json[0].positions.diagnose("/spec/rules/0/name", "here".into(), Severity::Error);
    let line = text.lines().nth(place.line - 1).unwrap();
    assert_eq!(&line[place.column - 1..], "\"export-rate\",");
}

#[test]
fn every_mistake_is_told_at_once_in_the_order_of_the_file() {
    let text = "\
apiVersion: reeve.dev/v1
kind: McpPolicy
metadata: {name: Imaging}
spec:
  serverRefs: []
  rules:
  - name: a
    tols: [x]
    action: Alow
    limits:
    - {counter: c, window: 1m, max: -5}
  - tools: yes
    acton: Deny
    name: 7
  - name: b
    validateArguments: yes
    message: on
";
    assert_eq!(
        lines(&mistakes(text)),
        "\
policy.yaml:1:13: /apiVersion: apiVersion cannot be \"reeve.dev/v1\": write reeve.dev/v1alpha1
policy.yaml:3:18: /metadata/name: name cannot be \"Imaging\": use lower-case letters, digits, - and ., with a letter or digit at both ends
policy.yaml:5:3: /spec/serverRefs: serverRefs needs at least 1 entry
policy.yaml:8:5: /spec/rules/0/tols: unknown field \"tols\" in rules[0]; did you mean \"tools\"?
policy.yaml:9:13: /spec/rules/0/action: action cannot be \"Alow\": write Allow, Deny, RequireApproval or Constrain; did you mean Allow?
policy.yaml:11:37: /spec/rules/0/limits/0/max: max must be at least 0, not -5
policy.yaml:12:12: /spec/rules/1/tools: tools must be a list, not the text \"yes\"
policy.yaml:13:5: /spec/rules/1/acton: unknown field \"acton\" in rules[1]; did you mean \"action\"?
policy.yaml:14:11: /spec/rules/1/name: name must be text, not the number 7; quote it: \"7\"
policy.yaml:15:5: /spec/rules/2: rules[2] has no \"action\": write Allow, Deny, RequireApproval or Constrain
policy.yaml:16:24: /spec/rules/2/validateArguments: validateArguments must be true or false, not the text \"yes\"; YAML 1.2 knows only true and false
policy.yaml:17:14: /spec/rules/2/message: message must be text, and \"on\" without quotes is a boolean to kubectl: quote it
"
    );
}

#[test]
fn the_schema_for_editors_accepts_what_loads_and_is_closed() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let imaging = load("imaging.yaml", IMAGING);
    let mut manifest = serde_json::to_value(&imaging[0].value).unwrap();
    assert!(validator.is_valid(&manifest));
    manifest["status"] = serde_json::json!({"observedGeneration": 3});
    manifest["metadata"]["labels"] = serde_json::json!({"team": "clinic"});
    assert!(validator.is_valid(&manifest));
    for (pointer, field) in
        [("", "sepc"), ("/spec", "rule"), ("/spec/rules/0", "tool"), ("/spec/rules/0/limits/0", "per")]
    {
        let mut wrong = manifest.clone();
        wrong.pointer_mut(pointer).unwrap()[field] = serde_json::json!([]);
        assert!(!validator.is_valid(&wrong), "{pointer}/{field}");
    }
}

#[test]
fn every_field_of_the_schema_for_editors_is_described() {
    fn undescribed(schema: &serde_json::Value, at: &str, found: &mut Vec<String>) {
        for (name, field) in schema.get("properties").and_then(serde_json::Value::as_object).into_iter().flatten() {
            if field.get("description").is_none() && field.get("const").is_none() {
                found.push(format!("{at}.{name}"));
            }
        }
    }
    let schema = schema();
    let mut found = Vec::new();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        undescribed(definition, name, &mut found);
    }
    for kind in schema["oneOf"].as_array().unwrap() {
        undescribed(kind, "Policy", &mut found);
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_check_of_a_file_tells_structure_and_meaning_together() {
    let text = "\
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: a}
spec:
  serverRefs: [{name: x}]
  rules:
  - {name: one, tols: [x], action: Deny}
  - {name: two, tools: [x], action: Allow, limits: [{counter: c, window: 0s, max: 1}]}
  - {name: two, tools: [z], action: Allow}
---
version: '1'
default: deny
tools:
  t: {limits: [{counter: c, window: 32d, max: 1}]}
  u: {limit: 1}
";
    let found = check("p.yaml", text.as_bytes(), None);
    let places: Vec<(usize, &str)> = found.iter().map(|found| (found.line, found.pointer.as_str())).collect();
    assert_eq!(
        places,
        [
            (7, "/spec/rules/0/tols"),
            (8, "/spec/rules/1/limits/0/window"),
            (9, "/spec/rules/2/name"),
            (14, "/tools/t/limits/0/window"),
            (15, "/tools/u/limit")
        ],
        "{}",
        lines(&found)
    );
}
