//! The rules that Reeve is given: many, of which one selects a call.

use std::fmt::Write as _;

use crate::server::TOOL;

/// A tool that a rule denies, where there are more rules than a few.
pub const DENIED_TOOL: &str = "drop_table_6";

/// What the rule that selects [`TOOL`] asks of a call.
pub const EXPRESSION: &str = r#"args.path.startsWith("datasets/")"#;

/// Everything on: the rule that selects [`TOOL`] has an expression and a limit that never trips. Of those beside it one in
/// ten is for names that begin alike, one in ten denies, and one in ten has an expression of its own.
pub fn yaml(rules: usize) -> String {
    let requirement =
        format!("require: [{{expression: '{EXPRESSION}', message: Records are read below datasets/ only.}}]");
    let mut policy = with_first(&requirement);
    for index in 1..rules {
        let (tools, action) = match index % 10 {
            3 => (format!("team{index}_*"), "Allow"),
            6 => (format!("drop_table_{index}"), "Deny"),
            _ => (format!("list_table_{index}"), "Allow"),
        };
        let _ = write!(policy, "  - {{name: rule-{index}, tools: [\"{tools}\"], action: {action}");
        if index % 10 == 9 {
            let _ = write!(
                policy,
                ", require: [{{expression: 'args.path.startsWith(\"tables/{index}/\")', message: No.}}]"
            );
        }
        policy.push_str("}\n");
    }
    policy
}

/// The same without the expression of the rule that selects [`TOOL`].
pub fn without_expression(rules: usize) -> String {
    let all = yaml(rules);
    all.replacen(all.lines().find(|line| line.contains(EXPRESSION)).unwrap_or_default(), "", 1)
}

/// The tool that a rule of [`limited`] is for.
pub fn limited_tool(rule: usize) -> String {
    format!("list_table_{rule}")
}

/// Rules for a tool each, every one of which has a limit of its own that never trips.
pub fn limited(rules: usize) -> String {
    let mut policy = head();
    for rule in 0..rules {
        let tool = limited_tool(rule);
        let limit = format!("{{counter: calls-{rule}, window: 1m, max: 1000000000}}");
        let _ = writeln!(policy, "  - {{name: rule-{rule}, tools: [{tool}], action: Allow, limits: [{limit}]}}");
    }
    policy
}

fn with_first(requirement: &str) -> String {
    let first = format!(
        "  - name: reads
    tools: [{TOOL}]
    action: Allow
    {requirement}
    limits: [{{counter: reads, window: 1m, max: 1000000000}}]
"
    );
    head() + &first
}

fn head() -> String {
    "apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: bench, namespace: default}
spec:
  serverRefs: [{name: \"*\"}]
  default: Deny
  rules:
"
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expression_of_the_first_rule_is_left_out() {
        assert_eq!(yaml(100).matches("expression").count(), 11);
        assert_eq!(without_expression(100).matches("expression").count(), 10);
        assert!(!without_expression(1).contains("require"));
    }
}
