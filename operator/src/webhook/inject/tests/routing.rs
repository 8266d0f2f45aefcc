//! Which variables lead to the sidecar, and what is told of the rest.

use super::*;

#[test]
fn a_servers_url_becomes_the_sidecars_in_every_container() {
    let init = json!([{"name": "migrate", "env": [{"name": "SEARCH", "value": "http://search.tools:8080/"}]}]);
    let injected = injected(&pod(|pod| pod["spec"]["initContainers"] = init));
    assert_eq!(injected.routed, ["aws", "search"]);
    assert_eq!(injected.warnings, [""; 0]);
    let agent = &injected.pod["spec"]["containers"][0];
    let migrate = &injected.pod["spec"]["initContainers"][1];
    assert_eq!(variable_of(agent, "MCP_URL"), "http://127.0.0.1:14001/aws");
    assert_eq!(variable_of(agent, "OTHER"), "x");
    assert_eq!(variable_of(migrate, "SEARCH"), "http://127.0.0.1:14001/search");
    for container in [agent, migrate] {
        assert_eq!(variable_of(container, "REEVE_SERVER_AWS_URL"), "http://127.0.0.1:14001/aws");
        assert_eq!(variable_of(container, "REEVE_SERVER_SEARCH_URL"), "http://127.0.0.1:14001/search");
    }
    assert_eq!(injected.pod["metadata"]["annotations"]["reeve.dev/routed-servers"], "aws,search");
    assert_eq!(injected.pod["metadata"]["labels"]["reeve.dev/injected"], "true");
}

#[test]
fn a_url_put_together_of_other_variables_is_seen() {
    let env = json!([
        {"name": "HOST", "value": "imaging.internal"},
        {"name": "URL", "value": "https://$(HOST)/mcp"},
        {"name": "AGAIN", "value": "$(URL)"},
    ]);
    let injected = injected(&pod(|pod| pod["spec"]["containers"][0]["env"] = env));
    let agent = &injected.pod["spec"]["containers"][0];
    assert_eq!(variable_of(agent, "URL"), "http://127.0.0.1:14001/aws");
    assert_eq!(variable_of(agent, "AGAIN"), "$(URL)");
    assert_eq!(injected.routed, ["aws"]);
}

#[test]
fn our_variables_stand_first_so_that_others_can_refer_to_them() {
    let env = json!([{"name": "REEVE_SERVER_AWS_URL", "value": "http://evil"}, {"name": "U", "value": "$(REEVE_SERVER_AWS_URL)"}]);
    let pod = injected(&pod(|pod| pod["spec"]["containers"][0]["env"] = env)).pod;
    let names: Vec<_> =
        pod["spec"]["containers"][0]["env"].as_array().unwrap().iter().map(|v| v["name"].clone()).collect();
    assert_eq!(names, ["REEVE_SERVER_AWS_URL", "REEVE_SERVER_SEARCH_URL", "U"]);
    assert_eq!(variable_of(&pod["spec"]["containers"][0], "REEVE_SERVER_AWS_URL"), "http://127.0.0.1:14001/aws");
}

#[test]
fn what_cannot_be_seen_or_rewritten_is_told_of() {
    let from_map = json!([{"name": "MCP_URL", "valueFrom": {"configMapKeyRef": {"name": "urls", "key": "aws"}}}]);
    let cases = [
        (
            json!({"env": from_map}),
            "values from ConfigMaps and Secrets are not seen: if one is a server's URL, use REEVE_SERVER_AWS_URL",
        ),
        (json!({"envFrom": [{"configMapRef": {"name": "urls"}}]}), "values from ConfigMaps and Secrets are not seen"),
        (
            json!({"env": [{"name": "SERVERS", "value": "{\"aws\": \"https://imaging.internal/mcp\"}"}]}),
            "SERVERS holds the URL of aws among other things and is not rewritten: use $(REEVE_SERVER_AWS_URL) in it",
        ),
        (json!({"args": ["--server=https://imaging.internal/mcp"]}), "an argument holds the URL of aws"),
        (json!({"command": ["agent", "https://imaging.internal/mcp"]}), "an argument holds the URL of aws"),
        (
            json!({"env": [{"name": "HTTP_PROXY", "value": "http://proxy:3128"}]}),
            "HTTP_PROXY is set and NO_PROXY does not name 127.0.0.1",
        ),
    ];
    for (container, told) in cases {
        let warnings = injected(&pod(|pod| {
            let mut container = container;
            container["name"] = "agent".into();
            pod["spec"]["containers"][0] = container;
        }))
        .warnings;
        assert!(
            warnings.len() == 1 && warnings[0].starts_with("container agent: ") && warnings[0].contains(told),
            "{warnings:?}"
        );
    }
}

#[test]
fn nothing_is_told_of_what_is_well() {
    let container = json!({
        "name": "agent",
        "args": ["https://imaging.internal/mcp-docs", "$(REEVE_SERVER_AWS_URL)"],
        "env": [
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "HTTP_PROXY", "value": "http://proxy:3128"}, {"name": "NO_PROXY", "value": "localhost, 127.0.0.1"},
        ],
    });
    assert_eq!(injected(&pod(|pod| pod["spec"]["containers"][0] = container)).warnings, [""; 0]);
}

#[test]
fn servers_that_would_share_a_variable_have_none() {
    let servers = [server("a-b", json!({"url": "http://one"})), server("a.b", json!({"url": "http://two"}))];
    let settings = settings();
    let Outcome::Injected(injected) = inject(&plain(), &context(&servers, &settings)) else { panic!() };
    assert_eq!(variable_of(&injected.pod["spec"]["containers"][0], "REEVE_SERVER_A_B_URL"), "");
    assert_eq!(
        injected.warnings,
        ["the servers a-b, a.b would share the variable REEVE_SERVER_A_B_URL, so none has it: rename all but one"]
    );
}
