//! Which status is written next: namespaces take turns, and within one what came first. So no namespace's statuses wait for all those
//! of another, however many there are and however often they change.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Instant;

use reeve_process::back_off::BackOff;

use super::{AT_ONCE, Target, Write};
use crate::kubernetes::back_off;

/// None: what has no namespace.
type Namespace = Option<Arc<str>>;

/// What is to be written, of each object the newest.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// What waits, and its turn within its namespace: a newer status has that of the one before.
    waiting: BTreeMap<Target, (u64, Write)>,
    /// Whose turn it is in each namespace that waits.
    turns: BTreeMap<Namespace, BTreeMap<u64, Target>>,
    /// The last turn that was given.
    given: u64,
    /// The namespace that had its turn last.
    last: Namespace,
    /// Objects whose status is on its way. Each write waits for the one before it.
    sent: BTreeMap<Target, BackOff>,
    /// When those that failed are tried again.
    retries: BTreeMap<Target, (Instant, BackOff)>,
}

impl Outbox {
    pub(super) fn put(&mut self, write: Write) {
        if let Some((_, waiting)) = self.waiting.get_mut(&write.target) {
            *waiting = write;
            return;
        }
        self.given += 1;
        let target = write.target.clone();
        self.turns.entry(target.namespace.clone()).or_default().insert(self.given, target.clone());
        self.waiting.insert(target, (self.given, write));
    }

    /// The next that may be sent now, if any.
    pub(super) fn next(&mut self, now: Instant) -> Option<Write> {
        if self.sent.len() >= AT_ONCE {
            return None;
        }
        let target = self.turn(now)?;
        self.last.clone_from(&target.namespace);
        let back_off = self.retries.remove(&target).map_or_else(back_off, |(_, back_off)| back_off);
        self.sent.insert(target.clone(), back_off);
        self.take(&target)
    }

    /// The first that may be sent, of the namespaces after the last one and then of those before.
    fn turn(&self, now: Instant) -> Option<Target> {
        let is_due = |target: &&Target| {
            !self.sent.contains_key(*target) && self.retries.get(*target).is_none_or(|(at, _)| now >= *at)
        };
        let after = self.turns.range((Excluded(&self.last), Unbounded));
        let mut namespaces = after.chain(self.turns.range(..=&self.last));
        namespaces.find_map(|(_, turns)| turns.values().find(is_due)).cloned()
    }

    fn take(&mut self, target: &Target) -> Option<Write> {
        let (turn, write) = self.waiting.remove(target)?;
        if let Some(turns) = self.turns.get_mut(&target.namespace) {
            turns.remove(&turn);
            if turns.is_empty() {
                self.turns.remove(&target.namespace);
            }
        }
        Some(write)
    }

    pub(super) fn succeeded(&mut self, write: &Write) {
        self.sent.remove(&write.target);
    }

    /// Puts it back, behind what waits, unless a newer one came or asking again cannot help.
    pub(super) fn failed(&mut self, write: Write, is_final: bool, now: Instant) {
        let Some(mut back_off) = self.sent.remove(&write.target) else { return };
        if is_final {
            return;
        }
        self.retries.insert(write.target.clone(), (now + back_off.wait(), back_off));
        if !self.waiting.contains_key(&write.target) {
            self.put(write);
        }
    }

    /// When the next one is due that is not yet.
    pub(super) fn due(&self) -> Option<Instant> {
        self.retries.values().map(|(at, _)| *at).min()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::PolicyStatusWrite;
    use reeve_crds::v1alpha1::PolicyStatus;

    fn of(namespace: Option<&str>, name: &str, matched_pods: i32) -> Write {
        let status = PolicyStatus { matched_pods, ..PolicyStatus::default() };
        let namespace = namespace.map(Into::into);
        Write::policy(PolicyStatusWrite { namespace, name: name.into(), uid: "u".into(), status }).unwrap()
    }

    fn write(name: &str, matched_pods: i32) -> Write {
        of(Some("clinic"), name, matched_pods)
    }

    fn pods(write: &Write) -> i64 {
        write.patch["status"]["matchedPods"].as_i64().unwrap()
    }

    #[test]
    fn of_each_object_only_the_newest_status_is_written_and_one_after_the_other() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.put(write("a", 1));
        outbox.put(write("a", 2));
        let first = outbox.next(now).unwrap();
        assert_eq!(pods(&first), 2);
        outbox.put(write("a", 3));
        assert!(outbox.next(now).is_none(), "the one before is on its way");
        outbox.succeeded(&first);
        assert_eq!(pods(&outbox.next(now).unwrap()), 3);
    }

    #[test]
    fn a_failed_status_is_tried_again_later_unless_a_newer_one_came() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.put(write("a", 1));
        let first = outbox.next(now).unwrap();
        outbox.failed(first, false, now);
        assert!(outbox.next(now).is_none());
        let due = outbox.due().unwrap();
        let again = outbox.next(due).unwrap();
        assert_eq!(pods(&again), 1);
        outbox.put(write("a", 2));
        outbox.failed(again, false, due);
        let due = outbox.due().unwrap();
        assert_eq!(pods(&outbox.next(due).unwrap()), 2);
    }

    #[test]
    fn what_cannot_be_written_is_dropped_and_never_more_than_so_many_are_on_their_way() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        outbox.put(write("gone", 1));
        let gone = outbox.next(now).unwrap();
        outbox.failed(gone, true, now);
        assert!(outbox.next(now).is_none() && outbox.due().is_none());
        for number in 0..40 {
            outbox.put(write(&format!("p{number}"), 1));
        }
        let sent: Vec<_> = std::iter::from_fn(|| outbox.next(now)).collect();
        assert_eq!(sent.len(), AT_ONCE);
    }

    #[test]
    fn no_namespaces_status_waits_for_all_those_of_another() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        for number in 0..5_000 {
            outbox.put(of(Some("a"), &format!("p{number:04}"), 1));
        }
        outbox.put(of(Some("clinic"), "imaging", 1));
        outbox.put(of(None, "no-deletes", 1));
        let mut sent = Vec::new();
        for round in 0..3 {
            // Those of the first namespace change all the while.
            outbox.put(of(Some("a"), &format!("p{round:04}"), 2));
            let write = outbox.next(now).unwrap();
            outbox.succeeded(&write);
            sent.push(write.target.name.to_string());
        }
        sent.sort();
        assert_eq!(sent, ["imaging", "no-deletes", "p0000"]);
    }

    #[test]
    fn within_a_namespace_what_came_first_is_written_first_though_others_change_all_the_while() {
        let (mut outbox, now) = (Outbox::default(), Instant::now());
        for name in ["z", "a", "b"] {
            outbox.put(write(name, 1));
        }
        let mut sent = Vec::new();
        for _ in 0..4 {
            let next = outbox.next(now).unwrap();
            outbox.succeeded(&next);
            sent.push(next.target.name.to_string());
            outbox.put(write("a", 2));
        }
        assert_eq!(sent, ["z", "a", "b", "a"]);
    }
}
