//! What the tests of decisions share: policies from YAML, a catalogue, a limiter and a clock.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::catalogue::Catalogue;
use crate::compile::{Ruleset, Source, compile};
use crate::decide::{Call, Held, Subject, Target, Verdict};
use crate::json::{Document, Limits};
use crate::limit::{Capacity, Limiter};
use crate::load;
use crate::reason::{Outcome, Reason};
use crate::time::{Instant, WallTime};

/// The tools of the server: what they are called tells their risk.
const TOOLS: &str = r#"[
    {"name": "get_datastore", "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
    {"name": "start_job", "inputSchema": {"type": "object", "properties": {
        "bucket": {"type": "string"}, "amount": {"type": "integer"}, "target": {"type": "object", "properties": {"uri": {"type": "string"}}}}}},
    {"name": "delete_datastore", "inputSchema": {"type": "object"}},
    {"name": "broken_tool", "inputSchema": {"type": 5}}
]"#;

/// A ruleset and everything it works with.
pub(super) struct World {
    pub(super) ruleset: Ruleset,
    pub(super) limiter: Limiter,
    pub(super) catalogue: Catalogue,
    pub(super) now: Instant,
}

impl World {
    /// The policies of a file of YAML documents, which must be well formed; none if it is empty.
    pub(super) fn new(yaml: &str) -> Self {
        Self::of(&sources(yaml))
    }

    pub(super) fn of(sources: &[Source]) -> Self {
        let limiter = Limiter::new(Capacity::default());
        let ruleset = compile(sources, &subject(), &limiter);
        Self { ruleset, limiter, catalogue: Catalogue::read(TOOLS.as_bytes()), now: Instant(1_000_000_000_000) }
    }

    /// The rules of one enforcing McpPolicy `clinic/imaging` with `default: Deny`.
    pub(super) fn with_rules(rules: &str) -> Self {
        Self::new(&imaging("", rules))
    }

    /// Decides a call of a tool, whose definition has been seen if the server has it.
    pub(super) fn call(&self, tool: &str, arguments: &str) -> Verdict {
        self.decide(Target::Tool(tool), arguments, None)
    }

    pub(super) fn decide(&self, target: Target<'_>, arguments: &str, session: Option<&str>) -> Verdict {
        let document = document(arguments);
        let tool = match target {
            Target::Tool(name) => self.catalogue.tool(name),
            Target::Resource(_) | Target::Prompt(_) => None,
        };
        let call = Call { target, arguments: Some(document.root()), session, tool, now: WallTime(0) };
        self.ruleset.decide(&call)
    }

    /// Decides a call and, if it is permitted, takes what it demands. What it holds must be kept as long as it is in flight.
    pub(super) fn take(&self, tool: &str, arguments: &str) -> Result<Held, Verdict> {
        self.take_in(tool, arguments, None)
    }

    pub(super) fn take_in(&self, tool: &str, arguments: &str, session: Option<&str>) -> Result<Held, Verdict> {
        let verdict = self.decide(Target::Tool(tool), arguments, session);
        if verdict.outcome() != Outcome::Allow {
            return Err(verdict);
        }
        let mut held = verdict.demands.acquire(self.now)?;
        verdict.demands.reserve(&self.limiter, self.now, &mut held)?;
        Ok(held)
    }

    pub(super) fn later(&mut self, by: Duration) {
        self.now = self.now.after(by);
    }
}

/// Manifests of a YAML text, ready to compile.
pub(super) fn sources(yaml: &str) -> Vec<Source> {
    if yaml.is_empty() {
        return Vec::new();
    }
    let policies = load::policies("test.yaml", yaml.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong:?}\n{yaml}"));
    policies.into_iter().map(|policy| Source::Readable(Arc::new(policy.value))).collect()
}

pub(super) fn subject() -> Subject {
    Subject {
        server: "aws".into(),
        namespace: "clinic".into(),
        service_account: "agent".into(),
        pod: "agent-0".into(),
        labels: [("team".to_owned(), "imaging".to_owned())].into(),
    }
}

pub(super) fn document(json: &str) -> Document {
    Document::parse(Bytes::from(json.to_owned()), Limits::default()).unwrap()
}

/// The McpPolicy `clinic/imaging` with these lines of `spec` and these rules, one a line in flow style.
pub(super) fn imaging(spec: &str, rules: &str) -> String {
    policy("McpPolicy", "imaging", &format!("serverRefs: [{{name: aws}}]\n{spec}"), rules)
}

/// A policy of namespace `clinic`, or of the cluster.
pub(super) fn policy(kind: &str, name: &str, spec: &str, rules: &str) -> String {
    let namespace = if kind == "McpPolicy" { ", namespace: clinic" } else { "" };
    let spec: String = spec.lines().map(|line| format!("  {}\n", line.trim())).collect();
    let rules: String =
        rules.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| format!("  - {line}\n")).collect();
    let rules = if rules.is_empty() { String::new() } else { format!("  rules:\n{rules}") };
    format!(
        "---\napiVersion: reeve.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}{namespace}}}\nspec:\n{spec}{rules}"
    )
}

/// A verdict in the form that tests compare: reason and pointer.
pub(super) fn brief(verdict: &Verdict) -> (Reason, &str) {
    (verdict.reason, verdict.pointer.as_deref().unwrap_or_default())
}
