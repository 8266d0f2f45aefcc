//! The seed's policy format as types. What `deny_unknown_fields` and the schema cannot say is checked where it is converted.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// A policy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// Accepted for editors.
    #[serde(rename = "$schema")]
    pub(super) _schema: Option<String>,
    /// Accepted for people.
    #[serde(rename = "description")]
    pub(super) _description: Option<String>,
    pub(super) version: Option<Version>,
    pub(super) default: Option<Unlisted>,
    /// Tools that are denied and not listed; `"*"` is every tool.
    #[serde(default)]
    pub(super) hide: Vec<String>,
    pub(super) all_tools: Option<AllTools>,
    /// In the order of the file.
    #[serde(default, deserialize_with = "in_order")]
    #[schemars(with = "std::collections::BTreeMap<String, Tool>")]
    pub(super) tools: Vec<(String, Tool)>,
}

/// `"1"`, or in YAML `1`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Version {
    Number(i64),
    Text(String),
}

/// What happens to tools that are not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unlisted {
    Allow,
    Deny,
}

/// What holds for every call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AllTools {
    #[serde(default)]
    pub(super) limits: Vec<Limit>,
}

/// What holds for the calls of one tool, or under the key `"*"` of every tool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tool {
    pub(super) action: Option<Action>,
    /// What the agent reads.
    pub(super) reason: Option<String>,
    pub(super) rate_limit: Option<RateLimit>,
    #[serde(default)]
    pub(super) limits: Vec<Limit>,
    /// Each must hold.
    #[serde(default)]
    pub(super) require: Vec<Condition>,
    /// None may hold.
    #[serde(default)]
    pub(super) deny_if: Vec<Condition>,
    pub(super) validate: Option<Validate>,
    pub(super) approval_timeout: Option<Span>,
    /// The rule-list dialect.
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
}

/// What happens to a call of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Allow,
    Deny,
    RequireApproval,
}

/// Whether arguments are checked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Validate {
    /// The tool's required arguments must be there.
    #[serde(default)]
    pub(super) required_args: bool,
}

/// One rule of the rule-list dialect.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) name: Option<String>,
    pub(super) action: Option<RuleAction>,
    /// All must hold: for the call to pass (`evaluate`), for it to be denied (`deny`) or approved first (`require_approval`).
    #[serde(default)]
    pub(super) conditions: Vec<Condition>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) state: Option<State>,
    /// What the agent reads.
    pub(super) on_deny: Option<String>,
    /// What the agent reads, where `on_deny` is not given.
    pub(super) reason: Option<String>,
    pub(super) validate: Option<Validate>,
    pub(super) approval_timeout: Option<Span>,
}

/// What a rule of the rule-list dialect does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RuleAction {
    Evaluate,
    Allow,
    Deny,
    RequireApproval,
}

/// A comparison of one argument.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Condition {
    /// `args.x.y`, or in a rule with `state` the counter: `state.TOOL.COUNTER`.
    pub(super) path: String,
    pub(super) op: Operator,
    pub(super) value: Option<Value>,
    /// What the agent reads.
    pub(super) on_deny: Option<String>,
}

/// How an argument is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the format's own words")]
pub(super) enum Operator {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    In,
    NotIn,
    Exists,
    Regex,
    Contains,
}

/// How much may be called in a window.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    pub(super) counter: String,
    pub(super) window: Span,
    #[schemars(range(min = 0, max = 1_000_000_000_000_i64))]
    pub(super) max: i64,
    pub(super) scope: Option<String>,
    #[schemars(range(min = 1, max = 1_000_000_000_000_i64))]
    pub(super) increment: Option<i64>,
    pub(super) increment_from: Option<String>,
    /// What the agent reads.
    pub(super) on_deny: Option<String>,
}

/// `10/minute`, or the same in two fields.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RateLimit {
    Text(String),
    Fields(Rate),
}

/// A number of calls in a window.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rate {
    #[schemars(range(min = 0, max = 1_000_000_000_000_i64))]
    pub(super) max: i64,
    pub(super) window: Span,
    pub(super) scope: Option<String>,
}

/// A counter of the rule-list dialect; a condition of the same rule bounds it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) counter: String,
    pub(super) window: Span,
    #[schemars(range(min = 1, max = 1_000_000_000_000_i64))]
    pub(super) increment: Option<i64>,
    pub(super) increment_from: Option<String>,
    pub(super) scope: Option<String>,
}

/// A length of time: seconds as a number, or a word such as `minute`, or a duration such as `90s`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Span {
    Seconds(i64),
    Word(String),
}

fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Tool)>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(String, Tool)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of tools")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(Entries)
}
