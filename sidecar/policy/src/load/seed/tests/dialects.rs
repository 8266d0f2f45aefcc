//! What each form of the format becomes.

use super::*;

#[test]
fn the_seed_becomes_a_policy_that_allows_one_tool_ten_times_a_minute() {
    let text = include_str!("../../../../../../examples/start-dicom-export-job.json");
    let policy = policy("examples/start-dicom-export-job.json", text);
    assert_eq!(
        convert::to_manifest_yaml(&policy),
        "\
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata:
  name: start-dicom-export-job
spec:
  serverRefs:
  - name: \"*\"
  rules:
  - name: start-dicom-export-job
    tools: [start_dicom_export_job]
    action: Allow
    limits:
    - counter: start_dicom_export_job_rate
      window: 1m
      max: 10
"
    );
}

#[test]
fn the_seed_reads_the_same_from_yaml() {
    let json = include_str!("../../../../../../examples/start-dicom-export-job.json");
    let yaml = "
version: 1
default: deny
tools:
  start_dicom_export_job:
    limits:
    - counter: start_dicom_export_job_rate
      window: minute
      max: 10
      scope: Grant
";
    let short = "tools: {start_dicom_export_job: {rules: [{action: allow, rate_limit: {max: 10, window: 60}}]}}";
    let name = "start-dicom-export-job.yaml";
    assert_eq!(policy(name, yaml), policy(name, json));
    assert_eq!(
        rules(short),
        "  - name: start-dicom-export-job
    tools: [start_dicom_export_job]
    action: Allow
  - name: start-dicom-export-job-rule-1
    tools: [start_dicom_export_job]
    action: Constrain
    limits:
    - counter: start_dicom_export_job_rate
      window: 1m
      max: 10
"
    );
}

#[test]
fn every_field_of_a_tool_has_its_place() {
    let text = r#"{"version": "1", "default": "deny", "hide": ["drop_table", "drop_schema"],
      "all_tools": {"limits": [{"counter": "all", "window": "hour", "max": 500, "scope": "session"}]},
      "tools": {
        "create_charge": {
          "reason": "Charges are limited.",
          "require": [{"path": "args.reason", "op": "exists", "value": true, "on_deny": "Say why in reason."}],
          "deny_if": [{"path": "args.amount", "op": "gt", "value": 10000, "on_deny": "At most 100.00 at once."}],
          "limits": [{"counter": "spend", "window": "day", "max": 100000, "increment_from": "args.amount"},
                     {"counter": "calls", "window": 90, "max": 3, "increment": 2, "on_deny": "Slowly."}]},
        "list_customers": {},
        "refund": {"action": "require_approval", "reason": "Refunds are approved.", "approval_timeout": "30m",
                   "rate_limit": {"max": 5, "window": 3600}},
        "delete": {"action": "deny", "reason": "Nobody deletes."},
        "read": {"action": "allow", "rate_limit": "10/minute", "validate": {"required_args": true}}}}"#;
    assert_eq!(
        rules(text),
        r#"  - name: hidden
    tools: [drop_table, drop_schema]
    action: Deny
  - name: all-tools
    tools: ["*"]
    action: Constrain
    limits:
    - counter: all
      window: 1h
      max: 500
      scope: Session
  - name: create-charge-calls
    tools: [create_charge]
    action: Constrain
    message: Slowly.
    limits:
    - counter: calls
      window: 1m30s
      max: 3
      cost: "2"
  - name: create-charge
    tools: [create_charge]
    action: Allow
    message: Charges are limited.
    require:
    - expression: has(args.reason) && args.reason != null
      message: Say why in reason.
    limits:
    - counter: spend
      window: 1d
      max: 100000
      cost: args.amount
  - name: create-charge-deny-1
    tools: [create_charge]
    when: has(args.amount) && args.amount != null && args.amount > 10000
    action: Deny
    message: At most 100.00 at once.
  - name: list-customers
    tools: [list_customers]
    action: Allow
  - name: refund
    tools: [refund]
    action: RequireApproval
    message: Refunds are approved.
    limits:
    - counter: refund_rate
      window: 1h
      max: 5
    approval:
      expiresAfter: 30m
  - name: delete
    tools: [delete]
    action: Deny
    message: Nobody deletes.
  - name: read
    tools: [read]
    action: Allow
    validateArguments: true
    limits:
    - counter: read_rate
      window: 1m
      max: 10
"#
    );
}

