//! Files that change under a running sidecar. Edits that are refused are in the test `bad_input`.

use std::os::unix::fs::symlink;

use reeve_tests::agent::{Agent, LEGACY, told};
use reeve_tests::eventually::eventually;
use reeve_tests::http::{self, Exchange};
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::json;

use super::ECHO_ONLY;

/// Whether a call of this tool reaches the server.
fn passes(sidecar: &Sidecar, upstream: &Upstream, tool: &str) -> bool {
    Agent::modern(&sidecar.url).passes(tool, upstream)
}

#[test]
fn an_edited_policy_is_in_force_without_a_restart() {
    let upstream = Upstream::start();
    let setup = Setup::policy(ECHO_ONLY, &upstream.url);
    let sidecar = setup.start();
    assert!(!passes(&sidecar, &upstream, "other"));
    setup.write("policy.yaml", ALLOW_ALL);
    eventually("the edit is in force", || passes(&sidecar, &upstream, "other").then_some(()));
    assert_eq!(sidecar.metric("reeve_config_generation"), 2.0);
}

#[test]
fn a_call_that_was_begun_before_a_policy_and_ends_after_it_is_decided_by_it() {
    let upstream = Upstream::start();
    let setup = Setup::policy(ALLOW_ALL, &upstream.url);
    let sidecar = setup.start();
    let (address, path) = http::split(&sidecar.url);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "other", "arguments": {}}});
    let body = body.to_string();
    let (most, last) = body.split_at(body.len() - 1);
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAccept: application/json, \
         text/event-stream\r\nMCP-Protocol-Version: {LEGACY}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{most}",
        body.len()
    );
    let mut exchange = Exchange::begin(address, head.as_bytes()).unwrap();
    assert!(passes(&sidecar, &upstream, "other"), "the policy before permits it");
    setup.write("policy.yaml", ECHO_ONLY);
    eventually("the edit is in force", || (sidecar.metric("reeve_config_generation") >= 2.0).then_some(()));
    exchange.send(last.as_bytes());
    let (kind, text) = told(&exchange.rest());
    assert!(text.starts_with("Denied by policy default/echo-only"), "{kind}: {text}");
}

#[test]
fn a_file_behind_the_kubelets_links_is_followed() {
    let upstream = Upstream::start();
    let setup = Setup::policy("unused", &upstream.url);
    let at = |name: &str| setup.file(name);
    for (version, policy) in [("..2026_1", ECHO_ONLY), ("..2026_2", ALLOW_ALL)] {
        std::fs::create_dir(at(version)).unwrap();
        setup.write(&format!("{version}/policy.yaml"), policy);
    }
    symlink("..2026_1", at("..data")).unwrap();
    std::fs::remove_file(at("policy.yaml")).unwrap();
    symlink("..data/policy.yaml", at("policy.yaml")).unwrap();
    let sidecar = setup.start();
    assert!(!passes(&sidecar, &upstream, "other"));
    symlink("..2026_2", at("..data_tmp")).unwrap();
    std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    std::fs::remove_dir_all(at("..2026_1")).unwrap();
    eventually("the new version is in force", || passes(&sidecar, &upstream, "other").then_some(()));
}

#[test]
fn a_server_that_is_added_is_served_without_a_restart() {
    let (one, two) = (Upstream::start(), Upstream::start());
    let config = |urls: &[&str]| {
        let servers = urls.iter().enumerate().map(|(at, url)| format!("- {{name: s{at}, url: '{url}'}}\n"));
        format!("servers:\n{}policyFiles: [policy.yaml]\n", servers.collect::<String>())
    };
    let setup = Setup::config(&config(&[&one.url]));
    setup.write("policy.yaml", ALLOW_ALL);
    let sidecar = setup.start();
    let agent = Agent::modern(&format!("{}/s1", sidecar.agents));
    assert_eq!(agent.call("echo", json!({})).status, 404);
    setup.write("sidecar.yaml", &config(&[&one.url, &two.url]));
    eventually("the second server is served", || (sidecar.metric("reeve_config_generation") >= 2.0).then_some(()));
    let exchange = agent.begin_call("echo");
    two.next().text("hello");
    assert_eq!(told(&exchange.rest()).1, "hello");
}

#[test]
fn what_is_read_at_start_only_is_named_when_it_changes_and_stays() {
    let upstream = Upstream::start();
    let config = |rest: &str| {
        format!("servers: [{{name: s, path: /mcp, url: '{}'}}]\npolicyFiles: [policy.yaml]\n{rest}", upstream.url)
    };
    let setup = Setup::config(&config(""));
    setup.write("policy.yaml", ALLOW_ALL);
    let sidecar = setup.start();
    setup.write("sidecar.yaml", &config("listener: {maxBodyBytes: 10}\naudit: {onFull: Drop}\n"));
    for setting in ["listener.maxBodyBytes", "audit.onFull"] {
        let told = format!("{setting} has changed, and is read at start only: restart the sidecar to have it");
        eventually(&told, || sidecar.process.log().contains(&told).then_some(()));
    }
    let agent = Agent::modern(&format!("{}/mcp", sidecar.agents));
    assert!(agent.passes("echo", &upstream), "a body of more than ten bytes");
}

#[test]
fn what_a_servers_tools_say_of_a_policy_is_in_the_log_at_a_reload_and_at_the_next_start() {
    let upstream = Upstream::start();
    let setup = Setup::policy(ALLOW_ALL, &upstream.url);
    let cache = setup.file("cache").display().to_string();
    std::fs::create_dir(&cache).unwrap();
    let setup = setup.flags(&["--cache-dir", &cache]);
    let mut sidecar = setup.start();
    let list = Agent::modern(&sidecar.url).begin("tools/list", json!({}));
    upstream.next().result(super::two_tools());
    assert_eq!(list.rest().status, 200);
    setup.write("policy.yaml", &ECHO_ONLY.replace("tools: [echo]", "tools: [ehco]"));
    let hint = "policy.yaml:8:26: /spec/rules/0/tools/0: the server has no tool `ehco`: did you mean `echo`?";
    let tells = |sidecar: &Sidecar| sidecar.process.log().contains(hint).then_some(());
    eventually("the reload tells of it", || tells(&sidecar));
    sidecar.process.signal("TERM");
    assert_eq!(sidecar.process.ended(), 0);
    let sidecar = setup.start();
    eventually("the next start tells of it", || tells(&sidecar));
}
