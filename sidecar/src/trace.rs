//! One OpenTelemetry span for each call, sent to a collector by OTLP (HTTP, Protocol Buffers).
//!
//! ```text
//! call ─► Tracer::follow ─► Span: written as the call goes on ─► dropped: the call has ended
//!              │                                                        │
//!              └─ off, or not sampled: no span                         ▼
//!                                      Queue, bounded ─► Exporter: batches ─► collector
//!                                        │ full: counted and dropped   │ does not take them for too long: the same
//! ```
//!
//! Nothing waits for a collector: not a call, nor the end of the process for longer than for its other last writes. Where tracing
//! is off there is no [`Tracer`], and all that a call does for it is to see that.
//!
//! The messages are written here by hand, since the little of them that is needed is less than what the crates for it link.

pub mod context;
mod export;
mod lifetime;
mod protobuf;
mod queue;
mod sampler;
pub mod settings;
mod span;
mod state;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;
use reeve_policy::time::Instant;

use crate::clock::Clock;
use crate::metrics::SpanCounters;

pub use context::{Context, TraceId};
pub use lifetime::Tracing;
pub use settings::Settings;
pub use span::{Call, Span};
pub use state::State;

use context::{SpanId, TRACEPARENT, TRACESTATE};
use queue::Queue;
use sampler::Sampler;
use span::Origin;

/// Makes spans.
#[derive(Debug)]
pub struct Tracer {
    sampler: Sampler,
    ids: Ids,
    clock: Clock,
    queue: Arc<Queue>,
    counters: SpanCounters,
}

/// What is known of a call's place in a trace.
#[derive(Debug, Default)]
pub struct Followed {
    /// The trace that it belongs to.
    pub trace: Option<TraceId>,
    /// The call, if it is recorded.
    pub span: Option<Box<Span>>,
    /// What tracing systems have added to its trace, if it is recorded.
    state: Option<State>,
}

/// What a message says of who calls, in `params._meta`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The caller's span: `traceparent`.
    pub span: Context,
    /// What tracing systems have added to its trace: `tracestate`.
    pub state: Option<State>,
}

/// What a request says of who calls.
#[derive(Clone, Copy, Debug)]
pub struct Stated<'a> {
    /// The message's own word. It is the caller's word for this very message, so that it holds before the header, which
    /// is for the HTTP request that brings it.
    pub meta: Option<&'a Caller>,
    /// The headers.
    pub headers: &'a HeaderMap,
}

impl Stated<'_> {
    /// Follows a call into its trace, by `tracer` if tracing is on.
    pub fn follow(&self, tracer: Option<&Arc<Tracer>>, received: Instant) -> Followed {
        let header = Context::of_headers(self.headers);
        let parent = self.meta.map(|caller| caller.span).or(header);
        match tracer {
            None => Followed::unrecorded(parent),
            Some(tracer) => tracer.follow(parent, header, self, received),
        }
    }

    /// What tracing systems have added to this trace. The headers' word is of theirs alone.
    fn state(&self, trace: TraceId, header: Option<Context>) -> Option<State> {
        let told = self.meta.and_then(|caller| caller.state.clone());
        told.or_else(|| header.filter(|header| header.trace == trace).and_then(|_| State::of_headers(self.headers)))
    }
}

impl Tracer {
    fn follow(
        self: &Arc<Self>,
        parent: Option<Context>,
        header: Option<Context>,
        stated: &Stated<'_>,
        received: Instant,
    ) -> Followed {
        let trace = parent.map_or_else(|| self.ids.trace(), |parent| parent.trace);
        if !self.sampler.samples(parent, trace) {
            return Followed::unrecorded(parent);
        }
        let flags = parent.map_or(0, |parent| parent.flags);
        let context = Context { trace, span: self.ids.span(), flags }.sampled(true);
        let state = stated.state(trace, header);
        let link = header.filter(|header| Some(*header) != parent);
        let origin = Origin { parent, state: state.as_ref().map(State::as_str), link };
        let ago = self.clock.now().since(received).as_nanos();
        let start = u64::try_from(self.clock.wall().0).unwrap_or(0).saturating_sub(u64::try_from(ago).unwrap_or(0));
        let span = Span::begin(self, context, &origin, received, start);
        Followed { trace: Some(trace), span: Some(Box::new(span)), state }
    }

    /// Takes a span that has ended, if there is room for it.
    fn record(&self, span: Vec<u8>) {
        if !self.queue.push(span) {
            self.counters.queue_full.inc();
        }
    }
}

impl Followed {
    fn unrecorded(parent: Option<Context>) -> Self {
        Self { trace: parent.map(|parent| parent.trace), ..Self::default() }
    }

    /// Makes the headers of the request to the server those of a child of the call's span. Those of a call that is not recorded
    /// stay as they are.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let Some(context) = self.span.as_ref().map(|span| span.context()) else { return };
        headers.remove(TRACESTATE);
        if let Some(state) = self.state.as_ref().and_then(State::header) {
            headers.insert(TRACESTATE, state);
        }
        if let Some(value) = context.header() {
            headers.insert(TRACEPARENT, value);
        }
    }
}

/// Numbers that nobody can foresee and no other process makes: a counter, through a hash that is keyed at random.
#[derive(Debug, Default)]
struct Ids {
    keys: RandomState,
    next: AtomicU64,
}

impl Ids {
    fn number(&self) -> u64 {
        self.keys.hash_one(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn trace(&self) -> TraceId {
        TraceId::random(self.number(), self.number())
    }

    fn span(&self) -> SpanId {
        SpanId::random(self.number())
    }
}

#[cfg(test)]
mod tests;
