//! What each file of `examples/` allows and refuses, from the file to the limiter.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails here fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reeve_policy::catalogue::Catalogue;
use reeve_policy::compile::{Ruleset, Severity, Source, check, compile};
use reeve_policy::decide::{Call, Subject, Target};
use reeve_policy::json::{Document, Limits};
use reeve_policy::limit::{Capacity, Limiter};
use reeve_policy::load;
use reeve_policy::reason::{Outcome, Reason};
use reeve_policy::time::{Instant, WallTime};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// An example in force, for one agent.
struct Example {
    ruleset: Ruleset,
    limiter: Limiter,
    now: Instant,
}

impl Example {
    fn load(file: &str) -> Self {
        let bytes = std::fs::read(folder().join(file)).expect("the example can be read");
        let policies = load::policies(file, &bytes).expect("the example loads");
        for policy in &policies {
            assert_eq!(policy.warnings, [], "{file}");
            let problems = check(&policy.value, None);
            assert!(problems.iter().all(|problem| problem.severity != Severity::Error), "{file}: {problems:?}");
        }
        let sources: Vec<_> = policies.into_iter().map(|policy| Source::Readable(Arc::new(policy.value))).collect();
        let subject = Subject { server: "aws".into(), service_account: "agent".into(), ..Subject::default() };
        let limiter = Limiter::new(Capacity::default());
        Self { ruleset: compile(&sources, &subject, &limiter), limiter, now: Instant(1_000_000_000_000) }
    }

    /// Makes a call of which the answer comes at once; gives why it is permitted or refused.
    fn call(&self, tool: &str, arguments: &str) -> Reason {
        self.reach(Target::Tool(tool), arguments)
    }

    fn reach(&self, target: Target<'_>, arguments: &str) -> Reason {
        let document = Document::parse(Bytes::from(arguments.to_owned()), Limits::default()).expect("strict JSON");
        let call = Call { target, arguments: Some(document.root()), session: None, tool: None, now: WallTime(0) };
        let verdict = self.ruleset.decide(&call);
        if verdict.outcome() != Outcome::Allow {
            return verdict.reason;
        }
        let taken = verdict.demands.acquire(self.now).and_then(|mut held| {
            verdict.demands.reserve(&self.limiter, self.now, &mut held)?;
            Ok(held)
        });
        taken.map_or_else(|refusal| refusal.reason, |_| verdict.reason)
    }

    fn lists(&self, tool: &str) -> bool {
        self.ruleset.lists(Target::Tool(tool), &Catalogue::default())
    }

    fn later(&mut self, by: Duration) {
        self.now = self.now.after(by);
    }
}

const ALLOWED: Reason = Reason::AllowedByRule;

#[test]
fn start_dicom_export_job_json_lets_ten_exports_a_minute_through_and_nothing_else() {
    let mut example = Example::load("start-dicom-export-job.json");
    for _ in 0..10 {
        assert_eq!(example.call("start_dicom_export_job", "{}"), ALLOWED);
        example.later(Duration::from_secs(5));
    }
    assert_eq!(example.call("start_dicom_export_job", "{}"), Reason::LimitExceeded);
    example.later(Duration::from_secs(10));
    assert_eq!(example.call("start_dicom_export_job", "{}"), ALLOWED, "the first is a minute old");
    assert_eq!(example.call("start_dicom_export_job", "{}"), Reason::LimitExceeded, "the second is not");
    assert_eq!(example.call("delete_datastore", "{}"), Reason::NoRule);
    assert!(example.lists("start_dicom_export_job") && !example.lists("delete_datastore"));
}

