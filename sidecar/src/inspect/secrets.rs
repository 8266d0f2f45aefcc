//! What of a configuration must not be shown.

use url::Url;

use crate::config::SidecarConfig;

const HIDDEN: &str = "hidden";

/// The document as it may be shown: without its policies, which are shown apart. Credentials are in files, which it only
/// names; URLs may hold some.
pub(crate) fn without_secrets(config: &SidecarConfig) -> SidecarConfig {
    let mut shown = SidecarConfig { policies: Vec::new(), ..config.clone() };
    for server in &mut shown.servers {
        server.url = without_secret(&server.url);
        server.proxy = server.proxy.as_deref().map(without_secret);
    }
    shown
}

/// A URL without user, password and query. One that cannot be read is not shown at all.
pub(crate) fn without_secret(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else {
        return if text.is_empty() { String::new() } else { HIDDEN.into() };
    };
    // These fail for URLs that can have neither.
    if !url.username().is_empty() {
        let _ = url.set_username(HIDDEN);
    }
    if url.password().is_some() {
        let _ = url.set_password(Some(HIDDEN));
    }
    if url.query().is_some() {
        url.set_query(Some(HIDDEN));
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_a_secret() {
        for (url, shown) in [
            ("https://x/mcp", "https://x/mcp"),
            ("https://user:word@x/mcp", "https://hidden:hidden@x/mcp"),
            ("https://x/mcp?key=word&b=c", "https://x/mcp?hidden"),
            ("http://word@proxy:3128", "http://hidden@proxy:3128/"),
            ("unix:///run/mcp.sock:/mcp", "unix:///run/mcp.sock:/mcp"),
            ("not a url with a word", "hidden"),
            ("", ""),
        ] {
            assert_eq!(without_secret(url), shown, "{url}");
        }
    }
}
