//! Keeps connections of one server: idle ones of HTTP/1.1, and one of HTTP/2 that calls share.
//!
//! Not a general client: it can tell, for each call, whether a byte of it was written, and it never repeats a call by
//! itself. Connections are given up when they were idle for too long or are too old, which is also when the server's name
//! is resolved again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::connect::Connector;
use super::error::{Cause, Failure};
use super::exchange::Lease;
use super::http1::Http1;
use super::http2::Http2;

/// How long connections wait for a call that are more than may be kept. Where more calls are in flight than that, as many
/// connections come back at a time and are taken again within a moment; were each of them made anew, a port that lets few wait to be
/// accepted would have some calls wait for seconds.
const MOMENT: Duration = Duration::from_secs(1);

/// Bounds of a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) connect_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) max_age: Duration,
    pub(super) max_idle: usize,
}

/// The connections of one server.
#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    bounds: Bounds,
    kept: Mutex<Kept>,
    /// Held while a connection is made that may turn out to be HTTP/2, so that a burst of calls makes one and not many.
    opening: tokio::sync::Mutex<()>,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
}

/// Rung when idle connections are to be looked at: there are more than may be kept, or something can be read on one.
#[derive(Debug, Default)]
struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

#[derive(Debug, Default)]
struct Kept {
    /// The longest idle first.
    idle: VecDeque<Idle<Http1>>,
    shared: Option<Idle<Http2>>,
    /// The server has chosen HTTP/1.1, so that connections are made side by side.
    speaks_http1: bool,
    reaper_runs: bool,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    since: Instant,
}

/// Which connection a call may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One that is there, else one that is made.
    Any,
    /// One that is made for it.
    Unused,
}

