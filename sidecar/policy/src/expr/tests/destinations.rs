//! URLs and addresses: one spelling must not reach where another is refused.

use super::*;

/// The host that a URL's reader gives, or none if the URL is refused.
fn host(url: &str) -> Option<String> {
    let args = serde_json::json!({ "u": url }).to_string();
    let key = with("'host ' + url(args.u).host", Purpose::Key, &args, Expression::key);
    key.ok().and_then(|key| Some(key.strip_prefix("shost ")?.to_owned()))
}

#[test]
fn a_host_is_what_the_url_standard_says() {
    for (url, expected) in [
        ("https://example.com/", "example.com"),
        ("HTTPS://EXAMPLE.com", "example.com"),
        ("https://example.com:8443/x", "example.com"),
        ("https://example.com?x=1", "example.com"),
        ("https://example.com#x", "example.com"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("https://127.0.0.1/", "127.0.0.1"),
        ("https://[::1]:80/", "::1"),
        ("https://[0:0:0:0:0:0:0:1]/", "::1"),
        ("https://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1"),
        ("s3://clinic-exports/a/b", "clinic-exports"),
        ("file:///etc/passwd", ""),
        ("https://example.com/?u=https://other.com/@x", "example.com"),
        ("https://example.com/a@b", "example.com"),
    ] {
        assert_eq!(host(url).as_deref(), Some(expected), "{url}");
    }
}

#[test]
fn a_url_that_readers_take_for_different_hosts_is_refused() {
    for url in [
        "https://user@example.com/",
        "https://example.com@evil.com/",
        "https://example.com:443@evil.com/",
        "https://@example.com/",
        "https://example.com\\@evil.com/",
        "https:\\\\evil.com/",
        "https:/\\evil.com",
        "https:evil.com",
        "https:/evil.com",
        "https:///evil.com",
        "//evil.com/",
        "/path",
        "evil.com",
        " https://example.com",
        "https://example.com ",
        "https://exam\tple.com/",
        "https://example.com/\n",
        "https://exam\u{0}ple.com/",
        "https://exam\u{a0}ple.com/",
        "https://example.com./",
        "https://ex%61mple.com/",
        "https://ｅxample.com/",
        "https://bücher.example/",
        "https://example。com/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://[::1%25eth0]/",
        "https://example.com:99999/",
        "https://example.com/a/../b",
        "https://example.com/%2e%2E/b",
        "https://example.com/.",
        "https://example.com/pub/..;/priv",
        "https://example.com/pub/.;x=1/priv",
        "https://example.com/pub/%2e.%3b/priv",
        "s3://bucket/allowed/../other",
        "javascript:alert('://x')",
        "data:text/plain,x",
        "https://",
        "",
    ] {
        assert_eq!(host(url), None, "{url}");
    }
}

#[test]
fn a_path_that_readers_split_otherwise_is_an_error_and_its_host_is_not() {
    for url in [
        "https://example.com/pub/..%2fpriv",
        "https://example.com/pub/..%2Fpriv",
        "https://example.com/pub/%5c../priv",
        "https://example.com/pub/%5C..%5Cpriv",
        "https://example.com/pub/.%00./priv",
        "https://example.com/pub/%0a",
        "https://example.com/pub/%7F",
        "s3://bucket/pub/..%2Fpriv",
    ] {
        let args = serde_json::json!({ "u": url }).to_string();
        let told = condition("url(args.u).path.startsWith('/pub/')", &args).map_err(|error| error.what);
        assert_eq!(told, Err("not a path that every reader takes alike"), "{url}");
        assert!(host(url).is_some(), "{url}");
    }
    for (url, path) in [
        ("https://example.com/pub/a%20b;x=1/..c/%25?u=..%2f", "/pub/a%20b;x=1/..c/%25"),
        ("https://example.com/pub/%E9/...;", "/pub/%E9/...;"),
        ("file:///etc/passwd#%00", "/etc/passwd"),
    ] {
        let args = serde_json::json!({ "u": url, "p": path }).to_string();
        assert_eq!(condition("url(args.u).path == args.p", &args), Ok(true), "{url}");
    }
}

#[test]
fn parts_that_are_not_there_are_empty_and_a_known_scheme_has_its_port() {
    all_true(
        r#"{"u":"https://example.com","s":"s3://b/k"}"#,
        &[
            "url(args.u).port == 443 && url(args.s).port == 0",
            "url(args.u).path == '/' && url(args.s).path == '/k'",
            "url(args.u).query == '' && url(args.u).fragment == ''",
            "url(args.u) == url('HTTPS://EXAMPLE.COM/')",
        ],
    );
}

#[test]
fn networks_hold_the_addresses_that_begin_alike() {
    all_true(
        r#"{"a":"10.255.0.1"}"#,
        &[
            "cidr('10.0.0.0/8').contains(args.a)",
            "cidr('10.0.0.0/8').contains(ip(args.a))",
            "cidr('10.255.0.0/31').contains(args.a) && !cidr('10.255.0.0/32').contains(args.a)",
            "cidr('0.0.0.0/0').contains(args.a) && !cidr('::/0').contains(args.a)",
            "cidr('2001:db8::/32').contains('2001:db8:1::1') && !cidr('2001:db8::/32').contains('2001:db9::1')",
            "cidr('10.0.0.0/8').contains('::ffff:10.1.2.3')",
            "cidr('::1/128').contains('::1')",
        ],
    );
    for text in
        ["10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/", "10.0.0.0", "10.1.0.0/8", "::/129", "x/8", "1.2.3/8"]
    {
        let args = serde_json::json!({ "c": text }).to_string();
        assert_eq!(condition("isCIDR(args.c)", &args), Ok(false), "{text}");
    }
}

#[test]
fn an_address_has_one_spelling() {
    for text in ["10.0.0.01", "10.0.0", "0x0a.0.0.1", "10.0.0.1 ", "[::1]", "fe80::1%eth0", "", "localhost"] {
        let args = serde_json::json!({ "a": text }).to_string();
        assert_eq!(condition("isIP(args.a)", &args), Ok(false), "{text:?}");
        assert_eq!(
            condition("cidr('::/0').contains(args.a)", &args).map_err(|error| error.what),
            Err("not an IP address or network")
        );
    }
}
