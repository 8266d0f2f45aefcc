//! A configuration's content: the servers a pod is given and the policies that govern it.
//!
//! It has nothing of one pod alone, so that pods alike share its bytes and its hash. A policy that governs several servers
//! stands in it once.

mod hash;

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use reeve_crds::v1alpha1::{KeyRef, McpServerSpec, SecretKeyRef, SecretRef, ServerTimeouts};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use self::hash::Hash;
use crate::{Origin, Uid, World};

/// The content of a configuration. Whoever writes one need not have copies of the policies' objects for it: a reference will do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Document<Object = Box<RawValue>> {
    /// By name.
    pub servers: Vec<Server>,
    /// By kind and key.
    pub policies: Vec<PolicyEntry<Object>>,
}

/// A server of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// Its name, which is also the path at which agents find it.
    pub name: String,
    /// The object.
    pub uid: Uid,
    /// Its generation.
    pub generation: i64,
    /// Where it is.
    pub url: String,
    /// The policies that govern it, by their place in the document's list.
    #[serde(default)]
    pub policies: Vec<u32>,
    /// What it names of Secrets and ConfigMaps, to be compared with what the pod was given when it started.
    pub mounts: Mounts,
    /// Whether authorities of its own vouch for it, instead of the public ones.
    #[serde(default)]
    pub ca_bundle: bool,
    /// Whether the sidecar shows it a certificate.
    #[serde(default)]
    pub client_certificate: bool,
    /// The credential that is added to every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Header>,
    /// How long to wait for it.
    #[serde(default)]
    pub timeouts: ServerTimeouts,
}

/// The header that carries a credential. The value comes from a file that only the sidecar has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Its name.
    pub header: String,
    /// What is written before the value.
    #[serde(default)]
    pub prefix: String,
}

/// Headers that are the connection's or the protocol's.
const NOT_FOR_CREDENTIALS: [&str; 15] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a credential can be sent in a header of this name, in lower case: not in one by which a request says where it goes or ends,
/// how it is carried, or what it is. Two of one name could be read in two ways.
pub fn may_carry_a_credential(name: &str) -> bool {
    !NOT_FOR_CREDENTIALS.contains(&name) && !name.starts_with("mcp-")
}

/// A policy of a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyEntry<Object = Box<RawValue>> {
    /// The object.
    pub uid: Uid,
    /// Its generation.
    pub generation: i64,
    /// The object as it is stored: `apiVersion`, `kind`, `metadata` of name, namespace, UID and generation, and `spec`. Nothing
    /// that changes without its generation, or each word that the operator writes into its status would make another document.
    /// Each sidecar reads it with its own knowledge, so one that an older sidecar cannot read is refused by that sidecar alone.
    pub object: Object,
}

/// Which keys of Secrets and ConfigMaps a server names, as one word: equal only if they are the same. Says nothing of values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mounts(String);

impl Mounts {
    /// Of what a server says.
    pub fn of(spec: &McpServerSpec) -> Self {
        #[derive(Serialize)]
        struct Named<'a> {
            ca_bundle: Option<&'a KeyRef>,
            client_certificate: Option<&'a SecretRef>,
            credentials: Option<&'a SecretKeyRef>,
        }
        let tls = spec.tls.as_ref();
        let named = Named {
            ca_bundle: tls.and_then(|tls| tls.ca_bundle.as_ref()),
            client_certificate: tls.and_then(|tls| tls.client_certificate.as_ref()),
            credentials: spec.credentials.as_ref().map(|credentials| &credentials.secret_ref),
        };
        if let Named { ca_bundle: None, client_certificate: None, credentials: None } = named {
            return Self("none".into());
        }
        let hash = Hash::of(&serde_json::to_vec(&named).unwrap_or_default());
        Self(hash.to_hex().chars().take(16).collect())
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A document as it is sent: cheap to copy, and shared by all pods that get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Of the bytes.
    pub hash: Hash,
    /// The document in JSON, without an end of line.
    pub bytes: Bytes,
}

/// Why a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are others than those that were hashed.
    #[error("the document was changed on its way: its hash is {found}, and should be {expected}")]
    Changed {
        /// The hash of what came.
        found: Hash,
        /// The hash that was told.
        expected: Hash,
    },
    /// It is no document.
    #[error("the document cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A server is governed by a policy that is not there.
    #[error("server {server} is governed by policy number {number}, and the document has {policies}")]
    NoPolicy {
        /// The server's name.
        server: String,
        /// The policy's place in the list.
        number: u32,
        /// How many there are.
        policies: usize,
    },
}

impl<Object> Default for Document<Object> {
    fn default() -> Self {
        Self { servers: Vec::new(), policies: Vec::new() }
    }
}

impl<Object: Serialize> Document<Object> {
    /// How many bytes it has when it is written. Holds none of them.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn length(&self) -> Result<usize, serde_json::Error> {
        let mut counted = Counted(0);
        serde_json::to_writer(&mut counted, self)?;
        Ok(counted.0)
    }

    /// Writes the document. Equal documents give equal bytes; no more memory is taken than they need.
    ///
    /// # Errors
    /// What serde says; nothing in the types gives a reason.
    pub fn encode(&self) -> Result<Encoded, serde_json::Error> {
        let mut bytes = Vec::with_capacity(self.length()?);
        serde_json::to_writer(&mut bytes, self)?;
        let bytes = Bytes::from(bytes);
        Ok(Encoded { hash: Hash::of(&bytes), bytes })
    }
}

/// Counts what is written, and keeps none of it.
struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Document {
    /// Reads a document that has the hash.
    ///
    /// # Errors
    /// It is not the one that was hashed, cannot be read, or speaks of policies that it does not have.
    pub fn decode(bytes: &[u8], expected: &Hash) -> Result<Self, Error> {
        let found = Hash::of(bytes);
        if found != *expected {
            return Err(Error::Changed { found, expected: *expected });
        }
        let document: Self = serde_json::from_slice(bytes)?;
        let policies = document.policies.len();
        for server in &document.servers {
            let missing = |number: &&u32| usize::try_from(**number).is_ok_and(|number| number >= policies);
            if let Some(&number) = server.policies.iter().find(missing) {
                return Err(Error::NoPolicy { server: server.name.clone(), number, policies });
            }
        }
        Ok(document)
    }

    /// The generation of each policy, by UID.
    pub fn generations(&self) -> BTreeMap<Uid, i64> {
        self.policies.iter().map(|policy| (policy.uid.clone(), policy.generation)).collect()
    }

    /// Where a configuration with this document comes from.
    pub fn origin(&self, hash: Hash, world: World) -> Origin {
        Origin { hash, world, generations: self.generations() }
    }
}
