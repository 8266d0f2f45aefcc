use super::*;

fn gate() -> Gate {
    let listen = ["127.0.0.1:14001".parse().unwrap(), "[::1]:14001".parse().unwrap()];
    Gate::new(&listen, &["Reeve.Internal".into(), "other:9000".into()], &["https://Console.internal".into()])
}

fn check(uri: &'static str, lines: &[(http::HeaderName, &'static str)]) -> Option<Cause> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name, HeaderValue::from_static(value));
    }
    gate().check(&Uri::from_static(uri), &headers).err().map(|rejection| rejection.cause)
}

#[test]
fn its_own_addresses_and_permitted_names_pass() {
    for host in [
        "127.0.0.1:14001",
        "localhost:14001",
        "LOCALHOST:14001",
        "[::1]:14001",
        "reeve.internal",
        "REEVE.internal:14001",
        "reeve.internal:80",
        "other:9000",
    ] {
        assert_eq!(check("/mcp", &[(HOST, host)]), None, "{host}");
    }
}

#[test]
fn every_other_host_is_refused() {
    for host in [
        "evil.example.com",
        "evil.example.com:14001",
        "localhost",
        "127.0.0.1",
        "localhost:14002",
        "localhost.:14001",
        "localhost:14001.evil.example.com",
        "user@localhost:14001",
        "127.0.0.2:14001",
        "2130706433:14001",
        "[::ffff:127.0.0.1]:14001",
        "0.0.0.0:14001",
        "other:9001",
        "other",
        "reeve.internal.evil.example.com",
        "reeve.internal:x",
        "",
    ] {
        assert_eq!(check("/mcp", &[(HOST, host)]), Some(Cause::Host), "{host}");
    }
}

#[test]
fn a_request_has_one_host() {
    assert_eq!(check("/mcp", &[]), Some(Cause::Host));
    assert_eq!(check("/mcp", &[(HOST, "localhost:14001"), (HOST, "localhost:14001")]), Some(Cause::Host));
}

#[test]
fn an_authority_counts_as_a_host() {
    assert_eq!(check("http://localhost:14001/mcp", &[]), None);
    assert_eq!(check("http://localhost:14001/mcp", &[(HOST, "localhost:14001")]), None);
    assert_eq!(check("http://evil.example.com/mcp", &[(HOST, "localhost:14001")]), Some(Cause::Host));
    assert_eq!(check("http://localhost:14001/mcp", &[(HOST, "evil.example.com")]), Some(Cause::Host));
}

#[test]
fn origins_are_its_own_or_permitted() {
    for origin in ["http://localhost:14001", "http://127.0.0.1:14001", "HTTP://[::1]:14001", "https://console.internal"]
    {
        assert_eq!(check("/mcp", &[(HOST, "localhost:14001"), (ORIGIN, origin)]), None, "{origin}");
    }
    for origin in [
        "http://evil.example.com",
        "null",
        "",
        "https://localhost:14001",
        "http://localhost",
        "localhost:14001",
        "http://reeve.internal",
        "https://console.internal:444",
        "http://localhost:14001/",
    ] {
        assert_eq!(check("/mcp", &[(HOST, "localhost:14001"), (ORIGIN, origin)]), Some(Cause::Origin), "{origin}");
    }
    let two = [(HOST, "localhost:14001"), (ORIGIN, "http://localhost:14001"), (ORIGIN, "null")];
    assert_eq!(check("/mcp", &two), Some(Cause::Origin));
}

#[test]
fn a_page_is_known_by_one_origin_that_is_permitted() {
    let page = |origins: &[&'static str]| {
        let headers = origins.iter().map(|origin| (ORIGIN, HeaderValue::from_static(origin))).collect();
        gate().page(&headers).map(|origin| origin.to_str().unwrap().to_owned())
    };
    for origin in ["https://console.internal", "http://localhost:14001"] {
        assert_eq!(page(&[origin]).as_deref(), Some(origin));
        assert_eq!(page(&[origin, origin]), None);
    }
    for origins in [&[][..], &["null"], &["https://evil.example"], &["https://console.internal, null"]] {
        assert_eq!(page(origins), None, "{origins:?}");
    }
}

#[test]
fn an_address_of_the_host_is_called_by_itself_alone() {
    let gate = Gate::new(&["10.1.2.3:80".parse().unwrap()], &[], &[]);
    let with = |host| {
        let headers = [(HOST, HeaderValue::from_static(host))].into_iter().collect();
        gate.check(&Uri::from_static("/"), &headers).is_ok()
    };
    assert!(with("10.1.2.3") && with("10.1.2.3:80"));
    assert!(!with("localhost") && !with("10.1.2.4"));
}
