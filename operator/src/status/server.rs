//! The status of a server: who is given it, and whether its sidecars have the Secrets and ConfigMaps that it names.
//!
//! The operator sees no Secret: what it knows of them is what sidecars said.

use std::collections::{BTreeMap, BTreeSet};

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

/// The words of all pods of the server's namespace.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    words: BTreeMap<PodName, Word>,
    silent: usize,
    stale: BTreeSet<PodName>,
    wrong: BTreeMap<Lack, BTreeMap<PodName, String>>,
    useless: BTreeMap<PodName, String>,
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

impl Tally {
    /// Counts what a pod says, instead of what it said before. Whether that is a difference.
    pub(crate) fn set(&mut self, pod: &PodName, word: Option<Word>) -> bool {
        let old = self.words.remove(pod);
        if old == word {
            self.words.extend(word.map(|word| (pod.clone(), word)));
            return false;
        }
        match old {
            Some(Word::Silent) => self.silent -= 1,
            Some(Word::Stale) => {
                self.stale.remove(pod);
            }
            Some(Word::Wrong(lack, _)) => {
                if let Some(pods) = self.wrong.get_mut(&lack) {
                    pods.remove(pod);
                }
                self.wrong.retain(|_, pods| !pods.is_empty());
            }
            Some(Word::Useless(_)) => {
                self.useless.remove(pod);
            }
            Some(Word::Resolved) | None => {}
        }
        match &word {
            Some(Word::Silent) => self.silent += 1,
            Some(Word::Stale) => {
                self.stale.insert(pod.clone());
            }
            Some(Word::Wrong(lack, why)) => {
                self.wrong.entry(*lack).or_default().insert(pod.clone(), why.clone());
            }
            Some(Word::Useless(why)) => {
                self.useless.insert(pod.clone(), why.clone());
            }
            Some(Word::Resolved) | None => {}
        }
        self.words.extend(word.map(|word| (pod.clone(), word)));
        true
    }

    /// Whether nothing is known to be amiss and some pods were not heard of in this generation.
    pub(crate) fn is_merely_silent(&self) -> bool {
        self.silent > 0 && self.stale.is_empty() && self.wrong.is_empty() && self.useless.is_empty()
    }
}

/// The status of a server, after the one that it has.
pub(crate) fn status(server: &ServerView, tally: &Tally, present: &ServerStatus, now: Timestamp) -> ServerStatus {
    let mut conditions = Conditions::after(&present.conditions, server.generation, now);
    let (accepted, reason, message) = accepted(server, tally);
    conditions.add(ServerCondition::Accepted.as_str(), accepted, reason.as_str(), message);
    if server.spec.is_ok() {
        let (resolved, reason, message) = resolved(server, tally);
        conditions.add(ServerCondition::ResolvedRefs.as_str(), resolved, reason.as_str(), message);
    }
    ServerStatus {
        observed_generation: Some(server.generation),
        conditions: conditions.into_list(),
        pods: count(tally.words.len()),
        stale_pods: count(tally.stale.len()),
    }
}

fn accepted(server: &ServerView, tally: &Tally) -> (ConditionStatus, ServerReason, String) {
    if let Err(why) = &server.spec {
        let message = format!("{why}; no sidecar is given this server until that is corrected");
        return (ConditionStatus::False, ServerReason::Invalid, message);
    }
    if !tally.useless.is_empty() {
        let pods = named(&tally.useless).phrases(Form::Name, |pod, why| format!("{pod} cannot use it: {why}"));
        return (ConditionStatus::False, ServerReason::Invalid, pods);
    }
    (ConditionStatus::True, ServerReason::Accepted, "sidecars are given it".into())
}

fn resolved(server: &ServerView, tally: &Tally) -> (ConditionStatus, ServerReason, String) {
    if let Some((lack, pods)) = tally.wrong.first_key_value() {
        let reason = match lack {
            Lack::Secret => ServerReason::SecretMissing,
            Lack::Key => ServerReason::KeyMissing,
            Lack::Certificate => ServerReason::CertificateInvalid,
        };
        let lacking = named(pods).phrases(Form::Name, |pod, why| format!("{pod}: {why}"));
        let names = server.spec.as_ref().map(|spec| references(spec)).unwrap_or_default();
        return (ConditionStatus::False, reason, format!("{lacking}. The server names {}", names.join(", ")));
    }
    if !tally.stale.is_empty() {
        let mut stale = Named::default();
        stale.add(tally.stale.len(), &tally.stale, &());
        let message = format!(
            "{} started before this server named what it names now, and reach it only once they are restarted: {}",
            counted(tally.stale.len(), "pod"),
            stale.list(Form::Name)
        );
        return (ConditionStatus::False, ServerReason::RestartNeeded, message);
    }
    let names_nothing = server.spec.as_ref().is_ok_and(|spec| Mounts::of(spec).as_str() == NOTHING);
    if names_nothing {
        return (ConditionStatus::True, ServerReason::Resolved, "it names no Secret and no ConfigMap".into());
    }
    let (pods, silent) = (tally.words.len(), tally.silent);
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

fn named(pods: &BTreeMap<PodName, String>) -> Named<String> {
    let mut named = Named::default();
    for (pod, why) in pods.iter().take(3) {
        named.add(1, [pod], why);
    }
    named.count = pods.len();
    named
}
