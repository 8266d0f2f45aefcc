//! Upstreams against real sockets: plain servers that do what a real one may, at its worst.

mod failures;
mod http1;
mod http2;
mod reuse;
mod routes;
mod secure;
mod support;
