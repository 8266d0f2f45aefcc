//! From the chart before this one to this one.

use std::fs;
use std::path::Path;

use reeve_tests::cluster::clinic::agent;
use reeve_tests::cluster::image::{self, BEFORE};
use reeve_tests::cluster::kubectl;
use reeve_tests::cluster::pod::Pod;
use tempfile::TempDir;

use super::*;

/// The field of McpPolicies that the chart before does not know yet.
const NEW_FIELD: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";

/// A folder with a chart like this one, of a version before it: with images of its own, and definitions that lack a field.
fn chart_before() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&helm::chart(), folder.path());
    let chart = folder.path().join("Chart.yaml");
    let text = fs::read_to_string(&chart).unwrap();
    fs::write(&chart, text.replace("ersion: 0.1.0\n", &format!("ersion: {BEFORE}\n"))).unwrap();
    let definition = folder.path().join("files/crds/mcppolicies.yaml");
    let read = ["create", "--dry-run=client", "--filename", helm::path(&definition)];
    let mut read = kubectl::json(&read);
    let fields = read.pointer_mut(NEW_FIELD).and_then(Value::as_object_mut).expect("the definition has fields");
    fields.remove("serverRequests").expect("the field is in the definition");
    fs::write(&definition, read.to_string()).unwrap();
    image::sidecar_before();
    let operator = "ghcr.io/reeve-dev/reeve-operator";
    image::named_as_well(&format!("{operator}:0.1.0"), &format!("{operator}:{BEFORE}"));
    folder
}

pub(super) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn image_of_sidecar(pod: &Pod<'_>) -> String {
    pod.now()["spec"]["initContainers"][0]["image"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn an_upgrade_brings_new_fields_and_keeps_what_is_stored_and_who_is_governed() {
    let alone = Alone::new(&[ENABLED]);
    let _changed = installed::changed(&alone);
    helm::told(&["uninstall", "reeve", "--namespace", NAMESPACE, "--wait"]);
    kubectl::told(&["delete", "crd", "mcppolicies.reeve.dev", "clustermcppolicies.reeve.dev", "mcpservers.reeve.dev"]);
    let before = chart_before();
    installed::release(before.path(), &[]).unwrap();
    installed::await_webhooks();

    let caller = calling(&alone);
    let required = alone.another(&[REQUIRED]);
    let kept = required.pod(agent(&required, "kept"));
    let mut newer = reads_and(&[]);
    newer["spec"]["serverRequests"] = json!({"sampling": "Deny"});
    let refused = alone.refused(&newer);
    assert!(refused.contains("unknown field \"spec.serverRequests\""), "{refused}");
    let stored = |object: &str| {
        let stored = alone.get(object).unwrap();
        (stored["metadata"]["uid"].clone(), stored["spec"].clone())
    };
    let objects = ["mcppolicy/imaging", "mcpserver/imaging"].map(|object| (object, stored(object)));

    installed::release(&helm::chart(), &[]).unwrap();

    for (object, before) in objects {
        assert_eq!(stored(object), before, "{object}");
    }
    alone.apply(&newer);
    let now = alone.get("mcppolicy/imaging").unwrap();
    assert_eq!(now["spec"]["serverRequests"]["sampling"], "Deny", "the definition came along");
    is_followed(&alone, &caller, &["create_*"]);
    // Sidecars that run stay what they are, those of new pods are new, and both may be where they are.
    let new = required.pod(agent(&required, "new"));
    for (pod, version) in [(&caller.pod, BEFORE), (&kept, BEFORE), (&new, "0.1.0")] {
        assert_eq!(image_of_sidecar(pod), format!("ghcr.io/reeve-dev/reeve-sidecar:{version}"), "{}", pod.name);
    }
    required.told(&["annotate", "pod", "kept", "team=imaging"]);
}
