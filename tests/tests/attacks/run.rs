//! Every form, on every server, directly and through the sidecar.

use std::collections::HashSet;
use std::sync::OnceLock;

use reeve_tests::clients::Era;
use reeve_tests::eventually::eventually;
use reeve_tests::http;
use reeve_tests::servers::Server;
use reeve_tests::sink::Sink;

use crate::forms::{self, Aim, Form, changes};
use crate::governed::Governed;
use crate::scene::Scene;
use crate::targets::{TARGETS, Target, Tool, Trace};

/// What lies between the attempt and the server: nothing, the sidecar with a policy that permits what is harmless, or the
/// sidecar with a policy that denies what is dangerous and permits the rest.
const WAYS: usize = 3;

/// What came of one form in one era on one server.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) form: &'static Form,
    pub(crate) target: &'static Target,
    pub(crate) era: Era,
    /// Whether it achieved what it was after without the sidecar.
    pub(crate) directly: bool,
    /// Whether it did through the sidecar, with either policy.
    pub(crate) through: [bool; WAYS - 1],
}

/// What will show whether an attempt achieved what it was after.
enum Evidence {
    Known(bool),
    /// The server's log has this text.
    Logged(String),
    /// The server's log has a line with it more than once.
    LoggedTwice(String),
    /// A request of the tool begins with it.
    Requested(String),
}

/// What came of every form on every server. The attempts are made once.
pub(crate) fn outcomes() -> &'static [Outcome] {
    static OUTCOMES: OnceLock<Option<Vec<Outcome>>> = OnceLock::new();
    let outcomes = OUTCOMES.get_or_init(|| {
        let _alone = crate::BUSY.lock();
        std::thread::scope(|scope| {
            let (targets, absent): (Vec<&Target>, Vec<&Target>) =
                TARGETS.iter().partition(|target| target.kind.is_installed());
            for target in absent {
                eprintln!("LEFT OUT: the server {}, which is not installed: see `tests/install go`", target.label);
            }
            let runs: Vec<_> = targets.into_iter().map(|target| scope.spawn(|| on(target))).collect();
            let outcomes: Option<Vec<_>> = runs.into_iter().map(|run| run.join().ok()).collect();
            outcomes.map(|outcomes| outcomes.into_iter().flatten().collect())
        })
    });
    outcomes.as_ref().expect("every form can be tried on every server")
}

fn on(target: &'static Target) -> Vec<Outcome> {
    let sink = Sink::start();
    let mut server = target.start(&sink);
    let by_default = Governed::start(target.denied_by_default(), &server.url);
    let by_rule = Governed::start(target.denied_by_rule(), &server.url);
    let direct = server.url.clone();
    let ways: [Option<&Governed>; WAYS] = [None, Some(&by_default), Some(&by_rule)];
    let mut number = 0;
    let mut attempts = Vec::new();
    for form in forms::all() {
        for era in form.eras.iter().copied().filter(|era| form.applies(target, *era)) {
            let evidence = ways.map(|governed| {
                number += 1;
                let url = governed.map_or(&*direct, |governed| &governed.sidecar.url);
                let scene = eventually(&format!("{} answers before {}", target.label, form.name), || {
                    // Some forms are the end of some servers.
                    server.revive();
                    let (address, directly) = (http::split(url).0, http::split(&direct).0);
                    let scene = Scene::begin(target, era, address, directly, &sink.url, number);
                    let scene = scene.map(|scene| scene.through(governed));
                    if form.aim == Aim::Pass { scene.map(Scene::patient) } else { scene }
                });
                form.attempt(&scene);
                evidence(form, &scene)
            });
            attempts.push((form, era, evidence));
        }
    }
    settled(target, &server, &sink, number + 1);
    let (log, requests) = (server.log(), sink.requests());
    let shows = |evidence: Evidence| match evidence {
        Evidence::Known(achieved) => achieved,
        Evidence::Logged(text) => log.contains(&text),
        Evidence::LoggedTwice(text) => {
            let mut seen = HashSet::new();
            log.lines().filter(|line| line.contains(&text)).any(|line| !seen.insert(line))
        }
        Evidence::Requested(text) => requests.iter().any(|request| request.starts_with(&text)),
    };
    let outcomes = attempts.into_iter().map(|(form, era, evidence)| {
        let [directly, through @ ..] = evidence.map(shows);
        Outcome { form, target, era, directly, through }
    });
    outcomes.collect()
}

