//! Rules as they are made, each part remembering what it was made from.

use std::collections::BTreeMap;

use reeve_crds::v1alpha1::{Action, Approval, DefaultAction, Limit, Listing, Requirement, Rule};

use super::format;
use super::names::Unique;
use crate::load::MAX_MISTAKES;
use crate::load::salvage::Wrong;

/// What could not be mapped, and where it stands in the document.
pub(super) struct Mistake {
    pub(super) pointer: String,
    pub(super) message: String,
}

/// A rule, and for its parts the pointers to what they were made from.
pub(super) struct Draft {
    pub(super) rule: Rule,
    source: String,
    parts: Vec<(String, String)>,
}

impl Draft {
    /// A rule for these tools, which are named at `named_at`, made from what stands at `source`.
    pub(super) fn new(name: String, action: Action, tools: Vec<String>, named_at: String, source: String) -> Self {
        let rule = Rule {
            name,
            tools,
            resources: Vec::new(),
            prompts: Vec::new(),
            risk: None,
            when: None,
            action,
            message: None,
            require: Vec::new(),
            validate_arguments: false,
            limits: Vec::new(),
            concurrency: None,
            approval: None,
            listing: Listing::Auto,
            mode: None,
        };
        Self { rule, source, parts: vec![("/tools".into(), named_at)] }
    }

    /// What the agent reads, and where that stands.
    pub(super) fn message(mut self, message: Option<&String>, source: String) -> Self {
        self.rule.message = message.cloned();
        self.part("/message".into(), source);
        self
    }

    /// A requirement that stands at `source`; its message is there too unless the rule has it.
    pub(super) fn require(&mut self, expression: String, message: Option<&String>, source: String) {
        let at = format!("/require/{}", self.rule.require.len());
        self.part(format!("{at}/message"), format!("{source}/on_deny"));
        self.part(at, source);
        self.rule.require.push(Requirement { expression, message: message.cloned() });
    }

    pub(super) fn limit(&mut self, limit: Limit, source: String) {
        let at = format!("/limits/{}", self.rule.limits.len());
        self.part(format!("{at}/cost"), format!("{source}/increment_from"));
        self.part(at, source);
        self.rule.limits.push(limit);
    }

    pub(super) fn when(&mut self, expression: String, source: String) {
        self.part("/when".into(), source);
        self.rule.when = Some(expression);
    }

    pub(super) fn approval(&mut self, expires_after: String, source: String) {
        self.part("/approval".into(), source);
        self.rule.approval = Some(Approval { expires_after: Some(expires_after) });
    }

    /// Remembers what a part of the rule was made from.
    pub(super) fn part(&mut self, part: String, source: String) {
        self.parts.push((part, source));
    }

    /// Whether the rule would say nothing.
    pub(super) fn is_idle(&self) -> bool {
        let Rule { action, require, limits, validate_arguments, .. } = &self.rule;
        *action == Action::Constrain && require.is_empty() && limits.is_empty() && !validate_arguments
    }
}

/// The rules of a policy in the making, and what could not be mapped.
pub(super) struct Rules<'d> {
    document: &'d format::Document,
    rules: Vec<Rule>,
    sources: BTreeMap<String, String>,
    mistakes: Vec<Mistake>,
    wrong: Wrong,
    names: Unique,
    counters: Unique,
}

/// The rules of a document, for their parts the pointers to what they were made from, what could not be mapped, and with it
/// everything that is wrong in the document.
pub(super) struct Made {
    pub(super) rules: Vec<Rule>,
    pub(super) sources: BTreeMap<String, String>,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) wrong: Wrong,
}

impl<'d> Rules<'d> {
    pub(super) fn new(document: &'d format::Document, wrong: Wrong) -> Self {
        let mut counters = Unique::default();
        let of_tools = document.tools.iter().flat_map(|(_, tool)| &tool.limits);
        let of_all = document.all_tools.iter().flat_map(|all| &all.limits);
        for limit in of_tools.chain(of_all) {
            counters.reserve(&limit.counter);
        }
        Self {
            document,
            rules: Vec::new(),
            sources: BTreeMap::new(),
            mistakes: Vec::new(),
            wrong,
            names: Unique::default(),
            counters,
        }
    }

    /// A name that no other rule has.
    pub(super) fn name(&mut self, wanted: &str) -> String {
        self.names.take(wanted, '-')
    }

    /// A counter that no other part of the document names.
    pub(super) fn counter(&mut self, wanted: &str) -> String {
        self.counters.take(wanted, '_')
    }

    pub(super) fn add(&mut self, draft: Draft) {
        let at = format!("/spec/rules/{}", self.rules.len());
        for (part, source) in draft.parts {
            self.sources.insert(format!("{at}{part}"), source);
        }
        self.sources.insert(at, draft.source);
        self.rules.push(draft.rule);
    }

    /// A mistake for which nothing is known of the value at its place.
    pub(super) fn refuse(&mut self, pointer: &str, message: impl Into<String>) {
        self.tell(pointer, message);
        self.wrong.lose(pointer);
    }

    /// A mistake that says nothing of what is inside the value at its place.
    pub(super) fn note(&mut self, pointer: &str, message: impl Into<String>) {
        self.tell(pointer, message);
        self.wrong.tell(pointer);
    }

    fn tell(&mut self, pointer: &str, message: impl Into<String>) {
        if !self.wrong.covers(pointer) && self.mistakes.len() <= MAX_MISTAKES {
            self.mistakes.push(Mistake { pointer: pointer.to_owned(), message: message.into() });
        }
    }

    /// Whether nothing is known of the value at a pointer.
    pub(super) fn is_lost(&self, pointer: &str) -> bool {
        self.wrong.has(pointer)
    }

    /// Keeps what follows from a mistake from being told at a pointer and inside.
    pub(super) fn lose(&mut self, pointer: String) {
        self.wrong.lose(pointer);
    }

    /// The value, or nothing and a mistake at this place.
    pub(super) fn accept<T>(&mut self, pointer: &str, value: Result<T, String>) -> Option<T> {
        value.map_err(|message| self.refuse(pointer, message)).ok()
    }

    /// The default, and the tools that are listed.
    pub(super) fn default_action(&self) -> DefaultAction {
        match self.document.default {
            Some(format::Unlisted::Allow) => DefaultAction::Allow,
            Some(format::Unlisted::Deny) | None => DefaultAction::Deny,
        }
    }

    /// The tools that the document lists by name.
    pub(super) fn listed_tools(&self) -> Vec<String> {
        self.document.tools.iter().map(|(name, _)| name.clone()).filter(|name| name != "*").collect()
    }

    pub(super) fn finish(self) -> Made {
        let Self { rules, sources, mistakes, wrong, .. } = self;
        Made { rules, sources, mistakes, wrong }
    }
}
