//! Start, readiness, signals, drain.
//!
//! ```text
//! configuration read ─► ports bound ─► /started, /ready ─► … ─► SIGTERM ─► stop accepting, end list and listen streams
//!   (errors: exit 78)                                            ─► calls in flight finish, or the grace period ends ─► exit 0
//! ```

mod readiness;
mod signals;

pub use readiness::Readiness;
pub use reeve_process::drain::{Drain, DrainTrigger, Phase, drain};
pub use signals::{Signals, Stop};
