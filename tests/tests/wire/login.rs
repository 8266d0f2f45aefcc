//! Logging in through the sidecar, byte for byte: challenges and metadata lead to it, and a refusal that no login of the agent
//! mends is told as what it is. Whole logins, with SDKs and an authorization server, are in `login.rs` beside this folder.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reeve_tests::agent::{Agent, told};
use reeve_tests::http::{self, Answer, Exchange, request};
use reeve_tests::sidecar::{ALLOW_ALL, Setup, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::{Value, json};

use super::ECHO_ONLY;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// A sidecar in front of one server, at `/mcp`, for which it holds a credential in this header.
fn with_credential(upstream: &Upstream, header: &str) -> Sidecar {
    let config = format!(
        "servers:
- {{name: one, url: '{}', path: /mcp, credentials: {{header: {header}, file: token}}}}
policyFiles: [policy.yaml]
",
        upstream.url
    );
    let setup = Setup::config(&config);
    setup.write("policy.yaml", ALLOW_ALL);
    setup.write("token", "s3cret");
    setup.start()
}

/// Begins to get a path of the sidecar, with a token of the agent's and more.
fn begin_get(sidecar: &Sidecar, path: &str) -> Exchange {
    let headers = [("Authorization", "Bearer agent"), ("Cookie", "a=b"), ("X-Agent", "yes"), ("Accept", "*/*")];
    let bytes = request("GET", &format!("{}{path}", sidecar.agents), &headers, "");
    Exchange::begin(http::split(&sidecar.agents).0, &bytes).expect("the sidecar accepts a connection")
}

/// What the server is asked for, and what it answers.
#[derive(Clone, Copy)]
struct Reply<'a> {
    at: &'a str,
    status: &'a str,
    headers: &'a [&'a str],
    body: &'a str,
}

impl<'a> Reply<'a> {
    fn of(at: &'a str, status: &'a str) -> Self {
        Self { at, status, headers: &[], body: "" }
    }

    fn nothing(at: &'a str) -> Self {
        Self::of(at, "404 Not Found")
    }

    fn found(at: &'a str, body: &'a str) -> Self {
        Self { at, status: "200 OK", headers: &["Content-Type: application/json"], body }
    }
}

/// What the agent gets at a path of the sidecar if the server answers so, one after the other.
fn get(sidecar: &Sidecar, path: &str, upstream: &Upstream, replies: &[Reply<'_>]) -> Answer {
    let exchange = begin_get(sidecar, path);
    for Reply { at, status, headers, body } in replies {
        let seen = upstream.next();
        assert_eq!(seen.head.lines().next(), Some(&*format!("GET {at} HTTP/1.1")));
        seen.answer(status, headers, body);
    }
    let answer = exchange.rest();
    upstream.saw_nothing();
    answer
}

/// The values of a header, in order.
fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let lines = answer.head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[test]
fn challenges_lead_to_the_sidecar_and_keep_all_else() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let own = upstream.url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp");
    let given = [
        format!(
            "WWW-Authenticate: Basic realm=\"a, b\", Bearer error=\"invalid_token\", resource_metadata=\"{own}\", scope=\"x y\""
        ),
        "WWW-Authenticate: DPoP resource_metadata=\"https://imaging.example/elsewhere\"".to_owned(),
        "WWW-Authenticate: resource_metadata: unreadable".to_owned(),
        "Content-Type: application/json".to_owned(),
    ];
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let here = format!("{}{WELL_KNOWN}/mcp", sidecar.agents);
    let expected = [
        format!("Basic realm=\"a, b\", Bearer error=\"invalid_token\", resource_metadata=\"{here}\", scope=\"x y\""),
        format!("DPoP resource_metadata=\"{here}\""),
        "resource_metadata: unreadable".to_owned(),
    ];
    let body = r#"{"error":"invalid_token"}"#;
    for status in ["401 Unauthorized", "403 Forbidden"] {
        for agent in [Agent::modern(&sidecar.url), Agent::legacy(&sidecar.url)] {
            let exchange = agent.begin_call("echo");
            upstream.next().answer(status, &given, body);
            let answer = exchange.rest();
            assert_eq!(answer.status.to_string(), status[..3]);
            assert_eq!(values(&answer, "www-authenticate"), expected);
            assert_eq!(answer.body, body);
        }
        let stream = Agent::legacy(&sidecar.url).stream();
        upstream.next().answer(status, &given, body);
        assert_eq!(values(&stream.rest(), "www-authenticate"), expected);
    }
}

