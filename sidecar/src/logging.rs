//! The sidecar's own log.
