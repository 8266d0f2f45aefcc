//! Figures: what panels answer in small made-up worlds, of which it is known what is right.

use reeve_tests::monitoring::dashboards::queries;
use reeve_tests::monitoring::promql::{self, Filling};

use super::world::{self, World};

/// What a query of a panel answers: labels as Prometheus writes them, and values.
fn shown(world: &World, panel: &str, name: &str, filling: &Filling<'_>) -> Vec<(String, f64)> {
    let queries = queries();
    let query = queries.iter().find(|query| query.place.starts_with(panel) && query.name == name);
    let query = query.unwrap_or_else(|| panic!("there is no query {name} of {panel}"));
    let asked = promql::filled(&query.expr, filling);
    let answers = world::ask(world, std::slice::from_ref(&asked));
    let answer = answers.get(&asked).map_or(&[][..], Vec::as_slice);
    answer.iter().map(|series| (series.labels.clone(), series.value)).collect()
}

/// What stands alone on a page; none if nothing does.
fn figure(world: &World, panel: &str, filling: &Filling<'_>) -> Option<f64> {
    let answer = shown(world, panel, "A", filling);
    assert!(answer.len() < 2, "{panel}: {answer:?}");
    answer.first().map(|(_, value)| *value)
}

/// Whether these are the values, each to within a hundredth.
fn are(shown: &[(String, f64)], expected: &[(&str, f64)]) {
    let mut shown = shown.to_vec();
    shown.sort_by(|one, other| one.0.cmp(&other.0));
    let is_so =
        |(is, should): (&(String, f64), &(&str, f64))| is.0 == should.0 && (is.1 - should.1).abs() <= 0.01 * should.1;
    assert!(shown.len() == expected.len() && shown.iter().zip(expected).all(is_so), "{shown:?}\nare not {expected:?}");
}

/// How many refused calls of an agent the table of Fleet has for the last hour, of two, if its counter went so.
fn refused(counter: &str) -> f64 {
    let series =
        "reeve_calls_total{namespace=\"clinic\",workload=\"agent\",pod=\"agent-1\",decision=\"deny\",mode=\"Enforce\"}";
    let shown = shown(
        &World::of(&[(series, counter)]),
        "fleet.json, panel Workloads that are refused most",
        "A",
        &Filling::default(),
    );
    shown.first().map_or(0.0, |(_, value)| *value)
}

#[test]
fn a_table_has_the_calls_of_a_sidecar_that_was_restarted() {
    let restarted = refused("_x70 0+10x30 0+1x18");
    assert!((315.0..340.0).contains(&restarted), "300 and 18 calls were refused, and {restarted} are shown");
    let known_before = refused("500+10x90 0+1x28");
    assert!((315.0..340.0).contains(&known_before), "300 and 28 calls were refused, and {known_before} are shown");
}

#[test]
fn a_table_has_no_calls_from_before_the_time_shown_after_a_gap_of_scrapes() {
    let refused = refused("1000000+1x50 _x20 1000071+1x48");
    assert!((45.0..65.0).contains(&refused), "about 50 calls were refused, and {refused} are shown");
}

#[test]
fn a_table_is_exact_of_what_began_in_the_time_shown() {
    for (counter, exact) in [("_x119 1", 1.0), ("_x80 0x20 7x20", 7.0), ("_x80 3 3 5 9x30", 9.0)] {
        assert!((refused(counter) - exact).abs() < 1e-9, "{counter}: {} are shown", refused(counter));
    }
}

