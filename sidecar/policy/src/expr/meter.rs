//! What one evaluation may cost.
//!
//! Everything whose cost grows with the call's data is charged here before it is done: reading a string `1 + length / 256`
//! units, an array `1 + elements`, a turn of a loop one, a function one and one more for each 256 bytes it reads or makes.
//! A unit stands for at most some 300 ns and 256 bytes, so that an evaluation ends within 10 ms and 6 MiB whatever the
//! arguments are.

use std::any::Any;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use cel::common::types::{Kind, Type};
use cel::common::value::{StaticVal, Val};

use super::failure::{Failure, What};

/// Units that one evaluation may spend.
pub(super) const UNITS: u32 = 20_000;
/// The most elements of an array that an expression may read; a longer one can only be counted.
pub(super) const LIST: usize = 1_000;
/// The most bytes of a text that an expression may put together.
pub(super) const TEXT: usize = 65_536;

/// Bytes of text that one unit pays for.
const TEXT_UNIT: usize = 256;
/// More than there are kinds of failure: packs one beside its column.
const CODES: u64 = 256;

/// The account of one evaluation. A value of the evaluator, because its functions see nothing but values.
///
/// One thread uses it at a time; it is atomic only because the evaluator's values must be shareable.
#[derive(Debug)]
pub(super) struct Meter {
    left: AtomicU32,
    /// The first refusal, `column * CODES + what + 1`; zero for none. It outlives errors that `||`, `all` and `exists` absorb.
    refused: AtomicU64,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self { left: AtomicU32::new(UNITS), refused: AtomicU64::new(0) }
    }

    /// Pays for `units` of work at this column, or refuses it and the whole evaluation with it.
    pub(super) fn charge(&self, units: usize, column: usize) -> Result<(), Failure> {
        let left = self.left.load(Relaxed);
        let rest = u32::try_from(units).ok().and_then(|units| left.checked_sub(units));
        match rest {
            Some(rest) => {
                self.left.store(rest, Relaxed);
                Ok(())
            }
            None => Err(self.refuse(What::TooMuchWork, column)),
        }
    }

    /// Pays for reading or making this many bytes of text.
    pub(super) fn charge_text(&self, bytes: usize, column: usize) -> Result<(), Failure> {
        self.charge(1 + bytes / TEXT_UNIT, column)
    }

    /// Refuses the evaluation whatever its result will be; gives the failure to return.
    pub(super) fn refuse(&self, what: What, column: usize) -> Failure {
        self.left.store(0, Relaxed);
        if self.refused.load(Relaxed) == 0 {
            let code = column as u64 * CODES + what as u64 + 1;
            self.refused.store(code, Relaxed);
        }
        Failure { what, column }
    }

    /// Why the evaluation must be refused, if it must. To be asked before its result is looked at.
    pub(super) fn refused(&self) -> Option<Failure> {
        let code = self.refused.load(Relaxed).checked_sub(1)?;
        let what = usize::try_from(code % CODES).ok().and_then(|what| What::ALL.get(what));
        Some(Failure {
            what: what.copied().unwrap_or(What::TooMuchWork),
            column: usize::try_from(code / CODES).unwrap_or(1),
        })
    }
}

static TYPE: Type = Type::simple_type(Kind::Unspecified, "meter");

impl Val for Meter {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(Self {
            left: AtomicU32::new(self.left.load(Relaxed)),
            refused: AtomicU64::new(self.refused.load(Relaxed)),
        })
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Meter {}