#[test]
fn the_rule_list_dialect_becomes_a_rule_for_each_rule() {
    let text = include_str!("../../tests/rules.yaml");
    let policy = policy("rules.yaml", text);
    assert_eq!(
        convert::to_manifest_yaml(&policy),
        r#"apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata:
  name: rules
spec:
  serverRefs:
  - name: "*"
  default: Allow
  rules:
  - name: hidden
    tools: [transfer_repository]
    action: Deny
  - name: create-charge
    tools: [create_charge]
    action: Allow
  - name: create-charge-max-single-charge
    tools: [create_charge]
    action: Constrain
    message: A single charge is at most 500.00.
    require:
    - expression: has(args.amount) && args.amount != null && args.amount <= 50000
      message: A single charge is at most 500.00.
  - name: create-charge-daily-spend
    tools: [create_charge]
    action: Constrain
    message: The day's 10,000.00 are spent.
    limits:
    - counter: create_charge_daily_spend
      window: 1d
      max: 1000000
      cost: args.amount
  - name: create-charge-large-charges
    tools: [create_charge]
    when: has(args.amount) && args.amount != null && args.amount > 10000
    action: RequireApproval
    message: Charges above 100.00 need approval.
    approval:
      expiresAfter: 30m
  - name: create-issue
    tools: [create_issue]
    action: Allow
  - name: create-issue-hourly-issues
    tools: [create_issue]
    action: Constrain
    limits:
    - counter: create_issue_rate
      window: 1h
      max: 5
  - name: delete-customer-never
    tools: [delete_customer]
    action: Deny
    message: Customers are deleted by people.
  - name: read-file
    tools: [read_file]
    action: Allow
  - name: every-tool-overall
    tools: ["*"]
    action: Constrain
    limits:
    - counter: all_tools_rate
      window: 1m
      max: 60
"#
    );
}

#[test]
fn the_key_for_every_tool_only_constrains_and_denies() {
    let text = r#"{"default": "deny", "tools": {"*": {"deny_if": [{"path": "args.force", "op": "eq", "value": true}],
      "require": [{"path": "args.tenant", "op": "eq", "value": "clinic"}], "rate_limit": "5/second"},
      "a": {}, "b": {}}}"#;
    assert_eq!(
        rules(text),
        r#"  - name: every-tool
    tools: ["*"]
    action: Constrain
    require:
    - expression: 'has(args.tenant) && args.tenant != null && args.tenant == "clinic"'
    limits:
    - counter: all_tools_rate
      window: 1s
      max: 5
  - name: every-tool-deny-1
    tools: ["*"]
    when: 'has(args.force) && args.force != null && (type(args.force) == string ? args.force == "true" || (args.force != "false" && args.force == true) : args.force == true)'
    action: Deny
  - name: a
    tools: [a]
    action: Allow
  - name: b
    tools: [b]
    action: Allow
"#
    );
}

#[test]
fn approval_of_every_tool_grants_nothing_that_was_denied() {
    let listed = rules(r#"{"default": "deny", "tools": {"*": {"action": "require_approval"}, "a": {}, "b": {}}}"#);
    assert!(listed.starts_with("  - name: every-tool\n    tools: [a, b]\n    action: RequireApproval\n"), "{listed}");
    let all = rules(
        r#"{"default": "allow", "tools": {"*": {"rules": [{"name": "r", "action": "require_approval",
      "conditions": [{"path": "args.x", "op": "gt", "value": 1}]}]}}}"#,
    );
    assert_eq!(
        all,
        r#"  - name: every-tool-allowed
    tools: ["*"]
    action: Allow
  - name: every-tool-r
    tools: ["*"]
    when: has(args.x) && args.x != null && args.x > 1
    action: RequireApproval
"#
    );
}

#[test]
fn names_and_counters_of_two_tools_never_meet() {
    let text = r#"{"default": "deny", "tools": {"get_x": {"rate_limit": "1/day"}, "get-x": {"rate_limit": "1/day"},
      "Get X": {"limits": [{"counter": "get_x_rate", "window": "day", "max": 1}]}}}"#;
    let rules = rules(text);
    for expected in
        ["name: get-x\n", "name: get-x-2\n", "name: get-x-3\n", "counter: get_x_rate_2\n", "counter: get-x_rate\n"]
    {
        assert!(rules.contains(expected), "{expected}{rules}");
    }
}

#[test]
fn many_hidden_tools_are_spread_over_rules() {
    let names: Vec<String> = (0..600).map(|index| format!("\"t{index}\"")).collect();
    let rules = rules(&format!("{{\"default\": \"allow\", \"hide\": [{}]}}", names.join(",")));
    assert_eq!(rules.matches("action: Deny").count(), 3);
}

#[test]
fn a_missing_default_denies_and_is_warned_of() {
    let loaded = policies("p.yaml", b"version: '1'\ntools: {a: {}}\n").expect("a policy");
    let warnings: Vec<String> = loaded[0].warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("p.yaml:1:1: default is not given, so tools that are not listed are denied"));
}
