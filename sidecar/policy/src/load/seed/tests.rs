use reeve_crds::v1alpha1::Policy;

use crate::load::{convert, policies};

mod conditions;
mod dialects;
mod refusals;

fn policy(name: &str, text: &str) -> Policy {
    match policies(name, text.as_bytes()) {
        Ok(mut loaded) => loaded.remove(0).value,
        Err(mistakes) => panic!("{mistakes:#?}"),
    }
}

/// The rules that a document becomes, as YAML.
fn rules(text: &str) -> String {
    let manifest = convert::to_manifest_yaml(&policy("p.json", text));
    let (_, rules) = manifest.split_once("  rules:\n").unwrap_or_default();
    rules.to_owned()
}