/// Four sidecars: one is well, one was never given a configuration, one is cut off, and one refused its newest.
const SIDECARS: [(&str, &str); 16] = [
    (r#"reeve_config_generation{namespace="clinic",workload="agent",pod="a-1",instance="1"}"#, "4x120"),
    (r#"reeve_config_connected{namespace="clinic",workload="agent",pod="a-1",instance="1"}"#, "1x120"),
    (r#"reeve_config_last_reload_successful{namespace="clinic",workload="agent",pod="a-1",instance="1"}"#, "1x120"),
    (r#"process_start_time_seconds{namespace="clinic",workload="agent",pod="a-1",instance="1"}"#, "7x80 8x20 9x20"),
    (r#"reeve_config_generation{namespace="clinic",workload="agent",pod="a-2",instance="2"}"#, "0x120"),
    (r#"reeve_config_connected{namespace="clinic",workload="agent",pod="a-2",instance="2"}"#, "0x120"),
    (r#"reeve_config_last_reload_successful{namespace="clinic",workload="agent",pod="a-2",instance="2"}"#, "0x120"),
    (r#"process_start_time_seconds{namespace="clinic",workload="agent",pod="a-2",instance="2"}"#, "7x120"),
    (r#"reeve_config_generation{namespace="clinic",workload="other",pod="b-1",instance="3"}"#, "7x120"),
    (r#"reeve_config_connected{namespace="clinic",workload="other",pod="b-1",instance="3"}"#, "0x120"),
    (r#"reeve_config_last_reload_successful{namespace="clinic",workload="other",pod="b-1",instance="3"}"#, "1x120"),
    (r#"reeve_config_generation{namespace="lab",workload="agent",pod="c-1",instance="4"}"#, "3x120"),
    (r#"reeve_config_connected{namespace="lab",workload="agent",pod="c-1",instance="4"}"#, "1x120"),
    (r#"reeve_config_last_reload_successful{namespace="lab",workload="agent",pod="c-1",instance="4"}"#, "0x120"),
    (r#"process_start_time_seconds{namespace="lab",workload="agent",pod="c-1",instance="4"}"#, "5x90 6x30"),
    (r#"process_start_time_seconds{namespace="lab",workload="database",pod="d-1",instance="5"}"#, "5+1x120"),
];

#[test]
fn sidecars_with_which_something_is_wrong_are_counted() {
    let world = World::of(&SIDECARS);
    let everywhere = Filling::default();
    let lab = Filling { namespace: "lab", ..everywhere };
    let agent = Filling { namespace: "clinic", workload: "agent", ..everywhere };
    for (panel, of_all, of_lab) in [
        ("fleet.json, panel Sidecars", 4.0, 1.0),
        ("fleet.json, panel Sidecars without configuration", 1.0, 0.0),
        ("fleet.json, panel Sidecars cut off", 2.0, 0.0),
        ("fleet.json, panel Configurations refused", 1.0, 1.0),
        ("workload.json, panel Restarts", 3.0, 1.0),
    ] {
        assert_eq!(figure(&world, panel, &everywhere), Some(of_all), "{panel}");
        assert_eq!(figure(&world, panel, &lab), Some(of_lab), "{panel} of lab");
    }
    for (panel, of_agent) in [("Sidecars", 2.0), ("Without configuration", 1.0), ("Cut off", 1.0), ("Restarts", 2.0)] {
        let panel = format!("workload.json, panel {panel}");
        assert_eq!(figure(&world, &panel, &agent), Some(of_agent), "{panel} of clinic's agent");
    }
}

/// Of each policy the pods that are programmed, reconciling, unprotected, and unrouted.
fn policies() -> World {
    let policies = [
        ("clinic", "imaging", [3, 1, 1, 0]),
        ("clinic", "exports", [0, 0, 2, 0]),
        ("lab", "sound", [5, 0, 0, 1]),
        ("lab", "whole", [3, 0, 0, 0]),
        ("", "no-deletes", [4, 0, 1, 0]),
    ];
    let states = ["programmed", "reconciling", "unprotected", "unrouted"];
    let series: Vec<(String, String)> = policies
        .iter()
        .flat_map(|(namespace, policy, pods)| states.iter().zip(pods).map(move |pods| (namespace, policy, pods)))
        .map(|(namespace, policy, (state, pods))| {
            let labels = format!("namespace=\"{namespace}\",policy=\"{policy}\",state=\"{state}\"");
            (format!("reeve_policy_pods{{{labels}}}"), format!("{pods}x120"))
        })
        .collect();
    let series: Vec<(&str, &str)> = series.iter().map(|(series, values)| (&**series, &**values)).collect();
    World::of(&series)
}

#[test]
fn pods_without_a_sidecar_and_policies_that_are_not_in_force_are_those_of_what_is_chosen() {
    let world = policies();
    let everywhere = Filling::default();
    for (namespace, without, not_in_force) in [(".*", 2.0, 4.0), ("clinic", 2.0, 3.0), ("lab", 0.0, 2.0)] {
        let chosen = Filling { namespace, ..everywhere };
        assert_eq!(figure(&world, "fleet.json, panel Pods without a sidecar", &chosen), Some(without), "{namespace}");
        assert_eq!(
            figure(&world, "fleet.json, panel Policies not in force", &chosen),
            Some(not_in_force),
            "{namespace}"
        );
    }
}

#[test]
fn pods_by_state_are_those_of_the_policy_that_is_chosen() {
    let imaging = Filling { namespace: "clinic", policy: "clinic/imaging", ..Filling::default() };
    let shown = shown(&policies(), "policy.json, panel Pods by state", "A", &imaging);
    let [programmed, reconciling] = [r#"state="programmed""#, r#"state="reconciling""#];
    let [unprotected, unrouted] = [r#"state="unprotected""#, r#"state="unrouted""#];
    are(&shown, &[(programmed, 3.0), (reconciling, 1.0), (unprotected, 1.0), (unrouted, 0.0)]);
}

#[test]
fn shares_are_of_the_calls_that_were_made() {
    let calls =
        [("clinic", "Enforce", "allow", 18), ("clinic", "Enforce", "deny", 3), ("clinic", "Enforce", "limited", 3)];
    let observed = [("clinic", "Audit", "allow", 27), ("clinic", "Audit", "deny", 3), ("lab", "Enforce", "allow", 6)];
    let series: Vec<(String, String)> = calls
        .iter()
        .chain(&observed)
        .map(|(namespace, mode, decision, each_minute)| {
            let labels = format!("namespace=\"{namespace}\",mode=\"{mode}\",decision=\"{decision}\"");
            let policy = format!("policy=\"{namespace}/imaging\",rule=\"all\"");
            (format!("reeve_calls_total{{{labels},{policy}}}"), format!("0+{each_minute}x120"))
        })
        .collect();
    let series: Vec<(&str, &str)> = series.iter().map(|(series, values)| (&**series, &**values)).collect();
    let world = World::of(&series);
    let share = shown(&world, "fleet.json, panel Share refused", "A", &Filling::default());
    are(&share, &[(r#"namespace="clinic""#, 0.25)]);
    let imaging = Filling { policy: "clinic/imaging", ..Filling::default() };
    are(&shown(&world, "policy.json, panel Share that would be refused", "A", &imaging), &[("", 0.1)]);
    let never_called = Filling { policy: "lab/imaging", ..imaging };
    assert_eq!(figure(&world, "policy.json, panel Share that would be refused", &never_called), None);
}

#[test]
fn a_limit_is_as_full_as_it_was_at_its_fullest_and_for_as_long() {
    // In half of the hour, and 0.8 in another pod for a quarter of it.
    let world = World::of(&[
        (
            r#"reeve_limit_usage_ratio{namespace="clinic",pod="a",policy="clinic/p",rule="r",counter="c"}"#,
            "0.2x89 0.95x30",
        ),
        (
            r#"reeve_limit_usage_ratio{namespace="clinic",pod="b",policy="clinic/p",rule="r",counter="c"}"#,
            "0.4x74 0.8x15 0.4x29",
        ),
    ]);
    let labels = r#"counter="c", policy="clinic/p", rule="r""#;
    for (name, expected) in [("A", 0.95), ("B", 0.51), ("C", 0.77), ("D", 0.77)] {
        let shown = shown(&world, "policy.json, panel How full", name, &Filling::default());
        let [(of, value)] = &shown[..] else { panic!("{name}: {shown:?}") };
        assert!(of == labels && (value - expected).abs() < 0.02, "{name} is {shown:?}, not {expected}");
    }
}

#[test]
fn injections_and_the_time_until_a_change_is_in_force_are_those_of_the_operator() {
    let world = World::of(&[
        (r#"reeve_injections_total{pod="o",outcome="injected",reason="Injected"}"#, "0+6x120"),
        (r#"reeve_injections_total{pod="o",outcome="error",reason="NamespaceUnknown"}"#, "0+3x120"),
        (r#"reeve_config_push_seconds_bucket{pod="o",le="0.1"}"#, "0+3x120"),
        (r#"reeve_config_push_seconds_bucket{pod="o",le="1"}"#, "0+6x120"),
        (r#"reeve_config_push_seconds_bucket{pod="o",le="+Inf"}"#, "0+6x120"),
    ]);
    let now = Filling::default();
    let injections = shown(&world, "operator.json, panel Injections", "A", &now);
    are(&injections, &[(r#"outcome="error""#, 0.05), (r#"outcome="injected""#, 0.1)]);
    for (name, seconds) in [("A", 0.1), ("B", 0.91), ("C", 0.982)] {
        are(&shown(&world, "operator.json, panel From a change", name, &now), &[("", seconds)]);
    }
}
