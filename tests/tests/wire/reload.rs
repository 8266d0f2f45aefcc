//! Files that change under a running sidecar.

use std::os::unix::fs::symlink;

use reeve_tests::agent::{Agent, told};
use reeve_tests::eventually::eventually;
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar, program};
use reeve_tests::upstream::Upstream;
use serde_json::json;

use super::ECHO_ONLY;

/// Whether a call of this tool reaches the server.
fn passes(sidecar: &Sidecar, upstream: &Upstream, tool: &str) -> bool {
    std::thread::scope(|scope| {
        let call = scope.spawn(|| told(&Agent::modern(&sidecar.url).call(tool, json!({}))));
        let answered = eventually("the call is refused, or reaches the server", || {
            if call.is_finished() {
                return Some(false);
            }
            upstream.arrived().map(|request| request.text("done")).map(|()| true)
        });
        let (kind, text) = call.join().unwrap();
        assert_eq!(answered, text == "done", "{kind}: {text}");
        answered
    })
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
fn a_bad_edit_keeps_the_last_good_policy_says_so_and_mends_by_itself() {
    let upstream = Upstream::start();
    let setup = Setup::policy(ECHO_ONLY, &upstream.url);
    let sidecar = setup.start();
    assert_eq!(sidecar.metric("reeve_config_last_reload_successful"), 1.0);
    for bad in ["rules: [", "", &ECHO_ONLY.replace("action: Allow", "action: Alow")] {
        setup.write("policy.yaml", bad);
        eventually("the metric says that the edit was refused", || {
            (sidecar.metric("reeve_config_last_reload_successful") == 0.0).then_some(())
        });
        let log = sidecar.process.log();
        assert!(log.contains("policy.yaml") && log.contains("the last good one stays in force"), "{log}");
        assert!(passes(&sidecar, &upstream, "echo"), "what was permitted is");
        assert!(!passes(&sidecar, &upstream, "other"), "what was denied is");
        setup.write("policy.yaml", ECHO_ONLY);
        eventually("a good file mends it", || {
            (sidecar.metric("reeve_config_last_reload_successful") == 1.0).then_some(())
        });
    }
    assert!(sidecar.process.log().contains("did you mean Allow"), "{}", sidecar.process.log());
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
fn check_says_of_the_file_what_the_log_says() {
    let setup = Setup::policy(&ECHO_ONLY.replace("action: Allow", "action: Alow"), "http://127.0.0.1:1/mcp");
    let checked = program(&["check"]).arg(setup.file("policy.yaml")).output().unwrap();
    assert_eq!(checked.status.code(), Some(1));
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("policy.yaml:8:") && said.contains("did you mean Allow"), "{said}");
}
