//! The status of a server: who is given it, and whether its sidecars have the Secrets and ConfigMaps that it names.
//!
//! The operator sees no Secret: what it knows of them is what sidecars said.

use jiff::Timestamp;
use reeve_crds::conditions::{ServerCondition, ServerReason};
use reeve_crds::v1alpha1::{ConditionStatus, KeyRefKind, McpServerSpec, ServerStatus};
use reeve_wire::document::Mounts;
use reeve_wire::message::{self, ServerState};

use super::conditions::{Conditions, count};
use super::names::{Form, Named, PodName, counted};
use crate::world::{PodView, Protection, ServerView};

/// The word of a server that names nothing to be mounted.
const NOTHING: &str = "none";

/// What one pod with a sidecar says of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    /// It has what the server names.
    Resolved,
    /// It was not given what the server names, and is when it is restarted.
    Stale,
    /// It lacks something; what.
    Wrong(Lack, String),
    /// It cannot use the server at all; why.
    Useless(String),
    /// It has said nothing of this generation yet.
    Silent,
}

/// What a sidecar may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lack {
    Secret,
    Key,
    Certificate,
}

/// How a word is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Resolved,
    Stale,
    Lacks(Lack),
    Useless,
    Silent,
}

/// What all pods of the server's namespace say, as far as it is counted: a byte each, since there may be thousands of servers and of
/// pods. The words themselves are looked up when they are told.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// By the pod's seat.
    sorts: Vec<Option<Sort>>,
    resolved: usize,
    stale: usize,
    lacking: [usize; 3],
    useless: usize,
    silent: usize,
}

/// The words of the first pods by name that miss something.
#[derive(Debug, Default)]
pub(crate) struct Amiss {
    stale: Named<()>,
    wrong: Option<(Lack, Named<String>)>,
    useless: Named<String>,
}

impl Word {
    /// Of a pod; none of one without a sidecar, and of one that is ending.
    pub(crate) fn of(pod: &PodView, said: &[ServerState], server: &ServerView) -> Option<Self> {
        let Protection::Sidecar { mounts, .. } = &pod.protection else { return None };
        let spec = server.spec.as_ref().ok().filter(|_| !pod.is_terminating)?;
        let named = Mounts::of(spec);
        let mounted = mounts.get(&*server.name).map_or(NOTHING, String::as_str);
        if named.as_str() != NOTHING && named.as_str() != mounted {
            return Some(Self::Stale);
        }
        let state = said.iter().find(|state| state.uid == server.uid && state.generation == server.generation);
        let Some(state) = state else { return Some(Self::Silent) };
        let message = || state.message.clone();
        Some(match state.reason {
            message::ServerReason::Resolved => Self::Resolved,
            message::ServerReason::RestartNeeded => Self::Stale,
            message::ServerReason::SecretMissing => Self::Wrong(Lack::Secret, message()),
            message::ServerReason::KeyMissing => Self::Wrong(Lack::Key, message()),
            message::ServerReason::CertificateInvalid => Self::Wrong(Lack::Certificate, message()),
            message::ServerReason::UrlInvalid | message::ServerReason::Other => Self::Useless(message()),
        })
    }
}

impl Word {
    fn sort(&self) -> Sort {
        match self {
            Self::Resolved => Sort::Resolved,
            Self::Stale => Sort::Stale,
            Self::Wrong(lack, _) => Sort::Lacks(*lack),
            Self::Useless(_) => Sort::Useless,
            Self::Silent => Sort::Silent,
        }
    }

    fn why(self) -> String {
        match self {
            Self::Wrong(_, why) | Self::Useless(why) => why,
            Self::Resolved | Self::Stale | Self::Silent => String::new(),
        }
    }
}

impl Tally {
    /// Counts what the pod of this seat says, instead of what it said before. Whether that may be a difference: of what it misses the
    /// words may be others.
    pub(crate) fn set(&mut self, seat: u32, word: Option<&Word>) -> bool {
        let (seat, sort) = (seat as usize, word.map(Word::sort));
        if sort.is_some() && self.sorts.len() <= seat {
            self.sorts.resize(seat + 1, None);
        }
        let old = self.sorts.get_mut(seat).and_then(|old| std::mem::replace(old, sort));
        if let Some(count) = old.map(|old| self.count(old)) {
            *count -= 1;
        }
        if let Some(count) = sort.map(|sort| self.count(sort)) {
            *count += 1;
        }
        old != sort || matches!(sort, Some(Sort::Lacks(_) | Sort::Useless))
    }