#[test]
fn bucket_rule_yaml_lets_imports_write_to_one_bucket_only() {
    let example = Example::load("bucket-rule.yaml");
    let import = |arguments: &str| example.call("start_dicom_import_job", arguments);
    assert_eq!(import(r#"{"output_s3_uri": "s3://clinic-exports/today/"}"#), ALLOWED);
    for elsewhere in ["s3://somewhere-else/", "s3://clinic-exports-2/", "S3://clinic-exports/", " s3://clinic-exports/"]
    {
        assert_eq!(import(&format!(r#"{{"output_s3_uri": "{elsewhere}"}}"#)), Reason::RequirementFailed, "{elsewhere}");
    }
    assert_eq!(import("{}"), Reason::RequirementFailed);
    assert_eq!(import(r#"{"output_s3_uri": ["s3://clinic-exports/"]}"#), Reason::ExpressionError);
    let twice = r#"{"output_s3_uri": "s3://clinic-exports/", "Output_S3_Uri": "s3://somewhere-else/"}"#;
    assert_eq!(import(twice), Reason::ArgumentsAmbiguous);
    for reads in ["get_datastore", "list_datastores", "search_image_sets"] {
        assert_eq!(example.call(reads, "{}"), ALLOWED, "{reads}");
    }
    assert_eq!(example.call("delete_datastore", "{}"), Reason::NoRule);
    assert!(example.lists("start_dicom_import_job") && !example.lists("delete_datastore"));
}

#[test]
fn spend_cap_yaml_lets_each_customer_be_charged_1000_a_day_and_500_at_once() {
    let mut example = Example::load("spend-cap.yaml");
    let charge = |example: &Example, customer: &str, amount: &str| {
        example.call("create_charge", &format!(r#"{{"customer": "{customer}", "amount": {amount}}}"#))
    };
    assert_eq!(charge(&example, "cus_1", "50001"), Reason::RequirementFailed);
    assert_eq!(charge(&example, "cus_1", "0"), Reason::RequirementFailed);
    assert_eq!(charge(&example, "cus_1", "-1"), Reason::RequirementFailed);
    assert_eq!(charge(&example, "cus_1", "\"50000\""), Reason::ExpressionError);
    assert_eq!(example.call("create_charge", r#"{"amount": 100}"#), Reason::RequirementFailed);
    assert_eq!(charge(&example, "cus_1", "40000"), ALLOWED);
    assert_eq!(charge(&example, "cus_1", "40000"), ALLOWED);
    assert_eq!(charge(&example, "cus_1", "40000"), Reason::LimitExceeded);
    assert_eq!(charge(&example, "cus_1", "20000"), ALLOWED, "it fits exactly");
    assert_eq!(charge(&example, "cus_1", "1"), Reason::LimitExceeded);
    assert_eq!(charge(&example, "cus_2", "50000"), ALLOWED, "each customer counts apart");
    example.later(Duration::from_secs(86_400));
    assert_eq!(charge(&example, "cus_1", "50000"), ALLOWED);
    assert_eq!(example.call("get_customer", "{}"), ALLOWED);
    assert_eq!(example.call("refund_charge", "{}"), Reason::NoRule);
}

#[test]
fn read_only_yaml_lets_tools_through_whose_names_say_that_they_read() {
    let example = Example::load("read-only.yaml");
    for reads in ["get_datastore", "list_datastores", "search_image_sets", "describe_job"] {
        assert_eq!(example.call(reads, "{}"), ALLOWED, "{reads}");
        assert!(example.lists(reads), "{reads}");
    }
    for writes in ["delete_datastore", "start_dicom_import_job", "getaway", "GET_datastore", "widget_get_"] {
        assert_eq!(example.call(writes, "{}"), Reason::NoRule, "{writes}");
        assert!(!example.lists(writes), "{writes}");
    }
    assert_eq!(example.reach(Target::Resource("file:///etc/passwd"), "{}"), Reason::NoRule);
    assert_eq!(example.reach(Target::Prompt("get_advice"), "{}"), Reason::NoRule);
}

#[test]
fn the_clinic_permits_ten_exports_a_minute_and_reading() {
    let example = Example::load("clinic/20-policy.yaml");
    for _ in 0..10 {
        assert_eq!(example.call("start_dicom_export_job", "{}"), ALLOWED);
    }
    assert_eq!(example.call("start_dicom_export_job", "{}"), Reason::LimitExceeded);
    assert_eq!(example.call("list_datastores", "{}"), ALLOWED);
    assert_eq!(example.call("delete_datastore", "{}"), Reason::NoRule);
}

#[test]
fn the_clinics_boundary_forbids_deletes_and_grants_nothing() {
    let example = Example::load("clinic/30-boundary.yaml");
    assert_eq!(example.call("delete_datastore", "{}"), Reason::DeniedByRule);
    assert_eq!(example.call("list_datastores", "{}"), Reason::NoPolicy);
}

#[test]
fn every_example_has_a_test() {
    let this = include_str!("examples.rs").split("Example::load(\"").skip(1);
    let tested: BTreeSet<_> = this.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect();
    assert_eq!(tested, policies_in(&folder(), ""));
}

/// The files with policies, from the folder of examples.
fn policies_in(folder: &Path, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in folder.read_dir().expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        let name = format!("{prefix}{}", path.file_name().expect("a name").to_string_lossy());
        if path.is_dir() {
            found.extend(policies_in(&path, &format!("{name}/")));
        } else if let Some("json" | "yaml") = path.extension().and_then(|extension| extension.to_str()) {
            let text = std::fs::read_to_string(&path).expect("the example can be read");
            if name.ends_with(".json")
                || text.contains("\nkind: McpPolicy")
                || text.contains("\nkind: ClusterMcpPolicy")
            {
                found.insert(name);
            }
        }
    }
    found
}
