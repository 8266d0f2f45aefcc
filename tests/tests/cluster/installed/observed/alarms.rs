//! Alerts fire for real when what they tell of happens, and resolve when it is over: with the chart's rules, of which a minute is a
//! second here, and where an alert waits for a day an hour is. That they fire by the times that are written, and not earlier,
//! `tests/run observability` shows.

mod log;
mod release;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reeve_tests::cluster::clinic::{self, agent, call, caller, policy, programmed};
use reeve_tests::cluster::pod::{Pod, held};
use reeve_tests::cluster::prometheus::{Pace, Prometheus};
use reeve_tests::cluster::workload::{deployment, rolled_out};
use reeve_tests::cluster::{Alone, installed};
use reeve_tests::eventually::within;
use reeve_tests::monitoring::dashboards::queries;
use reeve_tests::monitoring::promql::{Filling, filled};
use reeve_tests::monitoring::rules::alerts;
use serde_json::{Value, json};

use super::super::ENABLED;

/// How long an alert may take to fire, or to resolve: a quarter of an hour is 15 s, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(150);

/// A clinic with Reeve, watched by a Prometheus whose time flies.
struct Watched {
    alone: Alone,
    prometheus: Prometheus,
}

impl Watched {
    fn new() -> Self {
        Self::at(Pace::Hastened)
    }

    fn at(pace: Pace) -> Self {
        let alone = Alone::new(&[ENABLED]);
        installed::reeve();
        clinic::server(&alone);
        let prometheus = Prometheus::start(&alone, pace);
        Self { alone, prometheus }
    }

    /// A policy that permits what lists, and exports ten in 40 s.
    fn govern(&self) {
        self.alone.apply(policy("imaging", "agent", &rules(&["list_*"])));
    }

    fn name(&self) -> String {
        self.alone.name.clone()
    }

    /// Waits until an alert with these labels fires.
    fn fires(&self, alert: &str, labels: &[(&str, &str)]) {
        let what = format!("{alert} fires with {labels:?}");
        within(PATIENCE, &what, || self.is_firing(alert, labels).then_some(()));
        println!("{what}");
    }

    /// Waits until none with these labels does.
    fn resolves(&self, alert: &str, labels: &[(&str, &str)]) {
        within(PATIENCE, &format!("{alert} resolves"), || (!self.is_firing(alert, labels)).then_some(()));
    }

    fn is_firing(&self, alert: &str, labels: &[(&str, &str)]) -> bool {
        let has = |found: &BTreeMap<String, String>| {
            labels.iter().all(|(label, value)| found.get(*label).is_some_and(|is| is == value))
        };
        self.prometheus.firing(alert).iter().any(has)
    }

    /// Waits until a figure of a dashboard, of this namespace, is this; none where nothing is known.
    fn shows(&self, panel: &str, figure: Option<f64>) {
        let queries = queries();
        let query = queries.iter().find(|query| query.place == panel).unwrap_or_else(|| panic!("there is no {panel}"));
        let asked = filled(&query.expr, &Filling { namespace: &self.alone.name, ..Filling::default() });
        let what = format!("{panel} shows {figure:?}");
        within(PATIENCE, &what, || (self.prometheus.value(&asked) == figure).then_some(()));
    }

    /// Lets an alert see how things usually are.
    fn usually(&self, query: &str) {
        let begun = Instant::now();
        within(PATIENCE, query, || (!self.prometheus.ask(query).is_empty()).then_some(()));
        println!("{query} is there after {:?}", begun.elapsed());
    }
}

/// These tools are permitted; and exports, ten in 40 s.
fn rules(tools: &[&str]) -> Value {
    json!([{"name": "reads", "tools": tools, "action": "Allow"}, {"name": "exports", "tools": ["start_dicom_export_job"],
        "action": "Allow", "limits": [{"counter": "exports", "window": "40s", "max": 10}]}])
}

/// A Deployment of an agent that calls a tool several times a second for ever.
fn calling(watched: &Watched, name: &str, tool: &str) {
    let mut pod = agent(&watched.alone, name);
    pod["metadata"]["labels"]["app"] = json!(name);
    pod["spec"]["containers"] = json!([caller(&watched.alone, "main", &[tool, "--every", "0.2"])]);
    watched.alone.apply(deployment(&pod, 1));
    rolled_out(&watched.alone, &format!("deployment/{name}"));
}

#[test]
fn a_pod_without_sidecar_and_a_limit_that_is_used_up_are_told_until_they_are_mended() {
    let watched = Watched::new();
    let (alone, namespace) = (&watched.alone, watched.name());
    watched.govern();
    let mut bare = agent(alone, "bare");
    alone.told(&["label", "namespace", &namespace, "reeve.dev/inject-"]);
    bare["metadata"]["labels"] = json!({"app": "agent"});
    alone.pod(bare);
    alone.told(&["label", "namespace", &namespace, "reeve.dev/inject=enabled"]);
    let agent = alone.pod(agent(alone, "agent"));
    clinic::calls(&agent, "start_dicom_export_job", 10);
    let [policy, counter] = [format!("{namespace}/imaging"), "exports".to_owned()];
    watched.fires("ReeveLimitNearExhaustion", &[("policy", &policy), ("counter", &counter)]);
    watched.fires("ReeveUnprotectedPods", &[("policy", &policy)]);
    watched.shows("fleet.json, panel Pods without a sidecar, at least", Some(1.0));
    alone.told(&["delete", "pod/bare"]);
    watched.resolves("ReeveUnprotectedPods", &[("policy", &policy)]);
    watched.resolves("ReeveLimitNearExhaustion", &[("policy", &policy)]);
}

