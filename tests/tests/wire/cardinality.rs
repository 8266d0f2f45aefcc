//! How many series a sidecar exports: as many as its configuration asks for, whatever agents send. `docs/metrics.md` states them.

use std::collections::BTreeSet;
use std::ops::Range;

use reeve_tests::agent::{Agent, LEGACY, MODERN};
use reeve_tests::eventually::eventually;
use reeve_tests::http::{self, Exchange};
use reeve_tests::process::root;
use reeve_tests::sidecar::{Setup, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::{Value, json};

use super::two_tools;

/// Something of each kind that looks at a call: a limit for all and one for each value of an argument, a requirement, rules for tools,
/// resources and prompts, and one in Audit mode.
const POLICY: &str = "
apiVersion: reeve.dev/v1alpha1
kind: McpPolicy
metadata: {name: seen}
spec:
  serverRefs: [{name: '*'}]
  rules:
  - {name: echo, tools: [echo], action: Allow, limits: [{counter: echoes, window: 1h, max: 0}]}
  - {name: small, tools: [add], action: Allow, require: [{expression: 'args.a < 10'}]}
  - {name: notes, tools: [note], action: Allow, limits: [{counter: notes, window: 1h, max: 1000, scope: Key, key: args.who}]}
  - {name: docs, resources: ['docs://shut/**'], prompts: ['shut*'], action: Deny}
  - {name: watched, tools: ['*'], action: Deny, mode: Audit}
";

/// The calls of the claim.
const CALLS: u64 = 100_000;

/// Agents that call at the same time, and the requests that each sends before it reads the answers.
const AGENTS: u64 = 4;
const AT_ONCE: usize = 50;

/// A text of its own for each number, spread over all there are of this length: without a generator of random numbers.
fn random(number: u64) -> String {
    format!("{:016x}", number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Kinds of requests in turn, of which each has everything of its own that an agent can choose: names of tools, resources and
/// prompts, names and values of arguments, sessions, and what the agent says that it is.
fn call(address: &str, number: u64) -> String {
    let own = random(number);
    let arguments = json!({&own: &own, "a": 10 + number, "who": &own});
    let tool = |name: &str| json!({"name": name, "arguments": &arguments});
    match number % 8 {
        0 | 1 => modern(address, "tools/call", &own, tool(&own), &own),
        2 => modern(address, "tools/call", "echo", tool("echo"), &own),
        3 => modern(address, "tools/call", "add", tool("add"), &own),
        4 if number % 16 == 4 => modern(address, "tools/call", "note", tool("note"), &own),
        4 => {
            let headers = format!("MCP-Protocol-Version: {LEGACY}\r\n");
            post(address, &headers, &Agent::legacy(address).body("tools/call", tool(&own)))
        }
        5 => {
            let headers = format!("MCP-Protocol-Version: {LEGACY}\r\nMcp-Session-Id: {own}\r\n");
            post(address, &headers, &Agent::legacy(address).body("tools/call", tool(&own)))
        }
        6 => {
            let uri = format!("docs://{}/{own}", if number % 16 == 6 { "shut" } else { "open" });
            modern(address, "resources/read", &uri, json!({"uri": &uri}), &own)
        }
        _ => modern(address, "prompts/get", &own, json!({"name": &own, "arguments": {&own: &own}}), &own),
    }
}

fn modern(address: &str, method: &str, name: &str, params: Value, client: &str) -> String {
    let body = Agent::modern(address).body(method, params);
    let body = body.replace(r#""name":"agent""#, &format!(r#""name":"{client}""#));
    let headers = format!("MCP-Protocol-Version: {MODERN}\r\nMcp-Method: {method}\r\nMcp-Name: {name}\r\n");
    post(address, &headers, &body)
}

fn post(address: &str, headers: &str, body: &str) -> String {
    format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         {headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Makes these calls on one connection.
fn make(address: &str, numbers: Range<u64>) {
    let numbers: Vec<u64> = numbers.collect();
    let mut connection = Exchange::begin(address, b"").unwrap();
    for some in numbers.chunks(AT_ONCE) {
        let requests: String = some.iter().map(|number| call(address, *number)).collect();
        connection.send(requests.as_bytes());
        for _ in some {
            assert!(!connection.answer().is_empty(), "each call is answered");
        }
    }
}

/// The series of a scrape: names and labels, without values.
fn series(metrics: &str) -> BTreeSet<String> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

/// The values of a family's series with this label, added up.
fn sum(metrics: &str, family: &str, label: &str) -> f64 {
    let of_family = metrics.lines().filter(|line| line.starts_with(&format!("{family}{{")) && line.contains(label));
    of_family.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn a_hundred_thousand_calls_of_random_names_sessions_and_arguments_add_no_series() {
    let setup = Setup::policy(POLICY, "http://127.0.0.1:1/mcp").flags(&["--audit", "off"]);
    let sidecar = setup.start();
    let address = http::split(&sidecar.url).0;
    // Each kind of call once.
    make(address, CALLS..CALLS + 16);
    sidecar.metrics();
    let before = series(&sidecar.metrics());
    std::thread::scope(|scope| {
        for agent in 0..AGENTS {
            let each = CALLS / AGENTS;
            scope.spawn(move || make(address, agent * each..(agent + 1) * each));
        }
    });
    let metrics = sidecar.metrics();
    let after = series(&metrics);
    assert_eq!(before.symmetric_difference(&after).collect::<Vec<_>>(), [""; 0], "series that came or went");
    let counted =
        sum(&metrics, "reeve_calls_total", "mode=\"Enforce\"") + sum(&metrics, "reeve_rejected_requests_total", "");
    assert_eq!(counted, (CALLS + 16) as f64, "each call is counted, once: {metrics}");
    assert_eq!(sum(&metrics, "reeve_rejected_requests_total", "cause=\"unknown_session\""), (CALLS / 8 + 2) as f64);
}

/// What `docs/metrics.md` states under "How many series", by what there is.
fn stated(what: &str) -> usize {
    let page = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let (_, part) = page.split_once("## How many series").expect("the page says how many series there are");
    let rows = part.lines().take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| "));
    let cell = |row: &str, number: usize| row.split('|').nth(number).unwrap_or_default().trim().to_owned();
    let row = rows.into_iter().find(|row| cell(row, 1) == what).unwrap_or_else(|| panic!("no row says {what:?}"));
    cell(row, 2).parse().unwrap_or_else(|error| panic!("{error}: {row}"))
}

/// A sidecar with so many servers, all governed by so many rules for a tool each, with a limit.
fn sidecar(servers: usize, rules: usize) -> Sidecar {
    let servers = (0..servers).map(|it| format!("- {{name: s{it}, path: /s{it}, url: 'http://127.0.0.1:1/mcp'}}\n"));
    let setup = Setup::config(&format!("servers:\n{}policyFiles: [policy.yaml]\n", servers.collect::<String>()));
    let limit = "limits: [{counter: calls, window: 1h, max: 9}]";
    let rules = (0..rules).map(|it| {
        let limit = limit.replace("calls", &format!("calls{it}"));
        format!("  - {{name: r{it}, tools: [t{it}], action: Allow, {limit}}}\n")
    });
    let head = POLICY.split_once("  - ").unwrap().0;
    setup.write("policy.yaml", &format!("{head}{}", rules.collect::<String>()));
    setup.start()
}

#[test]
fn a_sidecar_has_as_many_series_as_the_documentation_states() {
    for (servers, rules) in [(1, 1), (3, 5)] {
        let sidecar = sidecar(servers, rules);
        // Of each server: for each rule one permission and one refusal by its limit, and one refusal of what no rule permits.
        let decisions = servers * (rules * 2 + 1);
        let configured = stated("always")
            + servers * stated("each server")
            + rules * stated("each limit that is enforced")
            + decisions * stated("each decision that policies can make of a known tool");
        let before = series(&sidecar.metrics());
        assert_eq!(before.len(), configured, "{servers} servers, {rules} rules: {before:#?}");
        for _ in 0..2 {
            Agent::modern(&format!("{}/s0", sidecar.agents)).call("t0", json!({}));
        }
        let after = series(&sidecar.metrics());
        let called = stated("each tool of a server that was called") + stated("each cause of failures of a server");
        assert_eq!(after.len(), configured + called, "{:#?}", after.difference(&before).collect::<Vec<_>>());
    }
}

/// What is counted of refusals by a rule, by tool: of series that are there.
fn refusals(sidecar: &Sidecar, rule: &str) -> Vec<(String, f64)> {
    let metrics = sidecar.metrics();
    let of_rule = |line: &&str| {
        line.starts_with("reeve_calls_total{")
            && line.contains(&format!("rule=\"{rule}\""))
            && line.contains("DeniedByRule")
    };
    let told = metrics.lines().filter(of_rule).filter_map(|line| {
        let (labels, value) = line.rsplit_once(' ')?;
        Some((labels.split_once("tool=\"")?.1.split('"').next()?.to_owned(), value.parse().ok()?))
    });
    told.collect()
}

#[test]
fn refusals_by_a_rule_are_counted_from_zero_on_and_go_away_with_it_if_there_were_none() {
    let policy = |rules: &str| format!("{}{rules}", POLICY.split_once("  - ").unwrap().0);
    let upstream = Upstream::start();
    let rules =
        "  - {name: never, tools: ['delete_*', drop], action: Deny}\n  - {name: other, tools: [wipe], action: Deny}\n";
    let setup = Setup::policy(&policy(rules), &upstream.url);
    let sidecar = setup.start();
    let tools =
        |told: &[(&str, f64)]| told.iter().map(|(tool, count)| ((*tool).to_owned(), *count)).collect::<Vec<_>>();
    assert_eq!(refusals(&sidecar, "never"), tools(&[("_other", 0.0), ("drop", 0.0)]));
    let agent = Agent::modern(&sidecar.url);
    agent.call("drop", json!({}));
    assert_eq!(refusals(&sidecar, "never"), tools(&[("_other", 0.0), ("drop", 1.0)]));

    let list = agent.begin("tools/list", json!({}));
    upstream.next().result(two_tools());
    list.rest();
    let listed = tools(&[("_other", 0.0), ("delete_everything", 0.0), ("drop", 1.0)]);
    assert_eq!(refusals(&sidecar, "never"), listed, "a tool that is known since");

    setup.write("policy.yaml", &policy("  - {name: new, tools: [drop], action: Deny}\n"));
    eventually("the new policy is in force", || (refusals(&sidecar, "new").len() == 1).then_some(()));
    assert_eq!(refusals(&sidecar, "new"), tools(&[("drop", 0.0)]));
    assert_eq!(refusals(&sidecar, "other"), []);
    assert_eq!(refusals(&sidecar, "never"), tools(&[("drop", 1.0)]), "what was counted stays");
}
