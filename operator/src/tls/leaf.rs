//! The certificate that this replica shows. Its key never leaves the process.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate::{self, Certificate};
use super::{Authority, TlsError};

/// A certificate with its key, and who signed it.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// What is shown.
    pub key: Arc<CertifiedKey>,
    /// The certificate.
    pub certificate: Certificate,
    signer: CertificateDer<'static>,
}

impl Leaf {
    /// Makes one for these names and addresses.
    ///
    /// # Errors
    /// If it cannot be made: a name that is none, a key of the authority that is not its own.
    pub fn issue(
        authority: &Authority,
        names: &[String],
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Self, TlsError> {
        let signer = &authority.signing;
        let (certificate, key) = certificate::make_server(&signer.certificate, &signer.key, names, now, lifetime)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = certified(vec![certificate.der.clone()], &key)?;
        Ok(Self { key: Arc::new(key), certificate, signer: signer.certificate.der.clone() })
    }

    /// Whether another is due: two thirds of its life have passed, or another authority signs by now.
    pub fn is_due(&self, authority: &Authority, now: Timestamp) -> bool {
        self.certificate.has_spent(2, 3, now) || self.signer != authority.signing.certificate.der
    }
}

/// A chain and its key as the TLS library takes them.
///
/// # Errors
/// If the key is of a kind that is not supported, or another certificate's.
pub fn certified(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'static>) -> Result<CertifiedKey, TlsError> {
    let key = rustls::crypto::ring::sign::any_supported_type(key).map_err(|why| TlsError::unusable("a key", why))?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|why| TlsError::unusable("a key", why))?;
    Ok(certified)
}

/// Shows the newest certificate to each new connection; none before there is one, which ends the handshake.
#[derive(Debug, Default)]
pub struct Resolver(ArcSwapOption<CertifiedKey>);

impl Resolver {
    /// Shows this one from now on.
    pub fn show(&self, key: Arc<CertifiedKey>) {
        self.0.store(Some(key));
    }

    /// What it shows.
    #[cfg(test)]
    pub(super) fn shown(&self) -> Option<CertificateDer<'static>> {
        self.0.load().as_ref().and_then(|key| key.cert.first().cloned())
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Lifetimes;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::{ServerName, UnixTime};

    const LIFETIMES: Lifetimes =
        Lifetimes { authority: Duration::from_secs(365 * 86_400), certificate: Duration::from_secs(7 * 86_400) };

    fn day(days: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + days * 86_400).unwrap()
    }

    fn names() -> Vec<String> {
        vec!["reeve-operator.reeve-system.svc".into(), "10.1.2.3".into()]
    }

    /// Whether someone who trusts `authority` takes `leaf` for a server of this name.
    fn is_known(authority: &Authority, leaf: &Leaf, name: &str, at: Timestamp) -> bool {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        for root in Certificate::read_all(&authority.bundle()).unwrap() {
            roots.add(root.der).unwrap();
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().unsigned_abs()));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(&leaf.certificate.der, &[], &name, &[], at).is_ok()
    }

    #[test]
    fn who_trusts_the_authority_knows_the_replica_by_its_names_and_its_address_alone() {
        let authority = Authority::create(day(0), &LIFETIMES).unwrap();
        let leaf = Leaf::issue(&authority, &names(), day(0), LIFETIMES.certificate).unwrap();
        for (name, known) in [("reeve-operator.reeve-system.svc", true), ("10.1.2.3", true), ("other.svc", false)] {
            assert_eq!(is_known(&authority, &leaf, name, day(1)), known, "{name}");
        }
        assert!(!is_known(&authority, &leaf, "10.1.2.3", day(8)), "expired");
        let stranger = Authority::create(day(0), &LIFETIMES).unwrap();
        assert!(!is_known(&stranger, &leaf, "10.1.2.3", day(1)));
    }

    #[test]
    fn throughout_a_renewal_whoever_was_told_of_either_authority_knows_the_replica() {
        let mut authority = Authority::create(day(0), &LIFETIMES).unwrap();
        let mut leaf = Leaf::issue(&authority, &names(), day(0), LIFETIMES.certificate).unwrap();
        let mut told = vec![authority.clone()];
        for at in 0..400 {
            if let Some(renewed) = authority.renewed(day(at), &LIFETIMES).unwrap() {
                authority = renewed;
                told.push(authority.clone());
            }
            if leaf.is_due(&authority, day(at)) {
                leaf = Leaf::issue(&authority, &names(), day(at), LIFETIMES.certificate).unwrap();
            }
            assert!(is_known(&authority, &leaf, "10.1.2.3", day(at)), "day {at}");
            // One who heard nothing for two weeks.
            let heard =
                told.iter().rfind(|told| told.signing.certificate.not_before < day(at - 14)).unwrap_or(&told[0]);
            assert!(is_known(heard, &leaf, "10.1.2.3", day(at)), "day {at}");
        }
        assert!(told.len() >= 3);
    }

    #[test]
    fn a_certificate_is_made_anew_after_two_thirds_of_its_life_and_never_outlives_its_signer() {
        let authority = Authority::create(day(0), &LIFETIMES).unwrap();
        let leaf = Leaf::issue(&authority, &names(), day(0), LIFETIMES.certificate).unwrap();
        assert!(!leaf.is_due(&authority, day(4)));
        assert!(leaf.is_due(&authority, day(5)));
        let last = Leaf::issue(&authority, &names(), day(364), LIFETIMES.certificate).unwrap();
        assert_eq!(last.certificate.not_after, authority.signing.certificate.not_after);
    }
}
