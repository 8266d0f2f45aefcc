//! The messages of each direction.
//!
//! A line is an object with one member, whose name says what it is: `{"ping":7}`. What a reader does not know reads as
//! `Unknown`, and is passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::world::Kind;
use crate::{Hash, Origin, Uid, World};

/// Declares an enum that is written as an object with one member, and of which a member that is not known reads as `Unknown`.
macro_rules! one_of {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $variant:ident($content:ty)),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        pub enum $name {
            $($(#[$doc])* $variant($content),)+
            /// What only a later version knows.
            Unknown,
        }

        const _: () = {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct Members { $(#[serde(default)] $field: Option<$content>),+ }

            #[derive(Serialize)]
            #[serde(rename_all = "camelCase")]
            enum Member<'a> { $($variant(&'a $content)),+ }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let members = Members::deserialize(deserializer)?;
                    let mut read = Self::Unknown;
                    $(if let Some(content) = members.$field {
                        if !matches!(read, Self::Unknown) {
                            return Err(serde::de::Error::custom("an object of one member has several"));
                        }
                        read = Self::$variant(content);
                    })+
                    Ok(read)
                }
            }

            impl Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    match self {
                        $(Self::$variant(content) => Member::$variant(content).serialize(serializer),)+
                        Self::Unknown => serde::ser::SerializeMap::end(serializer.serialize_map(Some(0))?),
                    }
                }
            }
        };
    };
}

one_of! {
    /// What a sidecar, or another replica of the operator, says to the operator.
    FromSidecar {
        /// The first line of a stream.
        hello: Hello(Hello),
        /// What became of a configuration.
        ack: Ack(Ack),
        /// The servers of which something changed since the last word about them.
        servers: Servers(Vec<ServerState>),
        /// The answer to the ping of this number.
        pong: Pong(u64),
        /// Of a replica: what it heard of the sidecars that hang on it.
        reports: Reports(Vec<PodReport>),
    }
}

one_of! {
    /// What the operator says to a sidecar.
    ToSidecar {
        /// The answer to the hello.
        welcome: Welcome(Welcome),
        /// What to enforce from now on.
        configuration: Configuration(Configuration),
        /// The authorities by which to know the operator from now on.
        trust: Trust(Trust),
        /// To be answered with its number; shows both sides that the other is there.
        ping: Ping(u64),
        /// To end this stream and make another.
        retire: Retire(Retire),
    }
}

/// A sidecar's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The versions of the protocol that it speaks.
    pub protocol: Range,
    /// Its version.
    pub version: String,
    /// What it runs; none before its first configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
    /// How far it can use the servers that it is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<ServerState>,
}

/// Versions of the protocol, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The oldest.
    pub least: u32,
    /// The newest.
    pub most: u32,
}

impl Range {
    /// The newest version that both speak, if there is one.
    pub fn common(self, other: Self) -> Option<u32> {
        let newest = self.most.min(other.most);
        (newest >= self.least.max(other.least)).then_some(newest)
    }
}

/// What a sidecar enforces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// Where it comes from.
    pub origin: Origin,
    /// The policies of it that this sidecar cannot read or compile. Those that are to be enforced deny every call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<PolicyProblem>,
}

/// Why a sidecar cannot enforce a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyProblem {
    /// The policy.
    pub uid: Uid,
    /// What is wrong, as a sentence with the field's path.
    pub message: String,
}

/// What became of a configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// The hash of the configuration that is spoken of.
    pub hash: Hash,
    /// The world of it.
    pub world: World,
    /// What became of it.
    pub outcome: Outcome,
    /// What runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
}

one_of! {
    /// What a sidecar did with a configuration.
    Outcome {
        /// It is in force, and kept so that a restarted sidecar begins with it. How long that took, in microseconds.
        applied: Applied(u64),
        /// It is older than what runs; the parts to read anew.
        refused_older: RefusedOlder(Vec<Kind>),
        /// It cannot be used; why, as a sentence.
        refused_invalid: RefusedInvalid(String),
    }
}

/// How far a sidecar can use a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerState {
    /// The server.
    pub uid: Uid,
    /// The generation of it that is spoken of.
    pub generation: i64,
    /// Whether it can be used, in one word.
    pub reason: ServerReason,
    /// What is missing, as a sentence; empty if nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Whether a sidecar can use a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServerReason {
    /// It can.
    Resolved,
    /// A Secret or ConfigMap that the server names is not there.
    SecretMissing,
    /// It is there and lacks the key.
    KeyMissing,
    /// A certificate or key cannot be used.
    CertificateInvalid,
    /// The server names what was not given to this pod when it started.
    RestartNeeded,
    /// The URL cannot be used.
    UrlInvalid,
    /// A word that only a later version knows: it cannot.
    #[serde(other)]
    Other,
}

/// What a replica heard of one sidecar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodReport {
    /// The pod.
    pub pod: Uid,
    /// Whether its stream is open.
    pub connected: bool,
    /// What it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
    /// How far it can use its servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<ServerState>,
}

/// The operator's answer to a hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome {
    /// The version of the protocol that is spoken from now on.
    pub protocol: u32,
    /// The operator's version.
    pub version: String,
    /// The name of the replica's pod.
    pub replica: String,
    /// How often it will send a ping, in seconds.
    pub ping_every_seconds: u32,
}

/// What a sidecar is to enforce.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    /// Whose calls are decided.
    pub identity: Identity,
    /// The hash of the document.
    pub hash: Hash,
    /// What its maker had seen.
    pub world: World,
    /// A [`crate::Document`] as it was hashed; none if the sidecar said that it runs it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Box<RawValue>>,
}

/// What a configuration has of one pod alone: a [`Configuration`] without its document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// Whose calls are decided.
    pub identity: Identity,
    /// The hash of the document.
    pub hash: Hash,
    /// What its maker had seen.
    pub world: World,
}

/// The pod whose calls are decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The pod's namespace.
    pub namespace: String,
    /// The ServiceAccount that calls are charged to.
    pub service_account: String,
    /// The pod's name.
    pub pod: String,
    /// The pod itself.
    pub uid: Uid,
    /// The pod's labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// The authorities by which a sidecar knows the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// Their certificates, PEM: the current one, and during a renewal the one before or after.
    pub bundle: String,
}

/// Asks a sidecar to connect anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retire {
    /// Why.
    pub reason: RetireReason,
    /// How long to wait before, so that not all come at once.
    pub reconnect_after_millis: u64,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetireReason {
    /// It has lived long enough; another replica may have less to do.
    Rebalance,
    /// The replica ends.
    Draining,
    /// A reason that only a later version knows.
    #[serde(other)]
    Other,
}
