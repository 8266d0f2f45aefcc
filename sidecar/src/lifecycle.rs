//! Start, readiness, signals, drain.
