//! Writes the head of a request. Pure: values in, bytes out.

use std::io::Write;

use http::{HeaderName, HeaderValue, Method, header};

use crate::upstream::connect::Connector;
use crate::upstream::errand::Errand;

/// Writes the head of a request as it goes through this connector. Values are written as they are: a [`HeaderValue`] holds no
/// line break, nor does a path.
pub(super) fn write(errand: &Errand<'_>, connector: &Connector, head: &mut Vec<u8>) {
    let host = connector.target.host_header();
    head.extend_from_slice(errand.method().as_str().as_bytes());
    head.push(b' ');
    if connector.relays() {
        // RFC 9112, 3.2.2. What is relayed is plain HTTP.
        head.extend_from_slice(b"http://");
        head.extend_from_slice(host.as_bytes());
    }
    head.extend_from_slice(errand.path_and_query.as_str().as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    field(head, &header::HOST, host);
    let secret = errand.secret.map(|(name, value)| (name, value));
    let authorization = connector.proxy_authorization().map(|value| (&header::PROXY_AUTHORIZATION, value));
    for (name, value) in errand.headers() {
        // Those of the sidecar take the place of the sender's.
        let is_replaced = |own: Option<(&HeaderName, &HeaderValue)>| own.is_some_and(|(own, _)| own == name);
        if !is_replaced(secret) && !is_replaced(authorization) {
            field(head, name, value);
        }
    }
    for (name, value) in secret.into_iter().chain(authorization) {
        field(head, name, value);
    }
    length(head, errand.method(), errand.body().len());
    head.extend_from_slice(b"\r\n");
}

fn field(head: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    head.extend_from_slice(name.as_str().as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value.as_bytes());
    head.extend_from_slice(b"\r\n");
}

/// RFC 9110, 8.6: an empty body is said to be one where the method would have another expected.
fn length(head: &mut Vec<u8>, method: &Method, length: usize) {
    if length > 0 || matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        // Writing to memory does not fail.
        let _ = write!(head, "content-length: {length}\r\n");
    }
}
