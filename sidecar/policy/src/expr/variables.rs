//! What an expression can read.

mod read;

use super::Variable;
use super::functions::table::Type;

pub(super) use self::read::{Read, Want};

/// A variable, or the part of one that a path begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Arguments,
    Name,
    Risk,
    Categories,
    Severity,
    Annotations,
    Server,
    Namespace,
    ServiceAccount,
    PodName,
    PodLabels,
    Session,
    Now,
}

impl Root {
    /// Whether its value may differ between two calls of one tool.
    pub(super) fn is_of_the_call(self) -> bool {
        matches!(self, Self::Arguments | Self::Session | Self::Now)
    }
}

/// One variable: the names that lead to it, what it is, and what users read of it.
pub(super) struct Entry {
    pub(super) path: &'static [&'static str],
    pub(super) root: Root,
    pub(super) gives: Type,
    pub(super) variable: Variable,
}

/// Declares the table. Of each variable: its doc, name, type, what it reads, and its type in words for users.
macro_rules! variables {
    ($($(#[doc = $doc:literal])+ $first:ident $(.$rest:ident)*: $gives:ident = $root:ident, $kind:literal;)+) => {
        /// Every variable.
        pub(super) const VARIABLES: &[Entry] = &[$(Entry {
            path: &[stringify!($first) $(, stringify!($rest))*],
            root: Root::$root,
            gives: Type::$gives,
            variable: Variable {
                name: concat!(stringify!($first) $(, ".", stringify!($rest))*),
                kind: $kind,
                doc: concat!($($doc),+).trim_ascii(),
            },
        },)+];
    };
}

variables! {
    /// The arguments of a tool or prompt, the params of a resource read; an empty object if there are none.
    args: Object = Arguments, "object";
    /// The tool's name; for a resource or prompt, its URI or name.
    tool.name: Text = Name, "string";
    /// Absent, as has(tool.risk) tells, unless the tool has been seen.
    tool.risk: Object = Risk, "object";
    /// Of Read, Write, Execute, Destructive and Financial, those that the tool has.
    tool.risk.categories: List = Categories, "list of string";
    /// Low, Medium, High or Critical.
    tool.risk.severity: Text = Severity, "string";
    /// The annotations that the server gives the tool, such as readOnlyHint; an empty object if there are none. A
    /// server can write what it likes here.
    tool.annotations: Object = Annotations, "object";
    /// The name of the server.
    server: Text = Server, "string";
    /// The namespace of the pod.
    grant.namespace: Text = Namespace, "string";
    /// The pod's ServiceAccount; standalone, the name of the grant.
    grant.serviceAccount: Text = ServiceAccount, "string";
    /// The name of the pod; standalone, of the host.
    pod.name: Text = PodName, "string";
    /// The labels of the pod.
    pod.labels: Object = PodLabels, "object of string";
    /// The session; the empty string for a call without one.
    session: Text = Session, "string";
    /// The time of the call.
    now: Other = Now, "timestamp";
}

/// One step of a path, and the column at which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) key: Key,
    pub(super) column: usize,
}

/// Where a step leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Field(String),
    Index(usize),
}