impl Pool {
    pub(super) fn new(connector: Connector, bounds: Bounds) -> Arc<Self> {
        let bell = Arc::<Bell>::default();
        Arc::new(Self {
            connector,
            bounds,
            kept: Mutex::default(),
            opening: tokio::sync::Mutex::new(()),
            waker: Arc::clone(&bell).into(),
            bell,
        })
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// A connection for one call.
    pub(super) async fn lease(self: &Arc<Self>, wanted: Wanted) -> Result<Lease, Failure> {
        if wanted == Wanted::Any
            && let Some(lease) = self.take()
        {
            return Ok(lease);
        }
        // Boxed, because few calls need a connection, and the state of making one would make every call's large.
        let opening = Box::pin(self.open(wanted));
        tokio::time::timeout(self.bounds.connect_timeout, opening).await.unwrap_or_else(|_| {
            let detail = format!("no connection within {:?}", self.bounds.connect_timeout);
            Err(Failure::unsent(Cause::ConnectTimeout, detail))
        })
    }

    async fn open(self: &Arc<Self>, wanted: Wanted) -> Result<Lease, Failure> {
        let turn = if self.may_be_http2() { Some(self.opening.lock().await) } else { None };
        if turn.is_some()
            && wanted == Wanted::Any
            && let Some(lease) = self.take()
        {
            return Ok(lease);
        }
        // Whoever had the turn before may have learned that there is no need for turns.
        let _turn = turn.filter(|_| self.may_be_http2());
        let connection = self.connector.connect().await?;
        if connection.http2 {
            let connection = Http2::new(connection).await?;
            self.kept().shared = Some(Idle { connection: connection.clone(), since: Instant::now() });
            self.reap();
            Ok(Lease::Http2 { connection, reused: false })
        } else {
            self.kept().speaks_http1 = true;
            let connection = Http1::new(connection);
            Ok(Lease::Http1 { connection, pool: Arc::downgrade(self), reused: false })
        }
    }

    /// Whether the next connection may turn out to be HTTP/2, so that one suffices for all calls.
    fn may_be_http2(&self) -> bool {
        self.connector.may_be_http2() && !self.kept().speaks_http1
    }

    fn take(self: &Arc<Self>) -> Option<Lease> {
        let now = Instant::now();
        let mut kept = self.kept();
        if let Some(shared) = &mut kept.shared {
            if shared.connection.is_usable(self.bounds.max_age, now) {
                shared.since = now;
                return Some(Lease::Http2 { connection: shared.connection.clone(), reused: true });
            }
            kept.shared = None;
        }
        // The one used last is the likeliest to be alive, and the others may go unused until they are given up.
        while let Some(Idle { connection, since }) = kept.idle.pop_back() {
            let idle = now.saturating_duration_since(since);
            let bound = self.bounds.idle_timeout.min(connection.may_wait());
            if idle < bound && connection.is_young(self.bounds.max_age, now) {
                return Some(Lease::Http1 { connection, pool: Arc::downgrade(self), reused: true });
            }
        }
        None
    }

    /// Keeps a connection that is ready for another call. If its server ends it before there is one, it is given up then.
    pub(super) fn keep(self: &Arc<Self>, mut connection: Http1) {
        let now = Instant::now();
        if self.bounds.max_idle == 0
            || connection.may_wait().is_zero()
            || !connection.is_young(self.bounds.max_age, now)
        {
            return;
        }
        let mut kept = self.kept();
        // Under the lock, so that whoever the bell calls finds it.
        if connection.poll_spoiled(&mut self.watching()).is_ready() {
            return;
        }
        kept.idle.push_back(Idle { connection, since: now });
        let (reaped, are_too_many) = (kept.reaper_runs, kept.idle.len() == self.bounds.max_idle + 1);
        drop(kept);
        if !reaped {
            self.reap();
        } else if are_too_many {
            self.bell.0.notify_one();
        }
    }

    /// Sees to it that connections are given up when their time has come, without another call that would notice.
    fn reap(self: &Arc<Self>) {
        if std::mem::replace(&mut self.kept().reaper_runs, true) {
            return;
        }
        let (pool, bell) = (Arc::downgrade(self), Arc::clone(&self.bell));
        let look = move || pool.upgrade().and_then(|pool| pool.kept().give_up_idle(pool.bounds, &mut pool.watching()));
        tokio::spawn(async move {
            while let Some(next) = look() {
                // Whichever is first: there is nothing to be done for it but to look again.
                let _ = tokio::time::timeout_at(next, bell.0.notified()).await;
            }
        });
    }

    /// Has the bell rung when something can be read.
    fn watching(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    /// How many connections of HTTP/1.1 wait for a call.
    #[cfg(any(test, fuzzing))]
    pub(super) fn idle(&self) -> usize {
        self.kept().idle.len()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Gives up what its server has ended, and what has been idle for too long. Calls in flight on a shared connection run to
    /// their end.
    ///
    /// Returns when there will be more to give up; none if nothing is kept any more, and nobody looks again.
    fn give_up_idle(&mut self, bounds: Bounds, watching: &mut Context<'_>) -> Option<Instant> {
        let now = Instant::now();
        self.idle.retain_mut(|idle| idle.connection.poll_spoiled(watching).is_pending());
        while self.oldest_due(bounds).is_some_and(|due| due <= now) {
            self.idle.pop_front();
        }
        let shared_due = |shared: &Idle<Http2>| shared.since + bounds.idle_timeout;
        if self.shared.as_ref().is_some_and(|shared| shared_due(shared) <= now) {
            self.shared = None;
        }
        let next = self.oldest_due(bounds).into_iter().chain(self.shared.as_ref().map(shared_due)).min();
        self.reaper_runs = next.is_some();
        next
    }

    /// When the longest idle connection of HTTP/1.1 is given up.
    fn oldest_due(&self, bounds: Bounds) -> Option<Instant> {
        let oldest = self.idle.front()?;
        let wait = bounds.idle_timeout.min(oldest.connection.may_wait());
        Some(oldest.since + if self.idle.len() > bounds.max_idle { wait.min(MOMENT) } else { wait })
    }
}
