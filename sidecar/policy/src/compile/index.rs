//! From names and URIs to the rules whose patterns match them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::decide::Target;
use crate::glob::{Pattern, Set, alike};

/// The rules of a ruleset by what they select.
#[derive(Debug, Default)]
pub(crate) struct Index {
    tools: Set,
    resources: Set,
    prompts: Set,
    /// The beginning of each resource pattern up to its first `*`, what follows, and the rule.
    beginnings: Vec<(Box<str>, Rest, u32)>,
    named_tools: HashSet<Arc<str>, RandomState>,
}

/// How a pattern goes on after its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Not at all.
    Nothing,
    /// With `**`, and that is all.
    Everything,
    /// With anything else.
    Something,
}

/// How many of the URIs with a common beginning a pattern matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Each of them.
    All,
    /// Some of them, or none.
    Some,
}

/// The patterns of rules, each with the rule's number, as they are gathered.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    pub(super) tools: Vec<(Pattern, u32)>,
    pub(super) resources: Vec<(Pattern, u32)>,
    pub(super) prompts: Vec<(Pattern, u32)>,
}

impl Index {
    pub(super) fn new(patterns: Patterns) -> Self {
        let named_tools = patterns.tools.iter().filter_map(|(pattern, _)| pattern.exact()).map(Into::into).collect();
        let beginnings = patterns.resources.iter().map(|(pattern, rule)| {
            let text = pattern.as_str();
            let (beginning, rest) = text.split_at(text.find('*').unwrap_or(text.len()));
            let rest = match rest {
                "" => Rest::Nothing,
                "**" => Rest::Everything,
                _ => Rest::Something,
            };
            (beginning.into(), rest, *rule)
        });
        Self {
            beginnings: beginnings.collect(),
            tools: Set::new(patterns.tools),
            resources: Set::new(patterns.resources),
            prompts: Set::new(patterns.prompts),
            named_tools,
        }
    }

    /// The numbers of the rules whose patterns match, ascending.
    pub(crate) fn matches(&self, target: Target<'_>) -> Vec<u32> {
        let mut rules = Vec::new();
        match target {
            Target::Tool(name) => self.tools.matches(name, &mut rules),
            Target::Resource(uri) => self.resources.matches(&alike(uri), &mut rules),
            Target::Prompt(name) => self.prompts.matches(name, &mut rules),
        }
        rules
    }

    /// The rules that may select a resource whose URI begins like this. Takes a time linear in the patterns of resources.
    pub(crate) fn resources_under(&self, prefix: &str) -> impl Iterator<Item = (u32, Reach)> {
        let prefix = alike(prefix).into_owned();
        self.beginnings.iter().filter_map(move |(beginning, rest, rule)| {
            let longer = beginning.starts_with(&*prefix);
            let shorter = prefix.starts_with(&**beginning);
            match rest {
                Rest::Everything if shorter => Some((*rule, Reach::All)),
                Rest::Everything | Rest::Something if longer || shorter => Some((*rule, Reach::Some)),
                Rest::Nothing if longer => Some((*rule, Reach::Some)),
                _ => None,
            }
        })
    }

    /// The rules that select tools by pattern, and whether they select every tool.
    pub(crate) fn tool_patterns(&self) -> BTreeMap<u32, bool> {
        let mut rules = BTreeMap::new();
        for (pattern, rule) in self.tools.globs() {
            *rules.entry(rule).or_default() |= pattern.as_str() == "*";
        }
        rules
    }

    /// Whether a rule names this tool exactly.
    pub(crate) fn names_tool(&self, name: &str) -> bool {
        self.named_tools.contains(name)
    }

    /// The tools that rules name exactly, in no order.
    pub(crate) fn named_tools(&self) -> impl Iterator<Item = &Arc<str>> {
        self.named_tools.iter()
    }
}
