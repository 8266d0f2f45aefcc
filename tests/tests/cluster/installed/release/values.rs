//! What `--set` and `--values` make of the release.

use reeve_tests::cluster::clinic::agent;
use reeve_tests::cluster::kubectl;

use super::*;

#[test]
fn a_value_that_the_chart_does_not_know_or_cannot_use_is_refused_by_its_name() {
    for (flag, words) in [
        ("replica=3", "additional properties 'replica' not allowed"),
        ("sidecar.image.repo=x", "at '/sidecar/image': additional properties 'repo' not allowed"),
        ("webhook.excludeNamespaces={a}", "at '/webhook': additional properties 'excludeNamespaces' not allowed"),
        ("replicas=0", "at '/replicas': minimum: got 0, want 1"),
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("platform=eks", "at '/platform': value must be one of 'kubernetes', 'openshift'"),
        (
            "operator.logLevel=loud",
            "at '/operator/logLevel': value must be one of 'error', 'warn', 'info', 'debug', 'trace'",
        ),
        ("sidecar.image.digest=sha256:12", "at '/sidecar/image/digest': 'sha256:12' does not match pattern"),
        (
            "sidecar.openTelemetry.REEVE_OPERATOR=x",
            "at '/sidecar/openTelemetry': additional properties 'REEVE_OPERATOR' not allowed",
        ),
        ("webhook.timeoutSeconds=60", "at '/webhook/timeoutSeconds': maximum: got 60, want 30"),
        ("admissionPolicies.enabled=maybe", "at '/admissionPolicies/enabled': got string, want boolean"),
        ("monitoring.interval=often", "at '/monitoring/interval': 'often' does not match pattern"),
    ] {
        let refused = helm::rendered(&["--set", flag]).expect_err(flag);
        assert!(refused.contains(words), "{flag}: {words}\nis not in\n{refused}");
    }
    helm::rendered(&[]).unwrap();
}

/// The operator's Deployment as it is to be.
fn deployment() -> Value {
    kubectl::json(&["-n", NAMESPACE, "get", "deployment", installed::OPERATOR])
}

#[test]
fn changed_values_take_effect_and_agents_go_on_being_governed() {
    let alone = Alone::new(&[ENABLED]);
    let _changed = installed::changed(&alone);
    let caller = calling(&alone);
    let flags =
        ["--set", "replicas=1,sidecar.logLevel=debug,sidecar.resources.limits.memory=96Mi,operator.logLevel=debug"];
    installed::release(&helm::chart(), &flags).unwrap();
    installed::await_webhooks();
    assert_eq!(deployment()["status"]["readyReplicas"], 1);
    is_followed(&alone, &caller, &["create_*"]);
    // Replicas that are being ended still make sidecars as they were told.
    installed::await_ended();
    let second = alone.pod(agent(&alone, "second")).now();
    let sidecar = &second["spec"]["initContainers"][0];
    assert_eq!(sidecar["resources"]["limits"]["memory"], "96Mi");
    let level = sidecar["env"].as_array().unwrap().iter().find(|variable| variable["name"] == "REEVE_LOG");
    assert_eq!(level.unwrap()["value"], "debug");

    let chart = helm::chart();
    let production = chart.join("values-ha.yaml");
    installed::release(&chart, &["--values", helm::path(&production)]).unwrap();
    installed::await_webhooks();
    let now = deployment();
    assert_eq!(now["status"]["readyReplicas"], 3, "{now:#}");
    assert_eq!(now["spec"]["template"]["spec"]["priorityClassName"], "system-cluster-critical");
    is_followed(&alone, &caller, &[]);
}

#[test]
fn what_sidecars_are_told_of_tracing_is_as_it_was_written_and_admitted_where_they_are_required() {
    let alone = Alone::new(&[REQUIRED]);
    let _changed = installed::changed(&alone);
    let told = json!({"OTEL_RESOURCE_ATTRIBUTES": "a=$$1,b=$(REEVE_LOG)", "OTEL_SERVICE_NAME": "<\"agents\" & co>"});
    installed::release(&helm::chart(), &["--set-json", &format!("sidecar.openTelemetry={told}")]).unwrap();
    installed::await_webhooks();
    // Those that are being ended still make pods, as they were told.
    installed::await_ended();
    let pod = alone.pod(agent(&alone, "agent")).now();
    let env = pod["spec"]["initContainers"][0]["env"].as_array().unwrap();
    for (name, value) in told.as_object().unwrap() {
        let variable = env.iter().find(|variable| variable["name"] == **name);
        assert_eq!(variable.map(|variable| &variable["value"]), Some(value), "{name}");
    }
    // Replicas that are being ended may still say it of a new pod, which is not refused for that if it is accepted.
    let accepted = format!("admissionPolicies.acceptedOpenTelemetry=[{told}]");
    installed::release(&helm::chart(), &["--set-json", &accepted]).unwrap();
    alone.pod(agent(&alone, "second"));
    installed::await_ended();
}

#[test]
fn a_value_that_only_the_operator_can_judge_names_itself_and_no_replica_that_serves_is_given_up() {
    let alone = Alone::new(&[ENABLED]);
    let _changed = installed::changed(&alone);
    let caller = calling(&alone);
    let flags = ["--set", "sidecar.resources.requests.memory=1Gi", "--timeout", "20s"];
    let failed = installed::release(&helm::chart(), &flags).expect_err("no replica can start so");
    println!("helm says: {failed}");
    let told = installed::pods().iter().find_map(|replica| {
        let container = &replica["status"]["containerStatuses"][0];
        let ended = [&container["state"]["terminated"], &container["lastState"]["terminated"]];
        ended.iter().find_map(|ended| Some((ended["exitCode"].as_i64()?, ended["message"].as_str()?.to_owned())))
    });
    let (code, words) = told.expect("a replica has ended");
    assert_eq!(code, 64, "{words}");
    assert!(words.contains("--sidecar-memory-request is"), "{words}");
    is_followed(&alone, &caller, &["create_*"]);
}

#[test]
fn a_value_that_was_taken_away_is_asked_for_by_its_name_or_as_good_as_empty() {
    let without = |value: &str| helm::rendered(&["--set", &format!("certManager.enabled=true,{value}=null")]);
    for value in [
        "replicas",
        "image.pullPolicy",
        "platform",
        "operator",
        "operator.epoch",
        "operator.logLevel",
        "sidecar.resources.requests.cpu",
        "webhook.port",
        "admissionPolicies.enabled",
        "monitoring.rules.runbooks",
    ] {
        let refused = without(value).expect_err(value);
        let name = value.rsplit('.').next().unwrap_or(value);
        assert!(refused.contains(&format!("missing property '{name}'")), "{value}: {refused}");
    }
    for value in [
        "imagePullSecrets",
        "image.tag",
        "operator.resources",
        "operator.nodeSelector",
        "operator.priorityClassName",
        "operator.podLabels",
        "sidecar.openTelemetry",
        "webhook.excludedNamespaces",
        "admissionPolicies.acceptedImages",
        "admissionPolicies.acceptedOpenTelemetry",
        "certManager.issuerRef",
        "monitoring.labels",
    ] {
        let rendered = without(value).unwrap_or_else(|error| panic!("{value}: {error}"));
        assert!(!rendered.contains("null") && !rendered.contains("<nil>"), "{value}: {rendered}");
    }
}
