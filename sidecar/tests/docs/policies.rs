//! What policy files become, and by which signs a tool's risk is told.

use reeve_crds::v1alpha1::RiskCategory;
use reeve_policy::catalogue::risk::{ARGUMENTS, VERBS, severity};
use reeve_policy::load::{self, convert};

use super::tables::rows;

/// A policy in the JSON format, with the fields that are used most.
const SEED: &str = r#"{"version": "1", "default": "deny",
 "hide": ["drop_table"],
 "all_tools": {"limits": [{"counter": "all", "window": "hour", "max": 500}]},
 "tools": {
   "list_customers": {},
   "create_charge": {
     "require": [{"path": "args.reason", "op": "exists", "value": true, "on_deny": "Say why in reason."}],
     "deny_if": [{"path": "args.amount", "op": "gt", "value": 50000, "on_deny": "At most 500.00 at once."}],
     "limits": [{"counter": "spend", "window": "day", "max": 100000, "increment_from": "args.amount"}]},
   "create_issue": {"rate_limit": {"max": 5, "window": 3600}}}}
"#;

/// A policy in the JSON format, and the manifest that it becomes.
pub(crate) fn seed() -> String {
    let policies = load::policies("charges.json", SEED.as_bytes()).expect("the policy loads");
    let manifest = convert::to_manifest_yaml(&policies[0].value);
    format!("```json\n{SEED}```\n\nbecomes, as `charges.json`:\n\n```yaml\n{manifest}```\n")
}

/// The signs of each category.
pub(crate) fn risk() -> String {
    rows(
        "category | severity | words in the name, or among the first four of the description | names of arguments | annotations",
        VERBS.iter().map(|(category, verbs)| {
            let arguments = ARGUMENTS.iter().find(|(other, _)| other == category).map(|(_, names)| *names);
            vec![
                format!("{category:?}"),
                format!("{:?}", severity(*category)),
                list(verbs),
                list(arguments.unwrap_or_default()),
                annotations(*category).to_owned(),
            ]
        }),
    )
}

fn annotations(category: RiskCategory) -> &'static str {
    match category {
        RiskCategory::Destructive => "`destructiveHint: true` without `readOnlyHint: true`",
        RiskCategory::Write => "`readOnlyHint: false`; also a tool without any sign",
        RiskCategory::Read | RiskCategory::Execute | RiskCategory::Financial => "",
    }
}

fn list(words: &[&str]) -> String {
    words.join(", ")
}
