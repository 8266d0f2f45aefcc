//! What makes an McpServer of no use to a sidecar, and the schema cannot say, or an older schema let in. The webhook refuses for it,
//! and what is stored all the same is given to nobody.

use http::header::{HeaderName, HeaderValue};
use reeve_crds::v1alpha1::{McpServerSpec, ServerCredentials, ServerTimeouts};
use reeve_policy::time::parse_duration;
use reeve_wire::document::may_carry_a_credential;
use url::Url;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a JSON pointer into the object.
    pub pointer: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// The mistakes of a server, in the order of its fields; none if a sidecar can use it.
pub fn of(spec: &McpServerSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, message: String| {
        faults.push(Fault { pointer: format!("/spec/{field}"), message });
    };
    url(spec, &mut fault);
    if let Some(credentials) = &spec.credentials {
        header(credentials, &mut fault);
    }
    if let Some(timeouts) = &spec.timeouts {
        deadlines(timeouts, &mut fault);
    }
    faults
}

fn url(spec: &McpServerSpec, fault: &mut impl FnMut(&str, String)) {
    let text = &spec.url;
    let url = match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        Ok(_) => return fault("url", format!("{text:?}: write a URL that begins with http:// or https://")),
        Err(error) => return fault("url", format!("{text:?} is no URL: {error}")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        let message = "holds a user or password, which whoever may read this object can see: use spec.credentials";
        fault("url", message.into());
    }
    if url.fragment().is_some() {
        fault("url", "has a fragment (#…), which is never sent: remove it".into());
    }
    if url.scheme() == "https" {
        return;
    }
    if spec.credentials.is_some() {
        let message =
            "a credential is sent over TLS only, and the url is not https: change the url, or remove the credentials";
        fault("credentials", message.into());
    }
    if spec.tls.is_some() {
        let message = "tls has no effect on a url that is not https: change the url, or remove tls";
        fault("tls", message.into());
    }
}

fn header(credentials: &ServerCredentials, fault: &mut impl FnMut(&str, String)) {
    if let Some(header) = &credentials.header {
        match HeaderName::try_from(header.as_str()) {
            Err(_) => {
                fault("credentials/header", format!("{header:?} is no name of a header: write one such as X-Api-Key"));
            }
            Ok(name) if !may_carry_a_credential(name.as_str()) => {
                let message =
                    format!("{header} is the connection's or the protocol's: write another, such as X-Api-Key");
                fault("credentials/header", message);
            }
            Ok(_) => {}
        }
    }
    let prefix = credentials.prefix.as_deref().unwrap_or_default();
    if HeaderValue::try_from(prefix).is_err() || !prefix.is_ascii() {
        let message = "holds characters that no header may hold: write one such as \"Bearer \"";
        fault("credentials/prefix", message.into());
    }
}

fn deadlines(timeouts: &ServerTimeouts, fault: &mut impl FnMut(&str, String)) {
    let fields =
        [("connect", &timeouts.connect), ("response", &timeouts.response), ("streamIdle", &timeouts.stream_idle)];
    for (field, text) in fields {
        let Some(text) = text else { continue };
        let message = match parse_duration(text) {
            Ok(duration) if duration.is_zero() => format!("{text:?} is no time at all: write 1s or more"),
            Ok(_) => continue,
            Err(message) => message,
        };
        fault(&format!("timeouts/{field}"), message);
    }
}
