//! CORS: what lets a page of a permitted web origin call, and read what it is told.
//!
//! Before a page sends JSON to another origin the browser asks whether it may (a preflight), and it shows the page no answer that
//! does not name the page's origin. Whether an origin is permitted is the [gate](super::gate)'s to say; only permitted ones get
//! here. They are answered by name, never with `*`, and never with credentials: no page calls with what the browser keeps.
//!
//! ```text
//! Gate::check ─► preflight: the headers of an answer of its own
//! Gate::page  ─► permit: on every answer, this one included
//! ```

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::headers;

/// The methods of the transport.
const METHODS: HeaderValue = HeaderValue::from_static("POST, GET, DELETE");

/// The headers of the protocol, those of a login and those of a trace. A tool's own, which repeat its arguments, are permitted
/// beside them as they are asked for.
const HEADERS: &str = "Accept, Authorization, Content-Type, Last-Event-ID, Mcp-Method, Mcp-Name, MCP-Protocol-Version, Mcp-Session-Id, \
                       traceparent, tracestate";

/// The headers of answers that pages need and browsers keep from them.
const EXPOSED: HeaderValue = HeaderValue::from_static("Mcp-Session-Id, WWW-Authenticate");

/// For how many seconds a browser need not ask again.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The headers of the answer to a preflight; none if the request is none.
pub fn preflight(method: &Method, headers: &HeaderMap) -> Option<HeaderMap> {
    let is_preflight = *method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight {
        return None;
    }
    let mut answer = HeaderMap::new();
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, permitted(headers));
    answer.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    Some(answer)
}

/// Lets the page of this origin read an answer. What a server says of origins is gone from it by then.
pub fn permit(answer: &mut HeaderMap, page: HeaderValue) {
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
    answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    answer.append(VARY, HeaderValue::from_static("Origin"));
}

fn permitted(headers: &HeaderMap) -> HeaderValue {
    let asked = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|names| names.to_str().ok());
    let names = asked.flat_map(|names| names.split(',')).map(|name| name.trim_matches([' ', '\t']));
    let known = names.filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    let text = known.filter(headers::is_parameter).fold(HEADERS.to_owned(), |text, name| text + ", " + name.as_str());
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(HEADERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn texts(headers: &HeaderMap) -> Vec<(&str, &str)> {
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
    }

    #[test]
    fn only_an_options_of_a_page_that_names_a_method_is_a_preflight() {
        let both = [(ORIGIN, "https://console.example"), (ACCESS_CONTROL_REQUEST_METHOD, "POST")];
        assert!(preflight(&Method::OPTIONS, &asked(&both)).is_some());
        assert_eq!(preflight(&Method::OPTIONS, &asked(&both[..1])), None);
        assert_eq!(preflight(&Method::OPTIONS, &asked(&both[1..])), None);
        for other in [Method::POST, Method::GET, Method::DELETE, Method::HEAD] {
            assert_eq!(preflight(&other, &asked(&both)), None, "{other}");
        }
    }

    #[test]
    fn headers_of_the_protocol_are_permitted_and_no_others() {
        for (names, more) in [
            ("", ""),
            ("content-type,mcp-protocol-version", ""),
            ("mcp-param-region, Mcp-Param-Token", ", mcp-param-region, mcp-param-token"),
            ("x-forwarded-for,cookie,mcp-init-host,*", ""),
            ("mcp-param-a b,mcp-param-(a),,", ""),
        ] {
            let of = [(ORIGIN, "https://a.example"), (ACCESS_CONTROL_REQUEST_METHOD, "POST")];
            let mut headers = asked(&of);
            headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_bytes(names.as_bytes()).unwrap());
            let answer = preflight(&Method::OPTIONS, &headers).unwrap();
            let permitted = format!("{HEADERS}{more}");
            let expected = [
                ("access-control-allow-methods", "POST, GET, DELETE"),
                ("access-control-allow-headers", &*permitted),
                ("access-control-max-age", "600"),
            ];
            assert_eq!(texts(&answer), expected, "{names}");
        }
    }

    #[test]
    fn an_answer_names_the_page_once_and_nothing_that_caches_share() {
        let mut answer = asked(&[(VARY, "Accept"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")]);
        permit(&mut answer, HeaderValue::from_static("https://console.example"));
        let mut told = texts(&answer);
        told.sort_unstable();
        let expected = [
            ("access-control-allow-origin", "https://console.example"),
            ("access-control-expose-headers", "Mcp-Session-Id, WWW-Authenticate"),
            ("vary", "Accept"),
            ("vary", "Origin"),
        ];
        assert_eq!(told, expected);
    }
}
