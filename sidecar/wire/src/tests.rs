//! The laws of the protocol.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use reeve_crds::v1alpha1::{McpServerSpec, SecretKeyRef, ServerCredentials, ServerTimeouts, ServerTls};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::document::{Document, Error, Mounts, PolicyEntry, Server};
use crate::lines::{self, Lines, TooLong};
use crate::message::{Configuration, Envelope, Identity, Outcome, Range};
use crate::world::Kind;
use crate::{FromSidecar, Hash, Judgement, Origin, ToSidecar, Uid, World, judge};

mod forms;
mod laws;

/// The lines of these pieces, and whether one was too long.
fn split(most: usize, pieces: &[&[u8]]) -> (Vec<Bytes>, Result<(), TooLong>) {
    let mut lines = Lines::new(most);
    let mut found = Vec::new();
    for piece in pieces {
        lines.push(piece);
        loop {
            match lines.next_line() {
                Ok(Some(line)) => found.push(line),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, Ok(()))
}

fn identity() -> Identity {
    Identity {
        namespace: "clinic".into(),
        service_account: "agent".into(),
        pod: "agent-0".into(),
        uid: "p1".into(),
        labels: [("app".to_owned(), "imaging".to_owned())].into(),
    }
}

fn document() -> Document {
    let object = to_raw_value(&json!({"kind": "McpPolicy", "spec": {"serverRefs": [{"name": "aws"}]}})).unwrap();
    Document {
        servers: vec![Server {
            name: "aws".into(),
            uid: "s1".into(),
            generation: 2,
            url: "https://aws.internal/mcp".into(),
            policies: vec![0],
            mounts: Mounts::of(&spec()),
            ca_bundle: false,
            client_certificate: false,
            credentials: None,
            timeouts: ServerTimeouts::default(),
        }],
        policies: vec![PolicyEntry { uid: "u1".into(), generation: 4, object }],
    }
}

fn spec() -> McpServerSpec {
    serde_json::from_value(json!({"url": "https://aws.internal/mcp"})).unwrap()
}
