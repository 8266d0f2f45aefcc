//! Keeps the authority's Secret and this replica's certificate.
//!
//! Every replica looks at the Secret every few seconds. Whoever finds it missing, unreadable or due for renewal writes what it
//! should be; the resource version, or its absence, lets one of several win, and the others take what that one wrote.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::sync::watch;

use super::authority::Entries;
use super::{Authority, Leaf, Lifetimes, Resolver, TlsError, Trust, tell};
use crate::kubernetes::{KubernetesError, within};
use crate::metrics::Metrics;
use crate::readiness::Awaited;

/// How often the Secret is looked at: what another replica wrote is known to all after this time.
const EVERY: Duration = Duration::from_secs(5);

/// What a keeper needs to know.
#[derive(Clone, Debug)]
pub struct Place {
    /// The Secret's name.
    pub secret: String,
    /// The names and addresses by which this replica is found.
    pub names: Vec<String>,
    /// How long certificates are valid.
    pub lifetimes: Lifetimes,
}

/// Keeps the Secret, the certificate that is shown, and what is told of the authority.
pub struct Keeper {
    secrets: Api<Secret>,
    place: Place,
    resolver: Arc<Resolver>,
    trust: watch::Sender<Trust>,
    metrics: Arc<Metrics>,
    held: Option<Authority>,
    leaf: Option<Leaf>,
}

/// Why the authority or the certificate is not as it should be.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("Secret {0}: {1}")]
    Secret(String, #[source] KubernetesError),
}

impl Keeper {
    /// One that has not looked yet.
    pub fn new(
        secrets: Api<Secret>,
        place: Place,
        resolver: Arc<Resolver>,
        trust: watch::Sender<Trust>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { secrets, place, resolver, trust, metrics, held: None, leaf: None }
    }

    /// Keeps them for ever. `ready` is reached once a certificate can be shown.
    pub async fn run(mut self, ready: Awaited) {
        let mut ready = Some(ready);
        loop {
            match self.keep(Timestamp::now()).await {
                Ok(()) => {
                    if let Some(ready) = ready.take() {
                        ready.reached();
                    }
                }
                Err(error) => {
                    self.metrics.failed("secrets", "authority");
                    tracing::warn!(%error, "the authority cannot be kept; what is shown stays as it is");
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn keep(&mut self, now: Timestamp) -> Result<(), KeepError> {
        let authority = self.authority(now).await?;
        // Before anything signed by another is shown.
        tell(&self.trust, &authority.bundle());
        if self.leaf.as_ref().is_none_or(|leaf| leaf.is_due(&authority, now)) {
            let leaf = Leaf::issue(&authority, &self.place.names, now, self.place.lifetimes.certificate)?;
            tracing::info!(
                signed_by = %authority.signing.certificate.name,
                expires = %leaf.certificate.not_after,
                "a new certificate is shown"
            );
            self.metrics.certificate_expires(leaf.certificate.not_after);
            self.resolver.show(Arc::clone(&leaf.key));
            self.leaf = Some(leaf);
        }
        self.held = Some(authority);
        Ok(())
    }

    /// What the Secret holds, after writing what is due.
    async fn authority(&self, now: Timestamp) -> Result<Authority, KeepError> {
        let Some(secret) = self.read().await? else {
            return self.create(now).await;
        };
        let data = secret.data.clone().unwrap_or_default();
        let due = match Authority::read(&data) {
            Ok(authority) => match authority.renewed(now, &self.place.lifetimes)? {
                Some(due) => due,
                None => return Ok(authority),
            },
            Err(why) => {
                let secret = &self.place.secret;
                tracing::error!(secret, %why, "the authority is made anew: restart sidecars that do not connect");
                self.replacement(&data, now)?
            }
        };
        self.replace(secret, due).await
    }

    /// What this replica holds is still what everyone trusts: better than a stranger.
    fn replacement(&self, data: &Entries, now: Timestamp) -> Result<Authority, TlsError> {
        match &self.held {
            Some(held) => held.begin_renewal(now, &self.place.lifetimes),
            None => Authority::replace(data, now, &self.place.lifetimes),
        }
    }

    async fn create(&self, now: Timestamp) -> Result<Authority, KeepError> {
        let authority = self.replacement(&Entries::new(), now)?;
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(self.place.secret.clone()),
                labels: Some([("app.kubernetes.io/managed-by".to_owned(), "reeve-operator".to_owned())].into()),
                ..ObjectMeta::default()
            },
            data: Some(authority.write()),
            type_: Some("Opaque".into()),
            ..Secret::default()
        };
        match within(self.secrets.create(&PostParams::default(), &secret)).await {
            Ok(_) => {
                tracing::info!(secret = %self.place.secret, "the authority is made");
                Ok(authority)
            }
            Err(error) if error.is_conflict() => self.written().await,
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn replace(&self, mut secret: Secret, authority: Authority) -> Result<Authority, KeepError> {
        secret.data = Some(authority.write());
        match within(self.secrets.replace(&self.place.secret, &PostParams::default(), &secret)).await {
            Ok(_) => {
                tracing::info!(
                    secret = %self.place.secret,
                    signing = %authority.signing.certificate.name,
                    next = ?authority.next.as_ref().map(|next| &next.certificate.name),
                    "the authority is renewed"
                );
                Ok(authority)
            }
            Err(error) if error.is_conflict() => self.written().await,
            Err(error) => Err(self.failed(error)),
        }
    }

    /// What another replica wrote just now.
    async fn written(&self) -> Result<Authority, KeepError> {
        let secret = self.read().await?;
        let data = secret.and_then(|secret| secret.data).unwrap_or_default();
        Ok(Authority::read(&data)?)
    }

    async fn read(&self) -> Result<Option<Secret>, KeepError> {
        within(self.secrets.get_opt(&self.place.secret)).await.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: KubernetesError) -> KeepError {
        KeepError::Secret(self.place.secret.clone(), error)
    }
}
