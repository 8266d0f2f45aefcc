//! After `helm uninstall`, and after the next `helm install`.

use reeve_tests::cluster::clinic::agent;
use reeve_tests::cluster::kubectl;
use reeve_tests::cluster::pod::{shell, status};
use reeve_tests::eventually::eventually;

use super::*;

/// What every namespace has, and what Kubernetes writes by itself: when something happened, and which definitions there are.
const OF_KUBERNETES: [&str; 4] =
    ["ConfigMap/kube-root-ca.crt", "ServiceAccount/default", "Event/", "APIService/v1alpha1.reeve.dev"];

/// Every object of the cluster that is the release's by its namespace, its labels or its name, as `Kind/name`.
fn of_the_release() -> Vec<String> {
    let kinds = kubectl::told(&["api-resources", "--verbs=list", "--output=name"]);
    let kinds = kinds.lines().collect::<Vec<_>>().join(",");
    let all = kubectl::json(&["get", &kinds, "--all-namespaces"]);
    let all = all["items"].as_array().cloned().unwrap_or_default();
    all.iter().filter(|object| is_of_the_release(object)).map(named).filter(|name| is_told(name)).collect()
}

fn is_told(name: &str) -> bool {
    !OF_KUBERNETES.iter().any(|other| name.starts_with(other))
}

fn named(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

fn is_of_the_release(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let labels = metadata["labels"].as_object().cloned().unwrap_or_default();
    let marks = [
        ("app.kubernetes.io/instance", "reeve"),
        ("app.kubernetes.io/part-of", "reeve"),
        ("app.kubernetes.io/managed-by", "reeve-operator"),
    ];
    metadata["namespace"] == NAMESPACE
        || marks.iter().any(|(key, value)| labels.get(*key).is_some_and(|label| label == value))
        || (metadata["namespace"].is_null() && name.contains("reeve"))
}

#[test]
fn uninstalling_leaves_what_the_notes_name_and_stops_no_pod_and_an_operator_that_comes_back_is_known() {
    let alone = Alone::new(&[ENABLED]);
    let _changed = installed::changed(&alone);
    let caller = calling(&alone);
    let authority = || kubectl::json(&["-n", NAMESPACE, "get", installed::AUTHORITY])["metadata"]["uid"].clone();
    let (notes, known) = (helm::told(&["get", "notes", "reeve", "--namespace", NAMESPACE]), authority());
    let has = |name: &str| of_the_release().iter().any(|object| object == name);
    assert!(has("MutatingWebhookConfiguration/reeve-operator"), "what is looked for is found where there is something");

    helm::told(&["uninstall", "reeve", "--namespace", NAMESPACE, "--wait"]);

    let left = eventually("nothing is left but what the notes name", || {
        let left = of_the_release();
        let is_named = |object: &String| object.split_once('/').is_some_and(|(_, name)| notes.contains(name));
        left.iter().all(is_named).then_some(left)
    });
    println!("left: {}", left.join(", "));
    for kept in ["CustomResourceDefinition/mcppolicies.reeve.dev", "Secret/reeve-operator-ca"] {
        assert!(left.iter().any(|object| object == kept), "{kept} is not in {left:?}");
    }
    for namespace in [&*alone, &alone.another(&[]), &alone.another(&[REQUIRED])] {
        namespace.pod(shell("other", "exec sleep 600"));
    }
    println!("after uninstalling: {}", caller.calls());

    helm::told(&["install", "reeve", helm::path(&helm::chart()), "--namespace", NAMESPACE, "--wait"]);
    installed::await_webhooks();

    assert_eq!(authority(), known, "the authority stayed");
    is_followed(&alone, &caller, &["create_*"]);
    let now = caller.pod.now();
    for container in ["reeve-sidecar", "main"] {
        assert_eq!(status(&now, container).unwrap()["restartCount"], 0, "{container}");
    }
    let second = alone.pod(agent(&alone, "second"));
    assert_eq!(second.now()["spec"]["initContainers"][0]["name"], "reeve-sidecar");
}
