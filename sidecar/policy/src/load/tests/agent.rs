//! An agent that calls under the policies of a file: real expressions, real limits.

use std::sync::Arc;

use bytes::Bytes;

use crate::compile::{Ruleset, Source, compile};
use crate::decide::{Call, Subject, Target};
use crate::json::{Document, Limits};
use crate::limit::{Capacity, Limiter};
use crate::load::policies;
use crate::reason::Reason;
use crate::time::{Instant, WallTime};

pub(in crate::load) struct Agent {
    ruleset: Ruleset,
    limiter: Limiter,
}

impl Agent {
    pub(in crate::load) fn under(name: &str, text: &str) -> Self {
        let loaded = policies(name, text.as_bytes()).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let sources: Vec<Source> = loaded.into_iter().map(|loaded| Source::Readable(Arc::new(loaded.value))).collect();
        let limiter = Limiter::new(Capacity::default());
        let ruleset = compile(&sources, &Subject::default(), &limiter);
        let invalid: Vec<_> = ruleset.invalid_policies().collect();
        assert!(invalid.is_empty(), "{invalid:?}");
        Self { ruleset, limiter }
    }

    /// Calls a tool at a second of the clock: why it was decided as it was, and what the agent reads.
    pub(in crate::load) fn call_at(&self, second: u64, tool: &str, arguments: &str) -> (Reason, String) {
        let document = Document::parse(Bytes::from(arguments.to_owned()), Limits::default()).expect("arguments");
        let call = Call {
            target: Target::Tool(tool),
            arguments: Some(document.root()),
            session: None,
            tool: None,
            now: WallTime::default(),
        };
        let mut verdict = self.ruleset.decide(&call);
        let now = Instant(second * 1_000_000_000);
        if let Err(limited) =
            verdict.demands.acquire(now).and_then(|mut held| verdict.demands.reserve(&self.limiter, now, &mut held))
        {
            verdict = limited;
        }
        (verdict.reason, verdict.message.as_deref().unwrap_or_default().to_owned())
    }

    pub(in crate::load) fn call(&self, tool: &str, arguments: &str) -> Reason {
        self.call_at(1, tool, arguments).0
    }
}
