//! The time of day that a running sidecar sees is set: forward, and back. (`libfaketime` shows it another one, from a file
//! that a test writes; the time since boot cannot be set, and limits count on that alone.)

use std::path::PathBuf;
use std::time::Instant;

use reeve_tests::agent::{Agent, told};
use reeve_tests::eventually::eventually;
use reeve_tests::load::{Load, Outcome};
use reeve_tests::process::root;

use super::scene::{AGENTS, SCARCE, Scene, none_was_lost, the_truth_was_told};

/// Permits `later` from the year 2040 on only, and `brief` once in two seconds.
const BY_THE_CLOCK: &str = "
  - {name: later, tools: [later], action: Allow, when: 'now > timestamp(\"2040-01-01T00:00:00Z\")'}
  - {name: brief, tools: [brief], action: Allow, limits: [{counter: brief, window: 2s, max: 1}]}
";

fn faketime() -> PathBuf {
    let library = root().join("target/tools/libfaketime.so.1");
    assert!(library.exists(), "libfaketime is missing: run `tests/install faketime`");
    library.canonicalize().unwrap()
}

#[test]
fn no_limit_is_loosened_or_tightened_and_no_call_lost_while_the_time_of_day_is_set_forward_and_back() {
    let scene = Scene::new();
    scene.setup.write("policy.yaml", &format!("{}{}", super::scene::POLICY, BY_THE_CLOCK.trim_start_matches('\n')));
    let clock = scene.setup.file("clock");
    let set = |by: &str| {
        scene.setup.write("next", by);
        std::fs::rename(scene.setup.file("next"), &clock).unwrap();
    };
    set("+0");
    let mut sidecar = scene.setup.start_as(|command| {
        let file = clock.display().to_string();
        let fake =
            [("FAKETIME_TIMESTAMP_FILE", &*file), ("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
        command.env("LD_PRELOAD", faketime()).envs(fake)
    });
    let agent = Agent::modern(&scene.url);
    let passes = |tool: &str| told(&agent.call(tool, serde_json::json!({"n": 0}))).0 == "result";
    let load = Load::start(&scene.url, AGENTS);
    load.until("refused for want of quota", 5, |told| told.tool == "scarce" && told.outcome != Outcome::Answered);
    assert!(!passes("later"));
    for by in ["+7305d", "-7305d", "+0", "+7305d"] {
        set(by);
        eventually("the process sees the other time", || (passes("later") == by.starts_with("+7")).then_some(()));
        load.goes_on(50);
        assert_eq!(scene.ledger.executed("scarce"), SCARCE, "an hour is not over: {by}");
        // What is used again within the window is refused, and comes back when the window is over: by the time that passes.
        eventually("the window of two seconds is over", || passes("brief").then_some(()));
        let begun = Instant::now();
        while passes("brief") {}
        eventually("it is over again", || passes("brief").then_some(()));
        assert!(begun.elapsed().as_secs() < 30, "a window does not grow: {by}: {:?}", begun.elapsed());
    }
    let told = load.finish();
    none_was_lost(&told);
    the_truth_was_told(&scene.ledger, &told);
    assert_eq!(scene.ledger.executed("scarce"), SCARCE);
    let times: Vec<String> =
        scene.decisions().iter().map(|line| line["time"].as_str().unwrap()[..4].to_owned()).collect();
    assert!(
        times.iter().any(|year| year.as_str() > "2040") && times.iter().any(|year| year.as_str() < "2010"),
        "records tell the time of day"
    );
    assert_eq!(sidecar.process.exit_code(), None, "{}", sidecar.process.log());
}
