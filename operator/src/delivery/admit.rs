//! Who is let in, and as what. Nothing of a request counts but its token: no request names a pod.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::{Method, Request, Version};
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Office;
use super::authenticate::Caller;
use super::refusal::Refusal;
use super::registry::Subscription;

/// Who is let in, and what for.
pub(super) enum Admitted {
    Sidecar(Subscription),
    Replica,
}

impl Office {
    /// Who asks, if they are let in, and their place among the streams.
    pub(super) async fn admit<B>(
        &self,
        request: &Request<B>,
    ) -> Result<(Caller, Admitted, OwnedSemaphorePermit), Refusal> {
        if request.uri().path() != reeve_wire::PATH {
            return Err(Refusal::Path);
        }
        if request.method() != Method::POST {
            return Err(Refusal::Method);
        }
        if request.version() != Version::HTTP_2 {
            return Err(Refusal::Protocol);
        }
        if self.draining.borrow().is_some() {
            return Err(Refusal::Draining);
        }
        if !self.registry.is_open() {
            return Err(Refusal::NotReady);
        }
        let place = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| Refusal::TooManyStreams)?;
        let caller = self.authenticator.check(request.headers(), Timestamp::now()).await?;
        let admitted = match caller.account == self.account {
            true => Admitted::Replica,
            false => Admitted::Sidecar(self.subscribe(&caller).await?),
        };
        Ok((caller, admitted, place))
    }

    /// What is held for the pod of a token, if that is the very pod: a deleted pod's token is good for a while.
    async fn subscribe(&self, caller: &Caller) -> Result<Subscription, Refusal> {
        let named = || format!("{}/{}", caller.account.namespace, caller.pod);
        let subscription = self.registry.subscribe_within(&caller.uid, self.timing.pod_within).await;
        let subscription = subscription.ok_or_else(|| Refusal::UnknownPod(named()))?;
        let held = subscription.current();
        let pod = &held.assignment.identity;
        if (&pod.namespace, &pod.service_account, &pod.pod)
            != (&caller.account.namespace, &caller.account.name, &caller.pod)
        {
            let token = format!("{} as {}", named(), caller.account.name);
            let pod = format!("{}/{} as {}", pod.namespace, pod.pod, pod.service_account);
            return Err(Refusal::OtherPod { token, pod });
        }
        Ok(subscription)
    }

    /// Counts a refusal, and logs it: one a second, as whoever can reach the port can cause any number.
    pub(super) fn complain(&self, refusal: &Refusal) {
        let reason = refusal.reason();
        self.metrics.refused(reason);
        if !refusal.is_of_caller() {
            return;
        }
        let now = Instant::now();
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.is_none_or(|at| now.duration_since(at) >= Duration::from_secs(1)) {
            *complained = Some(now);
            tracing::warn!(reason, "refused a stream: {refusal}");
        }
    }
}
