//! What each policy in `examples/` allows.

use super::agent::Agent;
use super::*;
use crate::reason::Reason;

macro_rules! example {
    ($name:literal) => {
        Agent::under($name, include_str!(concat!("../../../../../examples/", $name)))
    };
}

const DAY: u64 = 86_400;

#[test]
fn the_seed_policy_allows_ten_exports_a_minute_and_nothing_else() {
    let agent = example!("start-dicom-export-job.json");
    for second in 0..10 {
        assert_eq!(agent.call_at(second, "start_dicom_export_job", "{}").0, Reason::AllowedByRule);
    }
    assert_eq!(agent.call_at(59, "start_dicom_export_job", "{}").0, Reason::LimitExceeded);
    assert_eq!(agent.call_at(60, "start_dicom_export_job", "{}").0, Reason::AllowedByRule);
    assert_eq!(agent.call_at(60, "start_dicom_export_job", "{}").0, Reason::LimitExceeded);
    assert_eq!(agent.call("get_datastore", "{}"), Reason::NoRule);
}

#[test]
fn the_bucket_rule_lets_imports_write_to_one_bucket() {
    let agent = example!("bucket-rule.yaml");
    let import = |arguments: &str| agent.call_at(1, "start_dicom_import_job", arguments);
    assert_eq!(import(r#"{"output_s3_uri": "s3://clinic-exports/a/"}"#).0, Reason::AllowedByRule);
    for arguments in [r#"{"output_s3_uri": "s3://clinic-exports.evil/"}"#, "{}"] {
        let (reason, message) = import(arguments);
        assert_eq!(reason, Reason::RequirementFailed);
        assert!(message.contains("s3://clinic-exports/"), "{message}");
    }
    assert_eq!(agent.call("get_datastore", "{}"), Reason::AllowedByRule);
    assert_eq!(agent.call("delete_datastore", "{}"), Reason::NoRule);
}

#[test]
fn the_spend_cap_counts_each_customer_by_the_day() {
    let agent = example!("spend-cap.yaml");
    let charge = |second, customer: &str, amount: i64| {
        agent.call_at(second, "create_charge", &format!("{{\"customer\": \"{customer}\", \"amount\": {amount}}}")).0
    };
    assert_eq!(charge(0, "cus_1", 60_000), Reason::RequirementFailed);
    assert_eq!(charge(0, "cus_1", 0), Reason::RequirementFailed);
    assert_eq!(charge(0, "", 1), Reason::RequirementFailed);
    assert_eq!(charge(0, "cus_1", 40_000), Reason::AllowedByRule);
    assert_eq!(charge(10, "cus_1", 40_000), Reason::AllowedByRule);
    assert_eq!(charge(20, "cus_1", 40_000), Reason::LimitExceeded);
    assert_eq!(charge(20, "cus_1", 20_000), Reason::AllowedByRule);
    assert_eq!(charge(20, "cus_2", 40_000), Reason::AllowedByRule);
    assert_eq!(charge(DAY - 1, "cus_1", 40_000), Reason::LimitExceeded);
    assert_eq!(charge(DAY, "cus_1", 40_000), Reason::AllowedByRule);
}

#[test]
fn the_read_only_policy_allows_what_reads() {
    let agent = example!("read-only.yaml");
    for tool in ["get_object", "list_buckets", "search_images", "describe_job"] {
        assert_eq!(agent.call(tool, "{}"), Reason::AllowedByRule, "{tool}");
    }
    for tool in ["delete_object", "forget_object", "get", "GET_object"] {
        assert_eq!(agent.call(tool, "{}"), Reason::NoRule, "{tool}");
    }
}

#[test]
fn every_example_checks_clean_and_survives_conversion() {
    for (name, text) in [
        ("start-dicom-export-job.json", include_str!("../../../../../examples/start-dicom-export-job.json")),
        ("bucket-rule.yaml", include_str!("../../../../../examples/bucket-rule.yaml")),
        ("spend-cap.yaml", include_str!("../../../../../examples/spend-cap.yaml")),
        ("read-only.yaml", include_str!("../../../../../examples/read-only.yaml")),
    ] {
        assert_eq!(lines(&check(name, text.as_bytes(), None)), "", "{name}");
        let policy = load(name, text).remove(0).value;
        let again = load("again.yaml", &convert::to_manifest_yaml(&policy)).remove(0).value;
        assert_eq!(again, policy, "{name}");
    }
}
