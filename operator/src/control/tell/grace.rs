//! What a replica that begins to lead lets stand of the last leader's word, until it has heard of the sidecars itself.
//!
//! Sidecars come back one by one, and what they run did not change because the leader did: a status that was true is not taken back
//! for that. But nothing stands that was not said of exactly what is there now. A sidecar that acknowledged a generation never goes
//! back to an older one, so that the word of a policy holds as long as its generation and its pods are those that it was told of.

use jiff::{SignedDuration, Timestamp};
use reeve_crds::conditions::{PolicyCondition, ServerCondition};
use reeve_crds::v1alpha1::{Condition, ConditionStatus, PolicyStatus, ServerStatus};

use super::Known;
use crate::status::conditions::{count, find};
use crate::status::reach::Reach;
use crate::status::server::{Tally, Word};
use crate::world::{PolicyView, ServerView};

/// How long it waits. Sidecars try again after 5 s at most (`LONGEST_WAIT` of `sidecar::sync`), and are let in then; other replicas tell a
/// new leader what they know at once. Shorter than 10 s, within which every status is true again.
pub(in crate::control) const GRACE: SignedDuration = SignedDuration::from_secs(8);

/// Whether a policy's status says less than the present one only because sidecars were not heard of yet.
pub(super) fn policy_stands(
    view: &PolicyView,
    known: &Known<'_>,
    reach: &Reach,
    present: &PolicyStatus,
    status: &PolicyStatus,
) -> bool {
    let kind = PolicyCondition::Programmed.as_str();
    let is_accepted = state(&status.conditions, PolicyCondition::Accepted.as_str()) == Some(ConditionStatus::True);
    let is_of_this = present.observed_generation == status.observed_generation
        && present.matched_pods == status.matched_pods
        && is_accepted
        && reach.unheard > 0;
    let Some(told) = find(&present.conditions, kind).filter(|_| is_of_this) else { return false };
    match told.status {
        ConditionStatus::False => true,
        ConditionStatus::Unknown => false,
        ConditionStatus::True => {
            let silent = reach.behind.count + reach.away.count - reach.unheard;
            let is_amiss =
                silent > 0 || !reach.refused.is_empty() || !reach.too_large.is_empty() || !reach.unprotected.is_empty();
            // Of what a Baseline yields to nobody knows whether it is what it was when this was told.
            let groups = &known.configurations.groups;
            !is_amiss && !view.is_baseline() && known.are_all_of_before(groups.unheard(&view.uid), told)
        }
    }
}

/// As [`policy_stands`], of a server's.
pub(super) fn server_stands(
    view: &ServerView,
    known: &Known<'_>,
    tally: &Tally,
    present: &ServerStatus,
    status: &ServerStatus,
) -> bool {
    let kind = ServerCondition::ResolvedRefs.as_str();
    let is_of_this = present.observed_generation == status.observed_generation
        && tally.is_merely_silent()
        && state(&status.conditions, kind) == Some(ConditionStatus::Unknown);
    let Some(told) = find(&present.conditions, kind).filter(|_| is_of_this) else { return false };
    match told.status {
        ConditionStatus::False => true,
        ConditionStatus::Unknown => false,
        ConditionStatus::True => present.pods == count(tally.pods()) && known.are_silent_ones_of_before(view, told),
    }
}

impl Known<'_> {
    /// Whether none of these pods became what it is after this was told. Both times are in whole seconds: what was in the same
    /// second may have been after it.
    fn are_all_of_before<'a>(&self, mut pods: impl Iterator<Item = &'a reeve_wire::Uid>, told: &Condition) -> bool {
        let Ok(told) = told.last_transition_time.parse::<Timestamp>() else { return false };
        pods.all(|pod| self.configurations.members.get(pod).is_some_and(|member| member.since < told))
    }

    /// Whether the pods that say nothing of a server have said nothing at all, and were there when this was told.
    fn are_silent_ones_of_before(&self, server: &ServerView, told: &Condition) -> bool {
        let members = self.configurations.members.of_namespace(&server.namespace);
        let silent: Vec<_> = members
            .filter_map(|(uid, _)| {
                let said = self.reports.known(uid);
                let word =
                    Word::of(self.world.pods.get(uid)?, said.as_ref().map_or(&[][..], |said| &said.servers), server);
                (word == Some(Word::Silent)).then_some((uid, said.is_some()))
            })
            .collect();
        !silent.iter().any(|(_, has_spoken)| *has_spoken)
            && self.are_all_of_before(silent.into_iter().map(|(uid, _)| uid), told)
    }
}

fn state(conditions: &[Condition], kind: &str) -> Option<ConditionStatus> {
    find(conditions, kind).map(|condition| condition.status)
}
