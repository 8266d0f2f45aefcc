//! The decision as the design words it: every rule of every policy, one by one, without an index or a compiler.

use reeve_crds::v1alpha1::{Action, ClusterDefault, DefaultAction, Mode, Policy, Rule, Tier};
use serde_json::Value;

use super::generate::CallSpec;
use crate::catalogue::{Catalogue, Tool};
use crate::reason::Reason;

type Decision = (Reason, Option<String>);

struct View<'a> {
    key: String,
    boundary: bool,
    baseline: bool,
    enforced: bool,
    open: bool,
    strict: bool,
    rules: Vec<&'a Rule>,
}

fn view(policy: &Policy) -> View<'_> {
    let (mode, rules, boundary, baseline, open, strict) = match policy {
        Policy::McpPolicy(object) => {
            let spec = &object.spec;
            (spec.mode, &spec.rules, false, false, spec.default == DefaultAction::Allow, false)
        }
        Policy::ClusterMcpPolicy(object) => {
            let spec = &object.spec;
            let boundary = spec.tier == Tier::Boundary;
            let strict = boundary && spec.default == Some(ClusterDefault::Deny);
            (spec.mode, &spec.rules, boundary, !boundary, spec.default == Some(ClusterDefault::Allow), strict)
        }
    };
    let mut rules: Vec<_> = rules.iter().filter(|rule| rule.mode != Some(Mode::Audit)).collect();
    rules.sort_by(|a, b| a.name.cmp(&b.name));
    View { key: policy.key(), boundary, baseline, enforced: mode == Mode::Enforce, open, strict, rules }
}

/// What the rules and policies decide of a call.
pub(super) fn decide(policies: &[Policy], call: &CallSpec, catalogue: &Catalogue) -> Decision {
    let mut all: Vec<_> = policies.iter().map(view).collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    if all.iter().any(|policy| policy.enforced && !policy.boundary && !policy.baseline) {
        all.retain(|policy| !policy.baseline);
    }
    let observed = all.iter().any(|policy| !policy.enforced && !policy.boundary);
    all.retain(|policy| policy.enforced);

    let facts = Facts {
        call,
        tool: catalogue.tool(call.tool).map(AsRef::as_ref),
        arguments: serde_json::from_str(call.arguments).unwrap(),
    };
    let selected: Vec<_> = all
        .iter()
        .flat_map(|policy| policy.rules.iter().map(move |rule| (policy, *rule)))
        .filter(|(_, rule)| facts.selects(rule))
        .collect();
    let pointer = |policy: &View<'_>, rule: &Rule, part: &str| Some(format!("{}#{}{part}", policy.key, rule.name));

    let applies: Vec<_> = selected
        .iter()
        .map(|(policy, rule)| (*policy, *rule, rule.when.as_deref().map_or(Ok(true), |when| facts.evaluate(when))))
        .collect();
    if let Some((policy, rule, _)) =
        applies.iter().find(|(_, rule, applies)| rule.action == Action::Deny && *applies == Ok(true))
    {
        return (Reason::DeniedByRule, pointer(policy, rule, ""));
    }
    if let Some((policy, rule, Err(reason))) = applies.iter().find(|(_, _, applies)| applies.is_err()) {
        return (*reason, pointer(policy, rule, "/when"));
    }
    let applied: Vec<_> = applies
        .iter()
        .filter(|(_, _, applies)| *applies == Ok(true))
        .map(|(policy, rule, _)| (*policy, *rule))
        .collect();
    let grants = |rule: &Rule| facts.grants(rule);
    for boundary in all.iter().filter(|policy| policy.strict) {
        if !applied.iter().any(|(policy, rule)| policy.key == boundary.key && grants(rule)) {
            return (Reason::DeniedByBoundary, Some(boundary.key.clone()));
        }
    }
    let deciders: Vec<_> = all.iter().filter(|policy| !policy.boundary).collect();
    let granted = if deciders.is_empty() {
        if !observed {
            return (Reason::NoPolicy, None);
        }
        (Reason::AuditOnly, None)
    } else if let Some((policy, rule)) = applied.iter().find(|(policy, rule)| !policy.boundary && grants(rule)) {
        (Reason::AllowedByRule, pointer(policy, rule, ""))
    } else {
        let claimed = selected
            .iter()
            .any(|(policy, rule)| !policy.boundary && matches!(rule.action, Action::Allow | Action::RequireApproval));
        let closed = deciders.iter().find(|policy| !policy.open);
        let named = Some(closed.unwrap_or(&deciders[0]).key.clone());
        if claimed || closed.is_some() {
            return (Reason::NoRule, named);
        }
        (Reason::AllowedByDefault, named)
    };
    facts.arguments(&applied).map_or(granted, |(policy, rule, part, reason)| (reason, pointer(policy, rule, &part)))
}

struct Facts<'a> {
    call: &'a CallSpec,
    tool: Option<&'a Tool>,
    arguments: Value,
}

