use reeve_crds::v1alpha1::{Action, DefaultAction, McpPolicySpec, Scope};

use super::*;

pub(super) mod agent;
mod files;
mod manifests;
mod together;

/// The policies of a file that must load.
fn load(name: &str, text: &str) -> Vec<Loaded<Policy>> {
    policies(name, text.as_bytes()).unwrap_or_else(|mistakes| panic!("{}", lines(&mistakes)))
}

/// The mistakes of a file that must not load.
fn mistakes(text: &str) -> Vec<Diagnostic> {
    policies("policy.yaml", text.as_bytes()).expect_err("the file must be refused")
}

fn lines(mistakes: &[Diagnostic]) -> String {
    mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

fn spec(loaded: &Loaded<Policy>) -> &McpPolicySpec {
    match &loaded.value {
        Policy::McpPolicy(object) => &object.spec,
        Policy::ClusterMcpPolicy(_) => panic!("an McpPolicy"),
    }
}

const IMAGING: &str = include_str!("tests/imaging.yaml");
