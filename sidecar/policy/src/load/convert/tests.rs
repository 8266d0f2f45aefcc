use proptest::option::of;
use proptest::prelude::*;
use reeve_crds::v1alpha1::{
    API_VERSION, Action, Approval, AuditSettings, ClusterDefault, ClusterMcpPolicySpec, Concurrency, DefaultAction,
    LabelSelector, Limit, Listing, McpPolicySpec, Metadata, Mode, Object, OnStoreFailure, Permission, Requirement,
    RiskCategory, RiskSelector, Rule, Scope, ServerRef, ServerRequests, Severity, Tier,
};

use super::*;
use crate::load::policies;

/// Text that one YAML reader or another takes for something else, or that breaks a careless emitter.
const HAZARDS: [&str; 66] = [
    "y",
    "Y",
    "n",
    "N",
    "yes",
    "No",
    "on",
    "OFF",
    "true",
    "False",
    "null",
    "~",
    "NULL",
    "nan",
    ".nan",
    ".inf",
    "-.Inf",
    "0",
    "-1",
    "+1",
    "010",
    "0o7",
    "0x1F",
    "0b1",
    "1_000",
    "1.5",
    "1e3",
    ".5",
    "1.",
    "1:30",
    "190:20:30",
    "2001-01-01",
    "2001-01-01T00:00:00Z",
    "=",
    "<<",
    "-",
    "- a",
    "?",
    "? a",
    ":",
    "a: b",
    "a:",
    "a #b",
    "#a",
    "&a",
    "*a",
    "!a",
    "!!str",
    "|",
    ">",
    "@a",
    "`a`",
    "%a",
    "{a}",
    "[a]",
    ",a",
    "'a'",
    "\"a\"",
    " a",
    "a ",
    "a\nb",
    "a\tb",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "---",
];

#[test]
fn no_hazard_is_written_without_quotes() {
    for text in HAZARDS {
        let written = emit::document(&Node::new(Mark::START, Data::String(text.into())));
        assert!(written.starts_with(['"', '\'']), "{text:?} is written as {written}");
    }
}

#[test]
fn plain_words_and_durations_are_written_without_quotes() {
    for text in ["Deny", "start_dicom_export_job", "1m", "1h30m", "31d", "reeve.dev/v1alpha1", "Say what would pass."] {
        assert_eq!(emit::document(&Node::new(Mark::START, Data::String(text.into()))), format!("{text}\n"));
    }
}

#[test]
fn an_expression_keeps_its_double_quotes() {
    let text = r#"args.uri.startsWith("s3://it's/") && args.n > 1"#;
    let written = emit::document(&Node::new(Mark::START, Data::String(text.into())));
    assert_eq!(written, "'args.uri.startsWith(\"s3://it''s/\") && args.n > 1'\n");
}

#[test]
fn the_manifest_of_the_documentation_is_written_in_the_order_of_the_types() {
    let text = include_str!("../tests/imaging.yaml");
    let policy = policies("imaging.yaml", text.as_bytes()).expect("a policy").remove(0).value;
    assert_eq!(
        to_manifest_yaml(&policy),
        r#"apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata:
  name: imaging
  namespace: clinic
spec:
  podSelector:
    matchLabels:
      app: imaging-agent
  serverRefs:
  - name: aws
  rules:
  - name: export-rate
    tools: [start_dicom_export_job]
    action: Allow
    limits:
    - counter: export_rate
      window: 1m
      max: 10
  - name: our-bucket-only
    tools: [start_dicom_import_job]
    action: Allow
    require:
    - expression: 'args.output_s3_uri.startsWith("s3://clinic-exports/")'
      message: "imports write to s3://clinic-exports/ only"
  - name: reads
    tools: ["get_*", "list_*", "search_*"]
    action: Allow
  - name: no-deletes
    tools: ["delete_*"]
    action: Deny
    message: Datastores are deleted through the change process.
  - name: updates
    tools: ["update_*"]
    action: RequireApproval
    approval:
      expiresAfter: 15m
  - name: overall
    tools: ["*"]
    action: Constrain
    limits:
    - counter: all
      window: 1m
      max: 100
"#
    );
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(HAZARDS.to_vec()).prop_map(String::from),
        "\\PC{1,40}",
        "[ -~]{1,100}",
        "(\\PC|\n){1,20}"
    ]
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..6)
}

fn label() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?",
        Just("y".to_owned()),
        Just("1".to_owned()),
        Just("0e1".to_owned())
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(vec![Mode::Enforce, Mode::Audit])
}

fn limit() -> impl Strategy<Value = Limit> {
    let scope = prop::sample::select(vec![Scope::Grant, Scope::Session, Scope::Pod, Scope::Policy, Scope::Key]);
    let store = prop::sample::select(vec![OnStoreFailure::Deny, OnStoreFailure::Local, OnStoreFailure::Allow]);
    (label(), 0..1_000_000_i64, scope, of(text()), of(text()), of(store)).prop_map(
        |(counter, max, scope, key, cost, store)| Limit {
            counter,
            window: "1h30m".into(),
            max,
            scope,
            key,
            cost,
            on_store_failure: store,
        },
    )
}

