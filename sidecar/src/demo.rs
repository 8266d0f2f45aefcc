//! A server, a policy and a client, to see the sidecar work.
