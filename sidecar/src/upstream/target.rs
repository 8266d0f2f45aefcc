//! A server's URL, taken apart.

use std::net::IpAddr;
use std::path::PathBuf;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

/// What a server's URL says. The path and query are kept byte for byte: servers differ in how they read variants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    place: Place,
    secure: bool,
    authority: Authority,
    host_header: HeaderValue,
    path_and_query: PathAndQuery,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A host (a name, or an address without brackets) and a port.
    Host(String, u16),
    /// A Unix socket.
    Socket(PathBuf),
}

/// Why a text is not the URL of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a URL at all.
    #[error(
        "{0:?} is not a URL: write one such as https://imaging.internal/mcp, http://127.0.0.1:3924/mcp \
         or unix:///run/imaging.sock:/mcp"
    )]
    NotUrl(String),
    /// A host and path without a scheme.
    #[error("{0:?} has no scheme: did you mean http://{0} or https://{0}?")]
    NoScheme(String),
    /// A scheme that is not MCP over Streamable HTTP.
    #[error("the scheme {0}:// is not supported: MCP servers are reached by http://, https:// or unix://")]
    Scheme(String),
    /// A user name or password. The text is not repeated.
    #[error("the URL holds a user name or password: put them into a file and name it in `credentials`")]
    UserInfo,
    /// A fragment, which is never sent.
    #[error("the URL has a fragment (#...), which no server would see: remove it")]
    Fragment,
    /// A port of 0, or one that does not fit.
    #[error("{0:?} has no usable port: write one from 1 to 65535, or none for 80 (http) or 443 (https)")]
    Port(String),
    /// A socket without the path that the server serves.
    #[error("{0:?} does not say which path the server serves: write unix:///path/to/socket:/mcp")]
    SocketPath(String),
}

