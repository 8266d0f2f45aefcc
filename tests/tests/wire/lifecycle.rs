//! Start, end, and what survives between.

use std::time::{Duration, Instant};

use reeve_tests::agent::{Agent, told};
use reeve_tests::eventually::eventually;
use reeve_tests::http;
use reeve_tests::process::{memory, most_memory};
use reeve_tests::sidecar::{ALLOW_ALL, ECHO_ONLY, Setup, Sidecar};
use reeve_tests::upstream::Upstream;
use serde_json::json;

use super::ONE_ECHO;

#[test]
fn a_call_in_flight_ends_before_the_process_does_and_probes_say_that_it_is_not_ready() {
    let upstream = Upstream::start();
    let mut sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let agent = Agent::modern(&sidecar.url);
    let exchange = agent.begin_call("echo");
    let request = upstream.next();
    sidecar.process.signal("TERM");
    eventually("nobody new is served", || {
        std::net::TcpStream::connect(http::split(&sidecar.agents).0).is_err().then_some(())
    });
    let probe = |path: &str| http::get(&format!("{}/{path}", sidecar.admin)).unwrap();
    let ready = probe("ready");
    assert!(ready.status == 503 && ready.body.contains("shutting down"), "{ready:?}");
    assert_eq!(probe("metrics").status, 200, "what happens until the end can be seen");
    assert!(sidecar.process.exit_code().is_none(), "a call is in flight");
    request.text("in time");
    assert_eq!(told(&exchange.rest()).1, "in time");
    assert_eq!(sidecar.process.ended(), 0);
    let decision = &sidecar.decisions(1)[0];
    assert_eq!(decision["decision"], "allow", "its record is written: {decision}");
}

#[test]
fn what_only_a_start_or_a_reload_ran_of_the_program_is_given_back() {
    let upstream = Upstream::start();
    let setup = Setup::policy(ECHO_ONLY, &upstream.url).flags(&["--log-level", "debug"]);
    let sidecar = setup.start();
    let (id, agent) = (sidecar.process.id(), Agent::modern(&sidecar.url));
    let is_given_back = |times: usize| {
        let told = || sidecar.process.log().matches("what of the program is not used is given back").count();
        eventually("it is told that the program is given back", || (told() == times).then_some(()));
        assert!(memory(id) < most_memory(id) / 4 * 3, "{} of {} bytes are in use", memory(id), most_memory(id));
    };
    is_given_back(1);
    assert!(!agent.passes("other", &upstream));
    setup.write("policy.yaml", ALLOW_ALL);
    eventually("the edit is in force", || agent.passes("other", &upstream).then_some(()));
    is_given_back(2);
    assert!(agent.passes("other", &upstream));
}

#[test]
fn streams_that_never_end_do_not_hold_up_the_end() {
    let upstream = Upstream::start();
    let mut sidecar = Sidecar::start(ALLOW_ALL, &upstream.url);
    let mut stream = Agent::legacy(&sidecar.url).stream();
    let mut request = upstream.next();
    request.begin_events();
    request.write(": open\n\n");
    stream.until(": open");
    let listening = Agent::modern(&sidecar.url).begin("subscriptions/listen", json!({"notifications": {}}));
    let mut listened = upstream.next();
    listened.begin_events();
    listened.write(": open\n\n");
    let begun = Instant::now();
    sidecar.process.signal("TERM");
    assert_eq!(sidecar.process.ended(), 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "no grace is needed for them: {:?}", begun.elapsed());
    request.closed();
    listened.closed();
    drop((stream, listening));
}

#[test]
fn its_start_is_bounded_far_below_the_patience_of_a_probe() {
    let setup = Setup::policy(ALLOW_ALL, "http://127.0.0.1:1/mcp");
    let begun = Instant::now();
    let sidecar = setup.start();
    // A bound and not a measurement: of a build without optimisation, on a machine that tests keep busy.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}: {}", begun.elapsed(), sidecar.process.log());
}

#[test]
fn it_is_ready_whether_or_not_its_server_is_there() {
    let sidecar = Sidecar::start(ALLOW_ALL, "http://127.0.0.1:1/mcp");
    for probe in ["started", "live", "ready"] {
        assert_eq!(http::get(&format!("{}/{probe}", sidecar.admin)).unwrap().status, 200, "{probe}");
    }
}

/// Uses up the one call of `ONE_ECHO`.
fn use_up(sidecar: &Sidecar, upstream: &Upstream) {
    let exchange = Agent::modern(&sidecar.url).begin_call("echo");
    upstream.next().text("hello");
    assert_eq!(told(&exchange.rest()).1, "hello");
}

#[test]
fn a_killed_process_goes_on_counting_where_it_was() {
    let upstream = Upstream::start();
    let setup = Setup::policy(ONE_ECHO, &upstream.url);
    let cache = setup.file("cache");
    let setup = setup.flags(&["--cache-dir", &cache.display().to_string()]);
    let sidecar = setup.start();
    use_up(&sidecar, &upstream);
    eventually("the count is written", || {
        let names = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
        let mut files = cache.read_dir().ok()?.filter_map(names);
        files.any(|name| name.starts_with("limits")).then_some(())
    });
    sidecar.process.signal("KILL");
    drop(sidecar);
    let sidecar = setup.start();
    let (kind, text) = told(&Agent::modern(&sidecar.url).call("echo", json!({})));
    assert_eq!(kind, "isError", "{text}");
    assert!(text.contains("one-echo"), "{text}");
    upstream.saw_nothing();
}

#[test]
fn without_a_cache_directory_nothing_survives_and_the_log_says_so() {
    let upstream = Upstream::start();
    let setup = Setup::policy(ONE_ECHO, &upstream.url);
    let sidecar = setup.start();
    assert!(sidecar.process.log().contains("give --cache-dir"), "{}", sidecar.process.log());
    use_up(&sidecar, &upstream);
    drop(sidecar);
    use_up(&setup.start(), &upstream);
}
