//! The ways in which the URL of one server can be written, so that none of them is a way around a policy that names another.
//!
//! A URL is compared as it is written and in its normal form (WHATWG URL); without what does not choose the server (user, query,
//! slashes at the end, escapes of characters that need none, a dot after the host's name); and by each name that a Service of
//! Kubernetes has: `imaging` in its own namespace, `imaging.clinic`, `imaging.clinic.svc`, `imaging.clinic.svc.cluster.local`.
//! An address, or a name that leads to the same server by DNS alone, is another URL: nobody can tell what it will resolve to.

use url::{Host, Url};

use crate::glob::{is_unreserved, unescaped};

/// The domain of a cluster, unless it was given another.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// The spellings of a URL, for a pod of this namespace. `glob`: what they are compared with, which may say another domain of the
/// cluster.
pub(super) fn of(url: &str, namespace: &str, glob: &str) -> Vec<String> {
    let mut spellings = vec![url.to_owned()];
    let Ok(normal) = Url::parse(url) else { return spellings };
    for host in hosts(&normal, namespace, glob) {
        let mut named = normal.clone();
        if host.is_some_and(|host| named.set_host(Some(&host)).is_err()) {
            continue;
        }
        spellings.push(named.as_str().to_owned());
        spellings.extend(bare(named));
    }
    spellings
}

/// The URL without what does not choose the server; with and without a slash at its end.
fn bare(mut url: Url) -> [String; 2] {
    let path = unescaped(url.path(), is_unreserved).trim_end_matches('/').to_owned();
    // Neither fails where there is a host, as every server's URL has.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.set_path(&path);
    let bare = url.as_str().trim_end_matches('/').to_owned();
    [format!("{bare}/"), bare]
}

/// The names of a URL's host; none stands for the host as it is.
fn hosts(url: &Url, namespace: &str, glob: &str) -> Vec<Option<String>> {
    let Some(Host::Domain(name)) = url.host() else { return vec![None] };
    let undotted = name.trim_end_matches('.');
    let mut hosts = vec![None];
    if undotted != name {
        hosts.push(Some(undotted.to_owned()));
    }
    let labels: Vec<&str> = undotted.split('.').collect();
    let (service, of) = match labels[..] {
        [alone] if alone != "localhost" => (alone, namespace),
        [service, of] | [service, of, "svc", ..] => (service, of),
        _ => return hosts,
    };
    let full = format!("{service}.{of}.svc");
    hosts.extend((of == namespace).then(|| Some(service.to_owned())));
    hosts.push(Some(format!("{service}.{of}")));
    hosts.extend([CLUSTER_DOMAIN].into_iter().chain(domain(glob)).map(|domain| Some(format!("{full}.{domain}"))));
    hosts.push(Some(full));
    hosts
}

/// What a glob says after `.svc.`, up to the port or path.
fn domain(glob: &str) -> Option<&str> {
    let (_, rest) = glob.split_once(".svc.")?;
    rest.split([':', '/', '?', '#']).next().filter(|domain| !domain.is_empty() && !domain.contains('*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_one_of(url: &str, glob: &str) -> bool {
        of(url, "clinic", glob).iter().any(|spelling| spelling == glob)
    }

    #[test]
    fn a_service_has_many_names() {
        for url in [
            "http://imaging/mcp",
            "http://imaging.clinic/mcp",
            "http://imaging.clinic.svc:80/mcp",
            "http://Imaging.clinic.svc.cluster.local./mcp",
            "http://imaging.clinic.svc.corp.example/mcp/",
        ] {
            for glob in [
                "http://imaging/mcp",
                "http://imaging.clinic/mcp",
                "http://imaging.clinic.svc/mcp",
                "http://imaging.clinic.svc.cluster.local/mcp",
                "http://imaging.clinic.svc.corp.example/mcp",
            ] {
                assert!(is_one_of(url, glob), "{url} {glob}");
            }
        }
    }

    #[test]
    fn what_does_not_choose_the_server_is_no_other_url() {
        for url in [
            "HTTPS://Imaging.Internal.:443/mcp",
            "https://me:secret@imaging.internal/a/../%6dcp",
            "https://imaging.internal/mcp/?a=1",
            "https://imaging.internal/mcp//#x",
        ] {
            assert!(is_one_of(url, "https://imaging.internal/mcp"), "{url}");
            assert!(is_one_of(url, "https://imaging.internal/mcp/"), "{url}");
        }
        assert!(is_one_of("https://imaging.internal", "https://imaging.internal/"));
    }

    #[test]
    fn another_server_is_another() {
        for (url, glob) in [
            ("http://imaging.other.svc/mcp", "http://imaging.clinic.svc/mcp"),
            ("http://imaging.other/mcp", "http://imaging/mcp"),
            ("http://imaging.clinic.svc:8080/mcp", "http://imaging.clinic.svc/mcp"),
            ("https://imaging/mcp", "http://imaging/mcp"),
            ("http://imaging/mcp2", "http://imaging/mcp"),
            ("http://imaging/a%2Fb", "http://imaging/a/b"),
            ("http://localhost/mcp", "http://localhost.clinic/mcp"),
            ("http://10.0.0.1/mcp", "http://imaging/mcp"),
        ] {
            assert!(!is_one_of(url, glob), "{url} {glob}");
        }
    }

    #[test]
    fn what_is_no_url_is_only_itself() {
        assert_eq!(of("no url", "clinic", "**"), ["no url"]);
    }
}
