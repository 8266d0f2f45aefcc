//! What holds of every pod.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::tests::{servers, settings};
use super::*;
use crate::webhook::patch;

fn variable() -> impl Strategy<Value = Value> {
    let values = vec![
        "x",
        "https://imaging.internal/mcp",
        "https://imaging.internal:443/mcp/",
        "http://search.tools:8080",
        "$(A)",
        "$(REEVE_SERVER_AWS_URL)",
        "http://127.0.0.1:14001/aws",
        "{\"u\":\"https://imaging.internal/mcp\"}",
    ];
    let names = select(vec!["A", "B", "REEVE_SERVER_AWS_URL", "HTTP_PROXY"]);
    prop_oneof![
        4 => (names, select(values)).prop_map(|(name, value)| json!({"name": name, "value": value})),
        1 => Just(json!({"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}})),
        1 => Just(json!({"name": "EMPTY"})),
    ]
}

fn container() -> impl Strategy<Value = Value> {
    let names = select(vec!["agent", "helper", "reeve-sidecar", "reeve-extra"]);
    let volumes = select(vec!["own", "reeve-token", "reeve-cache"]);
    let mount = volumes.prop_map(|name| json!({"name": name, "mountPath": "/m"}));
    (names, proptest::option::of(vec(variable(), 0..4)), vec(mount, 0..3), any::<bool>()).prop_map(
        |(name, env, mounts, has_more)| {
            let mut container = json!({"name": name, "image": "i"});
            if let Some(env) = env {
                container["env"] = env.into();
            }
            if !mounts.is_empty() {
                container["volumeMounts"] = mounts.into();
            }
            if has_more {
                container["fieldOfALaterVersion"] = json!({"a/b~c": [1, 2]});
                container["resources"] = json!({"requests": {"cpu": "1", "memory": "64Mi"}});
            }
            container
        },
    )
}

fn pod() -> impl Strategy<Value = Value> {
    let volume = select(vec!["own", "reeve-token", "reeve-cache", "reeve-z"])
        .prop_map(|name| json!({"name": name, "emptyDir": {}}));
    let annotation = select(vec![
        ("reeve.dev/sidecar-log-level", "debug"),
        ("reeve.dev/sidecar-cpu-limit", "2"),
        ("reeve.dev/routed-servers", "forged"),
        ("kubectl.kubernetes.io/default-container", "helper"),
        ("other", "x"),
    ]);
    let parts = (
        vec(container(), 1..4),
        proptest::option::of(vec(container(), 0..4)),
        proptest::option::of(vec(volume, 0..4)),
        vec(annotation, 0..3),
        any::<bool>(),
        proptest::option::of(select(vec!["64Mi", "100Mi", "1Gi"])),
    );
    parts.prop_map(|(containers, init, volumes, annotations, shares, memory)| {
        let mut pod = json!({"metadata": {"generateName": "a-"}, "spec": {"containers": containers}});
        if let Some(init) = init {
            pod["spec"]["initContainers"] = init.into();
        }
        if let Some(volumes) = volumes {
            pod["spec"]["volumes"] = volumes.into();
        }
        for (key, value) in annotations {
            pod["metadata"]["annotations"][key] = value.into();
        }
        if shares {
            pod["spec"]["shareProcessNamespace"] = true.into();
        }
        if let Some(memory) = memory {
            pod["spec"]["resources"] =
                json!({"requests": {"cpu": "1", "memory": memory}, "limits": {"memory": memory}});
        }
        pod
    })
}

/// What another injector does between two passes.
fn disturb(pod: &mut Value, (list, place, container): (&str, usize, Value)) {
    let Some(list) = pod["spec"][list].as_array_mut() else { return };
    let place = place.min(list.len());
    list.insert(place, container);
}

fn foreign() -> impl Strategy<Value = (&'static str, usize, Value)> {
    let container = vec(variable(), 0..3).prop_map(|env| {
        json!({"name": "foreign", "image": "f", "env": env, "volumeMounts": [{"name": "reeve-token", "mountPath": "/stolen"}]})
    });
    (select(vec!["initContainers", "containers"]), 0..4_usize, container)
}

fn pass(pod: &Value) -> Option<Value> {
    let (servers, settings) = (servers(), settings());
    let context = Context {
        namespace: "clinic",
        namespace_label: Some("enabled"),
        servers: &servers,
        settings: &settings,
        authorities: "pem",
    };
    match inject(pod, &context) {
        Outcome::Injected(injected) => Some(injected.pod),
        Outcome::Skipped(_) | Outcome::Refused(_) => None,
    }
}

/// The sidecar is first, ours, alone under its name, and no one else mounts what is its own.
fn assert_holds(pod: &Value) {
    let spec = &pod["spec"];
    assert_eq!(spec["initContainers"][0]["name"], "reeve-sidecar");
    assert_eq!(spec["initContainers"][0]["image"], settings().image);
    let others: Vec<_> = pod::containers(pod).skip(1).collect();
    for container in others {
        assert!(!pod::name(container).starts_with("reeve-"), "{container}");
        let mounts = pod::list(container, "volumeMounts");
        assert!(mounts.iter().all(|mount| !pod::name(mount).starts_with("reeve-")), "{container}");
    }
    let volumes = pod::list(spec, "volumes").iter().filter(|volume| pod::name(volume).starts_with("reeve-"));
    assert_eq!(volumes.count(), 3);
}

proptest! {
    #[test]
    fn a_second_pass_changes_nothing(pod in pod()) {
        let Some(once) = pass(&pod) else { return Ok(()) };
        assert_holds(&once);
        prop_assert_eq!(pass(&once), Some(once));
    }

    #[test]
    fn what_others_put_in_between_is_kept_and_governed(pod in pod(), foreign in vec(foreign(), 1..3)) {
        let Some(mut once) = pass(&pod) else { return Ok(()) };
        foreign.into_iter().for_each(|foreign| disturb(&mut once, foreign));
        let Some(twice) = pass(&once) else { return Err(TestCaseError::fail("refused")) };
        assert_holds(&twice);
        let is_foreign = |container: &&Value| pod::name(container) == "foreign";
        prop_assert_eq!(pod::containers(&twice).filter(is_foreign).count(), pod::containers(&once).filter(is_foreign).count());
        prop_assert_eq!(pass(&twice), Some(twice));
    }

    #[test]
    fn the_patch_makes_of_the_pod_what_was_meant(pod in pod()) {
        let Some(meant) = pass(&pod) else { return Ok(()) };
        let patch = patch::between(&pod, &meant).unwrap();
        let mut patched = pod;
        json_patch::patch(&mut patched, &serde_json::from_str::<json_patch::Patch>(&patch).unwrap()).unwrap();
        prop_assert_eq!(patched, meant);
    }
}
