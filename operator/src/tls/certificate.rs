//! One certificate: what is read of it, and how those of the operator are made.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::TlsError;

/// How far a certificate's beginning lies back, for those whose clock is late.
const BACKDATED: SignedDuration = SignedDuration::from_mins(5);

/// A certificate and what is used of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// As it is sent.
    pub der: CertificateDer<'static>,
    /// As it is stored and put into bundles.
    pub pem: String,
    /// The common name.
    pub name: String,
    /// When it began to be valid.
    pub not_before: Timestamp,
    /// When it expires.
    pub not_after: Timestamp,
}

impl Certificate {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(der: CertificateDer<'static>) -> Result<Self, String> {
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|error| error.to_string())?;
        let name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).unwrap_or_default();
        let time = |seconds: i64| Timestamp::from_second(seconds).map_err(|error| error.to_string());
        Ok(Self {
            name: name.to_owned(),
            not_before: time(parsed.validity().not_before.timestamp())?,
            not_after: time(parsed.validity().not_after.timestamp())?,
            pem: pem(&der),
            der,
        })
    }

    /// Reads all that a PEM text holds.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be read, or that there is none.
    pub fn read_all(text: &str) -> Result<Vec<Self>, String> {
        let all: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
            .map(|der| Self::read(der.map_err(|error| error.to_string())?))
            .collect::<Result<_, String>>()?;
        if all.is_empty() { Err("it holds no certificate in PEM".into()) } else { Ok(all) }
    }

    /// Those of several PEM texts together, in their order and each once, without what has expired or cannot be read.
    pub fn together<'a>(texts: impl IntoIterator<Item = &'a str>, now: Timestamp) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for one in texts.into_iter().flat_map(|text| Self::read_all(text).unwrap_or_default()) {
            if !one.has_expired(now) && !all.contains(&one) {
                all.push(one);
            }
        }
        all
    }

    /// How long it is valid in all.
    pub fn lifetime(&self) -> SignedDuration {
        self.not_after.duration_since(self.not_before)
    }

    /// Whether `numerator/denominator` of its life have passed.
    pub fn has_spent(&self, numerator: i32, denominator: i32, now: Timestamp) -> bool {
        now.duration_since(self.not_before) >= self.lifetime() / denominator * numerator
    }

    /// Whether it has expired.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        now >= self.not_after
    }
}

/// Makes an authority's certificate, and its key in PEM.
pub(super) fn make_authority(now: Timestamp, lifetime: Duration) -> Result<(Certificate, String), TlsError> {
    let key = KeyPair::generate()?;
    // Each has a name of its own, so that whoever trusts two of them finds the right one.
    let parameters = authority_parameters(&format!("reeve-operator-ca {}", now.as_second()));
    let parameters = valid(parameters, now, seconds(lifetime));
    let made = parameters.self_signed(&key)?;
    Ok((read_own(made.der().clone())?, key.serialize_pem()))
}

/// Makes a server's certificate, signed by an authority, that does not outlive it.
pub(super) fn make_server(
    signer: &Certificate,
    signer_key: &str,
    names: &[String],
    now: Timestamp,
    lifetime: Duration,
) -> Result<(Certificate, KeyPair), TlsError> {
    let key = KeyPair::generate()?;
    let issuer = Issuer::new(authority_parameters(&signer.name), KeyPair::from_pem(signer_key)?);
    let lifetime = seconds(lifetime).min(signer.not_after.duration_since(now));
    let mut parameters = valid(CertificateParams::new(names.to_vec())?, now, lifetime);
    parameters.distinguished_name = distinguished_name("reeve-operator");
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    let made = parameters.signed_by(&key, &issuer)?;
    Ok((read_own(made.der().clone())?, key))
}

fn authority_parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = distinguished_name(name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

fn distinguished_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn valid(mut parameters: CertificateParams, now: Timestamp, lifetime: SignedDuration) -> CertificateParams {
    // Short lives, as in tests of rotation, are dated back less: their parts are counted from the beginning.
    let backdated = BACKDATED.min(lifetime / 100);
    parameters.not_before = SystemTime::from(now.saturating_sub(backdated).unwrap_or(now)).into();
    parameters.not_after = SystemTime::from(now.saturating_add(lifetime).unwrap_or(now)).into();
    parameters
}

fn read_own(der: CertificateDer<'static>) -> Result<Certificate, TlsError> {
    Certificate::read(der).map_err(|why| TlsError::unusable("a certificate just made", why))
}

fn seconds(duration: Duration) -> SignedDuration {
    SignedDuration::from_secs(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 1_000_000_000))
}

/// RFC 7468: lines of 64 characters.
fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = String::with_capacity(encoded.len() + encoded.len() / 64 + 60);
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
