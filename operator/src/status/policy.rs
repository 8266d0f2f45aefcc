//! The status of a policy, and its words.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reeve_crds::conditions::{PolicyCondition, PolicyReason};
use reeve_crds::v1alpha1::{ConditionStatus, Mode, Policy, PolicyStatus};
use reeve_policy::compile::{Severity, Source};

use super::conditions::{Conditions, count};
use super::limits;
use super::names::{Form, counted};
use super::reach::{Away, Lag, Reach, Stuck};
use crate::plan::Excess;
use crate::world::PolicyView;

/// How many mistakes of a policy are told.
const MOST_TOLD: usize = 3;

/// What is said of a condition.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) status: ConditionStatus,
    pub(crate) reason: PolicyReason,
    pub(crate) message: String,
}

/// How a policy's pods are named: one that has a namespace governs only there.
pub(crate) fn form(policy: &PolicyView) -> Form {
    if policy.namespace.is_some() { Form::Name } else { Form::Full }
}

/// The status of a policy, after the one that it has.
pub(crate) fn status(policy: &PolicyView, reach: &Reach, present: &PolicyStatus, now: Timestamp) -> PolicyStatus {
    let mut conditions = Conditions::after(&present.conditions, policy.generation, now);
    let accepted = accepted(policy);
    let is_accepted = accepted.status == ConditionStatus::True;
    let programmed = if is_accepted { programmed(policy, reach) } else { not_accepted(policy) };
    let (limits, more) = if is_accepted { limits::apart(policy.policy(), reach) } else { (Vec::new(), 0) };
    let mut add = |kind: PolicyCondition, verdict: Verdict| {
        conditions.add(kind.as_str(), verdict.status, verdict.reason.as_str(), verdict.message);
    };
    add(PolicyCondition::Accepted, accepted);
    add(PolicyCondition::Programmed, programmed);
    if is_accepted {
        let (status, reason) = match limits.is_empty() {
            true => (ConditionStatus::True, PolicyReason::Exact),
            false => (ConditionStatus::False, PolicyReason::CountedPerPod),
        };
        add(PolicyCondition::LimitsExact, Verdict { status, reason, message: limits::message(&limits, more) });
    }
    PolicyStatus {
        observed_generation: Some(policy.generation),
        conditions: conditions.into_list(),
        matched_pods: count(reach.matched),
        programmed_pods: count(if is_accepted { reach.programmed } else { 0 }),
        unprotected_pods: count(reach.unprotected.count),
        unrouted_pods: count(reach.unrouted),
        limits,
    }
}

/// Whether it compiles.
pub(crate) fn accepted(policy: &PolicyView) -> Verdict {
    let refused = |reason, told: String| Verdict {
        status: ConditionStatus::False,
        reason,
        message: format!("{told}; {}", consequence(policy)),
    };
    if let Source::Unreadable { error, .. } = &policy.source {
        return refused(PolicyReason::Unreadable, format!("what is stored cannot be read: {error}"));
    }
    let told = |severity| {
        let problems = policy.problems.iter().filter(move |problem| problem.severity == severity);
        let all: Vec<_> = problems.map(|problem| format!("{}: {}", problem.pointer, problem.message)).collect();
        let more = all.len().saturating_sub(MOST_TOLD);
        let first = all.into_iter().take(MOST_TOLD).collect::<Vec<_>>().join("; ");
        if more > 0 { format!("{first}; and {more} more") } else { first }
    };
    let errors = told(Severity::Error);
    if !errors.is_empty() {
        return refused(PolicyReason::Invalid, errors);
    }
    let warnings = told(Severity::Warning);
    let message =
        if warnings.is_empty() { "it compiles".into() } else { format!("it compiles; perhaps not meant: {warnings}") };
    Verdict { status: ConditionStatus::True, reason: PolicyReason::Accepted, message }
}

fn mode(policy: &Policy) -> Mode {
    match policy {
        Policy::McpPolicy(object) => object.spec.mode,
        Policy::ClusterMcpPolicy(object) => object.spec.mode,
    }
}

/// What follows from its being wrong.
fn consequence(policy: &PolicyView) -> &'static str {
    match mode(policy.policy()) {
        Mode::Enforce => "every call of the pods that it governs is refused until it is corrected or deleted",
        Mode::Audit => "it observes nothing until it is corrected",
    }
}

fn not_accepted(policy: &PolicyView) -> Verdict {
    Verdict {
        status: ConditionStatus::False,
        reason: PolicyReason::PolicyInvalid,
        message: format!("the policy is not accepted, see the condition Accepted; {}", consequence(policy)),
    }
}