type Refused<'a> = (&'a View<'a>, &'a Rule, String, Reason);

impl Facts<'_> {
    fn selects(&self, rule: &Rule) -> bool {
        let named = rule.tools.iter().any(|pattern| match pattern.split_once('*') {
            None => pattern == self.call.tool,
            Some((prefix, suffix)) => {
                let rest = self.call.tool.strip_prefix(prefix);
                rest.is_some_and(|rest| rest.ends_with(suffix))
            }
        });
        let risk = match (&rule.risk, self.tool) {
            (None, _) => true,
            (Some(_), None) => rule.action != Action::Allow,
            (Some(wanted), Some(tool)) => {
                let category = wanted.categories.iter().any(|category| tool.risk.categories.contains(category));
                (wanted.categories.is_empty() || category)
                    && wanted.min_severity.is_none_or(|least| tool.risk.severity >= least)
            }
        };
        named && risk
    }

    fn grants(&self, rule: &Rule) -> bool {
        match rule.action {
            Action::Allow => true,
            Action::RequireApproval => rule.risk.is_none() || self.tool.is_some(),
            Action::Deny | Action::Constrain => false,
        }
    }

    /// A condition of the pool.
    fn evaluate(&self, condition: &str) -> Result<bool, Reason> {
        let get = |key: &str| {
            let variant = |other: &String| other != key && other.eq_ignore_ascii_case(key);
            if self.arguments.as_object().is_some_and(|object| object.keys().any(variant)) {
                return Err(Reason::ArgumentsAmbiguous);
            }
            Ok(self.arguments.get(key))
        };
        match condition {
            "true" => Ok(true),
            "false" => Ok(false),
            "tool.name == 'unseen'" => Ok(self.call.tool == "unseen"),
            "server == 'aws'" => Ok(true),
            "args.x == 1" => get("x")?.map(|x| x == 1).ok_or(Reason::ExpressionError),
            "has(args.y)" => get("y").map(|y| y.is_some()),
            "args.y == 'u'" => get("y")?.map(|y| y == "u").ok_or(Reason::ExpressionError),
            other => panic!("the reference does not know {other}"),
        }
    }

    fn cost(&self, cost: &str) -> Result<(), Reason> {
        match cost {
            "1" => Ok(()),
            "-1" => Err(Reason::CostInvalid),
            "args.x" => match self.evaluate("args.x == 1") {
                Err(reason) => Err(reason),
                Ok(_) => Ok(()),
            },
            other => panic!("the reference does not know {other}"),
        }
    }

    /// The first refusal of the arguments by rules that apply, in the order of the steps.
    fn arguments<'a>(&self, applied: &[(&'a View<'a>, &'a Rule)]) -> Option<Refused<'a>> {
        let ambiguous =
            |result: Result<(), Reason>| result.err().filter(|reason| *reason == Reason::ArgumentsAmbiguous);
        for (policy, rule) in applied {
            for (number, requirement) in rule.require.iter().enumerate() {
                if let Some(reason) = ambiguous(self.evaluate(&requirement.expression).map(|_| ())) {
                    return Some((policy, rule, format!("/require/{number}"), reason));
                }
            }
            for limit in &rule.limits {
                if let Some(reason) = limit.cost.as_deref().and_then(|cost| ambiguous(self.cost(cost))) {
                    return Some((policy, rule, format!("/limits/{}/cost", limit.counter), reason));
                }
            }
        }
        for (policy, rule) in applied.iter().filter(|(_, rule)| rule.validate_arguments) {
            if let Some(reason) = self.validate() {
                return Some((policy, rule, "/validateArguments".into(), reason));
            }
        }
        for (policy, rule) in applied {
            for (number, requirement) in rule.require.iter().enumerate() {
                let reason = match self.evaluate(&requirement.expression) {
                    Ok(true) => continue,
                    Ok(false) => Reason::RequirementFailed,
                    Err(reason) => reason,
                };
                return Some((policy, rule, format!("/require/{number}"), reason));
            }
        }
        for (policy, rule) in applied {
            for limit in &rule.limits {
                if let Some(reason) = limit.cost.as_deref().and_then(|cost| self.cost(cost).err()) {
                    return Some((policy, rule, format!("/limits/{}/cost", limit.counter), reason));
                }
            }
        }
        let approved = applied.iter().find(|(_, rule)| rule.action == Action::RequireApproval);
        approved.map(|(policy, rule)| (*policy, *rule, "/approval".into(), Reason::ApprovalRequired))
    }

    /// The schemas of the tools that the calls name, by hand.
    fn validate(&self) -> Option<Reason> {
        match self.call.tool {
            "get_datastore" if self.arguments.get("ID").is_some() => Some(Reason::ArgumentsAmbiguous),
            "get_datastore" => {
                (!self.arguments.get("id").is_some_and(Value::is_string)).then_some(Reason::ArgumentsInvalid)
            }
            "start_job" | "delete_datastore" => None,
            _ => Some(Reason::SchemaUnknown),
        }
    }
}
