//! The configuration under a running load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use reeve_tests::clients::{Client, Era, Outcome as Came, Sdk, Step};
use reeve_tests::eventually::eventually;
use reeve_tests::http;
use reeve_tests::load::{Agents, Load};
use reeve_tests::servers::{Kind, Server};
use reeve_tests::sidecar::Setup;
use reeve_tests::wrk::Wrk;
use serde_json::json;

use super::scene::{AGENTS, POLICY, SCARCE, Scene, none_was_lost, serves_on, the_books_agree, the_truth_was_told};

/// How often the policy is replaced.
const EVERY: Duration = Duration::from_millis(10);

/// Replaces `policy.yaml` by each of these texts in turn, a hundred times a second.
struct Swapper {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u32>,
}

impl Swapper {
    fn start(setup: &Setup, texts: &[String]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, setup, texts) = (Arc::clone(&stop), setup.clone(), texts.to_vec());
        let swap = move || {
            let (begun, mut swaps) = (Instant::now(), 0);
            while !stopped.load(Ordering::Relaxed) {
                setup.write("next.yaml", &texts[swaps as usize % texts.len()]);
                std::fs::rename(setup.file("next.yaml"), setup.file("policy.yaml")).unwrap();
                swaps += 1;
                std::thread::sleep((EVERY * swaps).saturating_sub(begun.elapsed()));
            }
            swaps
        };
        Self { stop, thread: std::thread::spawn(swap) }
    }

    /// How often it was replaced.
    fn finish(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Policies that permit alike, a policy that permits one tool more, and a file that cannot be read.
fn texts() -> [String; 4] {
    let limits = "limits: [{counter: echoes, window: 1h, max: 100000000}]";
    let more = format!("  - {{name: sometimes, tools: [sometimes], action: Allow, {limits}}}\n");
    let other = format!("  - {{name: another, tools: [another], action: Allow, {limits}}}\n");
    [POLICY.to_owned(), format!("{POLICY}{more}"), format!("{POLICY}{other}"), "spec: {".to_owned()]
}

#[test]
fn no_forbidden_call_passes_and_none_is_lost_while_the_policy_is_replaced_a_hundred_times_a_second() {
    const TOOLS: &[&str] = &["echo", "delete_everything", "scarce", "sometimes", "wipe"];
    let scene = Scene::new();
    let mut sidecar = scene.setup.start();
    let generation = || sidecar.metric("reeve_config_generation");
    let load = Load::start(&scene.url, Agents { tools: TOOLS, ..AGENTS });
    load.goes_on(50);
    let wrk = Wrk::start(&scene.url, 8, 5);
    let swapper = Swapper::start(&scene.setup, &texts());
    eventually("some of the policies were in force", || (generation() >= 5.0).then_some(()));
    let found = wrk.finish();
    let swaps = swapper.finish();
    assert!(swaps >= 100, "{swaps}");
    assert!(found.errors.is_empty() && found.answers > 100, "{found:?}");

    scene.setup.write("policy.yaml", &format!("{POLICY}  - {{name: the-last, tools: [another], action: Deny}}\n"));
    let shown = || http::get(&format!("{}/policy", sidecar.inspect)).unwrap().body;
    eventually("the last of them is", || shown().contains("the-last").then_some(()));
    load.goes_on(50);
    let told = load.finish();
    none_was_lost(&told);
    the_truth_was_told(&scene.ledger, &told);
    the_books_agree(&scene, &sidecar);
    assert_eq!(scene.ledger.executed("scarce"), SCARCE, "a counter is the same under every policy that names it");
    serves_on(&scene, &mut sidecar);
}

#[test]
fn clients_of_sdks_see_nothing_of_a_policy_that_is_replaced_a_hundred_times_a_second() {
    let server = Server::start(Kind::TypeScript);
    let setup = Setup::policy(POLICY, &server.url);
    let sidecar = setup.start();
    let swapper = Swapper::start(&setup, &texts());
    let steps: Vec<Step> = (0..20)
        .flat_map(|_| {
            let echo = Step::Call("echo", json!({"message": "hello"}));
            [Step::List, echo, Step::Call("delete_everything", json!({}))]
        })
        .collect();
    let clients = [
        Client { sdk: Sdk::Python, era: Era::Modern },
        Client { sdk: Sdk::TypeScript, era: Era::Legacy },
        Client { sdk: Sdk::Rust, era: Era::Modern },
    ];
    let run = |client: Client| {
        let (url, steps) = (sidecar.url.clone(), steps.clone());
        std::thread::spawn(move || client.run(&url, &steps))
    };
    let running = clients.map(run);
    for (client, outcomes) in clients.iter().zip(running) {
        for three in outcomes.join().unwrap().chunks(3) {
            let Came::Tools(tools) = &three[0] else { panic!("{client:?}: {three:?}") };
            assert!(tools.iter().any(|tool| tool == "echo"), "{client:?}: {tools:?}");
            assert!(!tools.iter().any(|tool| tool == "delete_everything"), "{client:?}: {tools:?}");
            assert!(three[1].is_answer() && three[2].is_refusal(), "{client:?}: {three:?}");
        }
    }
    assert!(swapper.finish() > 0);
    eventually("policies were taken over meanwhile", || {
        (sidecar.metric("reeve_config_generation") > 1.0).then_some(())
    });
}
