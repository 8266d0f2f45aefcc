//! Connections to servers: pools, TLS, credentials, what their failures mean.
