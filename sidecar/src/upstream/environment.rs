//! What upstreams take from the process's surroundings: proxy variables and the system's certificate authorities.

use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;

/// The proxy variables and the system's certificate authorities, read once and shared by all servers.
#[derive(Debug, Default)]
pub struct Environment {
    pub(super) https_proxy: Option<Variable>,
    pub(super) http_proxy: Option<Variable>,
    pub(super) no_proxy: Option<Variable>,
    authorities: OnceLock<Arc<RootCertStore>>,
}

/// A variable that is set, and not to nothing.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) value: String,
}

impl Environment {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` (or their lower-case forms) of this process.
    pub fn from_process() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same, of variables that come from elsewhere.
    pub fn from_variables(read: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|&name| {
                let value = read(name).filter(|value| !value.trim().is_empty())?;
                Some(Variable { name, value })
            })
        };
        Self {
            https_proxy: first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
            http_proxy: first(&["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]),
            no_proxy: first(&["NO_PROXY", "no_proxy"]),
            authorities: OnceLock::new(),
        }
    }

    /// The authorities that the system trusts; those that cannot be read are left out. Empty if there are none, as in
    /// an image without certificates.
    pub(super) fn authorities(&self) -> Arc<RootCertStore> {
        let load = || {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "some of the system's certificate authorities could not be read");
            }
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(found.certs);
            Arc::new(store)
        };
        Arc::clone(self.authorities.get_or_init(load))
    }
}