    fn count(&mut self, sort: Sort) -> &mut usize {
        match sort {
            Sort::Resolved => &mut self.resolved,
            Sort::Stale => &mut self.stale,
            Sort::Lacks(lack) => &mut self.lacking[lack as usize],
            Sort::Useless => &mut self.useless,
            Sort::Silent => &mut self.silent,
        }
    }

    /// How many pods are given the server.
    pub(crate) fn pods(&self) -> usize {
        self.resolved + self.stale + self.lacking.iter().sum::<usize>() + self.useless + self.silent
    }

    /// The first thing that pods lack, in the order in which that is told, and how many lack it.
    fn lack(&self) -> Option<(Lack, usize)> {
        let all = [Lack::Secret, Lack::Key, Lack::Certificate];
        all.into_iter().zip(self.lacking).find(|(_, count)| *count > 0)
    }

    /// Whether nothing is known to be amiss and some pods were not heard of in this generation.
    pub(crate) fn is_merely_silent(&self) -> bool {
        self.silent > 0 && self.stale == 0 && self.lack().is_none() && self.useless == 0
    }
}

impl Amiss {
    /// Of a server's tally. `pods` are those of its namespace with their seats, `said` is what one says of the server.
    pub(crate) fn of<'a, Pods>(tally: &Tally, pods: &dyn Fn() -> Pods, said: &dyn Fn(&PodName) -> Option<Word>) -> Self
    where
        Pods: Iterator<Item = (u32, &'a PodName)>,
    {
        let first = |sort: Sort, count: usize| {
            let mut first = Named::default();
            if count > 0 {
                let is_of_it = |seat: u32| tally.sorts.get(seat as usize).copied().flatten() == Some(sort);
                for (_, pod) in pods().filter(|(seat, _)| is_of_it(*seat)) {
                    first.add(1, [pod], &());
                }
            }
            first
        };
        let with_words = |pods: &Named<()>| {
            let mut told = Named::default();
            for (pod, ()) in pods.named() {
                told.add(1, [pod], &said(pod).map(Word::why).unwrap_or_default());
            }
            told.count = pods.count;
            told
        };
        Self {
            stale: first(Sort::Stale, tally.stale),
            wrong: tally.lack().map(|(lack, count)| (lack, with_words(&first(Sort::Lacks(lack), count)))),
            useless: with_words(&first(Sort::Useless, tally.useless)),
        }
    }
}

/// The status of a server, after the one that it has.
pub(crate) fn status(
    server: &ServerView,
    tally: &Tally,
    amiss: &Amiss,
    present: &ServerStatus,
    now: Timestamp,
) -> ServerStatus {
    let mut conditions = Conditions::after(&present.conditions, server.generation, now);
    let (accepted, reason, message) = accepted(server, amiss);
    conditions.add(ServerCondition::Accepted.as_str(), accepted, reason.as_str(), message);
    if server.spec.is_ok() {
        let (resolved, reason, message) = resolved(server, tally, amiss);
        conditions.add(ServerCondition::ResolvedRefs.as_str(), resolved, reason.as_str(), message);
    }
    ServerStatus {
        observed_generation: Some(server.generation),
        conditions: conditions.into_list(),
        pods: count(tally.pods()),
        stale_pods: count(tally.stale),
    }
}

fn accepted(server: &ServerView, amiss: &Amiss) -> (ConditionStatus, ServerReason, String) {
    if let Err(why) = &server.spec {
        let message = format!("{why}; no sidecar is given this server until that is corrected");
        return (ConditionStatus::False, ServerReason::Invalid, message);
    }
    if !amiss.useless.is_empty() {
        let pods = amiss.useless.phrases(Form::Name, |pod, why| format!("{pod} cannot use it: {why}"));
        return (ConditionStatus::False, ServerReason::Invalid, pods);
    }
    (ConditionStatus::True, ServerReason::Accepted, "sidecars are given it".into())
}

fn resolved(server: &ServerView, tally: &Tally, amiss: &Amiss) -> (ConditionStatus, ServerReason, String) {
    if let Some((lack, pods)) = &amiss.wrong {
        let reason = match lack {
            Lack::Secret => ServerReason::SecretMissing,
            Lack::Key => ServerReason::KeyMissing,
            Lack::Certificate => ServerReason::CertificateInvalid,
        };
        let lacking = pods.phrases(Form::Name, |pod, why| format!("{pod}: {why}"));
        let names = server.spec.as_ref().map(|spec| references(spec)).unwrap_or_default();
        return (ConditionStatus::False, reason, format!("{lacking}. The server names {}", names.join(", ")));
    }
    if !amiss.stale.is_empty() {
        let message = format!(
            "{} started before this server named what it names now, and reach it only once they are restarted: {}",
            counted(amiss.stale.count, "pod"),
            amiss.stale.list(Form::Name)
        );
        return (ConditionStatus::False, ServerReason::RestartNeeded, message);
    }
    let names_nothing = server.spec.as_ref().is_ok_and(|spec| Mounts::of(spec).as_str() == NOTHING);
    if names_nothing {
        return (ConditionStatus::True, ServerReason::Resolved, "it names no Secret and no ConfigMap".into());
    }
    let (pods, silent) = (tally.pods(), tally.silent);
    if pods == 0 {
        let message = "it is given to no pod, so that no sidecar has looked for what it names".into();
        return (ConditionStatus::Unknown, ServerReason::NotReported, message);
    }
    if silent > 0 {
        let message = format!("{silent} of {} have not reported on this generation yet", counted(pods, "sidecar"));
        return (ConditionStatus::Unknown, ServerReason::NotReported, message);
    }
    let message = format!("{} found what it names", counted(pods, "sidecar"));
    (ConditionStatus::True, ServerReason::Resolved, message)
}

/// What a server names, each with the field that does: a sidecar has files, and speaks of fields.
fn references(spec: &McpServerSpec) -> Vec<String> {
    let key = |kind: &str, name: &str, key: &str, field: &str| format!("{kind} {name} (key {key}) as {field}");
    let tls = spec.tls.as_ref();
    let bundle = tls.and_then(|tls| tls.ca_bundle.as_ref()).map(|bundle| {
        let kind = match bundle.kind {
            KeyRefKind::ConfigMap => "ConfigMap",
            KeyRefKind::Secret => "Secret",
        };
        key(kind, &bundle.name, &bundle.key, "tls.caBundle")
    });
    let certificate = tls.and_then(|tls| tls.client_certificate.as_ref());
    let certificate = certificate.map(|secret| format!("Secret {} as tls.clientCertificate", secret.name));
    let credential = spec.credentials.as_ref().map(|credentials| &credentials.secret_ref);
    let credential = credential.map(|secret| key("Secret", &secret.name, &secret.key, "credentials.secretRef"));
    [bundle, certificate, credential].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_pod_says_of_a_server_takes_a_byte() {
        assert_eq!(size_of::<Option<Sort>>(), 1);
    }

    fn word() -> impl Strategy<Value = Option<Word>> {
        let why = || "[ab]{1}";
        prop_oneof![
            Just(None),
            Just(Some(Word::Resolved)),
            Just(Some(Word::Stale)),
            Just(Some(Word::Silent)),
            why().prop_map(|why| Some(Word::Wrong(Lack::Secret, why))),
            why().prop_map(|why| Some(Word::Wrong(Lack::Certificate, why))),
            why().prop_map(|why| Some(Word::Useless(why))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_the_pods_say_now(said in prop::collection::vec((0..6_u32, word()), 0..40)) {
            let names: Vec<PodName> = ["d", "a", "f", "c", "b", "e"]
                .map(|name| PodName { namespace: "clinic".into(), name: name.into(), uid: name.into() })
                .into();
            let (mut tally, mut words) = (Tally::default(), vec![None; names.len()]);
            for (seat, word) in said {
                let differs = words[seat as usize] != word;
                prop_assert!(tally.set(seat, word.as_ref()) || !differs);
                words[seat as usize] = word;
            }
            let spoken = || names.iter().zip(&words).filter_map(|(name, word)| Some((name, word.as_ref()?)));
            prop_assert_eq!(tally.pods(), spoken().count());
            let amiss = Amiss::of(&tally, &|| (0..).zip(&names), &|pod| {
                spoken().find(|(name, _)| *name == pod).map(|(_, word)| word.clone())
            });
            let told = |which: &dyn Fn(&Word) -> bool| {
                let mut told = Named::default();
                for (name, word) in spoken().filter(|(_, word)| which(word)) {
                    told.add(1, [name], &word.clone().why());
                }
                told.phrases(Form::Name, |pod, why| format!("{pod}: {why}"))
            };
            let phrases = |named: &Named<String>| named.phrases(Form::Name, |pod, why| format!("{pod}: {why}"));
            prop_assert_eq!(phrases(&amiss.useless), told(&|word| matches!(word, Word::Useless(_))));
            let lacks = |lack: Lack| told(&move |word| matches!(word, Word::Wrong(of, _) if *of == lack));
            let wrong = amiss.wrong.as_ref().map(|(_, named)| phrases(named)).unwrap_or_default();
            let secret = lacks(Lack::Secret);
            prop_assert_eq!(wrong, if secret.is_empty() { lacks(Lack::Certificate) } else { secret });
            let stale = spoken().filter(|(_, word)| **word == Word::Stale).count();
            prop_assert_eq!((amiss.stale.count, tally.stale), (stale, stale));
        }
    }
}
