//! A question about a pod.

use std::sync::{Arc, PoisonError};

use super::inject::{Context, Injected, Outcome, Refused, Server, Skipped, inject};
use super::review::{Answer, Refusal, Request};
use super::{Inner, notice, patch};
use reeve_wire::pod::INJECT_LABEL;

impl Inner {
    pub(super) async fn admit_pod(&self, review: &Request) -> Answer {
        let is_new_pod = review.operation == "CREATE"
            && review.kind.group.is_empty()
            && review.kind.kind == "Pod"
            && review.sub_resource.is_none();
        if !is_new_pod {
            self.count_injection("skipped", "NotAPod");
            return Answer::admitted();
        }
        let known = self.known_label(review.namespace());
        let mut outcome = known.as_ref().map(|label| self.outcome(review, label.as_deref()));
        // A pod goes without a sidecar only if its namespace says so now: what is known of it may be a moment old.
        if outcome.as_ref().is_none_or(|outcome| matches!(outcome, Outcome::Skipped(_))) {
            let label = match self.namespaces.labels(&self.cluster, review.namespace()).await {
                Ok(mut labels) => labels.remove(INJECT_LABEL),
                Err(error) => {
                    self.count_injection("error", "NamespaceUnknown");
                    let namespace = review.namespace();
                    tracing::warn!(namespace, %error, "the labels of a pod's namespace cannot be read");
                    let message = format!(
                        "Reeve cannot read what the namespace {namespace} says of sidecars: {error}: try again"
                    );
                    return Answer::refused(Refusal::unavailable(message));
                }
            };
            outcome = Some(self.outcome(review, label.as_deref()));
        }
        match outcome {
            Some(outcome) => self.injection_answer(review, &outcome),
            None => Answer::admitted(),
        }
    }

    /// What the namespace's label is known to say; none if the namespace is not known.
    fn known_label(&self, namespace: &str) -> Option<Option<String>> {
        let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
        Some(world.namespace(namespace)?.inject_label().map(str::to_owned))
    }

    fn servers(&self, namespace: &str) -> Vec<Server> {
        let world = self.world.read().unwrap_or_else(PoisonError::into_inner);
        let readable = world.servers_of(namespace).filter_map(|server| {
            let spec = server.spec.as_ref().ok()?;
            Some(Server { name: Arc::clone(&server.name), spec: Arc::clone(spec) })
        });
        readable.collect()
    }

    fn outcome(&self, review: &Request, namespace_label: Option<&str>) -> Outcome {
        let namespace = review.namespace();
        let (servers, authorities, settings) = (self.servers(namespace), self.authorities.load(), &self.settings);
        let context = Context { namespace, namespace_label, servers: &servers, settings, authorities: &authorities };
        inject(&review.object, &context)
    }

    fn injection_answer(&self, review: &Request, outcome: &Outcome) -> Answer {
        let (namespace, name) = (review.namespace(), review.object_name());
        let (answer, is_news) = match outcome {
            Outcome::Injected(Injected { pod: injected, warnings, .. }) => {
                let patch = patch::between(&review.object, injected);
                let is_news = patch.is_some();
                self.count_injection("injected", if is_news { "Injected" } else { "Unchanged" });
                (Answer { patch, ..Answer::admitted() }.with_warnings(warnings.clone()), is_news)
            }
            Outcome::Skipped(Skipped { reason, message }) => {
                self.count_injection("skipped", reason.as_str());
                tracing::info!(namespace, pod = name, reason = reason.as_str(), "a pod was given no sidecar");
                (Answer::admitted().with_warnings(vec![message.clone()]), true)
            }
            Outcome::Refused(Refused { reason, message }) => {
                self.count_injection("refused", reason.as_str());
                tracing::info!(namespace, pod = name, reason = reason.as_str(), why = message, "a pod was refused");
                (Answer::refused(Refusal::forbidden(message.clone())), false)
            }
        };
        if let (Some(notices), true, false) = (&self.notices, is_news, review.is_dry_run())
            && let Some(notice) = notice::of(&review.object, namespace, outcome)
        {
            // An Event more or less: no pod waits for it.
            let _ = notices.try_send(notice);
        }
        answer
    }
}
