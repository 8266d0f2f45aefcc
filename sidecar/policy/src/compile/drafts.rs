//! Checks one policy after another, as the operator does for years: what they share is compiled once.

use std::sync::Arc;

use reeve_crds::v1alpha1::Policy;

use super::draft::{Expressions, draft};
use super::problems::Problem;
use crate::catalogue::Catalogue;
use crate::expr;

/// How many expressions are kept. Beyond that all are forgotten: whoever writes ever other policies must not fill the memory.
const MOST_EXPRESSIONS: usize = 10_000;

/// Checks policies and keeps the expressions that they have in common.
#[derive(Debug, Default)]
pub struct Drafts {
    expressions: Expressions,
}

impl Drafts {
    /// What [`super::check`] finds.
    pub fn check(&mut self, policy: &Arc<Policy>, catalogue: Option<&Catalogue>) -> Vec<Problem> {
        if self.expressions.count() > MOST_EXPRESSIONS {
            self.expressions = Expressions::default();
        }
        expr::compiling(|| draft(policy, catalogue, &mut self.expressions).problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;

    fn policy(expression: &str) -> Arc<Policy> {
        let yaml = format!(
            "apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {{name: p}}\nspec: {{serverRefs: [{{name: a}}], \
             rules: [{{name: r, tools: [t], action: Allow, when: '{expression}'}}]}}"
        );
        Arc::new(load::policies("test.yaml", yaml.as_bytes()).unwrap().remove(0).value)
    }

    #[test]
    fn a_policy_is_judged_alike_whatever_was_checked_before() {
        let mut drafts = Drafts::default();
        for expression in ["args.a > 1", "args.", "args.a > 1", "args.", "nobody > 1"] {
            let policy = policy(expression);
            assert_eq!(drafts.check(&policy, None), super::super::check(&policy, None), "{expression}");
        }
        assert_eq!(drafts.expressions.count(), 3);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut drafts = Drafts::default();
        for number in 0..=MOST_EXPRESSIONS {
            let _ = drafts.expressions.compile(&format!("{number}x"), expr::Purpose::Condition);
        }
        drafts.check(&policy("args.a > 1"), None);
        assert_eq!(drafts.expressions.count(), 1);
    }
}
