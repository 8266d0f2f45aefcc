//! How the API server and the sidecars know the operator.
//!
//! ```text
//! Secret reeve-operator-ca ◄─► keeper ─► authority (pure: who signs, who is trusted, what is due)
//!                                │           │
//!                                │           └─► leaf: this replica's certificate, in memory ─► resolver ─► TLS server
//!                                └─► trust (watch channel) ─► webhook configurations' caBundle, new pods, connected sidecars
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`authority`] | the operator's own certificate authority as a value, and its renewal with overlap |
//! | [`certificate`] | one certificate, read and made |
//! | [`leaf`] | the certificate that a replica shows |
//! | [`keeper`] | keeps the Secret, the leaf and what is told of both |
//! | [`files`] | instead of those: certificates that someone else provides, as cert-manager does |
//! | [`bundle`] | the webhook configurations' `caBundle` |
//!
//! Everything is judged by the wall clock at each look, since a timer stands still while a machine sleeps.

pub mod authority;
pub mod bundle;
pub mod certificate;
pub mod files;
pub mod keeper;
pub mod leaf;

use std::sync::Arc;

use tokio::sync::watch;

pub use self::authority::{Authority, Lifetimes};
pub use self::leaf::{Leaf, Resolver};

/// The authorities by which others know the operator: certificates, PEM. Empty before there are any.
pub type Trust = Arc<str>;

/// Follows [`Trust`].
pub type TrustReceiver = watch::Receiver<Trust>;

/// Why a certificate cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate or key cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// Something that should hold certificates and keys does not.
    #[error("{what} cannot be used: {why}")]
    Unusable {
        /// What: an entry of a Secret, a file.
        what: String,
        /// Why.
        why: String,
    },
}

/// Tells of another bundle, if it is another.
fn tell(trust: &watch::Sender<Trust>, bundle: &str) {
    trust.send_if_modified(|told| {
        let differs = **told != *bundle;
        if differs {
            *told = bundle.into();
        }
        differs
    });
}

impl TlsError {
    #[expect(clippy::needless_pass_by_value, reason = "callers have an error or a text, and no use for it after")]
    pub(crate) fn unusable(what: impl Into<String>, why: impl ToString) -> Self {
        Self::Unusable { what: what.into(), why: why.to_string() }
    }
}
