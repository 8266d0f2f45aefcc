//! The head of a request, as a server reads it.

use http::uri::PathAndQuery;

use super::*;
use crate::upstream::connect::Connector;
use crate::upstream::errand::Errand;
use crate::upstream::http1::head;
use crate::upstream::proxy::Proxy;
use crate::upstream::{Outgoing, Target};

struct Seen {
    line: (String, String),
    headers: Vec<(String, Vec<u8>)>,
}

impl Seen {
    /// Reads a head as a server would.
    fn of(head: &[u8]) -> Self {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut fields);
        assert_eq!(request.parse(head), Ok(httparse::Status::Complete(head.len())), "{}", head.escape_ascii());
        assert_eq!(request.version, Some(1));
        let headers = request.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
        Self { line: (request.method.unwrap().to_owned(), request.path.unwrap().to_owned()), headers }
    }

    fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(other, _)| other == name);
        named.map(|(_, value)| std::str::from_utf8(value).unwrap()).collect()
    }
}

pub(super) fn connector(url: &str, proxy: Option<Proxy>) -> Connector {
    Connector { target: Target::parse(url).unwrap(), proxy, tls: None, prior_knowledge: false }
}

fn written(method: &Method, headers: &HeaderMap, body: &Bytes, secret: Option<&str>, connector: &Connector) -> Seen {
    let secret = secret.map(|secret| (http::header::AUTHORIZATION, HeaderValue::from_str(secret).unwrap()));
    let path = PathAndQuery::from_static("/m%63p?x=1");
    let errand = Errand::new(Outgoing { method, headers, body }, &path, secret.as_ref()).unwrap();
    let mut bytes = Vec::new();
    head::write(&errand, connector, &mut bytes);
    Seen::of(&bytes)
}

#[test]
fn a_request_names_its_host_first_and_its_length_and_carries_the_headers_of_the_call() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "agent.example"),
        ("content-length", "99"),
        ("transfer-encoding", "chunked"),
        ("expect", "100-continue"),
        ("accept", "a"),
        ("accept", "b"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    let seen = written(&Method::POST, &headers, &body(b"call"), None, &connector("http://imaging:1/", None));
    assert_eq!(seen.line, ("POST".into(), "/m%63p?x=1".into()));
    assert_eq!(seen.headers[0], ("host".into(), b"imaging:1".to_vec()));
    assert_eq!((seen.all("accept"), seen.all("content-length")), (vec!["a", "b"], vec!["4"]));
    assert_eq!(seen.headers.len(), 4);
}

#[test]
fn a_request_without_a_body_states_that_only_where_one_is_usual() {
    let connector = connector("http://imaging/", None);
    for (method, lengths) in
        [(Method::GET, vec![]), (Method::DELETE, vec![]), (Method::OPTIONS, vec![]), (Method::POST, vec!["0"])]
    {
        let seen = written(&method, &HeaderMap::new(), &body(b""), None, &connector);
        assert_eq!(seen.all("content-length"), lengths, "{method}");
    }
}

#[test]
fn a_secret_takes_the_place_of_every_header_of_its_name() {
    let mut headers = HeaderMap::new();
    for value in ["Bearer agent", "Bearer agent too"] {
        headers.append("authorization", HeaderValue::from_static(value));
        headers.append("proxy-authorization", HeaderValue::from_static(value));
    }
    let direct = connector("http://imaging/", None);
    let seen = written(&Method::POST, &headers, &body(b"call"), Some("Bearer own"), &direct);
    assert_eq!(seen.all("authorization"), ["Bearer own"]);
    assert_eq!(seen.all("proxy-authorization"), ["Bearer agent", "Bearer agent too"]);
    assert_eq!(
        written(&Method::POST, &headers, &body(b"call"), None, &direct).all("authorization"),
        ["Bearer agent", "Bearer agent too"]
    );
    let authorization = Some(HeaderValue::from_static("Basic own"));
    let proxy = Proxy { host: "proxy".into(), port: 3128, authorization };
    let seen = written(&Method::POST, &headers, &body(b"call"), None, &connector("http://imaging/", Some(proxy)));
    assert_eq!(seen.line.1, "http://imaging/m%63p?x=1");
    assert_eq!(seen.all("proxy-authorization"), ["Basic own"]);
}

proptest! {
    #[test]
    fn values_arrive_as_they_are(
        fields in proptest::collection::vec(
            ("x-[a-z0-9-]{0,20}", proptest::collection::vec(any::<u8>(), 0..40)), 0..40,
        ),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in &fields {
            if let Ok(value) = HeaderValue::from_bytes(value.trim_ascii()) {
                headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
            }
        }
        let seen = written(&Method::GET, &headers, &body(b""), None, &connector("http://imaging/", None));
        let sent = headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        prop_assert_eq!(seen.headers[1..].to_vec(), sent.collect::<Vec<_>>());
    }
}
