//! Conditions that keep the time of their last transition.

use jiff::Timestamp;
use reeve_crds::conditions::set_condition;
use reeve_crds::v1alpha1::{Condition, ConditionStatus};

/// The longest message, in bytes: whatever a policy or a sidecar says must fit where it is written.
const LONGEST: usize = 4_096;

/// Makes the conditions of one object, after those that it has.
#[derive(Debug)]
pub(crate) struct Conditions<'a> {
    present: &'a [Condition],
    generation: i64,
    now: Timestamp,
    made: Vec<Condition>,
}

impl<'a> Conditions<'a> {
    pub(crate) fn after(present: &'a [Condition], generation: i64, now: Timestamp) -> Self {
        Self { present, generation, now, made: Vec::new() }
    }

    /// Adds one.
    pub(crate) fn add(&mut self, kind: &str, status: ConditionStatus, reason: &str, message: String) {
        let condition = Condition {
            kind: kind.into(),
            status,
            observed_generation: self.generation,
            last_transition_time: self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            reason: reason.into(),
            message: bounded(message),
        };
        self.made.extend(self.present.iter().find(|present| present.kind == kind).cloned());
        set_condition(&mut self.made, condition);
    }

    pub(crate) fn into_list(self) -> Vec<Condition> {
        self.made
    }
}

fn bounded(mut message: String) -> String {
    if message.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| message.is_char_boundary(*end)).unwrap_or_default();
        message.truncate(end);
        message.push('…');
    }
    message
}

/// The condition of a type.
pub(crate) fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// A number of pods, as statuses hold it.
pub(crate) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