#[test]
fn refusals_that_surge_and_a_server_that_fails_are_told_until_they_end() {
    let watched = Watched::new();
    let (alone, namespace) = (&watched.alone, watched.name());
    watched.govern();
    alone.apply(policy("reading", "reader", &rules(&["list_*"])));
    calling(&watched, "reader", "list_datastores");
    let own = [("namespace", namespace.as_str())];
    // Refusals are a surge only beside an hour before, which is a minute here.
    watched.usually(&format!("reeve:refusals:rate5m{{namespace=\"{namespace}\"}} offset 1m"));
    alone.apply(policy("reading", "reader", &rules(&["get_*"])));
    watched.fires("ReeveRefusalsSurging", &[own[0], ("workload", "reader")]);
    alone.apply(policy("reading", "reader", &rules(&["list_*"])));
    watched.resolves("ReeveRefusalsSurging", &own);
    alone.told(&["delete", "pod/imaging"]);
    watched.fires("ReeveUpstreamFailing", &[own[0], ("server", "imaging")]);
    clinic::server(alone);
    watched.resolves("ReeveUpstreamFailing", &own);
}

#[test]
fn a_sidecar_that_is_cut_off_and_a_policy_that_does_not_reach_it_are_told_until_it_is_back() {
    let watched = Watched::new();
    let (alone, namespace) = (&watched.alone, watched.name());
    watched.govern();
    let agent = alone.pod(agent(alone, "agent"));
    programmed(alone, "mcppolicy/imaging", "True", "Programmed");
    let cut = installed::cut_off(alone, &agent.now());
    alone.apply(policy("imaging", "agent", &rules(&["get_*"])));
    let policy = format!("{namespace}/imaging");
    watched.fires("ReevePolicyNotInForce", &[("policy", &policy)]);
    watched.fires("ReeveSidecarDisconnected", &[("namespace", &namespace)]);
    watched.shows("fleet.json, panel Sidecars cut off", Some(1.0));
    watched.shows("workload.json, panel Cut off", Some(1.0));
    drop(cut);
    watched.resolves("ReevePolicyNotInForce", &[("policy", &policy)]);
    watched.resolves("ReeveSidecarDisconnected", &[("namespace", &namespace)]);
}

#[test]
fn an_operator_that_is_gone_and_all_that_needs_it_are_told_until_it_is_back() {
    let watched = Watched::new();
    let (alone, namespace) = (&watched.alone, watched.name());
    watched.govern();
    // Admitted while the operator is there, started when it is not.
    alone.apply(held(agent(alone, "agent")));
    let gone = installed::operator_gone(alone);
    let agent = Pod::named(alone, "agent");
    agent.released();
    assert!(call(&agent, "list_datastores").starts_with("deny: "));
    watched.fires("ReeveOperatorWithoutLeader", &[]);
    watched.fires("ReeveSidecarWithoutConfiguration", &[("namespace", &namespace), ("workload", "agent")]);
    watched.shows("fleet.json, panel Sidecars without configuration", Some(1.0));
    watched.shows("workload.json, panel Without configuration", Some(1.0));
    // Who would know of pods without a sidecar and of policies is gone.
    watched.shows("fleet.json, panel Pods without a sidecar, at least", None);
    watched.shows("fleet.json, panel Policies not in force", None);
    let own = [("webhook", "namespace.inject.reeve.dev")];
    within(PATIENCE, "ReeveWebhookFailing fires", || {
        // As a controller would, if seconds were minutes.
        alone.refused(clinic::agent(alone, "second"));
        watched.is_firing("ReeveWebhookFailing", &own).then_some(())
    });
    let query = format!("sum by (reason) (reeve_calls_total{{namespace=\"{namespace}\"}})");
    let reasons = watched.prometheus.ask(&query);
    assert!(reasons.iter().any(|series| series.labels["reason"] == "NoConfiguration"), "{reasons:?}");
    drop(gone);
    for alert in ["ReeveOperatorWithoutLeader", "ReeveSidecarWithoutConfiguration", "ReeveWebhookFailing"] {
        watched.resolves(alert, &[]);
    }
}

#[test]
fn every_alert_is_made_to_fire_here() {
    let here = [include_str!("alarms.rs"), include_str!("alarms/log.rs"), include_str!("alarms/release.rs")].concat();
    for alert in alerts() {
        let is_made = here.contains(&format!("fires(\"{}\"", alert.name))
            || here.contains(&format!("is_firing(\"{}\"", alert.name));
        assert!(is_made, "{} is not", alert.name);
    }
}
