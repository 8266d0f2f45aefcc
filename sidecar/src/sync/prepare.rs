//! What the operator assigns → a configuration that can serve. Reads what is mounted: not for the serving thread.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use reeve_policy::compile::Source;
use reeve_policy::load::stored;
use reeve_wire::Uid;
use reeve_wire::message::{PolicyProblem, ServerState};
use serde_json::Value;

use super::assigned::Assigned;
use super::servers;
use super::settings::Settings;
use crate::config::{Files, Identity, SidecarConfig};
use crate::live::reload::Fixed;
use crate::live::vouched::Vouched;
use crate::live::{Backed, Live, Prepared};
use crate::upstream::Environment;

/// What a configuration is made with.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) settings: Settings,
    /// What the operator does not say.
    pub(super) fixed: Fixed,
    pub(super) environment: Arc<Environment>,
    pub(super) vouched: Arc<Vouched>,
}

/// A configuration of the operator, ready to be put into force.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) prepared: Prepared,
    /// How far each server can be used.
    pub(super) servers: Vec<ServerState>,
    /// What was read of what is mounted.
    pub(super) files: Files,
    /// The object of each policy, by key.
    uids: BTreeMap<String, Uid>,
}

impl Ground {
    pub(super) fn prepare(&self, assigned: &Assigned) -> Ready {
        let policies: Vec<_> = assigned.document.policies.iter().map(|entry| source(entry.object.get())).collect();
        let entries = assigned.document.policies.iter().zip(&policies);
        let uids = entries.map(|(entry, source)| (source.policy().key(), entry.uid.clone())).collect();
        let folder: &Path = &self.settings.servers;
        let (mut config, mut files) = (self.config(assigned), Files::default());
        let (mut backed, mut states) = (Vec::new(), Vec::new());
        for described in &assigned.document.servers {
            let governing: Vec<_> =
                described.policies.iter().filter_map(|&number| policies.get(number as usize).cloned()).collect();
            let mut server = servers::server(described, folder);
            server.policies = Some(governing.iter().map(|source| source.policy().key()).collect());
            let (upstream, state) =
                servers::upstream(described, &server, &self.settings, &self.environment, &mut files);
            config.servers.push(server);
            backed.push(Backed { policies: governing, upstream: Arc::new(upstream) });
            states.push(state);
        }
        shorten(states.iter_mut().map(|state| &mut state.message));
        let vouched = Some(Arc::clone(&self.vouched));
        let prepared = Prepared { config, servers: backed, policies: policies.len(), vouched };
        Ready { prepared, servers: states, files, uids }
    }

    fn config(&self, assigned: &Assigned) -> SidecarConfig {
        let identity = assigned.identity.clone();
        SidecarConfig {
            identity: Identity {
                namespace: identity.namespace,
                service_account: identity.service_account,
                pod: Some(identity.pod),
                labels: identity.labels,
            },
            listener: self.fixed.listener.clone(),
            audit: self.fixed.audit.clone(),
            ..SidecarConfig::default()
        }
    }
}

/// How much is said of what is wrong with all policies, and with all servers, in bytes: with what else a line says of as many as can
/// be it is far below [`reeve_wire::LONGEST_TO_OPERATOR`].
const SAID: usize = 128 << 10;
/// And how much of one.
const SAID_OF_ONE: usize = 4 << 10;

/// Shortens messages as far as together they are too long.
fn shorten<'m>(messages: impl ExactSizeIterator<Item = &'m mut String>) {
    let most = (SAID / messages.len().max(1)).min(SAID_OF_ONE);
    for message in messages.filter(|message| message.len() > most) {
        let end = (0..=most).rev().find(|end| message.is_char_boundary(*end)).unwrap_or_default();
        message.truncate(end);
    }
}

/// A policy, as this sidecar can read it. What it cannot read governs, and denies.
fn source(object: &str) -> Source {
    stored(&serde_json::from_str::<Value>(object).unwrap_or_default()).source
}

impl Ready {
    /// The policies that this sidecar cannot read or compile.
    pub(super) fn problems(&self, live: &Live) -> Vec<PolicyProblem> {
        let mut problems = BTreeMap::new();
        for policy in live.routes().iter().flat_map(|route| route.ruleset.invalid_policies()) {
            if let Some(uid) = self.uids.get(&**policy.key) {
                problems.entry(uid.clone()).or_insert_with(|| policy.errors.join("; "));
            }
        }
        shorten(problems.values_mut());
        problems.into_iter().map(|(uid, message)| PolicyProblem { uid, message }).collect()
    }

    /// Whether it serves as what is in force does, with the same connections.
    pub(super) fn is_like(&self, live: &Live) -> bool {
        let (routes, backed) = (live.routes(), &self.prepared.servers);
        routes.len() == backed.len()
            && routes.iter().zip(backed).all(|(route, backed)| route.upstream.is_like(&backed.upstream))
    }
}

#[cfg(test)]
mod tests {
    use reeve_wire::{LONGEST_TO_OPERATOR, MOST_OBJECTS};

    use super::*;

    #[test]
    fn however_much_is_wrong_it_is_said_in_a_line() {
        let mut many = vec!["é".repeat(10_000); MOST_OBJECTS];
        shorten(many.iter_mut());
        assert!(many.iter().all(|message| !message.is_empty()));
        // A control character takes six bytes in JSON.
        assert!(many.iter().map(String::len).sum::<usize>() * 6 < LONGEST_TO_OPERATOR);
        let mut few = ["short".to_owned(), "x".repeat(5_000)];
        shorten(few.iter_mut());
        assert_eq!((few[0].as_str(), few[1].len()), ("short", SAID_OF_ONE));
    }
}
