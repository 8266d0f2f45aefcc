//! Bad input: each mistake is told in words that name its place and what to do, nothing is served with it, and a sidecar
//! that runs already loses nothing by it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use reeve_tests::agent::Agent;
use reeve_tests::eventually::eventually;
use reeve_tests::process::Process;
use reeve_tests::sidecar::{Setup, program};
use reeve_tests::upstream::Upstream;

/// How long the program may take to refuse. Generous, as the machine may be busy.
const PROMPTLY: Duration = Duration::from_secs(20);

/// A policy with these rules, the first of which begins in line 7.
fn policy(rules: &str) -> String {
    let spec = "spec:\n  serverRefs: [{name: '*'}]\n  rules:\n";
    format!("apiVersion: reeve.dev/v1alpha1\nkind: McpPolicy\nmetadata: {{name: p}}\n{spec}{rules}")
}

/// A rule in two lines, the second of which begins with this field.
fn rule(name: &str, field: &str) -> String {
    format!("  - {{name: {name}, action: Allow, tools: [echo],\n     {field}}}\n")
}

/// A policy with one rule that requires this; line 8, column 29 is where the expression begins.
fn requiring(expression: &str) -> String {
    policy(&rule("r", &format!("require: [{{expression: \"{expression}\", message: m}}]")))
}

/// What the program is started with, and what goes wrong.
enum Given {
    /// `--policy`, and that file.
    Policy,
    /// `--config`, and that file.
    Configuration,
}

/// Permits `echo` twice an hour, and nothing else.
fn good(given: &Given, upstream: &Upstream) -> (Setup, &'static str) {
    let good = policy(&rule("r", "limits: [{counter: c, window: 1h, max: 2}]"));
    match given {
        Given::Policy => (Setup::policy(&good, &upstream.url), "policy.yaml"),
        Given::Configuration => {
            let server = format!("servers: [{{name: s, path: /mcp, url: '{}'}}]", upstream.url);
            let setup = Setup::config(&format!("{server}\npolicyFiles: [policy.yaml]\n"));
            setup.write("policy.yaml", &good);
            (setup, "sidecar.yaml")
        }
    }
}

/// Asserts that the program does not start, and tells this mistake and no other, before it binds a port: one that it is to
/// bind is taken.
fn is_refused_at_start(setup: &Setup, mistake: &str) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let begun = Instant::now();
    let mut process = Process::start(setup.command().args(["--listen", &address, "--log-level", "error"]));
    assert_eq!(process.ended(), 78, "{}", process.log());
    assert!(begun.elapsed() < PROMPTLY, "it took {:?}", begun.elapsed());
    assert_eq!(process.log(), format!("{mistake}\nerror: the configuration has mistakes; nothing is served\n"));
}

/// Asserts that what `put` puts where a good file was is refused with this mistake (its place in the file, and what is said
/// of it) by the program that starts, by `check`, and by a sidecar that runs. That one goes on with what it had, counts of
/// limits included, and mends when the good file is back.
fn is_refused(given: Given, put: impl Fn(&Path), mistake: &str) {
    let upstream = Upstream::start();
    let (setup, name) = good(&given, &upstream);
    let file = setup.file(name);
    let mistake = format!("{}{mistake}", file.display());
    let content = fs::read(&file).unwrap();
    let sidecar = setup.start();
    let agent = Agent::modern(&format!("{}/mcp", sidecar.agents));
    assert!(agent.passes("echo", &upstream), "the first call passes");

    fs::remove_file(&file).unwrap();
    put(&file);
    is_refused_at_start(&setup, &mistake);
    let flags: &[&str] = if matches!(given, Given::Policy) { &["check"] } else { &["check", "--config"] };
    let checked = program(flags).arg(&file).output().unwrap();
    assert_eq!((checked.status.code(), checked.stdout), (Some(1), format!("{mistake}\n").into_bytes()));

    let logged = mistake.replacen(" error:", "", 1);
    eventually("the log tells the mistake and what follows", || {
        let log = sidecar.process.log();
        (log.contains(&logged) && log.ends_with("the last good one stays in force mistakes=1\n")).then_some(())
    });
    assert_eq!(sidecar.metric("reeve_config_last_reload_successful"), 0.0);
    assert!(agent.passes("echo", &upstream), "what was permitted is");
    assert!(!agent.passes("other", &upstream), "what was denied is");

    if file.is_dir() {
        fs::remove_dir(&file).unwrap();
    }
    fs::write(&file, content).unwrap();
    eventually("it mends", || (sidecar.metric("reeve_config_last_reload_successful") == 1.0).then_some(()));
    assert!(!agent.passes("echo", &upstream), "both calls of this hour are counted");
}

/// Asserts that a policy file of this content is refused with this mistake.
fn policy_is_refused(content: impl AsRef<[u8]>, mistake: &str) {
    is_refused(Given::Policy, |file| fs::write(file, &content).unwrap(), mistake);
}

#[test]
fn a_policy_file_that_is_missing_is_refused() {
    let mistake = ": error: there is no such file: correct the path, or put the file there";
    is_refused(Given::Policy, |_| {}, mistake);
}

#[test]
fn an_empty_policy_file_is_refused() {
    let mistake = ":1:1: error: the file is empty: write an McpPolicy, or a policy with version and tools";
    policy_is_refused("", mistake);
}

#[test]
fn a_directory_in_the_place_of_a_policy_file_is_refused() {
    let mistake = ": error: this is a directory: name a file in it";
    is_refused(Given::Policy, |file| fs::create_dir(file).unwrap(), mistake);
}