/// Whether every pod that it governs enforces this generation.
fn programmed(policy: &PolicyView, reach: &Reach) -> Verdict {
    let is_behind = !reach.behind.is_empty() || !reach.away.is_empty() || !reach.too_large.is_empty();
    if reach.matched == 0 && !is_behind {
        return Verdict { status: ConditionStatus::Unknown, reason: PolicyReason::NoPods, message: no_pods(policy) };
    }
    let reason = if !reach.refused.is_empty() {
        PolicyReason::SidecarRefused
    } else if !reach.unprotected.is_empty() {
        PolicyReason::UnprotectedPods
    } else if !reach.too_large.is_empty() {
        PolicyReason::ConfigurationTooLarge
    } else if !reach.away.is_empty() {
        PolicyReason::NotConnected
    } else if !reach.behind.is_empty() {
        PolicyReason::Reconciling
    } else {
        PolicyReason::Programmed
    };
    let holds = reason == PolicyReason::Programmed;
    let status = if holds { ConditionStatus::True } else { ConditionStatus::False };
    Verdict { status, reason, message: message(policy, reach) }
}

fn no_pods(policy: &PolicyView) -> String {
    let yields = if policy.is_baseline() { " and has no enforcing McpPolicy" } else { "" };
    format!(
        "it governs no pod: none that has or should have a sidecar is selected, is given an McpServer that the policy names{yields}"
    )
}

/// Counts the pods and names those with which something is amiss.
fn message(policy: &PolicyView, reach: &Reach) -> String {
    let (form, generation) = (form(policy), policy.generation);
    let mut parts = Vec::new();
    if reach.sidecars() > 0 {
        let (programmed, sidecars) = (reach.programmed, counted(reach.sidecars(), "sidecar"));
        let verb = if reach.sidecars() == 1 { "runs" } else { "run" };
        parts.push(format!("{programmed} of {sidecars} {verb} generation {generation}"));
    }
    if !reach.refused.is_empty() {
        let refused = reach.refused.phrases(form, |pod, why| format!("{pod} cannot enforce it: {why}"));
        parts.push(format!("{refused}; a sidecar older than the operator is renewed by restarting its pod"));
    }
    if !reach.unprotected.is_empty() {
        let pods = reach.unprotected.list(form);
        parts.push(format!(
            "without a sidecar: {pods}; restart them, and see Events of their workload if they get none"
        ));
    }
    if !reach.too_large.is_empty() {
        let pods = reach.too_large.phrases(form, |pod, stuck| format!("{pod} {}", exceeding(stuck, generation)));
        let remedy = remedies(reach);
        parts.push(format!("{pods}; what its sidecar runs stays in force until that is less: {remedy}"));
    }
    if !reach.away.is_empty() {
        let pods = reach.away.phrases(form, |pod, away| format!("{pod} {}", absence(away, generation)));
        parts.push(format!("{pods}; see the log of its sidecar"));
    }
    if !reach.behind.is_empty() {
        parts.push(reach.behind.phrases(form, |pod, lag| format!("{pod} {}", lagging(*lag, generation))));
    }
    parts.join("; ")
}

fn lagging(lag: Lag, generation: i64) -> String {
    match lag {
        Lag::Silent => "has not reported yet".into(),
        Lag::Runs(runs) if runs > generation => format!("runs {runs} already"),
        Lag::Runs(runs) => format!("still runs {runs}"),
        Lag::Beside => "still runs it beside what has changed since".into(),
        Lag::Lingers(runs) => format!("still runs {runs}, though it is not governed any more"),
    }
}

fn exceeding(Stuck { lag, excess }: &Stuck, generation: i64) -> String {
    let runs = match lag {
        Lag::Silent => String::new(),
        lag => format!("{}, and ", lagging(*lag, generation)),
    };
    let (has, what, most) = match excess {
        Excess::Bytes { has, most } => (has, "bytes of servers and policies", most),
        Excess::Policies { has, most } => (has, "policies", most),
        Excess::Servers { has, most } => (has, "servers", most),
        Excess::Namespace { has, most } => {
            return format!(
                "{runs}is not sent its configuration, which is not kept: the different ones of its namespace have {has} bytes in \
                 all, and at most {most} are kept, the shortest first"
            );
        }
    };
    format!("{runs}would have to be sent {has} {what}, and at most {most} can be")
}

/// What to do about pods that cannot be sent what they should.
fn remedies(reach: &Reach) -> String {
    let remedy = |(_, Stuck { excess, .. }): &(_, Stuck)| match excess {
        Excess::Namespace { .. } => {
            "let the policies of the namespace, and those of the cluster that select in it, be smaller or select more of its pods \
             alike, or move pods to another namespace"
        }
        _ => "let policies select fewer pods, or move servers to another namespace",
    };
    let remedies: BTreeSet<&str> = reach.too_large.named().map(remedy).collect();
    remedies.into_iter().collect::<Vec<_>>().join("; ")
}

fn absence(away: &Away, generation: i64) -> String {
    let Away { lag, heard } = away;
    match heard {
        Some(heard) => {
            let heard = heard.strftime("%Y-%m-%dT%H:%M:%SZ");
            format!("{} and is not connected since {heard}", lagging(*lag, generation))
        }
        None => "has never connected".into(),
    }
}
