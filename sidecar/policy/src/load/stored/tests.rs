use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::compile::govern::{Place, governs};
use crate::decide::Subject;
use crate::load::{self, convert};

fn policy(spec: &Value) -> Value {
    json!({
        "apiVersion": "reeve.dev/v1alpha1", "kind": "McpPolicy",
        "metadata": {"name": "imaging", "namespace": "clinic", "uid": "6a1c", "generation": 4, "resourceVersion": "17",
                     "managedFields": [{"manager": "kubectl"}]},
        "spec": spec, "status": {"matchedPods": 3},
    })
}

fn boundary(spec: &Value) -> Value {
    json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "ClusterMcpPolicy", "metadata": {"name": "b"}, "spec": spec})
}

/// What is left of an object that cannot be read, and why.
fn lost(object: &Value) -> (Policy, String) {
    match stored(object).source {
        Source::Unreadable { scope, error } => ((*scope).clone(), error),
        Source::Readable(policy) => panic!("{policy:?}"),
    }
}

fn namespaced(policy: Policy) -> McpPolicySpec {
    match policy {
        Policy::McpPolicy(object) => object.spec,
        Policy::ClusterMcpPolicy(_) => panic!("{policy:?}"),
    }
}

fn cluster(policy: Policy) -> ClusterMcpPolicySpec {
    match policy {
        Policy::ClusterMcpPolicy(object) => object.spec,
        Policy::McpPolicy(_) => panic!("{policy:?}"),
    }
}

#[test]
fn a_sound_object_is_read_with_its_identity() {
    let Stored { source, uid, generation } = stored(&policy(&json!({"serverRefs": [{"name": "aws"}]})));
    assert_eq!((uid.as_str(), generation), ("6a1c", 4));
    assert!(matches!(source, Source::Readable(policy) if policy.key() == "clinic/imaging"));
}

#[test]
fn one_unknown_field_makes_it_unreadable_and_leaves_whom_it_governs() {
    let spec = json!({
        "serverRefs": [{"name": "aws"}], "podSelector": {"matchLabels": {"app": "imaging"}}, "mode": "Audit",
        "rules": [{"name": "a", "tols": ["x"], "action": "Allow"}],
    });
    let (scope, error) = lost(&policy(&spec));
    assert_eq!(error, "/spec/rules/0/tols: unknown field \"tols\" in rules[0]; did you mean \"tools\"?");
    assert_eq!(scope.key(), "clinic/imaging");
    let scope = namespaced(scope);
    assert_eq!(scope.mode, Mode::Audit);
    assert_eq!(scope.pod_selector.match_labels["app"], "imaging");
    assert_eq!(scope.server_refs, [ServerRef { name: "aws".into() }]);
    assert!(scope.rules.is_empty());
}

#[test]
fn a_selector_of_which_anything_is_wrong_selects_everything() {
    for (field, value) in [
        ("podSelector", json!({"matchLabels": {"app": 1}})),
        ("podSelector", json!({"matchExpressions": [{"key": "app", "operator": "Is", "values": ["a"]}]})),
        ("podSelector", json!({"matchNames": ["a"], "matchLabels": {"app": "a"}})),
        ("podSelector", json!("app")),
        ("serviceAccounts", json!([])),
        ("serviceAccounts", json!(["a", 1])),
        ("serverRefs", json!([])),
        ("serverRefs", json!([{"name": "aws"}, {"url": "x"}])),
        ("serverRefs", Value::Null),
    ] {
        let mut spec = json!({"serverRefs": [{"name": "*"}]});
        spec[field] = value.clone();
        let scope = namespaced(lost(&policy(&spec)).0);
        assert!(scope.pod_selector.is_empty() && scope.service_accounts.is_none(), "{field}: {value}");
        assert_eq!(scope.server_refs, [ServerRef { name: "*".into() }], "{field}: {value}");
        assert_eq!(scope.mode, Mode::Enforce);
    }
    for (field, value) in [
        ("namespaceSelector", json!({"matchLabels": {"env": []}})),
        ("serverURLs", json!([1])),
        ("serviceAccounts", json!(["clinic/agent", ""])),
    ] {
        let mut spec = json!({"tier": "Baseline"});
        spec[field] = value.clone();
        let scope = cluster(lost(&boundary(&spec)).0);
        assert!(scope.namespace_selector.is_empty() && scope.server_urls.is_none(), "{field}: {value}");
        assert!(scope.service_accounts.is_none(), "{field}: {value}");
        assert_eq!(scope.tier, Tier::Baseline);
    }
}

