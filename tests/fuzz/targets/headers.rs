//! The rules of headers. Law: what passes them speaks of the method that the body has, in the version that the body says.
#![no_main]

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use reeve_policy::json::{Document, Limits};
use reeve_sidecar::mcp::envelope::{Envelope, Sender};
use reeve_sidecar::mcp::version::Era;
use reeve_sidecar::mcp::{era, headers};

fn read(head: &[u8]) -> HeaderMap {
    let lines = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name, value);
    }
    headers
}

fuzz_target!(|data: &[u8]| {
    let Some(end) = data.windows(2).position(|window| window == b"\n\n") else { return };
    let head = read(&data[..end]);
    let Ok(document) = Document::parse(Bytes::copy_from_slice(&data[end + 2..]), Limits::default()) else { return };
    let Ok(envelope) = Envelope::read(&document, Sender::Agent) else { return };
    if headers::check(&head).is_err() || headers::check_body(&head).is_err() {
        return;
    }
    let Ok(version) = era::agree(&head, &envelope) else { return };
    let passed = headers::verify(&head, &envelope, version.era(), &[]).is_ok();
    if passed && version.era() == Era::Modern && envelope.id().is_some() {
        let said = head.get("mcp-method").and_then(|value| value.to_str().ok());
        assert_eq!(said, envelope.method());
        assert_eq!(head.get_all("mcp-method").iter().count(), 1);
    }
    let mut forwarded = head.clone();
    headers::for_upstream(&mut forwarded, version.era());
    for dropped in ["host", "connection", "transfer-encoding", "content-length", "accept-encoding", "origin"] {
        assert!(!forwarded.contains_key(dropped), "{dropped} crosses");
    }
});
