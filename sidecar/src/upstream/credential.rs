//! A credential: a header whose value is read from a file, and read again when the file changes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use reeve_wire::document::may_carry_a_credential;

use crate::config;

use super::error::{BuildError, Cause, Failure};

/// How long a value is used before its file is read again. A rotated secret is picked up within this time. That there is none is
/// never used again: what reports on the file may have found it since.
const REREAD_AFTER: Duration = Duration::from_secs(1);

/// The largest credential file, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// A header whose value is read from a file. The value is never logged or shown.
#[derive(Debug)]
pub(super) struct Credential {
    header: HeaderName,
    file: Arc<Path>,
    prefix: Arc<str>,
    last: Mutex<Option<Reading>>,
    /// Held by the one call that reads the file; others wait for what it finds.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Reading {
    /// When it began.
    at: Instant,
    value: Result<HeaderValue, String>,
}

impl Credential {
    pub(super) fn new(credentials: &config::Credentials) -> Result<Self, BuildError> {
        let header = HeaderName::from_bytes(credentials.header.as_bytes()).map_err(|_| BuildError {
            pointer: "/credentials/header",
            message: format!(
                "{:?} is not the name of an HTTP header: write one such as Authorization",
                credentials.header
            ),
        })?;
        if !may_carry_a_credential(header.as_str()) {
            return Err(BuildError {
                pointer: "/credentials/header",
                message: format!(
                    "{:?} is the connection's or the protocol's: write another, such as Authorization",
                    credentials.header
                ),
            });
        }
        if HeaderValue::from_str(&credentials.prefix).is_err() {
            return Err(BuildError {
                pointer: "/credentials/prefix",
                message: "the prefix holds characters that no HTTP header may hold".into(),
            });
        }
        Ok(Self {
            header,
            file: PathBuf::from(&credentials.file).into(),
            prefix: credentials.prefix.as_str().into(),
            last: Mutex::new(None),
            reading: tokio::sync::Mutex::new(()),
        })
    }

    /// The header, which takes the place of every one of that name that the agent sent.
    pub(super) async fn header(&self) -> Result<(HeaderName, HeaderValue), Failure> {
        let asked = Instant::now();
        let value = match self.fresh(asked) {
            Some(value) => value,
            None => {
                let _turn = self.reading.lock().await;
                match self.fresh(asked) {
                    Some(value) => value,
                    None => self.reread().await,
                }
            }
        };
        let value = value.map_err(|detail| Failure::unsent(Cause::Credential, detail))?;
        Ok((self.header.clone(), value))
    }

    /// What was read, if it is new enough for a call of this time. Of several that wait, one reads what is missing.
    fn fresh(&self, asked: Instant) -> Option<Result<HeaderValue, String>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |reading: &&Reading| match reading.value {
            Ok(_) => asked.saturating_duration_since(reading.at) < REREAD_AFTER,
            Err(_) => reading.at >= asked,
        };
        last.as_ref().filter(is_fresh).map(|reading| reading.value.clone())
    }

    async fn reread(&self) -> Result<HeaderValue, String> {
        let (file, prefix, at) = (Arc::clone(&self.file), Arc::clone(&self.prefix), Instant::now());
        let value = tokio::task::spawn_blocking(move || read(&file, &prefix))
            .await
            .unwrap_or_else(|_| Err("the credential could not be read: the sidecar is stopping".into()));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Reading { at, value: value.clone() });
        value
    }
}

/// Reads a credential. Errors name the file and never what it holds.
fn read(path: &Path, prefix: &str) -> Result<HeaderValue, String> {
    let wrong = |what: &str| format!("the credential file {} {what}", path.display());
    let cannot = |error: std::io::Error| wrong(&format!("cannot be read: {error}"));
    // A pipe or device could block or never end.
    if !std::fs::metadata(path).map_err(cannot)?.is_file() {
        return Err(wrong("is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    header_value(&bytes, prefix).map_err(wrong)
}

/// What a credential file's content is sent as, or what is wrong with it.
pub(crate) fn header_value(content: &[u8], prefix: &str) -> Result<HeaderValue, &'static str> {
    if content.len() as u64 > MAX_BYTES {
        return Err("is larger than 64 KiB");
    }
    let secret = content.trim_ascii();
    if secret.is_empty() {
        return Err("is empty");
    }
    let mut value = HeaderValue::from_bytes(&[prefix.as_bytes(), secret].concat())
        .map_err(|_| "holds characters that no HTTP header may hold, such as a line break")?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(header: &str, file: &Path) -> Result<Credential, BuildError> {
        Credential::new(&config::Credentials {
            header: header.into(),
            file: file.display().to_string(),
            prefix: "Bearer ".into(),
            insecure_plain_text: false,
        })
    }

    fn credential(file: &Path) -> Credential {
        named("Authorization", file).unwrap()
    }

    #[test]
    fn no_credential_takes_the_place_of_what_a_request_says_of_itself() {
        for header in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Connection",
            "Proxy-Authorization",
            "Mcp-Session-Id",
            "No Name",
        ] {
            let refused = named(header, Path::new("/none")).unwrap_err();
            assert_eq!(refused.pointer, "/credentials/header");
            assert!(refused.message.contains(header) && refused.message.contains("Authorization"), "{refused}");
        }
        for header in ["Authorization", "X-Api-Key", "Cookie"] {
            assert!(named(header, Path::new("/none")).is_ok(), "{header}");
        }
    }

    #[tokio::test]
    async fn the_value_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "  s3cret\n").unwrap();
        let credential = credential(&file);
        let (name, value) = credential.header().await.unwrap();
        assert_eq!((name.as_str(), &value), ("authorization", &HeaderValue::from_static("Bearer s3cret")));
        assert!(!format!("{value:?} {credential:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn a_file_without_a_usable_value_fails_the_call_and_is_named_but_not_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        let contents: [(&[u8], &str); 3] = [(b" \n", "empty"), (b"to\nken", "line break"), (&[b'x'; 70_000], "64 KiB")];
        for (bytes, told) in contents {
            std::fs::write(&file, bytes).unwrap();
            let failure = credential(&file).header().await.unwrap_err();
            assert_eq!(failure.cause, Cause::Credential);
            assert!(failure.detail.contains(told) && failure.detail.contains("/token "), "{}", failure.detail);
            assert!(!failure.detail.contains("to\nken"));
        }
        for path in [directory.path(), &directory.path().join("none")] {
            assert!(credential(path).header().await.is_err());
        }
    }

    #[tokio::test]
    async fn a_credential_that_has_come_is_used_by_the_next_call_though_one_before_found_none() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        let credential = credential(&file);
        assert!(credential.header().await.is_err());
        std::fs::write(&file, "s3cret").unwrap();
        assert_eq!(credential.header().await.unwrap().1, "Bearer s3cret");
        std::fs::remove_file(&file).unwrap();
        assert!(credential.header().await.is_ok(), "it is not read for each call");
    }

    #[tokio::test]
    async fn calls_that_wait_while_a_missing_credential_is_looked_for_do_not_each_look_again() {
        let directory = tempfile::tempdir().unwrap();
        let credential = credential(&directory.path().join("none"));
        let asked = Instant::now();
        credential.reread().await.unwrap_err();
        assert!(credential.fresh(asked).is_some_and(|value| value.is_err()), "it asked before that was read");
        assert!(credential.fresh(Instant::now()).is_none());
    }
}