fn risk() -> impl Strategy<Value = RiskSelector> {
    let category = prop::sample::select(vec![RiskCategory::Read, RiskCategory::Financial]);
    (prop::collection::vec(category, 0..3), of(Just(Severity::High)))
        .prop_map(|(categories, min_severity)| RiskSelector { categories, min_severity })
}

fn rule() -> impl Strategy<Value = Rule> {
    let action = prop::sample::select(vec![Action::Allow, Action::Deny, Action::RequireApproval, Action::Constrain]);
    let listing = prop::sample::select(vec![Listing::Auto, Listing::Always]);
    let require = (text(), of(text())).prop_map(|(expression, message)| Requirement { expression, message });
    let concurrency =
        (1..100_i64, of(Just("10m".to_owned()))).prop_map(|(max, held_at_most)| Concurrency { max, held_at_most });
    let approval = of(Just("15m".to_owned())).prop_map(|expires_after| Approval { expires_after });
    let selects = (label(), texts(), texts(), texts(), of(risk()), of(text()));
    let holds = (of(text()), prop::collection::vec(require, 0..3), any::<bool>(), prop::collection::vec(limit(), 0..3));
    (selects, action, holds, of(concurrency), of(approval), listing, of(mode())).prop_map(
        |((name, tools, resources, prompts, risk, when), action, holds, concurrency, approval, listing, mode)| {
            let (message, require, validate_arguments, limits) = holds;
            Rule {
                name,
                tools,
                resources,
                prompts,
                risk,
                when,
                action,
                message,
                require,
                validate_arguments,
                limits,
                concurrency,
                approval,
                listing,
                mode,
            }
        },
    )
}

fn selector() -> impl Strategy<Value = LabelSelector> {
    let value = text().prop_map(|text| text.chars().take(63).collect());
    prop::collection::btree_map(text(), value, 0..3)
        .prop_map(|match_labels| LabelSelector { match_labels, match_expressions: Vec::new() })
}

fn policy() -> impl Strategy<Value = Policy> {
    let metadata = (label(), of(label()), of(text()), of(any::<i64>()))
        .prop_map(|(name, namespace, uid, generation)| Metadata { name, namespace, uid, generation });
    let permission = prop::sample::select(vec![Permission::Allow, Permission::Deny]);
    let requests = (of(permission.clone()), of(permission)).prop_map(|(sampling, roots)| ServerRequests {
        sampling,
        elicitation: None,
        roots,
    });
    let rules = prop::collection::vec(rule(), 0..4);
    let common = (selector(), of(prop::collection::vec(text(), 1..3)), mode(), rules, of(requests), texts());
    (metadata, common, any::<bool>()).prop_map(|(metadata, common, is_cluster_wide)| {
        let (pod_selector, accounts, mode, rules, server_requests, values) = common;
        let audit = Some(AuditSettings { argument_values: values });
        let api_version = API_VERSION.to_owned();
        if is_cluster_wide {
            let spec = ClusterMcpPolicySpec {
                tier: Tier::Boundary,
                namespace_selector: pod_selector.clone(),
                pod_selector,
                service_accounts: None,
                server_urls: accounts,
                mode,
                default: Some(ClusterDefault::Pass),
                rules,
                server_requests,
                audit,
                config_max_age: Some("12h".into()),
            };
            return Policy::ClusterMcpPolicy(Object { api_version, metadata, spec });
        }
        let server_refs = vec![ServerRef { name: "*".into() }];
        let default = DefaultAction::Allow;
        let spec = McpPolicySpec {
            pod_selector,
            service_accounts: accounts,
            server_refs,
            mode,
            default,
            rules,
            server_requests,
            audit,
        };
        Policy::McpPolicy(Object { api_version, metadata, spec })
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(policy in policy()) {
        let yaml = to_manifest_yaml(&policy);
        match policies("p.yaml", yaml.as_bytes()) {
            Ok(loaded) => prop_assert_eq!(&loaded[0].value, &policy, "{}", yaml),
            Err(mistakes) => prop_assert!(false, "{:#?}\n{}", mistakes, yaml),
        }
    }

    #[test]
    fn any_text_reads_back_as_text(text in text()) {
        let yaml = format!("a: {}", emit::document(&Node::new(Mark::START, Data::String(text.clone()))));
        let read = crate::load::yaml::read(&yaml);
        prop_assert!(read.findings.is_empty(), "{:?}", read.findings);
        prop_assert_eq!(read.documents[0].get("a").and_then(Node::as_str), Some(text.as_str()));
    }
}