#[test]
fn metadata_are_relayed_with_only_the_resource_changed() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let own = "{ \"authorization_servers\" : [\"https://login.example\\/a\"],\n \"resource\":\"https://imaging.example/mcp\", \"x\":1e2}";
    let exchange = begin_get(&sidecar, &format!("{WELL_KNOWN}/mcp"));
    let seen = upstream.next();
    assert_eq!(seen.head.lines().next(), Some("GET /.well-known/oauth-protected-resource/mcp HTTP/1.1"));
    assert_eq!(seen.header("Host"), Some(http::split(&upstream.url).0));
    for name in ["Authorization", "Cookie", "X-Agent"] {
        assert_eq!(seen.header(name), None, "nothing of the agent is sent");
    }
    seen.answer("200 OK", &["Content-Type: application/json", "Set-Cookie: c=d"], own);
    let answer = exchange.rest();
    assert_eq!((answer.status, answer.header("Content-Type")), (200, Some("application/json")));
    assert_eq!(answer.body, own.replace("https://imaging.example/mcp", &sidecar.url));
    assert_eq!(answer.header("Set-Cookie"), None);

    // By whichever of its names the agent called.
    let named = sidecar.agents.replace("http://127.0.0.1", "localhost");
    let bytes = request("GET", &format!("{}{WELL_KNOWN}/mcp", sidecar.agents), &[("Host", &named)], "");
    let exchange = Exchange::begin(http::split(&sidecar.agents).0, &bytes).unwrap();
    upstream.next().answer("200 OK", &[], own);
    assert_eq!(exchange.rest().json()["resource"], format!("http://{named}/mcp"));
}

#[test]
fn metadata_are_looked_for_at_the_servers_root_and_where_its_challenge_leads() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let (path, here) = (format!("{WELL_KNOWN}/mcp"), json!({"resource": sidecar.url}));
    let metadata = r#"{"resource":"https://imaging.example"}"#;
    let answer = get(&sidecar, &path, &upstream, &[Reply::nothing(&path), Reply::found(WELL_KNOWN, metadata)]);
    assert_eq!(answer.json(), here);

    // What answers everything with a page has no metadata there.
    let page = Reply::found(&path, "<html>");
    let headers = &["WWW-Authenticate: Bearer resource_metadata=\"https://public.example/oauth/about?x=1\""][..];
    let challenge = Reply { headers, ..Reply::of("/mcp", "401 Unauthorized") };
    let there = Reply::found("/oauth/about?x=1", metadata);
    let answer = get(&sidecar, &path, &upstream, &[page, Reply::nothing(WELL_KNOWN), challenge, there]);
    assert_eq!(answer.json(), here);
}

#[test]
fn metadata_stand_at_the_root_only_for_an_only_server() {
    let upstream = Upstream::start();
    let own = format!("{WELL_KNOWN}/mcp");
    let metadata = Reply::found(&own, r#"{"resource":"https://imaging.example"}"#);
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    assert_eq!(get(&sidecar, WELL_KNOWN, &upstream, &[metadata]).json(), json!({"resource": sidecar.url}));

    let config = format!(
        "servers:
- {{name: one, url: '{0}'}}
- {{name: two, url: '{0}', path: /other/two/}}
policyFiles: [policy.yaml]
",
        upstream.url
    );
    let setup = Setup::config(&config);
    setup.write("policy.yaml", ALLOW_ALL);
    let sidecar = setup.start();
    for (path, at) in [("/one", "/one"), ("/other/two/", "/other/two/"), ("/other/two", "/other/two/")] {
        let answer = get(&sidecar, &format!("{WELL_KNOWN}{path}"), &upstream, &[metadata]);
        assert_eq!(answer.json(), json!({"resource": format!("{}{at}", sidecar.agents)}));
    }
    for path in ["", "/", "/three", "/one/", "/mcp"] {
        let answer = get(&sidecar, &format!("{WELL_KNOWN}{path}"), &upstream, &[]);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("/one, /other/two/"), "it says what there is: {answer:?}");
    }
}

#[test]
fn who_cannot_log_in_through_the_sidecar_is_told_why() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let path = format!("{WELL_KNOWN}/mcp");
    let replies = [Reply::nothing(&path), Reply::nothing(WELL_KNOWN), Reply::of("/mcp", "405 Method Not Allowed")];
    let answer = get(&sidecar, &path, &upstream, &replies);
    let (code, text) = told(&answer);
    assert_eq!((answer.status, &*code), (404, "404"));
    for word in ["\"upstream\"", "no protected-resource metadata", "servers[].credentials"] {
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(sidecar.metric("reeve_rejected_requests_total{cause=\"no_metadata\"}"), 1.0);

    // Where clients go then, and what they show of what they find there.
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration/mcp", "/authorize?a=b"] {
        let answer = get(&sidecar, path, &upstream, &[]);
        assert_eq!(answer.status, 404, "{path}");
        assert!(told(&answer).1.contains("no authorization server"), "{answer:?}");
    }
    let register =
        request("POST", &format!("{}/register", sidecar.agents), &[("Content-Type", "application/json")], "{}");
    let answer = Exchange::begin(http::split(&sidecar.agents).0, &register).unwrap().rest();
    assert!(answer.status == 404 && told(&answer).1.contains("servers[].credentials"), "{answer:?}");
    upstream.saw_nothing();
}

