//! From names and URIs to the rules whose patterns match them.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::decide::Target;
use crate::glob::{Pattern, Set};

/// The rules of a ruleset by what they select.
#[derive(Debug, Default)]
pub(crate) struct Index {
    tools: Set,
    resources: Set,
    prompts: Set,
    named_tools: HashSet<Arc<str>, RandomState>,
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
        Self {
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
            Target::Resource(uri) => self.resources.matches(uri, &mut rules),
            Target::Prompt(name) => self.prompts.matches(name, &mut rules),
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
