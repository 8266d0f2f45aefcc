//! Pods in a sentence: counted, and the first of them named.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use reeve_wire::Uid;

/// How many are named.
const MOST_NAMED: usize = 3;

/// A pod in the order in which it is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PodName {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) uid: Uid,
}

/// How pods are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `agent-0`, where the namespace is known.
    Name,
    /// `clinic/agent-0`.
    Full,
}

/// Some pods, each with what is said of it: all are counted, the first in order are kept.
#[derive(Clone, Debug)]
pub(crate) struct Named<T> {
    pub(crate) count: usize,
    first: BTreeSet<(PodName, T)>,
}

impl<T: Ord> Default for Named<T> {
    fn default() -> Self {
        Self { count: 0, first: BTreeSet::new() }
    }
}

impl<T: Ord + Clone> Named<T> {
    /// Adds pods in their order, of all of which the same is said.
    pub(crate) fn add<'a>(&mut self, count: usize, pods: impl IntoIterator<Item = &'a PodName>, said: &T) {
        self.count += count;
        self.first.extend(pods.into_iter().take(MOST_NAMED).map(|pod| (pod.clone(), said.clone())));
        while self.first.len() > MOST_NAMED {
            self.first.pop_last();
        }
    }

    /// The pods that are named.
    pub(crate) fn named(&self) -> impl Iterator<Item = &(PodName, T)> {
        self.first.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// One phrase a pod, and how many more there are.
    pub(crate) fn phrases(&self, form: Form, mut phrase: impl FnMut(&str, &T) -> String) -> String {
        let mut phrases: Vec<_> = self.first.iter().map(|(pod, said)| phrase(&pod.show(form), said)).collect();
        let more = self.count.saturating_sub(self.first.len());
        if more > 0 {
            phrases.push(format!("and {more} more"));
        }
        phrases.join(", ")
    }

    /// The pods alone.
    pub(crate) fn list(&self, form: Form) -> String {
        self.phrases(form, |pod, _| pod.to_owned())
    }
}

impl PodName {
    fn show(&self, form: Form) -> String {
        match form {
            Form::Name => self.name.to_string(),
            Form::Full => self.to_string(),
        }
    }
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// `1 pod`, `2 pods`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_are_named_and_the_others_counted() {
        let pods: Vec<_> = ["e", "a", "d", "b", "c"]
            .map(|name| PodName { namespace: "clinic".into(), name: name.into(), uid: name.into() })
            .into();
        let mut some = Named::default();
        for pod in &pods {
            some.add(1, [pod], &());
        }
        assert_eq!(some.list(Form::Name), "a, b, c, and 2 more");
        assert_eq!(some.list(Form::Full), "clinic/a, clinic/b, clinic/c, and 2 more");
        let mut one = Named::default();
        one.add(1, [&pods[1]], &());
        assert_eq!(
            (one.list(Form::Name), counted(1, "pod"), counted(0, "pod")),
            ("a".into(), "1 pod".into(), "0 pods".into())
        );
    }
}