#[test]
fn metadata_that_cannot_be_relayed_do_not_pass() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let path = format!("{WELL_KNOWN}/mcp");
    let large = format!(r#"{{"resource":"https://imaging.example","x":"{}"}}"#, "y".repeat(64 << 10));
    let location = &["Location: https://elsewhere.example/"][..];
    let replies = [
        Reply::found(&path, "<html>resource</html>"),
        Reply::found(&path, r#"{"resource":["https://imaging.example"]}"#),
        Reply::found(&path, r#"{"resource":"https://a.example","resource":"https://b.example"}"#),
        Reply::found(&path, r#"{"resource":"https://a.example","RESOURCE":"https://b.example"}"#),
        Reply::found(&path, &large),
        Reply::of(&path, "503 Service Unavailable"),
        Reply { headers: location, ..Reply::of(&path, "302 Found") },
    ];
    for reply in replies {
        let more = [Reply::nothing(WELL_KNOWN), Reply::of("/mcp", "405 Method Not Allowed")];
        let answer = get(&sidecar, &path, &upstream, &[&[reply][..], &more].concat());
        let (code, text) = told(&answer);
        assert_eq!((answer.status, &*code), (502, "502"), "{answer:?}");
        let cause = if reply.headers == location { "redirect" } else { "metadata" };
        assert!(text.contains("\"upstream\"") && text.contains(cause), "it names server and cause: {text}");
        assert_eq!(answer.header("Location"), None);
    }
    assert_eq!(sidecar.metric("reeve_upstream_errors_total{cause=\"metadata\",server=\"upstream\"}"), 6.0);
}

#[test]
fn a_server_that_is_silent_about_its_metadata_is_told_as_such() {
    let upstream = Upstream::start();
    let limits = "limits: {responseTimeout: 1s}";
    let config = format!(
        "servers: [{{name: upstream, url: '{}', path: /mcp, {limits}}}]\npolicyFiles: [policy.yaml]",
        upstream.url
    );
    let setup = Setup::config(&config);
    setup.write("policy.yaml", ALLOW_ALL);
    let sidecar = setup.start();
    let exchange = begin_get(&sidecar, WELL_KNOWN);
    let seen = upstream.next();
    let answer = exchange.rest();
    assert!(answer.status == 504 && told(&answer).1.contains("in time"), "{answer:?}");
    seen.closed();
}

#[test]
fn metadata_are_for_those_who_may_call_and_for_reading_alone() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let url = format!("{}{WELL_KNOWN}/mcp", sidecar.agents);
    let send = |method, headers: &[(&str, &str)], body| {
        let bytes = request(method, &url, headers, body);
        Exchange::begin(http::split(&url).0, &bytes).expect("the sidecar accepts a connection").rest()
    };
    assert_eq!(send("GET", &[("Host", "imaging.example")], "").status, 403);
    assert_eq!(send("GET", &[("Origin", "https://page.example")], "").status, 403);
    assert_eq!(send("POST", &[("Content-Type", "application/json")], "{}").status, 404);
    assert_eq!(send("DELETE", &[], "").status, 404);
    assert_eq!(send("PUT", &[], "").status, 405);
    upstream.saw_nothing();
}

#[test]
fn a_refusal_of_the_sidecars_own_credential_invites_nobody_to_log_in() {
    let upstream = Upstream::start();
    let sidecar = with_credential(&upstream, "Authorization");
    let url = format!("{}/mcp", sidecar.agents);
    let challenge =
        ["WWW-Authenticate: Bearer resource_metadata=\"https://imaging.example/\", error=\"insufficient_scope\""];
    for status in ["401 Unauthorized", "403 Forbidden"] {
        for agent in [Agent::modern(&url), Agent::legacy(&url)] {
            let exchange = agent.begin_call("echo");
            let seen = upstream.next();
            assert_eq!(seen.header("Authorization"), Some("s3cret"));
            seen.answer(status, &challenge, r#"{"error":"invalid_token"}"#);
            let answer = exchange.rest();
            let (code, text) = told(&answer);
            assert_eq!((answer.status, &*code), (200, "502"), "{answer:?}");
            assert!(text.contains("\"one\" refused the credential") && text.contains("credentials.file"), "{text}");
            assert_eq!(answer.header("WWW-Authenticate"), None);
        }
        let stream = Agent::legacy(&url).stream();
        upstream.next().answer(status, &challenge, "");
        let answer = stream.rest();
        assert_eq!((answer.status, answer.header("WWW-Authenticate")), (502, None));
    }
    let exchange = Agent::modern(&url).begin_call("echo");
    upstream.next().answer("401 Unauthorized", &[], "");
    assert_eq!(told(&exchange.rest()).0, "502", "with or without a challenge");
    assert_eq!(sidecar.metric("reeve_upstream_errors_total{cause=\"credential_refused\",server=\"one\"}"), 7.0);

    // What is no matter of the credential passes.
    let exchange = Agent::modern(&url).begin_call("echo");
    upstream.next().answer("403 Forbidden", &["Content-Type: text/plain"], "not you");
    let answer = exchange.rest();
    assert_eq!((answer.status, &*answer.body), (403, "not you"));

    let answer = get(&sidecar, &format!("{WELL_KNOWN}/mcp"), &upstream, &[]);
    assert!(answer.status == 404 && told(&answer).1.contains("agents need not log in"), "{answer:?}");
    assert!(!sidecar.process.log().contains("s3cret"));
}

#[test]
fn beside_a_credential_in_another_header_an_agent_may_be_asked_to_log_in() {
    let upstream = Upstream::start();
    let sidecar = with_credential(&upstream, "X-Api-Key");
    let url = format!("{}/mcp", sidecar.agents);
    let exchange = Agent::modern(&url).with("Authorization", "Bearer agent").begin_call("echo");
    let seen = upstream.next();
    assert_eq!((seen.header("X-Api-Key"), seen.header("Authorization")), (Some("s3cret"), Some("Bearer agent")));
    seen.answer("401 Unauthorized", &["WWW-Authenticate: Bearer resource_metadata=\"https://imaging.example/\""], "");
    let answer = exchange.rest();
    let here = format!("Bearer resource_metadata=\"{}{WELL_KNOWN}/mcp\"", sidecar.agents);
    assert_eq!((answer.status, answer.header("WWW-Authenticate")), (401, Some(&*here)));

    let exchange = begin_get(&sidecar, &format!("{WELL_KNOWN}/mcp"));
    let seen = upstream.next();
    assert_eq!(seen.header("X-Api-Key"), None, "anybody may read metadata");
    seen.answer("200 OK", &[], r#"{"resource":"https://imaging.example"}"#);
    assert_eq!(exchange.rest().status, 200);

    let exchange = Agent::modern(&url).begin_call("echo");
    upstream.next().answer("401 Unauthorized", &["WWW-Authenticate: ApiKey"], "");
    assert!(told(&exchange.rest()).1.contains("credentials.file"), "the key was refused, not the agent");
}

/// An unsigned token for this audience, issued so many seconds ago.
fn token(audience: &Value, age: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"aud": audience, "iat": now - age}).to_string();
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn a_login_whose_token_the_server_does_not_take_is_told_so_instead_of_asked_for_again() {
    let upstream = Upstream::start();
    let sidecar = Sidecar::start(ECHO_ONLY, &upstream.url);
    let challenge = ["WWW-Authenticate: Bearer error=\"invalid_token\""];
    let answer = |token: &str, agent: &Agent, status| {
        let exchange = agent.clone().with("Authorization", &format!("Bearer {token}")).begin_call("echo");
        let seen = upstream.next();
        assert_eq!(
            seen.header("Authorization"),
            Some(&*format!("Bearer {token}")),
            "the token is the server's to judge"
        );
        seen.answer(status, &challenge, "");
        exchange.rest()
    };
    let here = json!(sidecar.url);
    for agent in [Agent::modern(&sidecar.url), Agent::legacy(&sidecar.url)] {
        let refused = answer(&token(&here, 1), &agent, "401 Unauthorized");
        let (code, text) = told(&refused);
        assert_eq!((refused.status, &*code, refused.header("WWW-Authenticate")), (200, "502", None));
        assert!(text.contains("\"upstream\" refused the token") && text.contains("servers[].credentials"), "{text}");

        for (token, status) in [
            (token(&here, 3_600), "401 Unauthorized"),
            (token(&json!("https://imaging.example/mcp"), 1), "401 Unauthorized"),
            (token(&here, 1), "403 Forbidden"),
            ("opaque".to_owned(), "401 Unauthorized"),
        ] {
            let passed = answer(&token, &agent, status);
            assert_eq!(passed.status.to_string(), status[..3], "another login may mend it");
            assert!(passed.header("WWW-Authenticate").is_some());
        }
    }
    assert_eq!(sidecar.metric("reeve_upstream_errors_total{cause=\"token_refused\",server=\"upstream\"}"), 2.0);
}
