//! What a namespace may say of injection.

use super::*;

/// What the API server says of a new namespace with this label.
fn labelled(word: &str) -> Result<kubectl::Said, String> {
    let manifest = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "of-a-word", "labels": {"reeve.dev/inject": word}}});
    kubectl::fed(&["create", "--dry-run=server", "--filename", "-"], manifest)
}

#[test]
fn a_namespace_whose_label_asks_for_nothing_is_refused_and_told_what_to_say() {
    let namespace = watched(&[]);
    for word in ["enabled", "required", "disabled"] {
        labelled(word).unwrap_or_else(|error| panic!("{word}: {error}"));
    }
    let relabelled =
        |word: &str| kubectl::kubectl(&["label", "namespace", &namespace.name, &format!("reeve.dev/inject={word}")]);
    for word in ["true", "enable", "Required"] {
        for refused in [labelled(word), relabelled(word)].map(|said| said.expect_err(word)) {
            let words = format!("label reeve.dev/inject of a namespace is {word}, which asks for nothing: say enabled");
            assert!(refused.contains(&words), "{words}\nis not in\n{refused}");
        }
    }
}