#[test]
fn a_policy_that_only_observes_and_whose_selector_is_wrong_permits_nothing_anywhere() {
    let nobody = Some(Vec::new());
    for (field, value) in [
        ("podSelector", json!({"matchNames": ["a"], "matchLabels": {"app": "a"}})),
        ("serviceAccounts", json!(["a", 1])),
        ("serverRefs", json!([{"name": "aws"}, {"url": "x"}])),
        ("serverRefs", Value::Null),
    ] {
        let mut spec = json!({"serverRefs": [{"name": "*"}], "mode": "Audit"});
        spec[field] = value.clone();
        assert_eq!(namespaced(lost(&policy(&spec)).0).service_accounts, nobody, "{field}: {value}");
    }
    assert_eq!(namespaced(lost(&policy(&json!({"mode": "Audit"}))).0).service_accounts, nobody, "no serverRefs");
    for (field, value) in [
        ("namespaceSelector", json!({"matchLabels": {"env": []}})),
        ("podSelector", json!("app")),
        ("serverURLs", json!([1])),
        ("serviceAccounts", json!(["clinic/agent", ""])),
    ] {
        let mut spec = json!({"tier": "Baseline", "mode": "Audit"});
        spec[field] = value.clone();
        assert_eq!(cluster(lost(&boundary(&spec)).0).service_accounts, nobody, "{field}: {value}");
    }
}

#[test]
fn a_mode_or_tier_that_cannot_be_read_is_the_stricter_one() {
    for mode in [json!("audit"), json!("Monitor"), json!(1), json!(["Audit"])] {
        let scope = namespaced(lost(&policy(&json!({"serverRefs": [{"name": "aws"}], "mode": mode}))).0);
        assert_eq!(scope.mode, Mode::Enforce, "{mode}");
    }
    for tier in [json!("Base"), Value::Null] {
        assert_eq!(cluster(lost(&boundary(&json!({"tier": tier}))).0).tier, Tier::Boundary);
    }
}

#[test]
fn an_object_of_which_nothing_can_be_read_governs_all_that_its_kind_can() {
    let mut deep = json!({});
    for _ in 0..100 {
        deep = json!([deep]);
    }
    for spec in [Value::Null, json!([]), json!("x"), deep] {
        let (scope, _) = lost(&policy(&spec));
        assert_eq!(scope.key(), "clinic/imaging");
        assert_eq!(namespaced(scope).server_refs, [ServerRef { name: "*".into() }]);
        assert_eq!(cluster(lost(&boundary(&spec)).0).tier, Tier::Boundary, "{spec}");
    }
    assert!(matches!(lost(&json!({"metadata": {"name": "x", "namespace": "y"}})).0, Policy::McpPolicy(_)));
    assert!(matches!(lost(&json!(null)).0, Policy::ClusterMcpPolicy(_)));
}

#[test]
fn of_many_mistakes_the_first_are_told() {
    let rules: Vec<_> =
        (0..50).map(|number| json!({"name": format!("r{number}"), "tools": ["x"], "action": 1})).collect();
    let (_, error) = lost(&policy(&json!({"serverRefs": [{"name": "aws"}], "rules": rules})));
    assert!(error.starts_with("/spec/rules/0/action: ") && error.ends_with("; and 47 more"), "{error}");
}

