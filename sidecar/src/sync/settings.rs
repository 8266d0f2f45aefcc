//! What a sidecar is told of its operator: by flags, or the variables that the webhook writes into its pod.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::Uri;
use http::uri::Scheme;
use rustls::pki_types::ServerName;

use super::trust::{Trust, TrustError};

/// Where the operator is, how each knows the other, and what the pod was given.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's URL.
    pub operator: String,
    /// The authorities (PEM) by which it is known at first.
    pub authorities: String,
    /// The file with the ServiceAccount token that proves which pod this is.
    pub token: PathBuf,
    /// The folder with a folder for each server that names Secrets or ConfigMaps.
    pub servers: PathBuf,
    /// What was mounted for each server when the pod was made.
    pub mounts: Mounted,
}

/// Why there can be no word with the operator.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Its URL is none.
    #[error(
        "{0:?} is not the URL of an operator: write one such as https://reeve-operator.reeve-system.svc:9443 (--operator)"
    )]
    Url(String),
    /// Its authorities cannot be used.
    #[error("the operator cannot be known: {0} (--operator-ca)")]
    Authorities(#[from] TrustError),
}

/// Where the operator is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) host: String,
    pub(super) port: u16,
    /// What its certificate must name.
    pub(super) name: ServerName<'static>,
    /// As HTTP/2 names it in each request.
    pub(super) authority: String,
}

impl Settings {
    /// Finds what is wrong before anything else begins.
    pub(super) fn check(&self) -> Result<(Operator, Trust), SettingsError> {
        let operator = Operator::parse(&self.operator).ok_or_else(|| SettingsError::Url(self.operator.clone()))?;
        Ok((operator, Trust::parse(&self.authorities)?))
    }
}

impl Operator {
    fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority().filter(|_| uri.scheme() == Some(&Scheme::HTTPS))?;
        if !matches!(uri.path_and_query()?.as_str(), "" | "/") || authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).ok()?;
        let written_port = authority.as_str().len() > authority.host().len();
        let port = if written_port { authority.port_u16()? } else { 443 };
        Some(Self { host, port, name, authority: authority.to_string() })
    }
}

/// What was mounted for each server when the pod was made, by the server's name: one word for all that it named of Secrets and
/// ConfigMaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounted(BTreeMap<String, String>);

impl Mounted {
    /// Reads `NAME=WORD,NAME=WORD`, as the webhook writes it.
    ///
    /// # Errors
    /// What is expected instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| match pair.split_once('=') {
            Some((name, word)) if !name.is_empty() && !word.is_empty() => Ok((name.to_owned(), word.to_owned())),
            _ => Err(format!("{pair:?} is not NAME=WORD")),
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }

    /// What was mounted for a server; none if it was not there, or named nothing.
    pub(super) fn of(&self, server: &str) -> Option<&str> {
        self.0.get(server).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_an_https_url_without_a_path() {
        let operator = Operator::parse("https://reeve-operator.reeve-system.svc:9443").unwrap();
        assert_eq!((&*operator.host, operator.port), ("reeve-operator.reeve-system.svc", 9_443));
        assert_eq!(Operator::parse("https://operator/").unwrap().port, 443);
        assert_eq!(Operator::parse("https://[::1]:9443").unwrap().host, "::1");
        for wrong in
            ["operator:443", "http://operator", "https://operator/path", "https://a@operator", "https://operator:0x"]
        {
            assert_eq!(Operator::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn mounts_are_read_as_the_webhook_writes_them() {
        let mounted = Mounted::parse("aws=0123456789abcdef,github=none").unwrap();
        assert_eq!(
            (mounted.of("aws"), mounted.of("github"), mounted.of("gone")),
            (Some("0123456789abcdef"), Some("none"), None)
        );
        assert_eq!(Mounted::parse(""), Ok(Mounted::default()));
        assert!(Mounted::parse("aws").unwrap_err().contains("NAME=WORD"));
    }
}
