//! From this chart to one whose webhooks are others: no field of them is anybody's but the chart's and, the bundle alone, the operator's.

use std::fs;

use reeve_tests::cluster::kubectl;
use reeve_tests::eventually::eventually;
use tempfile::TempDir;

use super::upgrade::copy;
use super::*;

/// By which the operator writes the webhooks' bundle.
const MANAGER: &str = "reeve-operator-ca-bundle";

/// A folder with a chart like this one, but for these words of a file.
fn chart_with(file: &str, words: &str, instead: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&helm::chart(), folder.path());
    let file = folder.path().join(file);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(words), "{words} is not in {}", file.display());
    fs::write(&file, text.replace(words, instead)).unwrap();
    folder
}

/// The configuration of the injecting webhooks, with who owns what of it.
fn configuration() -> Value {
    kubectl::json(&["get", "mutatingwebhookconfiguration", installed::OPERATOR, "--show-managed-fields"])
}

fn webhooks(configuration: &Value) -> Vec<Value> {
    configuration["webhooks"].as_array().cloned().unwrap_or_default()
}

/// Waits until each webhook has a bundle, and the operator owns nothing else.
fn have_bundles() {
    let bundle = json!({"f:clientConfig": {"f:caBundle": {}}});
    let owns_more = |owner: &Value| {
        let of_webhooks = owner["fieldsV1"]["f:webhooks"].as_object().cloned().unwrap_or_default();
        owner["manager"] == MANAGER && (owner["operation"] != "Update" || of_webhooks.values().any(|of| *of != bundle))
    };
    let has_bundle = |webhook: &Value| webhook["clientConfig"]["caBundle"].is_string();
    eventually("each webhook has a bundle, and the operator owns nothing else", || {
        let now = configuration();
        let owners = now["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        (!owners.iter().any(owns_more) && webhooks(&now).iter().all(has_bundle)).then_some(())
    });
}

/// Has the operator own what versions before this one applied.
fn owned_as_before() {
    let entry = |webhook: &Value| {
        json!({"name": webhook["name"], "sideEffects": webhook["sideEffects"],
            "admissionReviewVersions": webhook["admissionReviewVersions"],
            "clientConfig": {"caBundle": webhook["clientConfig"]["caBundle"]}})
    };
    let entries: Vec<_> = webhooks(&configuration()).iter().map(entry).collect();
    let applied = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": installed::OPERATOR}, "webhooks": entries});
    let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager", MANAGER, "--filename", "-"];
    kubectl::fed(&apply, applied).unwrap();
}

#[test]
fn an_upgrade_may_change_one_webhook_and_call_another_otherwise() {
    let alone = Alone::new(&[ENABLED]);
    let _changed = installed::changed(&alone);
    owned_as_before();
    have_bundles();

    let changed = chart_with("templates/_names.tpl", "sideEffects: NoneOnDryRun", "sideEffects: None");
    installed::release(changed.path(), &[]).unwrap();
    installed::await_webhooks();
    let now = webhooks(&configuration());
    assert!(now.iter().all(|webhook| webhook["sideEffects"] == "None"), "{now:#?}");
    have_bundles();

    let renamed = chart_with("templates/webhooks.yaml", "name: pod.inject.reeve.dev", "name: pods.inject.reeve.dev");
    installed::release(renamed.path(), &[]).unwrap();
    installed::await_webhooks();
    let now = webhooks(&configuration());
    let mut names: Vec<_> = now.iter().filter_map(|webhook| webhook["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["namespace.inject.reeve.dev", "pods.inject.reeve.dev", "required.inject.reeve.dev"]);
    have_bundles();
}
