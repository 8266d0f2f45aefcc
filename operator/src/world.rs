//! What the operator has seen of the cluster, trimmed to what it uses.
//!
//! Views are made where objects arrive; whatever else an object holds is dropped there. The order of changes never matters: a
//! view of an older resource version than the one that is held is passed over.

mod ledger;
pub mod namespace;
mod object;
pub mod pod;
pub mod policy;
pub mod server;
mod store;

pub(crate) use self::ledger::{Difference, Ledger};
pub use self::namespace::NamespaceView;
pub use self::pod::{Owner, PodObject, PodView, Protection};
pub use self::policy::PolicyView;
pub use self::server::ServerView;
pub use self::store::{Key, SharedWorld, World};

/// A change that a watch tells of.
#[derive(Clone, Debug)]
pub enum Change<View> {
    /// Everything there is, read at once, and the resource version of that reading: what is not in it is gone.
    All {
        /// The objects.
        objects: Vec<View>,
        /// The version of the list.
        version: u64,
    },
    /// An object was created or has changed.
    Set(View),
    /// An object is gone: its last state, at the version of its deletion.
    Gone(View),
    /// Nothing changed up to this version.
    Bookmark(u64),
}

impl<View> Change<View> {
    /// Whether it tells of everything there is.
    pub fn is_list(&self) -> bool {
        matches!(self, Self::All { .. })
    }
}
