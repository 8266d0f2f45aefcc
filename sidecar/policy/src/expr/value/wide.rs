//! Numbers of the arguments, which a server may read as doubles while another keeps every digit.
//!
//! Two that are the same double must not be two to an expression: a server that cannot tell them apart would take the one that
//! is permitted for the one that is not. Below 2^53 they are one value, `5.0` and `5` too. From there on they are [`Wide`]: kept
//! as written, for servers that do tell them apart, and used only where that gives the same as their nearest doubles do.

use std::any::Any;

use cel::common::types::{CelDouble, CelInt, INT_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};

use crate::json::Number;

/// A whole number of the arguments that is the same double as others.
#[derive(Clone, Copy, Debug)]
pub(in crate::expr) struct Wide(pub(in crate::expr) Number);

/// A number of the arguments as a value of the evaluator.
pub(super) fn argument<'b, 'v>(number: Number) -> CowVal<'b, 'v> {
    match number {
        _ if number.is_wide() => CowVal::owned(Wide(number)),
        Number::Int(int) => CowVal::owned(CelInt::from(int)),
        _ => {
            let double = number.nearest();
            #[allow(clippy::cast_possible_truncation, reason = "below 2^53, and compared with what it was")]
            let whole = double as i64;
            #[allow(clippy::cast_precision_loss, clippy::float_cmp, reason = "below 2^53 nothing is lost")]
            let is_whole = whole as f64 == double;
            if is_whole { CowVal::owned(CelInt::from(whole)) } else { CowVal::owned(CelDouble::from(double)) }
        }
    }
}

impl Val for Wide {
    fn get_type(&self) -> &Type {
        &INT_TYPE
    }

    fn cel_type() -> &'static Type {
        &INT_TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(*self)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Wide {}
