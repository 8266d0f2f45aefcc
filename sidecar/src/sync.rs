//! Configurations from the operator: the stream that brings them, what is kept of them, and what is said back.
//!
//! ```text
//! Client ──connect, back off──► Link (TLS, HTTP/2, lines) ──► Stream: hello … configuration, ping, retire
//!                                                              │  ▲
//!                                                     offer, vouch  report
//!                                                              ▼  │
//!                                  cache ◄── Standing: judge ──► prepare ──► live::Enforcer
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `settings` | where the operator is, and what the pod was given |
//! | `trust` | by which authorities the operator is known |
//! | `link` | a connection and its lines |
//! | `stream` | one stream, from its hello to its end |
//! | `standing` | what is in force, what is kept of it, what is reported |
//! | `assigned` | what the operator offers, judged; pure |
//! | `prepare`, `servers` | what it assigns → what can serve in this pod |
//!
//! An operator that is down, slow or cut off changes nothing: what was in force stays in force, over restarts too. Only a
//! Boundary's `configMaxAge` ends that, and then nothing is permitted. An older configuration than the one that runs is never
//! taken.

mod assigned;
mod link;
mod prepare;
mod servers;
mod settings;
mod standing;
mod stream;
mod trust;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use link::{Broken, Link};
pub use settings::{Mounted, Settings, SettingsError};
pub use trust::TrustError;

use reeve_process::back_off::BackOff;
use reeve_wire::FromSidecar;

use prepare::Ground;
use settings::Operator;
use standing::Standing;
use stream::{News, Stream};
use trust::Trust;

use crate::clock::Clock;
use crate::live::Enforcer;
use crate::live::aside::aside;
use crate::live::reload::Fixed;
use crate::live::vouched::Vouched;
use crate::metrics::Metrics;
use crate::state::Cache;
use crate::upstream::Environment;

/// The first wait before another attempt is at most this. When a replica ends, all that it served come to another within this time:
/// long enough that it can let them in one after the other, and short beside how long a change may take.
pub const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// The longest. It bounds how long a sidecar stays behind once its operator is back.
pub const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A way to the operator, of which all is known to be good that can be known beforehand.
#[derive(Clone, Debug)]
pub struct Way {
    settings: Settings,
    operator: Operator,
    trust: Trust,
}

impl Way {
    /// Looks at the settings.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let (operator, trust) = settings.check()?;
        Ok(Self { settings, operator, trust })
    }

    /// Opens a stream by this token, with this as its first line.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn open(&self, token: &str, hello: &FromSidecar) -> Result<Link, Broken> {
        Link::open(&self.operator, &self.trust, token, hello).await
    }
}

/// Follows the operator.
#[derive(Debug)]
pub struct Client {
    way: Way,
    standing: Standing,
    metrics: Arc<Metrics>,
    cache: Cache,
    back_off: BackOff,
    /// What the log was told last of why there is no stream.
    told: Option<String>,
}

impl Client {
    /// Puts into force what an earlier process has kept, if there is anything. Blocks: before anything is served.
    pub fn begin(
        way: Way,
        fixed: Fixed,
        environment: Arc<Environment>,
        enforcer: Enforcer,
        cache: Cache,
        clock: Clock,
    ) -> Self {
        let vouched = Arc::new(Vouched::never(clock.clone()));
        let metrics = Arc::clone(&enforcer.metrics);
        let ground = Ground { settings: way.settings.clone(), fixed, environment, vouched };
        let standing = Standing::begin(ground, enforcer, cache.clone(), clock);
        let trust = cache.trust().and_then(|bundle| Trust::parse(&bundle).ok());
        let way = Way { trust: trust.unwrap_or_else(|| way.trust.clone()), ..way };
        tracing::info!(operator = way.settings.operator, "policies and servers come from the operator");
        Self { way, standing, metrics, cache, back_off: BackOff::new(SHORTEST_WAIT, LONGEST_WAIT), told: None }
    }

    /// Follows the operator for ever. Reading and compiling happen aside, so that calls are served meanwhile.
    pub async fn follow(mut self) {
        let standing = self.standing.clone();
        tokio::join!(standing.follow_files(), async {
            loop {
                let begun = Instant::now();
                let ended = self.stream().await;
                self.metrics.configuration_connected(false);
                if begun.elapsed() > LONGEST_WAIT {
                    self.back_off.reset();
                }
                if let Err(broken) = ended {
                    self.tell(&broken);
                    tokio::time::sleep(self.back_off.wait()).await;
                }
            }
        });
    }

    /// One stream, until the operator asks for another.
    async fn stream(&mut self) -> Result<(), Broken> {
        let mut reports = self.standing.report();
        let said = reports.borrow_and_update().clone();
        let token = self.token().await?;
        let link = self.way.open(&token, &stream::hello(&said)).await?;
        let standing = self.standing.clone();
        let mut stream = Stream::new(link, &standing, reports, &said);
        while let Some(news) = stream.next().await? {
            match news {
                News::Welcome(welcome) => {
                    self.metrics.configuration_connected(true);
                    self.told = None;
                    tracing::info!(replica = welcome.replica, version = welcome.version, "the operator is reached");
                }
                News::Trust(bundle) => self.trust(bundle).await,
            }
        }
        Ok(())
    }

    /// Read anew each time: the kubelet renews it.
    async fn token(&self) -> Result<String, Broken> {
        let path = self.way.settings.token.clone();
        let named = path.display().to_string();
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        let read = read.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        read.map(|token| token.trim().to_owned()).map_err(|error| Broken::Token(named, error.to_string()))
    }

    /// Knows the operator by these authorities from the next stream on.
    async fn trust(&mut self, bundle: String) {
        if bundle == *self.way.trust.bundle {
            return;
        }
        match Trust::parse(&bundle) {
            Ok(trust) => self.way.trust = trust,
            Err(error) => {
                tracing::error!(%error, "the operator gives authorities that cannot be used: those before stay");
                return;
            }
        }
        let cache = self.cache.clone();
        if let Some(Err(error)) = aside(move || cache.keep_trust(&bundle)).await {
            tracing::error!(%error, "the operator's authorities cannot be kept: a restarted sidecar may not know it");
        }
    }

    /// Says why there is no stream, once for each reason.
    fn tell(&mut self, broken: &Broken) {
        let why = broken.to_string();
        let operator = &self.way.settings.operator;
        if self.told.as_deref() == Some(&*why) {
            tracing::debug!(operator, why, "the operator is not reached");
        } else {
            tracing::warn!(
                operator,
                why,
                "the operator is not reached, and tried again; what is in force stays in force"
            );
            self.told = Some(why);
        }
    }
}
