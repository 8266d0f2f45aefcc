//! How long a server may take for what.

use std::time::Duration;

use reeve_policy::time::parse_duration;

use crate::config::UpstreamLimits;

use super::error::BuildError;

/// The durations of [`UpstreamLimits`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    pub(super) connect: Duration,
    pub(super) response: Duration,
    pub(super) stream_idle: Option<Duration>,
    pub(super) pool_idle: Duration,
    pub(super) max_age: Duration,
}

impl Deadlines {
    /// Reads them all; what cannot be read is added to the errors.
    pub(super) fn new(limits: &UpstreamLimits, errors: &mut Vec<BuildError>) -> Self {
        let mut read = |pointer: &'static str, text: &str| match parse_duration(text) {
            Ok(duration) if duration > Duration::ZERO => duration,
            Ok(_) => {
                errors.push(BuildError { pointer, message: format!("{text:?} is no time at all: write 1s or more") });
                Duration::ZERO
            }
            Err(message) => {
                errors.push(BuildError { pointer, message });
                Duration::ZERO
            }
        };
        Self {
            connect: read("/limits/connectTimeout", &limits.connect_timeout),
            response: read("/limits/responseTimeout", &limits.response_timeout),
            stream_idle: limits.stream_idle_timeout.as_ref().map(|text| read("/limits/streamIdleTimeout", text)),
            pool_idle: read("/limits/poolIdleTimeout", &limits.pool_idle_timeout),
            max_age: read("/limits/maxConnectionAge", &limits.max_connection_age),
        }
    }
}
