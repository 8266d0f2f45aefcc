//! Certificates that someone else provides, as files: a Secret of cert-manager's that is mounted, say.
//!
//! The folder is read every few seconds. (Kubelet swaps the folder behind a link, so a watch on a file would hear of nothing.) What
//! cannot be used is told of, and what was shown before is shown on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::certificate::Certificate;
use super::leaf::certified;
use super::{Resolver, TlsError, Trust, tell};
use crate::metrics::Metrics;
use crate::readiness::Awaited;

/// How often the folder is read.
const EVERY: Duration = Duration::from_secs(5);

/// What a folder holds: `tls.crt`, `tls.key`, `ca.crt`.
#[derive(Debug)]
struct Provided {
    key: CertifiedKey,
    certificate: Certificate,
    bundle: String,
}

/// Shows what the folder holds, for ever. `ready` is reached once a certificate can be shown.
pub async fn follow(
    folder: PathBuf,
    resolver: Arc<Resolver>,
    trust: watch::Sender<Trust>,
    metrics: Arc<Metrics>,
    ready: Awaited,
) {
    let mut ready = Some(ready);
    let mut shown = None;
    loop {
        match read(&folder).await {
            Ok(provided) => {
                if shown.as_ref() != Some(&provided.certificate.der) {
                    tracing::info!(folder = %folder.display(), expires = %provided.certificate.not_after, "a new certificate is shown");
                    shown = Some(provided.certificate.der.clone());
                }
                tell(&trust, &provided.bundle);
                metrics.certificate_expires(provided.certificate.not_after);
                resolver.show(Arc::new(provided.key));
                if let Some(ready) = ready.take() {
                    ready.reached();
                }
            }
            Err(error) => {
                metrics.failed("files", "certificate");
                tracing::warn!(folder = %folder.display(), %error, "the certificate cannot be used; what is shown stays as it is");
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn read(folder: &Path) -> Result<Provided, TlsError> {
    let chain = text(folder, "tls.crt").await?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|why| TlsError::unusable("tls.crt", why))?;
    let first =
        chain.first().cloned().ok_or_else(|| TlsError::unusable("tls.crt", "it holds no certificate in PEM"))?;
    let certificate = Certificate::read(first).map_err(|why| TlsError::unusable("tls.crt", why))?;
    let key = PrivateKeyDer::from_pem_slice(text(folder, "tls.key").await?.as_bytes())
        .map_err(|why| TlsError::unusable("tls.key", why))?;
    let bundle = text(folder, "ca.crt").await?;
    Certificate::read_all(&bundle).map_err(|why| TlsError::unusable("ca.crt", why))?;
    Ok(Provided { key: certified(chain, &key)?, certificate, bundle })
}

async fn text(folder: &Path, name: &str) -> Result<String, TlsError> {
    tokio::fs::read_to_string(folder.join(name)).await.map_err(|why| TlsError::unusable(name, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::certificate::{make_authority, make_server};

    fn write(folder: &Path, bundle: &str, certificate: &str, key: &str) {
        for (name, content) in [("ca.crt", bundle), ("tls.crt", certificate), ("tls.key", key)] {
            std::fs::write(folder.join(name), content).unwrap();
        }
    }

    #[tokio::test]
    async fn provided_files_are_used_if_they_fit_each_other() {
        let now = jiff::Timestamp::now();
        let day = Duration::from_secs(86_400);
        let (authority, authority_key) = make_authority(now, day).unwrap();
        let make = || make_server(&authority, &authority_key, &["operator".into()], now, day).unwrap();
        let ((certificate, key), (_, other_key)) = (make(), make());
        let folder = tempfile::tempdir().unwrap();

        write(folder.path(), &authority.pem, &certificate.pem, &key.serialize_pem());
        assert_eq!(read(folder.path()).await.unwrap().bundle, authority.pem);

        write(folder.path(), &authority.pem, &certificate.pem, &other_key.serialize_pem());
        let error = read(folder.path()).await.unwrap_err().to_string();
        assert!(error.starts_with("a key cannot be used"), "{error}");

        write(folder.path(), "", &certificate.pem, &key.serialize_pem());
        let error = read(folder.path()).await.unwrap_err().to_string();
        assert_eq!(error, "ca.crt cannot be used: it holds no certificate in PEM");
    }
}
