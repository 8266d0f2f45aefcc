//! What the webhook makes is what the API server requires, with everything that servers name.

use reeve_tests::cluster::clinic::agent;
use reeve_tests::cluster::kubectl;
use reeve_tests::eventually::eventually;
use serde_json::json;

use super::{REQUIRED, admitted, watched};

#[test]
fn a_required_sidecar_with_the_secrets_and_authorities_of_two_servers_is_as_it_must_be() {
    let namespace = watched(&[REQUIRED]);
    for name in ["imaging", "search.tools"] {
        namespace.apply(json!({"apiVersion": "reeve.dev/v1alpha1", "kind": "McpServer", "metadata": {"name": name}, "spec": {
            "url": "https://imaging.internal/mcp",
            "tls": {"caBundle": {"kind": "ConfigMap", "name": "authorities", "key": "ca.pem"}, "clientCertificate": {"name": "client"}},
            "credentials": {"secretRef": {"name": "token", "key": "token"}},
        }}));
    }
    let mounts = eventually("the operator knows both servers", || {
        let pod = admitted(&namespace, &agent(&namespace, "agent"));
        let mounts = pod["spec"]["initContainers"][0]["volumeMounts"].as_array()?.clone();
        (mounts.len() == 4).then_some(mounts)
    });
    let places: Vec<_> = mounts.iter().filter_map(|mount| mount["mountPath"].as_str()).collect();
    assert_eq!(
        places,
        [
            "/var/run/reeve/token",
            "/var/lib/reeve",
            "/var/run/reeve/servers/imaging",
            "/var/run/reeve/servers/search.tools"
        ]
    );
}

#[test]
fn the_api_server_finds_no_fault_in_any_expression_that_it_is_given() {
    let _namespace = watched(&[REQUIRED]);
    for policy in [
        "reeve-required-sidecar",
        "reeve-required-running",
        "reeve-required-entered",
        "reeve-sidecar-tokens",
        "reeve-namespace-labels",
        "reeve-namespace-words",
    ] {
        let checked = eventually("the expressions were checked", || {
            let now = kubectl::json(&["get", "validatingadmissionpolicy", policy]);
            Some(now["status"]["typeChecking"].clone()).filter(|checked| !checked.is_null())
        });
        assert_eq!(checked, json!({}), "{policy}: {checked:#}");
    }
}
