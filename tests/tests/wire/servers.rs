//! Several servers behind one sidecar, and credentials that only the sidecar has.

use reeve_tests::agent::{Agent, told};
use reeve_tests::eventually::eventually;
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar};
use reeve_tests::upstream::{Request, Upstream};
use serde_json::json;

use super::ECHO_ONLY;

/// Calls `echo` at this path of the sidecar; gives what reached the server, answered.
fn call(sidecar: &Sidecar, path: &str, upstream: &Upstream, headers: &[(&str, &str)]) -> Request {
    let agent = Agent::modern(&format!("{}{path}", sidecar.agents));
    let agent = headers.iter().fold(agent, |agent, (name, value)| agent.with(name, value));
    let exchange = agent.begin_call("echo");
    let mut request = upstream.next();
    let body = json!({"jsonrpc": "2.0", "id": 1, "result": {"resultType": "complete", "content": []}}).to_string();
    request.write(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(exchange.rest().status, 200);
    request
}

#[test]
fn each_server_is_at_its_own_path_under_its_own_policies() {
    let (one, two) = (Upstream::start(), Upstream::start());
    let config = format!(
        "servers:
- {{name: one, url: '{}', policies: [allow-all]}}
- {{name: two, url: '{}', path: /other/mcp, policies: [default/echo-only]}}
policyFiles: [all.yaml, echo.yaml]
",
        one.url, two.url
    );
    let setup = Setup::config(&config);
    setup.write("all.yaml", ALLOW_ALL);
    setup.write("echo.yaml", ECHO_ONLY);
    let sidecar = setup.start();
    call(&sidecar, "/one", &one, &[]);
    call(&sidecar, "/other/mcp", &two, &[]);
    let exchange = Agent::modern(&format!("{}/one", sidecar.agents)).begin_call("delete_everything");
    one.next().text("deleted");
    assert_eq!(told(&exchange.rest()).1, "deleted", "the first server's policy permits it");
    let refused = Agent::modern(&format!("{}/other/mcp", sidecar.agents)).call("delete_everything", json!({}));
    assert_eq!(told(&refused).0, "isError", "the second's does not");
    two.saw_nothing();
    let nowhere = Agent::modern(&format!("{}/two", sidecar.agents)).call("echo", json!({}));
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.body.contains("/one, /other/mcp"), "it says what there is: {nowhere:?}");
}

#[test]
fn a_credential_comes_from_its_file_and_never_from_the_agent() {
    let upstream = Upstream::start();
    let config = format!(
        "servers:
- name: one
  url: '{}'
  credentials: {{header: Authorization, file: token, prefix: 'Bearer '}}
policyFiles: [policy.yaml]
",
        upstream.url
    );
    let setup = Setup::config(&config);
    setup.write("policy.yaml", ALLOW_ALL);
    setup.write("token", "first\n");
    let sidecar = setup.start();
    let seen = call(&sidecar, "/one", &upstream, &[("Authorization", "Bearer agent")]);
    assert_eq!(seen.header("Authorization"), Some("Bearer first"));
    assert!(!seen.head.contains("agent"), "{}", seen.head);

    setup.write("token", "second");
    eventually("the changed credential is sent", || {
        let seen = call(&sidecar, "/one", &upstream, &[]);
        (seen.header("Authorization") == Some("Bearer second")).then_some(())
    });

    std::fs::remove_file(setup.file("token")).unwrap();
    setup.write("token", "");
    eventually("no call goes out without its credential", || {
        let answer = Agent::modern(&format!("{}/one", sidecar.agents)).begin_call("echo");
        match sidecar.metric("reeve_upstream_errors_total{cause=\"credential\",server=\"one\"}") > 0.0 {
            true => Some(answer.rest()),
            false => {
                answer.hang_up();
                None
            }
        }
    });
    let (log, output) = (sidecar.process.log(), sidecar.process.output());
    for secret in ["first", "second"] {
        assert!(!log.contains(secret) && !output.contains(secret), "a credential is in no log");
    }
}
