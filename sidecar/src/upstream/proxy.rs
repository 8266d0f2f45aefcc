//! HTTP proxies on the way to a server: which one, and the tunnel through it.

use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::environment::Environment;
use super::error::{BuildError, Cause, Chain, Failure};
use super::target::{Place, Target};
use super::wire::Wired;

/// An HTTP proxy.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// `Proxy-Authorization`, from the user name and password of its URL.
    pub(super) authorization: Option<HeaderValue>,
}

/// The proxy for a server: what its configuration says, else what the environment says. Servers on this host are
/// reached directly unless their own configuration says otherwise.
pub(super) fn choose(
    target: &Target,
    setting: Option<&str>,
    environment: &Environment,
) -> Result<Option<Proxy>, BuildError> {
    let wrong = |message: String| BuildError { pointer: "/proxy", message };
    let Some(setting) = setting else {
        return from_environment(target, environment).map_err(wrong);
    };
    if setting.is_empty() {
        return Ok(None);
    }
    if matches!(target.place(), Place::Socket(_)) {
        return Err(wrong("a Unix socket is not reached through a proxy: leave `proxy` out".into()));
    }
    let intercept = intercept(setting, "", &target.url());
    Proxy::new(intercept).map(Some).map_err(|what| wrong(format!("`proxy` {what}")))
}

fn from_environment(target: &Target, environment: &Environment) -> Result<Option<Proxy>, String> {
    let variable = if target.is_secure() { &environment.https_proxy } else { &environment.http_proxy };
    let Some(variable) = variable.as_ref().filter(|_| !target.is_local()) else {
        return Ok(None);
    };
    let uri = target.url();
    let proxy = Proxy::new(intercept(&variable.value, "", &uri)).map_err(|what| {
        format!("the environment variable {} {what}, or set `proxy: \"\"` to use none", variable.name)
    })?;
    let exceptions = environment.no_proxy.as_ref().map_or("", |no| no.value.as_str());
    Ok(intercept(&variable.value, exceptions, &uri).map(|_| proxy))
}

fn intercept(proxy: &str, exceptions: &str, target: &Uri) -> Option<Intercept> {
    Matcher::builder().all(proxy).no(exceptions).build().intercept(target)
}

impl Proxy {
    /// The proxy's URL is not repeated in errors: it may hold a password.
    fn new(intercept: Option<Intercept>) -> Result<Self, String> {
        let form = "write one such as http://proxy.internal:3128";
        let found = intercept.ok_or_else(|| format!("is not the URL of an HTTP proxy: {form}"))?;
        let (uri, scheme) = (found.uri(), found.uri().scheme_str().unwrap_or("http"));
        if scheme != "http" {
            return Err(format!("names a proxy by {scheme}://, and only http:// is supported: {form}"));
        }
        match uri.host().filter(|host| !host.is_empty()) {
            None => Err(format!("names no host: {form}")),
            Some(host) => Ok(Self {
                host: host.trim_matches(['[', ']']).to_owned(),
                port: uri.port_u16().unwrap_or(80),
                authorization: found.basic_auth().cloned(),
            }),
        }
    }

    /// Asks the proxy, connected by `stream`, for a tunnel (`CONNECT`, RFC 9110, 9.3.6).
    pub(super) async fn tunnel(&self, stream: Wired<TcpStream>, target: &Target) -> Result<Wired<TcpStream>, Failure> {
        let Place::Host(host, port) = target.place() else {
            return Err(Failure::unsent(Cause::Proxy, "a Unix socket is not reached through a proxy"));
        };
        let failed = |detail: String| Failure::unsent(Cause::Proxy, format!("the proxy {}: {detail}", self.host));
        let of_http = |error: hyper::Error| failed(Chain(&error).to_string());
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("{host}:{port}"))
            .header(header::HOST, format!("{host}:{port}"))
            .body(Empty::<bytes::Bytes>::new())
            .map_err(|error| failed(error.to_string()))?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(of_http)?;
        tokio::spawn(connection.with_upgrades());
        let response = sender.send_request(request).await.map_err(of_http)?;
        if !response.status().is_success() {
            return Err(failed(format!("it answered CONNECT with status {}", response.status().as_u16())));
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(of_http)?;
        match upgraded.downcast::<TokioIo<Wired<TcpStream>>>() {
            Ok(parts) if parts.read_buf.is_empty() => Ok(parts.io.into_inner()),
            _ => Err(failed("it sent something into the tunnel before it was used".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::from_variables(|name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn chosen(url: &str, setting: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<String>, BuildError> {
        let target = Target::parse(url).unwrap();
        let proxy = choose(&target, setting, &environment(variables))?;
        Ok(proxy.map(|proxy| format!("{}:{}", proxy.host, proxy.port)))
    }

    #[test]
    fn the_environment_names_the_proxy_by_scheme_and_excepts_hosts() {
        let variables =
            [("HTTPS_PROXY", "http://secure:3128"), ("http_proxy", "plain:8080"), ("NO_PROXY", "internal, 10.0.0.0/8")];
        for (url, proxy) in [
            ("https://imaging.example/mcp", Some("secure:3128")),
            ("http://imaging.example/mcp", Some("plain:8080")),
            ("https://imaging.internal/mcp", None),
            ("http://10.1.2.3/mcp", None),
            ("http://localhost:3924/mcp", None),
            ("http://127.0.0.1:3924/mcp", None),
            ("unix:///run/s.sock:/mcp", None),
        ] {
            assert_eq!(chosen(url, None, &variables).unwrap().as_deref(), proxy, "{url}");
        }
    }

    #[test]
    fn the_servers_own_setting_comes_before_the_environment() {
        let variables = [("ALL_PROXY", "http://all:3128")];
        let url = "https://imaging.example/mcp";
        assert_eq!(chosen(url, None, &variables).unwrap().as_deref(), Some("all:3128"));
        assert_eq!(chosen(url, Some(""), &variables).unwrap(), None);
        assert_eq!(chosen(url, Some("http://own"), &variables).unwrap().as_deref(), Some("own:80"));
        assert_eq!(chosen("http://127.0.0.1/mcp", Some("http://own"), &[]).unwrap().as_deref(), Some("own:80"));
    }

    #[test]
    fn a_malformed_proxy_is_an_error_that_names_where_it_is_set_and_not_what_it_holds() {
        let url = "https://imaging.example/mcp";
        for bad in
            ["http://me:s3cret@", "socks5://me:s3cret@proxy:1080", "https://me:s3cret@proxy", "http://me:s3cret@pro xy"]
        {
            for error in
                [chosen(url, Some(bad), &[]).unwrap_err(), chosen(url, None, &[("HTTPS_PROXY", bad)]).unwrap_err()]
            {
                let message = error.message;
                assert!(message.contains("http://proxy.internal:3128"), "{message}");
                assert!(message.contains("`proxy`") || message.contains("HTTPS_PROXY"), "{message}");
                assert!(!message.contains("s3cret"), "{message}");
            }
        }
    }
}
