//! What the audit log says of a call's arguments and session: names and hashes, and values only where a policy asks for them.

use std::sync::Arc;

use reeve_policy::json::{self, Kind, Value};
use sha2::{Digest, Sha256};

use super::text::{push_formatted, push_hex, push_json, push_string};

/// The most that the names of arguments may take in a line, and one of them.
const KEYS_BYTES: usize = 2 << 10;
const KEY_BYTES: usize = 256;

/// The most that opted-in values may take in a line, and the names of those left out.
const VALUES_BYTES: usize = 4 << 10;
const OMITTED_BYTES: usize = 1 << 10;

/// The arguments of one call as the log tells them. Independent of the request's bytes; can be made on a worker.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// Members of the line's object, with a comma before each.
    fragment: Vec<u8>,
}

impl Arguments {
    /// Hashes the arguments and notes their top-level names, and the values of those in `audited`.
    pub fn of(arguments: Value<'_>, audited: &[Arc<str>]) -> Self {
        let mut fragment = Vec::with_capacity(192);
        push_keys(&mut fragment, arguments);
        fragment.extend_from_slice(b",\"argumentsSha256\":\"");
        push_hex(&mut fragment, &json::hash(arguments));
        fragment.push(b'"');
        if !audited.is_empty() && arguments.kind() == Kind::Object {
            push_values(&mut fragment, arguments, audited);
        }
        Self { fragment }
    }

    pub(super) fn fragment(&self) -> &[u8] {
        &self.fragment
    }
}

/// `,"argumentKeys":[…]`, and `,"argumentKeysOmitted":n` if there are more than a line has room for.
fn push_keys(out: &mut Vec<u8>, arguments: Value<'_>) {
    out.extend_from_slice(b",\"argumentKeys\":[");
    let end = out.len() + KEYS_BYTES;
    let mut separator: &[u8] = b"";
    let mut omitted = 0_usize;
    for (key, _) in arguments.members_as_bytes() {
        if out.len() + KEY_BYTES < end {
            out.extend_from_slice(separator);
            push_string(out, &key, KEY_BYTES);
            separator = b",";
        } else {
            omitted += 1;
        }
    }
    out.push(b']');
    if omitted > 0 {
        push_formatted(out, format_args!(",\"argumentKeysOmitted\":{omitted}"));
    }
}

/// `,"arguments":{…}` with the values in canonical form; one that has no room is left out and named in
/// `,"argumentsOmitted":[…]`.
fn push_values(out: &mut Vec<u8>, arguments: Value<'_>, audited: &[Arc<str>]) {
    let (mut values, mut omitted) = (Vec::new(), Vec::new());
    for key in audited {
        let Some(value) = arguments.get(key) else { continue };
        let before = values.len();
        let separator: &[u8] = if values.is_empty() { b"" } else { b"," };
        values.extend_from_slice(separator);
        push_string(&mut values, &**key, KEY_BYTES);
        values.push(b':');
        let fits = canonical_within(value, VALUES_BYTES.saturating_sub(values.len())).is_some_and(|json| {
            push_json(&mut values, &json);
            values.len() <= VALUES_BYTES
        });
        if !fits {
            values.truncate(before);
            push_omitted(&mut omitted, key);
        }
    }
    for (name, list, open, close) in [("arguments", values, b'{', b'}'), ("argumentsOmitted", omitted, b'[', b']')] {
        if !list.is_empty() {
            push_formatted(out, format_args!(",\"{name}\":"));
            out.push(open);
            out.extend_from_slice(&list);
            out.push(close);
        }
    }
}

fn push_omitted(out: &mut Vec<u8>, key: &str) {
    if out.len() + KEY_BYTES < OMITTED_BYTES {
        let separator: &[u8] = if out.is_empty() { b"" } else { b"," };
        out.extend_from_slice(separator);
        push_string(out, key, KEY_BYTES);
    }
}

/// The canonical form if it is no longer than `limit`.
fn canonical_within(value: Value<'_>, limit: usize) -> Option<String> {
    // The canonical form drops white space and escapes only; one that is far longer need not be made.
    let mut bytes = Vec::new();
    let mut fits = true;
    json::canonical(value, &mut |part| {
        fits = fits && bytes.len() + part.len() <= limit;
        if fits {
            bytes.extend_from_slice(part);
        }
    });
    fits.then_some(bytes).and_then(|bytes| String::from_utf8(bytes).ok())
}

/// Stands for a session in the log: the first 8 bytes of the SHA-256 of its id. The id itself is as good as a key to the
/// session, so the log must not hold it; the hash still tells which calls belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionTag([u8; 8]);

impl SessionTag {
    /// The tag of a session id.
    pub fn of(session: &str) -> Self {
        let digest = Sha256::digest(session.as_bytes());
        let mut tag = [0; 8];
        tag.copy_from_slice(&digest[..8]);
        Self(tag)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for SessionTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
