//! Policies and calls from small pools, so that rules meet.

use std::ops::RangeInclusive;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use reeve_crds::v1alpha1::{
    API_VERSION, Action, ClusterDefault, ClusterMcpPolicySpec, Concurrency, DefaultAction, LabelSelector, Limit,
    Listing, McpPolicySpec, Metadata, Mode, Object, Policy, Requirement, RiskCategory, RiskSelector, Rule, Scope,
    ServerRef, Severity, Tier,
};

/// One call of a tool.
#[derive(Clone, Debug)]
pub(super) struct CallSpec {
    pub(super) tool: &'static str,
    pub(super) arguments: &'static str,
}

/// Tools: the first three are in the catalogue, of different risk.
const TOOLS: [&str; 5] = ["get_datastore", "start_job", "delete_datastore", "unseen", "get_unseen"];
const PATTERNS: [&str; 6] = ["get_datastore", "start_job", "unseen", "get_*", "*_datastore", "*"];
const ARGUMENTS: [&str; 9] = [
    "null",
    "{}",
    r#"{"x": 1}"#,
    r#"{"x": 2, "y": "u"}"#,
    r#"{"y": "v"}"#,
    r#"{"X": 1}"#,
    r#"{"x": 1, "X": 2}"#,
    r#"{"id": "a", "x": 1}"#,
    r#"{"id": "a", "ID": "b"}"#,
];

/// Conditions that the reference knows too: true, false and failing, of the tool alone and of the arguments.
pub(super) const CONDITIONS: [&str; 7] =
    ["true", "false", "tool.name == 'unseen'", "args.x == 1", "has(args.y)", "args.y == 'u'", "server == 'aws'"];

pub(super) fn calls() -> impl Strategy<Value = Vec<CallSpec>> {
    let call = (select(&TOOLS[..]), select(&ARGUMENTS[..])).prop_map(|(tool, arguments)| CallSpec { tool, arguments });
    prop::collection::vec(call, 1..8)
}

/// Up to four policies of different names.
pub(super) fn policies() -> impl Strategy<Value = Vec<Policy>> {
    up_to_four(0..=4)
}

/// The same, but never none.
pub(super) fn some_policies() -> impl Strategy<Value = Vec<Policy>> {
    up_to_four(1..=4)
}

fn up_to_four(count: RangeInclusive<usize>) -> impl Strategy<Value = Vec<Policy>> {
    (policy("a"), policy("b"), policy("c"), policy("d"), count)
        .prop_map(|(a, b, c, d, count)| vec![a, b, c, d].into_iter().take(count).collect())
}

pub(super) fn policy(name: &'static str) -> impl Strategy<Value = Policy> {
    let actions = prop_oneof![
        3 => rule(Action::Allow),
        1 => rule(Action::Deny),
        2 => rule(Action::Constrain),
        1 => rule(Action::RequireApproval)
    ];
    let mode = prop_oneof![4 => Just(Mode::Enforce), 1 => Just(Mode::Audit)];
    (0..5_u8, mode, any::<bool>(), prop::collection::vec(actions, 0..5)).prop_map(
        move |(kind, mode, open, mut rules)| {
            for (number, rule) in rules.iter_mut().enumerate() {
                rule.name = format!("r{number}");
                if mode == Mode::Audit {
                    rule.mode = None;
                }
            }
            build(name, kind, mode, open, rules)
        },
    )
}

fn build(name: &str, kind: u8, mode: Mode, open: bool, rules: Vec<Rule>) -> Policy {
    let cluster = |tier, default| {
        let metadata = Metadata { name: name.into(), ..Metadata::default() };
        let spec = ClusterMcpPolicySpec {
            tier,
            namespace_selector: LabelSelector::default(),
            pod_selector: LabelSelector::default(),
            service_accounts: None,
            server_urls: None,
            mode,
            default,
            rules: rules.clone(),
            server_requests: None,
            audit: None,
            config_max_age: None,
        };
        Policy::ClusterMcpPolicy(Object { api_version: API_VERSION.into(), metadata, spec })
    };
    match kind {
        0 => cluster(Tier::Boundary, open.then_some(ClusterDefault::Deny)),
        1 => cluster(Tier::Baseline, open.then_some(ClusterDefault::Allow)),
        _ => {
            let metadata = Metadata { name: name.into(), namespace: Some("clinic".into()), ..Metadata::default() };
            let default = if open { DefaultAction::Allow } else { DefaultAction::Deny };
            let server_refs = vec![ServerRef { name: "*".into() }];
            let spec = McpPolicySpec { server_refs, mode, default, rules, ..McpPolicySpec::default() };
            Policy::McpPolicy(Object { api_version: API_VERSION.into(), metadata, spec })
        }
    }
}

/// A rule that is valid anywhere but for its name and mode.
pub(super) fn rule(action: Action) -> impl Strategy<Value = Rule> {
    let optional =
        |weight: u32, texts: &'static [&'static str]| prop::option::weighted(f64::from(weight) / 10.0, select(texts));
    let when = optional(4, &CONDITIONS);
    let require = prop::option::weighted(0.3, select(&CONDITIONS[..]));
    let risk = prop::option::weighted(
        0.2,
        prop_oneof![
            Just(RiskSelector { categories: vec![RiskCategory::Read], min_severity: None }),
            Just(RiskSelector { categories: Vec::new(), min_severity: Some(Severity::High) }),
        ],
    );
    let limit = prop::option::weighted(0.3, (select(&["c", "d"][..]), 0..3_i64, optional(3, &["1", "args.x", "-1"])));
    let parts = (any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2), prop::bool::weighted(0.15));
    (subsequence(PATTERNS.to_vec(), 1..3), when, require, risk, limit, parts).prop_map(
        move |(tools, when, require, risk, limit, (validated, always, bounded, audited))| {
            let binds = action != Action::Deny;
            let limits = limit.filter(|_| binds).map(|(counter, max, cost)| Limit {
                counter: counter.into(),
                window: "1m".into(),
                max,
                scope: Scope::Grant,
                key: None,
                cost: cost.map(Into::into),
                on_store_failure: None,
            });
            let require = require.filter(|_| binds).map(|text| Requirement { expression: text.into(), message: None });
            Rule {
                name: "added".into(),
                tools: tools.into_iter().map(Into::into).collect(),
                resources: Vec::new(),
                prompts: Vec::new(),
                risk,
                when: when.map(Into::into),
                action,
                message: None,
                require: require.into_iter().collect(),
                validate_arguments: binds && validated && bounded,
                limits: limits.into_iter().collect(),
                concurrency: (binds && bounded).then_some(Concurrency { max: 1, held_at_most: None }),
                approval: None,
                listing: if always { Listing::Always } else { Listing::Auto },
                mode: audited.then_some(Mode::Audit),
            }
        },
    )
}
