//! The effective policy and the state of limits, over HTTP.