#[test]
fn however_many_mistakes_stand_in_rules_those_of_whom_the_policy_governs_count() {
    let rules: Vec<_> = (0..2 * MAX_MISTAKES).map(|_| json!({"name": "r", "tols": ["x"], "action": "Allow"})).collect();
    let spec = json!({"rules": rules, "serverRefs": [{"name": "aws"}], "serviceAccounts": [], "mode": "Adit"});
    let scope = namespaced(lost(&policy(&spec)).0);
    assert_eq!((scope.service_accounts, scope.mode), (None, Mode::Enforce));
    assert_eq!(scope.server_refs, [ServerRef { name: "aws".into() }]);
    let spec = json!({"rules": rules, "serverURLs": [], "tier": "Baseline", "mode": "Audit"});
    let scope = cluster(lost(&boundary(&spec)).0);
    assert_eq!((scope.service_accounts, scope.tier), (Some(Vec::new()), Tier::Baseline));
    let labels: serde_json::Map<_, _> =
        (0..2 * MAX_MISTAKES).map(|number| (number.to_string(), Value::from(number))).collect();
    let spec = json!({"podSelector": {"matchLabels": labels}, "serverRefs": [], "serviceAccounts": []});
    let scope = namespaced(lost(&policy(&spec)).0);
    assert_eq!((scope.service_accounts, scope.server_refs), (None, vec![ServerRef { name: "*".into() }]));
}

#[test]
fn an_mcp_policy_without_its_namespace_cannot_be_read_and_governs_every_one() {
    let mut object = policy(&json!({"serverRefs": [{"name": "aws"}]}));
    object["metadata"].as_object_mut().unwrap().remove("namespace");
    for mode in ["Enforce", "Audit"] {
        object["spec"]["mode"] = json!(mode);
        let (scope, error) = lost(&object);
        assert!(error.starts_with("/metadata/namespace: the McpPolicy has no namespace"), "{error}");
        let subject = Subject {
            server: "aws".into(),
            namespace: "clinic".into(),
            service_account: "agent".into(),
            pod: "agent-0".into(),
            labels: [].into(),
        };
        let place = Place { subject: &subject, namespace_labels: &[].into(), server_url: "https://aws.internal/mcp" };
        assert_eq!(governs(&scope, &place), mode == "Enforce", "being observed would be being permitted");
    }
}

/// A file of one object, which reads alike as YAML and from the API server.
fn read_alike(object: &Value) {
    match (load::policies("policy.json", object.to_string().as_bytes()), stored(object).source) {
        (Ok(read), Source::Readable(policy)) => {
            assert_eq!(read.len(), 1);
            assert_eq!(read[0].value, *policy);
            let yaml = convert::to_manifest_yaml(&policy);
            assert_eq!(load::policies("policy.yaml", yaml.as_bytes()).unwrap()[0].value, *policy);
        }
        (Err(mistakes), Source::Unreadable { error, .. }) => {
            let first = &mistakes[0];
            let told = mistakes.iter().any(|mistake| error.contains(&mistake.message));
            assert!(told, "{error}\n{first}");
        }
        (file, stored) => panic!("{object}\nas a file: {file:?}\nstored: {stored:?}"),
    }
}

/// Values that stand in the place of others.
fn stranger() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!({"name": "x"})),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[a-zA-Z*./-]{0,12}".prop_map(Value::from),
        Just(json!("Audit")),
        Just(json!("Key")),
    ]
}

/// Every pointer into a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn sound() -> Vec<Value> {
    let imaging = load::policies("imaging.yaml", include_bytes!("../tests/imaging.yaml")).unwrap();
    let mut sound: Vec<_> = imaging.iter().map(|policy| serde_json::to_value(&policy.value).unwrap()).collect();
    sound.push(boundary(&json!({
        "tier": "Boundary", "serverURLs": ["https://*.internal/**"], "serviceAccounts": ["clinic/agent"],
        "namespaceSelector": {"matchExpressions": [{"key": "env", "operator": "In", "values": ["prod"]}]},
        "rules": [{"name": "no-deletes", "tools": ["delete_*"], "action": "Deny", "message": "on"}],
    })));
    sound
}

proptest! {
    #[test]
    fn a_file_and_the_api_server_say_the_same(
        which in 0..2_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), stranger()), 0..3),
    ) {
        let mut object = sound().swap_remove(which);
        for (place, value) in changes {
            let mut places = Vec::new();
            pointers(&object, "", &mut places);
            // The whole object, or what makes it a manifest, would be no policy as a file.
            places.retain(|place| place.starts_with("/spec"));
            if let Some(changed) = places.get(place.index(places.len().max(1))).and_then(|place| object.pointer_mut(place)) {
                *changed = value;
            }
        }
        read_alike(&object);
    }
}