#[test]
fn a_policy_file_that_is_not_utf8_is_refused() {
    policy_is_refused(b"# caf\xE9\n", ":1:6: error: the file is not UTF-8 at byte 5: save it as UTF-8");
}

#[test]
fn an_anchor_bomb_is_refused_promptly() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{aliases}]\n");
    }
    let mistake = ":6:40: error: /a5/6: more than 1000000 values, those that aliases repeat included";
    policy_is_refused(bomb, mistake);
}

#[test]
fn an_unknown_field_is_refused_with_the_nearest_that_there_is() {
    let bad = policy("  - {name: r, action: Allow, tols: [echo]}\n");
    policy_is_refused(
        bad,
        ":7:30: error: /spec/rules/0/tols: unknown field \"tols\" in rules[0]; did you mean \"tools\"?",
    );
}

#[test]
fn two_rules_of_one_name_are_refused() {
    let bad = policy(&(rule("r", "mode: Enforce") + &rule("r", "mode: Audit")));
    let mistake = ":9:12: error: /spec/rules/1/name: rules[0] is called `r` too: give each rule a name of its own";
    policy_is_refused(bad, mistake);
}

#[test]
fn a_limit_out_of_bounds_is_refused() {
    let at =
        |column: usize, field: &str, what: &str| format!(":8:{column}: error: /spec/rules/0/limits/0/{field}: {what}");
    for (limit, mistake) in [
        ("window: 0s, max: 1", at(36, "window", "`0s` is out of bounds: write a duration from 1s to 31d")),
        ("window: 1h, max: -1", at(45, "max", "max must be at least 0, not -1")),
        ("window: 1h, max: 1000000000001", at(45, "max", "max must be at most 1000000000000, not 1000000000001")),
    ] {
        policy_is_refused(policy(&rule("r", &format!("limits: [{{counter: c, {limit}}}]"))), &mistake);
    }
}

#[test]
fn an_expression_that_does_not_compile_or_costs_too_much_is_refused_promptly() {
    let at = |column: usize, what: &str| {
        format!(":8:29: error: /spec/rules/0/require/0/expression: column {column}: {what}")
    };
    let list = "[1,2,3,4,5,6,7,8,9]";
    let loops: String = ["a", "b", "c", "d", "e", "f"].map(|name| format!("{list}.all({name},")).concat();
    let units = "the loops take more than the 20000 units of work that an evaluation has: shorten the lists, or nest fewer loops";
    let only_one = "of loops inside one another, only one may range over a field, the others over lists of literals";
    for (expression, mistake) in [
        ("args.s.matches('(')".to_owned(), at(16, "the pattern is not a regular expression: unclosed group")),
        ("args.s = 'x'".to_owned(), at(8, "`=` compares nothing: write ==")),
        ("args.l.all(x, args.l.all(y, x == y))".to_owned(), at(22, only_one)),
        (format!("{loops}true{}", ")".repeat(6)), at(47, units)),
    ] {
        policy_is_refused(requiring(&expression), &mistake);
    }
}

#[test]
fn a_counter_with_two_windows_is_refused() {
    let limit = |window: &str| format!("limits: [{{counter: c, window: {window}, max: 1}}]");
    let bad = policy(&(rule("r", &limit("1h")) + &rule("s", &limit("1m"))));
    let mistake = ":10:36: error: /spec/rules/1/limits/0/window: counter `c` has another window in default/p#r: give it the \
                   same one, or use a counter of another name";
    policy_is_refused(bad, mistake);
}

#[test]
fn a_glob_that_can_match_nothing_is_refused() {
    for (field, mistake) in [
        (
            "prompts: ['review ']",
            ":8:16: error: /spec/rules/0/prompts/0: `review ` can match nothing: no name begins or ends with white space; \
             remove it",
        ),
        (
            "resources: ['file:///a/../*']",
            ":8:18: error: /spec/rules/0/resources/0: `file:///a/../*` can match nothing: a URI with a . or .. segment is \
             always refused; write the path that it leads to",
        ),
    ] {
        policy_is_refused(policy(&rule("r", field)), mistake);
    }
}

#[test]
fn an_upstream_that_is_not_a_url_is_refused() {
    let like =
        "write one such as https://imaging.internal/mcp, http://127.0.0.1:3924/mcp or unix:///run/imaging.sock:/mcp";
    let what = format!("error: \"imaging\" is not a URL: {like}");
    let setup = Setup::policy(&policy(&rule("r", "mode: Enforce")), "imaging");
    is_refused_at_start(&setup, &format!("--upstream: {what}"));
    let bad = "servers: [{name: s, path: /mcp, url: imaging}]\npolicyFiles: [policy.yaml]\n";
    let mistake = format!(":1:38: {}", what.replacen("error: ", "error: /servers/0/url: ", 1));
    is_refused(Given::Configuration, |file| fs::write(file, bad).unwrap(), &mistake);
}

#[test]
fn a_port_in_use_is_named_with_the_flag_for_another_and_who_has_it_serves_on() {
    let upstream = Upstream::start();
    let (setup, _) = good(&Given::Policy, &upstream);
    let sidecar = setup.start();
    let address = sidecar.agents.trim_start_matches("http://");
    let mut second = Process::start(setup.command().args(["--listen", address, "--log-level", "error"]));
    assert_eq!(second.ended(), 78, "{}", second.log());
    let log = second.log();
    assert!(log.starts_with(&format!("error: cannot listen on {address} for agents: ")), "{log}");
    assert!(log.ends_with("; choose another address with --listen\n"), "{log}");
    assert!(Agent::modern(&sidecar.url).passes("echo", &upstream));
}
