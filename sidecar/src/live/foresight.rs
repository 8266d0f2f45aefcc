//! Decisions that are shown at zero before a call comes to them: brought up to date when the metrics are read, which is soon enough
//! and holds up neither calls nor a new configuration.

use std::sync::{Arc, Mutex, PoisonError};

use reeve_policy::catalogue::Catalogue;

use super::Current;
use crate::metrics::Metrics;

/// Shows in the metrics what the policies in force can say of the tools that are known.
#[derive(Debug)]
pub struct Foresight {
    current: Arc<Current>,
    shown: Mutex<Option<Shown>>,
}

/// What the metrics were last made of.
#[derive(Debug)]
struct Shown {
    configuration: u64,
    tools: Vec<Arc<Catalogue>>,
}

impl Foresight {
    /// Of this configuration and those after it.
    pub fn new(current: Arc<Current>) -> Self {
        Self { current, shown: Mutex::default() }
    }

    /// Shows it, if anything has changed since it was shown last. Takes milliseconds for thousands of rules.
    pub fn show(&self, metrics: &Metrics) {
        let Some(live) = self.current.load() else { return };
        let tools = live.routes().iter().map(|route| route.tools.load_full()).collect();
        let now = Shown { configuration: live.number, tools };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.as_ref().is_none_or(|shown| *shown != now) {
            metrics.keep_servers(|name| live.of(name).is_some());
            for (route, tools) in live.routes().iter().zip(&now.tools) {
                route.metrics.foresee(route.ruleset.foresee(tools));
            }
            *shown = Some(now);
        }
    }
}

impl PartialEq for Shown {
    /// Catalogues are replaced when they change, and so are the same if they are one.
    fn eq(&self, other: &Self) -> bool {
        let same = |(one, other): (&Arc<Catalogue>, &Arc<Catalogue>)| Arc::ptr_eq(one, other);
        self.configuration == other.configuration
            && self.tools.len() == other.tools.len()
            && self.tools.iter().zip(&other.tools).all(same)
    }
}
