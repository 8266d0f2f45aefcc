//! What goes wrong while calls go on.

use std::time::Duration;

use reeve_tests::books::{AGENTS, POLICY, Scene};
use reeve_tests::clients::{Client, Step};
use reeve_tests::eventually::eventually;
use reeve_tests::http;
use reeve_tests::ledger::Behaviour;
use reeve_tests::load::{Agents, Load, Outcome};
use reeve_tests::sidecar::Sidecar;
use serde_json::json;

/// What goes wrong, or is at least not as usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Clients of every SDK come, list, call, and go.
    ClientsComeAndGo,
    /// The server answers by streams.
    Streams,
    /// The server dies and comes back.
    ServerDies,
    /// The server breaks off in the middle of answers.
    ServerBreaksOff,
    /// The server answers what is no HTTP.
    ServerSendsGarbage,
    /// The server sends events of fifty megabytes.
    ServerSendsTooMuch,
    /// Agents hang up before they are answered.
    AgentsHangUp,
    /// Agents open a thousand connections and say nothing.
    AgentsSayNothing,
    /// The policy is replaced, again and again.
    PolicyChanges,
}

impl Trouble {
    /// What goes wrong in turn.
    pub const USUAL: [Self; 9] = [
        Self::None,
        Self::ClientsComeAndGo,
        Self::Streams,
        Self::ServerDies,
        Self::ServerBreaksOff,
        Self::ServerSendsGarbage,
        Self::AgentsHangUp,
        Self::AgentsSayNothing,
        Self::PolicyChanges,
    ];

    /// The same, after what takes as much memory as the sidecar may use for answers.
    pub const LARGE: [Self; 2] = [Self::ServerSendsTooMuch, Self::None];

    /// Whether every call comes to its end all the same.
    pub fn costs_no_call(self) -> bool {
        matches!(
            self,
            Self::None | Self::ClientsComeAndGo | Self::Streams | Self::AgentsSayNothing | Self::PolicyChanges
        )
    }

    /// In words, for a table.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::ClientsComeAndGo => "clients of every SDK come and go",
            Self::Streams => "the server answers by streams",
            Self::ServerDies => "the server dies five times",
            Self::ServerBreaksOff => "the server breaks off in answers",
            Self::ServerSendsGarbage => "the server answers garbage",
            Self::ServerSendsTooMuch => "events of 50 MiB",
            Self::AgentsHangUp => "agents hang up",
            Self::AgentsSayNothing => "1,000 silent connections",
            Self::PolicyChanges => "the policy is replaced 20 times",
        }
    }

    /// Makes it go wrong, and right again. `sdks` is where clients of SDKs are answered.
    pub fn make(self, scene: &mut Scene, sidecar: &Sidecar, sdks: &str) {
        match self {
            Self::None => {}
            Self::ClientsComeAndGo => clients(sdks),
            Self::Streams => behave(scene, Behaviour::Streams, 300),
            Self::ServerDies => {
                for _ in 0..5 {
                    scene.ledger.die();
                    let load = Load::start(&scene.url, AGENTS);
                    load.until("told that the server is gone", 20, |told| matches!(told.outcome, Outcome::Failed(..)));
                    scene.ledger.come_back();
                    load.goes_on(20);
                    load.finish();
                }
            }
            Self::ServerBreaksOff => {
                failing(scene, Behaviour::ResetsInTheBody);
                failing(scene, Behaviour::ResetsInAnEvent);
            }
            Self::ServerSendsGarbage => {
                failing(scene, Behaviour::SendsGarbage);
                failing(scene, Behaviour::SendsNoMessage);
            }
            Self::ServerSendsTooMuch => failing(scene, Behaviour::SendsAHugeEvent),
            Self::AgentsHangUp => {
                scene.ledger.behave(Behaviour::AnswersAfter(Duration::from_millis(60)));
                let hasty = Load::start(&scene.url, Agents { patience: Duration::from_millis(30), ..AGENTS });
                hasty.until("given up", 300, |told| told.outcome == Outcome::GivenUp);
                hasty.finish();
            }
            Self::AgentsSayNothing => {
                let address = http::split(&scene.url).0;
                let silent: Vec<_> = (0..1_000).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
                behave(scene, Behaviour::Answers, 300);
                drop(silent);
            }
            Self::PolicyChanges => policies(scene, sidecar),
        }
        scene.ledger.behave(Behaviour::Answers);
    }
}

/// Lets the server do this with some calls, which are answered.
fn behave(scene: &Scene, behaviour: Behaviour, calls: usize) {
    scene.ledger.behave(behaviour);
    let load = Load::start(&scene.url, AGENTS);
    load.goes_on(calls);
    load.finish();
}

/// Lets the server do this with some calls, which fail.
fn failing(scene: &Scene, behaviour: Behaviour) {
    scene.ledger.behave(behaviour);
    let load = Load::start(&scene.url, AGENTS);
    load.until("told that the server failed", 20, |told| matches!(told.outcome, Outcome::Failed(..)));
    scene.ledger.behave(Behaviour::Answers);
    load.finish();
}

fn clients(url: &str) {
    let steps: Vec<Step> = (0..10)
        .flat_map(|_| {
            let echo = Step::Call("echo", json!({"message": "hello"}));
            [Step::List, echo, Step::Call("delete_everything", json!({}))]
        })
        .collect();
    for client in Client::ALL {
        for three in client.run(url, &steps).chunks(3) {
            assert!(three[1].is_answer() && three[2].is_refusal(), "{client:?}: {three:?}");
        }
    }
}

/// Puts another policy in force, twenty times, and then the first again.
fn policies(scene: &Scene, sidecar: &Sidecar) {
    for number in 0..20 {
        let before = sidecar.metric("reeve_config_generation");
        let more = format!("  - {{name: other-{number}, tools: [other_{number}], action: Allow}}\n");
        scene.setup.write("policy.yaml", &(lasting(POLICY) + if number < 19 { &more } else { "" }));
        eventually("the other policy is in force", || {
            (sidecar.metric("reeve_config_generation") > before).then_some(())
        });
    }
}

/// A policy whose limits outlast the run, so that everything that they count can be compared.
pub fn lasting(policy: &str) -> String {
    policy.replace("window: 1h", "window: 24h")
}
