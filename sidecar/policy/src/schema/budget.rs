//! How long an evaluation may go on.
//!
//! The evaluator has no limit of its own, but everything it learns of the arguments it asks of a
//! [`Node`](super::tape::Node). So that is where the time is counted: once it is spent, a node says that it holds
//! nothing, and an evaluation that has nothing left to look into is soon over. What it then concludes means nothing.

use std::cell::Cell;
use std::time::Instant;

use super::Limits;
use crate::json::Number;

/// How many steps there are between two looks at the clock. Between two steps the evaluator applies at most the
/// subschemas that [`analysis`](super::analysis) lets one value meet.
const STEPS: usize = 32;

/// The most errors that one explanation may collect before it is given up.
const FINDINGS: u32 = 1_000;

/// What is taken for the value of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// What it says, to the last digit.
    Exact,
    /// The nearest double, which is all that some servers read.
    Rounded,
}

#[derive(Debug)]
pub(super) struct Budget {
    deadline: Instant,
    limits: Limits,
    reading: Reading,
    /// Whether a number was looked at of which the other reading is another number.
    met_wide: Cell<bool>,
    steps: Cell<usize>,
    findings: Cell<u32>,
    /// Why nothing is looked at any more.
    exhausted: Cell<Option<&'static str>>,
}

impl Budget {
    pub(super) fn until(deadline: Instant, limits: Limits, reading: Reading) -> Self {
        Self {
            deadline,
            limits,
            reading,
            met_wide: Cell::new(false),
            steps: Cell::new(0),
            findings: Cell::new(0),
            exhausted: Cell::new(None),
        }
    }

    /// A number of the arguments as it is read.
    pub(super) fn read(&self, number: Number) -> Number {
        if !number.is_wide() {
            return number;
        }
        let rounded = number.rounded();
        if self.reading == Reading::Rounded {
            return rounded;
        }
        self.met_wide.set(self.met_wide.get() || rounded != number);
        number
    }

    /// Whether a number was looked at that [`Reading::Rounded`] makes another.
    pub(super) fn has_met_wide(&self) -> bool {
        self.met_wide.get()
    }

    /// Takes steps; false if there are none left.
    pub(super) fn spend(&self, steps: usize) -> bool {
        let steps = self.steps.get().saturating_add(steps);
        self.steps.set(steps);
        if steps >= STEPS {
            self.steps.set(0);
            if Instant::now() >= self.deadline {
                self.give_up();
            }
        }
        self.exhausted.get().is_none()
    }

    /// Whether a value this deep in the arguments may be looked at.
    pub(super) fn admits_depth(&self, depth: usize) -> bool {
        if depth > self.limits.depth {
            self.exhaust("is nested too deeply to be checked against the tool's input schema");
        }
        depth <= self.limits.depth
    }

    /// Whether a property of this name may be looked at.
    pub(super) fn admits_name(&self, name: &str) -> bool {
        if name.len() > self.limits.name {
            self.exhaust("has a property name that is too long to be checked against the tool's input schema");
        }
        name.len() <= self.limits.name
    }

    /// Ends the evaluation: something would take too long.
    pub(super) fn give_up(&self) {
        self.exhaust("took too long to check against the tool's input schema");
    }

    /// Counts an error that the evaluator makes.
    pub(super) fn record_finding(&self) {
        self.findings.set(self.findings.get() + 1);
        if self.findings.get() > FINDINGS {
            self.exhaust("has too many errors");
        }
    }

    /// Why the evaluation ended before it was done, if it did.
    pub(super) fn exhausted(&self) -> Option<&'static str> {
        self.exhausted.get()
    }

    fn exhaust(&self, why: &'static str) {
        if self.exhausted.get().is_none() {
            self.exhausted.set(Some(why));
        }
    }
}