/// Waits until a call that is made last has left its trace, so that those of earlier ones are there too.
fn settled(target: &Target, server: &Server, sink: &Sink, number: u32) {
    let address = http::split(&server.url).0;
    let scene = Scene::begin(target, Era::Legacy, address, address, &sink.url, number).expect("the server answers");
    scene.send(&scene.denied());
    let text = scene.fill(target.denied.trace.1);
    eventually("the last call leaves its trace", || {
        let left = server.log().contains(&text) || sink.requests().iter().any(|request| request.starts_with(&text));
        left.then_some(())
    });
}

fn evidence(form: &Form, scene: &Scene<'_>) -> Evidence {
    let ran = |tool: &Tool| match tool.trace {
        (Trace::Answer, text) => Evidence::Known(scene.received(&scene.fill(text))),
        (Trace::Log, text) => Evidence::Logged(scene.fill(text)),
        (Trace::Request, text) => Evidence::Requested(scene.fill(text)),
    };
    let Target { permitted, denied, guarded, secret, hidden, .. } = scene.target;
    match form.aim {
        Aim::Run => ran(denied),
        Aim::Argue => guarded.as_ref().map_or(Evidence::Known(false), ran),
        Aim::Reach | Aim::Pass => ran(permitted),
        Aim::Harm => Evidence::Logged(scene.fill(r#"ran harm "$T""#)),
        Aim::Exceed if form.of_changes => Evidence::LoggedTwice(scene.fill(r#"ran export_record "$T""#)),
        Aim::Exceed => guarded.map_or(Evidence::Known(false), |tool| Evidence::LoggedTwice(scene.fill(tool.trace.1))),
        Aim::See => Evidence::Known(scene.received(hidden) || scene.received(changes::ERASES)),
        Aim::Keep => Evidence::Known(scene.received(r#""public""#)),
        Aim::Read => {
            let contents = secret.map(|secret| secret.contents).unwrap_or_default();
            Evidence::Known(contents.iter().any(|text| scene.received(text)))
        }
    }
}

impl Form {
    fn applies(&self, target: &Target, era: Era) -> bool {
        let has = match self.aim {
            Aim::Argue => target.guarded.is_some(),
            Aim::Exceed => self.of_changes || target.guarded.is_some(),
            Aim::Read => target.secret.is_some(),
            _ => true,
        };
        has && target.kind.speaks(era) && (target.changes || !self.of_changes)
    }
}

/// The outcomes for which `holds` does not, in lines.
fn but(holds: impl Fn(&Outcome) -> bool) -> Vec<String> {
    let wrong = outcomes().iter().filter(|outcome| !holds(outcome));
    let told = wrong.map(|Outcome { form, target, era, .. }| format!("{}: {} ({era:?})", target.label, form.name));
    told.collect()
}

#[test]
fn what_policy_denies_gets_past_the_sidecar_in_no_form() {
    let past = but(|outcome| outcome.form.aim == Aim::Pass || outcome.through == [false; WAYS - 1]);
    assert!(past.is_empty(), "\n{}", past.join("\n"));
}

#[test]
fn what_policy_permits_gets_to_a_server_in_every_form_that_the_server_takes() {
    let kept = but(|Outcome { form, directly, through, .. }| {
        form.aim != Aim::Pass || !directly || *through == [true; WAYS - 1]
    });
    assert!(kept.is_empty(), "\n{}", kept.join("\n"));
}

#[test]
fn a_call_over_http2_gets_to_servers_that_do_not_speak_it() {
    let kept = but(|outcome| {
        let over_http2 = outcome.form.aim == Aim::Pass && outcome.form.name.contains("over HTTP/2");
        !over_http2 || outcome.through == [true; WAYS - 1]
    });
    assert!(kept.is_empty(), "\n{}", kept.join("\n"));
}