impl Target {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// What is wrong, with what a URL looks like.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        if url.contains('#') {
            return Err(TargetError::Fragment);
        }
        match url.strip_prefix("unix://") {
            Some(rest) => Self::socket(url, rest),
            None => Self::host(url),
        }
    }

    fn socket(url: &str, rest: &str) -> Result<Self, TargetError> {
        let (socket, path) = rest.split_once(":/").ok_or_else(|| TargetError::SocketPath(url.into()))?;
        let path_and_query = format!("/{path}").parse().map_err(|_| TargetError::NotUrl(url.into()))?;
        if !socket.starts_with('/') {
            return Err(TargetError::NotUrl(url.into()));
        }
        Ok(Self {
            place: Place::Socket(PathBuf::from(socket)),
            secure: false,
            authority: Authority::from_static("localhost"),
            host_header: HeaderValue::from_static("localhost"),
            path_and_query,
        })
    }

    fn host(url: &str) -> Result<Self, TargetError> {
        let not_url = || TargetError::NotUrl(url.into());
        if !url.contains("://") {
            let looks_like_host = url.contains(['.', ':', '/']) && format!("http://{url}").parse::<Uri>().is_ok();
            return Err(if looks_like_host { TargetError::NoScheme(url.into()) } else { not_url() });
        }
        let parts = url.parse::<Uri>().map_err(|_| not_url())?.into_parts();
        let (Some(scheme), Some(authority), Some(path_and_query)) =
            (parts.scheme, parts.authority, parts.path_and_query)
        else {
            return Err(not_url());
        };
        if authority.as_str().contains('@') {
            return Err(TargetError::UserInfo);
        }
        let secure = match scheme {
            _ if scheme == Scheme::HTTPS => true,
            _ if scheme == Scheme::HTTP => false,
            other => return Err(TargetError::Scheme(other.to_string())),
        };
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let written_port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        let port = match (written_port, authority.port_u16()) {
            ("", _) if secure => 443,
            ("", _) => 80,
            (_, Some(port)) if port != 0 => port,
            _ => return Err(TargetError::Port(url.into())),
        };
        if host.is_empty() {
            return Err(not_url());
        }
        let host_header = HeaderValue::from_str(authority.as_str()).map_err(|_| not_url())?;
        // Of a query alone this adds the path that it is of.
        let path_and_query = path_and_query.to_string().parse().map_err(|_| not_url())?;
        Ok(Self { place: Place::Host(host, port), secure, authority, host_header, path_and_query })
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.path_and_query.path()
    }

    /// Whether the server is on this host, so that what is sent to it stays there.
    pub fn is_local(&self) -> bool {
        match &self.place {
            Place::Socket(_) => true,
            Place::Host(host, _) => {
                host.eq_ignore_ascii_case("localhost")
                    || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// Whether the URL asks for TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// What `Host` says.
    pub(super) fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// The path and query that the server serves.
    pub(super) fn path_and_query(&self) -> &PathAndQuery {
        &self.path_and_query
    }

    /// The whole URL.
    pub(super) fn url(&self) -> Uri {
        self.url_of(&self.path_and_query)
    }

    /// The URL of another path of the same server.
    pub(super) fn url_of(&self, path_and_query: &PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.secure { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path_and_query.clone());
        // Scheme, authority and path together are always a valid URI.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_every_supported_form_are_taken_apart() {
        for (url, host, port, secure, path) in [
            ("http://127.0.0.1:3924/mcp", "127.0.0.1", 3924, false, "/mcp"),
            ("https://imaging.internal/a/%6Dcp?x=1", "imaging.internal", 443, true, "/a/%6Dcp?x=1"),
            ("http://[::1]:8080", "::1", 8080, false, "/"),
            ("HTTP://LocalHost/MCP/", "LocalHost", 80, false, "/MCP/"),
            ("http://imaging?x=1", "imaging", 80, false, "/?x=1"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(target.place(), &Place::Host(host.into(), port), "{url}");
            assert_eq!((target.is_secure(), target.path_and_query().as_str()), (secure, path), "{url}");
        }
    }

    #[test]
    fn a_unix_socket_and_the_path_behind_it_are_told_apart() {
        let target = Target::parse("unix:///run/mcp/imaging.sock:/mcp?x=1").unwrap();
        assert_eq!(target.place(), &Place::Socket("/run/mcp/imaging.sock".into()));
        assert_eq!(target.path_and_query(), "/mcp?x=1");
        assert_eq!(target.url(), "http://localhost/mcp?x=1");
    }

    #[test]
    fn what_is_not_a_url_is_refused_with_what_one_looks_like() {
        for (text, told) in [
            ("imaging", "https://imaging.internal/mcp"),
            ("", "https://imaging.internal/mcp"),
            ("http://", "https://imaging.internal/mcp"),
            ("http:///mcp", "https://imaging.internal/mcp"),
            ("http://a b/mcp", "https://imaging.internal/mcp"),
            ("127.0.0.1:3924/mcp", "did you mean http://127.0.0.1:3924/mcp"),
            ("ws://imaging.internal/mcp", "ws:// is not supported"),
            ("https://user:secret@imaging.internal/mcp", "`credentials`"),
            ("https://imaging.internal/mcp#top", "fragment"),
            ("http://imaging.internal:0/mcp", "1 to 65535"),
            ("http://imaging.internal:99999/mcp", "1 to 65535"),
            ("unix:///run/imaging.sock", "unix:///path/to/socket:/mcp"),
            ("unix://run/imaging.sock:/mcp", "https://imaging.internal/mcp"),
        ] {
            let error = Target::parse(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn only_this_host_counts_as_local() {
        for (url, local) in [
            ("http://localhost/mcp", true),
            ("http://127.9.9.9/mcp", true),
            ("http://[::1]/mcp", true),
            ("unix:///run/s.sock:/mcp", true),
            ("http://10.0.0.1/mcp", false),
            ("http://localhost.example/mcp", false),
            ("http://0.0.0.0/mcp", false),
        ] {
            assert_eq!(Target::parse(url).unwrap().is_local(), local, "{url}");
        }
    }
}
