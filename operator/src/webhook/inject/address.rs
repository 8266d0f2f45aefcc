//! URLs, so compared that another spelling of one is the same.

use reeve_policy::glob::{is_unreserved, unescaped};
use url::{Host, Url};

/// Where a URL leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    scheme: String,
    user: (String, Option<String>),
    host: String,
    port: Option<u16>,
    /// Without slashes at its end.
    path: String,
    query: Option<String>,
}

impl Address {
    /// The address of an `http` or `https` URL as a pod of this namespace understands it.
    pub(super) fn of(url: &str, namespace: &str) -> Option<Self> {
        let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let host = match url.host()? {
            Host::Domain(name) => service(name.trim_end_matches('.'), namespace),
            ip => ip.to_string(),
        };
        Some(Self {
            scheme: url.scheme().to_owned(),
            user: (url.username().to_owned(), url.password().map(str::to_owned)),
            host,
            port: url.port_or_known_default(),
            path: unescaped(url.path(), is_unreserved).trim_end_matches('/').to_owned(),
            query: url.query().map(str::to_owned),
        })
    }
}

/// The shortest name of a Service that is the same in every namespace: `mcp`, `mcp.tools.svc` and
/// `mcp.tools.svc.cluster.local` are all `mcp.tools` to a pod of the namespace `tools`. Any other name is left as it is.
fn service(name: &str, namespace: &str) -> String {
    let labels: Vec<_> = name.split('.').collect();
    match labels.as_slice() {
        [alone] if *alone != "localhost" => format!("{alone}.{namespace}"),
        [service, of, "svc", ..] => format!("{service}.{of}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let (a, b) = (Address::of(a, "clinic"), Address::of(b, "clinic"));
        a.is_some() && a == b
    }

    #[test]
    fn another_spelling_of_a_url_is_the_same() {
        for (a, b) in [
            ("https://imaging.internal/mcp", "https://imaging.internal/mcp/"),
            ("https://imaging.internal/mcp", "HTTPS://Imaging.Internal.:443/mcp"),
            ("https://imaging.internal/mcp", "https://imaging.internal/a/../%6dcp#x"),
            ("http://imaging.internal", "http://imaging.internal:80/"),
            ("http://mcp.clinic.svc.cluster.local:8080/mcp", "http://mcp:8080/mcp"),
            ("http://mcp.tools.svc/mcp", "http://mcp.tools/mcp"),
            ("http://[::1]/mcp", "http://[0:0::1]/mcp"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn other_urls_are_others() {
        for (a, b) in [
            ("https://imaging.internal/mcp", "http://imaging.internal/mcp"),
            ("https://imaging.internal/mcp", "https://imaging.internal/mcp2"),
            ("https://imaging.internal/mcp", "https://imaging.internal/mcp?a=1"),
            ("https://imaging.internal/mcp", "https://imaging.internal:8443/mcp"),
            ("https://imaging.internal/mcp", "https://me@imaging.internal/mcp"),
            ("https://imaging.internal/a%2Fb", "https://imaging.internal/a/b"),
            ("http://mcp.tools.svc/mcp", "http://mcp/mcp"),
            ("ftp://imaging.internal/mcp", "ftp://imaging.internal/mcp"),
            ("imaging", "imaging"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }
}
