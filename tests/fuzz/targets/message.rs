//! The parser of messages. Law: what it takes, every JSON parser takes, and reads the same method, id, name and arguments in it.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use reeve_policy::json::{Document, Limits};
use reeve_sidecar::mcp::envelope::{Envelope, Sender};

fuzz_target!(|data: &[u8]| {
    let Ok(document) = Document::parse(Bytes::copy_from_slice(data), Limits::default()) else { return };
    assert_eq!(document.bytes(), data, "what is forwarded is what was read");
    let other: serde_json::Value = serde_json::from_slice(data).expect("another parser takes it too");
    for sender in [Sender::Agent, Sender::Server] {
        let Ok(envelope) = Envelope::read(&document, sender) else { continue };
        assert_eq!(envelope.method(), other["method"].as_str());
        if let Some(id) = envelope.id() {
            assert_eq!(id.as_number(), other["id"].as_i64());
            assert_eq!(id.as_str(), other["id"].as_str());
        }
        if let Ok(name) = envelope.params.name() {
            assert_eq!(Some(&*name), other["params"]["name"].as_str());
        }
        if let Ok(Some(arguments)) = envelope.params.arguments() {
            let read: serde_json::Value = serde_json::from_slice(arguments.raw()).expect("a part of JSON is JSON");
            assert_eq!(read, other["params"]["arguments"]);
        }
    }
});
