//! The operator's certificate authority as a value: who signs, who will sign next, who signed before.
//!
//! ```text
//! |──────────────── signing ────────────────|
//! made                    2/3               3/4            expired
//!                          next is made      next signs      dropped from the bundle
//!                          and trusted       from now on
//! ```
//!
//! Between two thirds and three quarters of its life everyone who knows the one learns of the other, before anything signed by the
//! other is shown. Any replica may write what follows; the Secret's resource version lets one of them win.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;

use super::TlsError;
use super::certificate::{self, Certificate};

/// The Secret's entry with the certificate that signs, PEM.
const SIGNING_CERTIFICATE: &str = "tls.crt";
/// Its key.
const SIGNING_KEY: &str = "tls.key";
/// The entry with the certificate that will sign next.
const NEXT_CERTIFICATE: &str = "next.crt";
/// Its key.
const NEXT_KEY: &str = "next.key";
/// The entry with every certificate that is trusted.
const BUNDLE: &str = "ca.crt";

/// How long certificates are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// The authority's own.
    pub authority: std::time::Duration,
    /// The one that a replica shows.
    pub certificate: std::time::Duration,
}

/// A certificate that can sign.
#[derive(Clone, PartialEq, Eq)]
pub struct Signer {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key, PEM.
    pub(super) key: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Signer").field(&self.certificate.name).finish()
    }
}

impl Signer {
    fn make(now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, TlsError> {
        let (certificate, key) = certificate::make_authority(now, lifetimes.authority)?;
        Ok(Self { certificate, key })
    }

    fn read(data: &Entries, certificate: &str, key: &str) -> Result<Self, TlsError> {
        let all =
            Certificate::read_all(text(data, certificate)?).map_err(|why| TlsError::unusable(certificate, why))?;
        let [one] = <[Certificate; 1]>::try_from(all)
            .map_err(|all| TlsError::unusable(certificate, format!("it holds {} certificates, not one", all.len())))?;
        let key_text = text(data, key)?;
        rcgen::KeyPair::from_pem(key_text).map_err(|why| TlsError::unusable(key, why))?;
        Ok(Self { certificate: one, key: key_text.to_owned() })
    }
}

/// The entries of a Secret.
pub type Entries = BTreeMap<String, ByteString>;

/// The authority of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Signs what replicas show.
    pub signing: Signer,
    /// Is trusted already, and signs later.
    pub next: Option<Signer>,
    /// What signed before and has not expired.
    pub earlier: Vec<Certificate>,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn create(now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, TlsError> {
        Ok(Self { signing: Signer::make(now, lifetimes)?, next: None, earlier: Vec::new() })
    }

    /// A new one in place of a Secret that cannot be read: what its bundle still tells is trusted on.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn replace(unreadable: &Entries, now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, TlsError> {
        let earlier = text(unreadable, BUNDLE).ok().and_then(|bundle| Certificate::read_all(bundle).ok());
        Ok(Self { earlier: earlier.unwrap_or_default(), ..Self::create(now, lifetimes)? })
    }

    /// What a Secret holds.
    ///
    /// # Errors
    /// Which entry cannot be used, and why.
    pub fn read(data: &Entries) -> Result<Self, TlsError> {
        let signing = Signer::read(data, SIGNING_CERTIFICATE, SIGNING_KEY)?;
        let next = match data.contains_key(NEXT_CERTIFICATE) {
            true => Some(Signer::read(data, NEXT_CERTIFICATE, NEXT_KEY)?),
            false => None,
        };
        let own = |other: &Certificate| {
            *other == signing.certificate || next.as_ref().is_some_and(|next| *other == next.certificate)
        };
        let bundle = Certificate::read_all(text(data, BUNDLE)?).map_err(|why| TlsError::unusable(BUNDLE, why))?;
        let earlier = bundle.into_iter().filter(|certificate| !own(certificate)).collect();
        Ok(Self { signing, next, earlier })
    }

    /// What a Secret is to hold.
    pub fn write(&self) -> Entries {
        let entry = |name: &str, text: &str| (name.to_owned(), ByteString(text.as_bytes().to_vec()));
        let mut data = Entries::from([
            entry(SIGNING_CERTIFICATE, &self.signing.certificate.pem),
            entry(SIGNING_KEY, &self.signing.key),
            entry(BUNDLE, &self.bundle()),
        ]);
        if let Some(next) = &self.next {
            data.extend([entry(NEXT_CERTIFICATE, &next.certificate.pem), entry(NEXT_KEY, &next.key)]);
        }
        data
    }

    /// What it is to become by now, if that differs.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn renewed(&self, now: Timestamp, lifetimes: &Lifetimes) -> Result<Option<Self>, TlsError> {
        let mut renewed = self.clone();
        let signing = &self.signing.certificate;
        if renewed.next.is_none() && signing.has_spent(2, 3, now) {
            renewed.next = Some(Signer::make(now, lifetimes)?);
        }
        if let Some(next) = renewed.next.take() {
            // The next one's own age counts as well: after a time without an operator both thresholds may have passed at once, and
            // what is trusted from now on must not sign from now on, unless nothing else can.
            let is_known = next.certificate.has_spent(1, 12, now);
            if signing.has_expired(now) || (signing.has_spent(3, 4, now) && is_known) {
                let before = std::mem::replace(&mut renewed.signing, next);
                renewed.earlier.push(before.certificate);
            } else {
                renewed.next = Some(next);
            }
        }
        renewed.earlier.retain(|certificate| !certificate.has_expired(now));
        Ok((renewed != *self).then_some(renewed))
    }

    /// The same, at the beginning of a renewal: what follows when someone deletes the Secret to have another authority.
    ///
    /// # Errors
    /// If no key can be made.
    pub fn begin_renewal(&self, now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, TlsError> {
        Ok(Self { next: Some(Signer::make(now, lifetimes)?), ..self.clone() })
    }

    /// Every certificate that is trusted, PEM, the one that signs first.
    pub fn bundle(&self) -> String {
        let next = self.next.iter().map(|signer| &signer.certificate);
        let all = std::iter::once(&self.signing.certificate).chain(next).chain(&self.earlier);
        all.map(|certificate| certificate.pem.as_str()).collect()
    }
}

fn text<'a>(data: &'a Entries, name: &str) -> Result<&'a str, TlsError> {
    let bytes = data.get(name).ok_or_else(|| TlsError::unusable(name, "the Secret lacks it"))?;
    std::str::from_utf8(&bytes.0).map_err(|_| TlsError::unusable(name, "it is no text"))
}

#[cfg(test)]
mod tests;
