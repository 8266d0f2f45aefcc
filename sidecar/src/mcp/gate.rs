//! Host and Origin: who may speak to this listener at all.
//!
//! A page in a browser can make requests to loopback, under a name of its own that it lets resolve there (DNS rebinding).
//! Such a request shows itself by a Host or an Origin that is not the sidecar's; the MCP specification requires servers to
//! refuse it with 403.

use std::net::{IpAddr, SocketAddr};

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Uri};

use super::rejection::{Cause, Rejection};

/// The hosts and origins by which this sidecar may be called.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// `host:port`, lower-case.
    own: Vec<String>,
    /// From the configuration, lower-case: `host` with any port, or `host:port`.
    hosts: Vec<String>,
    /// From the configuration, lower-case: `scheme://host[:port]`.
    origins: Vec<String>,
}

impl Gate {
    /// `listen`: the bound addresses. A loopback or unspecified one is called by `localhost`, `127.0.0.1` and `[::1]`; any other by
    /// itself. `hosts` and `origins` are permitted beside them.
    pub fn new(listen: &[SocketAddr], hosts: &[String], origins: &[String]) -> Self {
        let mut own = Vec::new();
        for address in listen {
            let names = match address.ip() {
                ip if ip.is_loopback() || ip.is_unspecified() => {
                    vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()]
                }
                IpAddr::V4(ip) => vec![ip.to_string()],
                IpAddr::V6(ip) => vec![format!("[{ip}]")],
            };
            for name in names {
                if address.port() == 80 {
                    own.push(name.clone());
                }
                own.push(format!("{name}:{}", address.port()));
            }
        }
        own.sort_unstable();
        own.dedup();
        let lower = |texts: &[String]| texts.iter().map(|text| text.to_ascii_lowercase()).collect();
        Self { own, hosts: lower(hosts), origins: lower(origins) }
    }

    /// The same of pages for people, which forwarded ports of any number lead to: loopback's names are good with each.
    pub fn forwarded(listen: &[SocketAddr], hosts: &[String]) -> Self {
        let loopback = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        Self::new(listen, &[&loopback[..], hosts].concat(), &[])
    }

    /// Whether a request is addressed to this sidecar and comes from no foreign page. `uri` is the request's target, whose
    /// authority (HTTP/2, absolute form) counts as a Host.
    ///
    /// # Errors
    /// [`Cause::Host`], [`Cause::Origin`].
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Rejection> {
        let mut hosts = headers.get_all(HOST).iter().map(HeaderValue::as_bytes);
        let (host, more) = (hosts.next(), hosts.next());
        let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
        let known = more.is_none()
            && host.or(authority).is_some()
            && [host, authority].into_iter().flatten().all(|host| self.is_own(host));
        if !known {
            let message = "The Host is not one of this sidecar's: call it by its address, or permit the name in \
                           listener.allowedHosts.";
            return Err(Rejection::new(Cause::Host, message));
        }
        if headers.get_all(ORIGIN).iter().any(|origin| !self.permits_origin(origin.as_bytes())) {
            let message = "Web pages of this Origin may not call this sidecar; permit it in listener.allowedOrigins.";
            return Err(Rejection::new(Cause::Origin, message));
        }
        Ok(())
    }

    /// The origin of the page that sent a request, if pages of that origin may call.
    pub fn page<'h>(&self, headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let (origin, more) = (origins.next()?, origins.next());
        (more.is_none() && self.permits_origin(origin.as_bytes())).then_some(origin)
    }

    fn is_own(&self, host: &[u8]) -> bool {
        let is = |own: &String| own.as_bytes().eq_ignore_ascii_case(host);
        self.own.iter().any(is)
            || self.hosts.iter().any(|own| is(own) || own.as_bytes().eq_ignore_ascii_case(name(host)))
    }

    fn permits_origin(&self, origin: &[u8]) -> bool {
        let http = origin.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case(b"http://"));
        http.is_some_and(|scheme| {
            self.own.iter().any(|own| own.as_bytes().eq_ignore_ascii_case(&origin[scheme.len()..]))
        }) || self.origins.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(origin))
    }
}

/// The host without its port, if that is a number.
fn name(host: &[u8]) -> &[u8] {
    match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if colon + 1 < host.len() && host[colon + 1..].iter().all(u8::is_ascii_digit) => &host[..colon],
        _ => host,
    }
}

#[cfg(test)]
mod tests;
