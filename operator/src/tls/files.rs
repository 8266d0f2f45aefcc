//! Certificates that someone else provides, as files: a Secret of cert-manager's that is mounted, say.
//!
//! The folder is read every few seconds. (Kubelet swaps the folder behind a link, so a watch on a file would hear of nothing.) What
//! cannot be used is told of, and what was shown before is shown on. So is it until the API server knows a new authority, and the one
//! before is trusted on beside that: two replicas may read a new certificate minutes apart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;

use super::certificate::Certificate;
use super::leaf::certified;
use super::{Resolver, TlsError, Trust, TrustReceiver, tell};
use crate::metrics::Metrics;
use crate::readiness::Awaited;

/// How often the folder is read.
const EVERY: Duration = Duration::from_secs(5);

/// What a folder holds: `tls.crt`, `tls.key`, `ca.crt`.
#[derive(Debug)]
struct Provided {
    key: CertifiedKey,
    certificate: Certificate,
    bundle: Vec<Certificate>,
}

/// Shows what the folder holds, for ever. `known` is what the API server knows the operator by; `ready` is reached once a
/// certificate can be shown.
pub async fn follow(
    folder: PathBuf,
    resolver: Arc<Resolver>,
    trust: watch::Sender<Trust>,
    known: TrustReceiver,
    metrics: Arc<Metrics>,
    ready: Awaited,
) {
    let mut ready = Some(ready);
    let mut shown = None;
    loop {
        match read(&folder).await {
            Ok(provided) => {
                let now = Timestamp::now();
                let bundle = trusted(&provided.bundle, &trust.borrow(), now);
                // At the next look at the earliest, by when every API server has heard of it.
                let is_known = **known.borrow() == *bundle;
                tell(&trust, &bundle);
                if is_known || shown.as_ref().is_none_or(|shown: &Certificate| shown.has_expired(now)) {
                    if shown.as_ref() != Some(&provided.certificate) {
                        tracing::info!(folder = %folder.display(), expires = %provided.certificate.not_after, "a new certificate is shown");
                    }
                    metrics.certificate_expires(provided.certificate.not_after);
                    resolver.show(Arc::new(provided.key));
                    shown = Some(provided.certificate);
                }
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

/// What is provided, and beside it what was trusted before and has not expired: PEM.
fn trusted(provided: &[Certificate], before: &str, now: Timestamp) -> String {
    let mut before = Certificate::together([before], now);
    before.retain(|one| !provided.contains(one));
    provided.iter().chain(&before).map(|one| one.pem.as_str()).collect()
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
    let bundle = Certificate::read_all(&bundle).map_err(|why| TlsError::unusable("ca.crt", why))?;
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
        assert_eq!(read(folder.path()).await.unwrap().bundle, std::slice::from_ref(&authority));

        write(folder.path(), &authority.pem, &certificate.pem, &other_key.serialize_pem());
        let error = read(folder.path()).await.unwrap_err().to_string();
        assert!(error.starts_with("a key cannot be used"), "{error}");

        write(folder.path(), "", &certificate.pem, &key.serialize_pem());
        let error = read(folder.path()).await.unwrap_err().to_string();
        assert_eq!(error, "ca.crt cannot be used: it holds no certificate in PEM");
    }
    /// An authority, and a folder's content that it signed.
    fn provide(folder: &Path) -> (Certificate, Certificate) {
        let (now, day) = (Timestamp::now(), Duration::from_secs(86_400));
        let (authority, key) = make_authority(now, day).unwrap();
        let (certificate, key) = make_server(&authority, &key, &["operator".into()], now, day).unwrap();
        write(folder, &authority.pem, &certificate.pem, &key.serialize_pem());
        (authority, certificate)
    }

    #[tokio::test(start_paused = true)]
    async fn another_authority_is_shown_once_the_api_server_knows_it_and_the_one_before_is_trusted_on() {
        let folder = tempfile::tempdir().unwrap();
        let (first, certificate) = provide(folder.path());
        let (resolver, metrics) = (Arc::new(Resolver::default()), Metrics::new().unwrap());
        let ready = crate::readiness::Readiness::new(reeve_process::drain::drain().1).awaits("a certificate");
        let (sender, mut trust) = watch::channel(Trust::default());
        let (knows, known) = watch::channel(Trust::default());
        let following = follow(folder.path().into(), Arc::clone(&resolver), sender, known, metrics, ready);
        let following = tokio::spawn(following);
        trust.wait_for(|trust| **trust == *first.pem).await.unwrap();
        assert_eq!(resolver.shown(), Some(certificate.der.clone()), "before there is any, nothing is better");
        knows.send_replace(trust.borrow().clone());

        let (second, next) = provide(folder.path());
        let both = trust.wait_for(|trust| **trust == *(second.pem.clone() + &first.pem)).await.unwrap().clone();
        tokio::time::sleep(EVERY * 3).await;
        assert_eq!(resolver.shown(), Some(certificate.der));
        knows.send_replace(both);
        tokio::time::sleep(EVERY * 2).await;
        assert_eq!(resolver.shown(), Some(next.der));
        following.abort();
    }
}
