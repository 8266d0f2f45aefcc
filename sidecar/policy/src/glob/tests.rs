use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn pattern(text: &str, dialect: Dialect) -> Pattern {
    Pattern::parse(text, dialect).unwrap_or_else(|error| panic!("{error}"))
}

fn name(text: &str) -> Pattern {
    pattern(text, Dialect::Name)
}

fn uri(text: &str) -> Pattern {
    pattern(text, Dialect::Uri)
}

fn found(set: &Set, text: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    set.matches(text, &mut numbers);
    numbers
}

#[test]
fn a_name_is_matched_as_a_whole_and_case_counts() {
    assert!(name("get_datastore").matches("get_datastore"));
    for other in ["get_datastores", "aget_datastore", "Get_datastore", "get_datastore ", ""] {
        assert!(!name("get_datastore").matches(other), "{other:?}");
    }
}

#[test]
fn a_star_in_a_name_is_any_run_of_characters() {
    assert!(name("*").matches("") && name("*").matches("a/b\nç"));
    assert!(name("get_*").matches("get_") && name("get_*").matches("get_a/b"));
    assert!(!name("get_*").matches("get") && !name("get_*").matches("Get_a"));
    assert!(name("*_all").matches("delete_all") && !name("*_all").matches("delete_all_"));
    assert!(name("a*b*c").matches("a-bb-c") && !name("a*b*c").matches("a-c-b"));
    assert!(name("a**c").matches("ac"));
    assert!(!name("ab*ba").matches("aba"), "prefix and suffix must not overlap");
}

#[test]
fn a_star_in_a_uri_stops_at_a_slash_and_two_cross_it() {
    assert!(uri("file:///data/*").matches("file:///data/a") && uri("file:///data/*").matches("file:///data/"));
    assert!(!uri("file:///data/*").matches("file:///data/a/b"));
    assert!(uri("file:///data/**").matches("file:///data/a/b") && uri("file:///data/**").matches("file:///data/"));
    assert!(!uri("file:///data/**").matches("file:///data"));
    assert!(uri("s3://*/exports/**/*.dcm").matches("s3://b/exports/1/2/3.dcm"));
    assert!(!uri("s3://*/exports/**/*.dcm").matches("s3://b/c/exports/1/3.dcm"));
    assert!(uri("**").matches("urn:isbn:1") && uri("**").matches("file:///etc/passwd"));
    assert!(uri("https://*.example.com/**").matches("https://a.example.com/x/y"));
    assert!(!uri("https://*.example.com/**").matches("https://evil.test/a.example.com/x"));
}

#[test]
fn a_pattern_without_a_star_tells_its_name() {
    assert_eq!(name("get_datastore").exact(), Some("get_datastore"));
    assert_eq!(name("get_*").exact(), None);
}

#[test]
fn a_pattern_that_can_match_nothing_is_refused_with_what_to_write() {
    use Dialect::{Name, Uri};
    let cases = [
        (Name, " get", "white space"),
        (Name, "get\u{a0}", "white space"),
        (Name, "get\u{7}x", "control character"),
        (Uri, "*", "write **"),
        (Uri, "file:///***", "one or the other"),
        (Uri, "/etc/**", "scheme"),
        (Uri, "readme", "scheme"),
        (Uri, "1x://**", "scheme"),
        (Uri, "HTTPS://example.com/**", "lower case"),
        (Uri, "https://Example.com/**", "lower case"),
        (Uri, "https://*.Example.com/**", "lower case"),
        (Uri, "https://example.com./**", "final dot"),
        (Uri, "https://me@example.com/**", "user information"),
        (Uri, "https://example.com:443/**", "default port"),
        (Uri, "https://example.com:*x/**", "a port is a number"),
        (Uri, "http://127.1/**", "address"),
        (Uri, "http://[0:0::1]/**", "address"),
        (Uri, "https://example.com", "a host and a path"),
        (Uri, "https://*", "a host and a path"),
        (Uri, "http:///**", "names a host"),
        (Uri, "ftp:/h/**", "a host and a path"),
        (Uri, "ftp://h:21/**", "default port"),
        (Uri, "ftp://h/a;type=i", "leave them out"),
        (Uri, "file:/etc/**", "file://"),
        (Uri, "file://localhost/**", "names a host"),
        (Uri, "file://server/share/**", "names a host"),
        (Uri, "file:///a//**", "empty segment"),
        (Uri, "file:///a/../**", ". or .."),
        (Uri, "file:///**/./b", ". or .."),
        (Uri, "file:///a%2Fb/*", "escaped /"),
        (Uri, "file:///a b", "escape any other"),
        (Uri, "file:///é/*", "escape any other"),
        (Uri, "file:///a\\*", "escape any other"),
        (Uri, "file:///{id}", "escape any other"),
        (Uri, "file:///%7Euser/**", "the character itself"),
        (Uri, "file:///%e9/**", "upper case"),
        (Uri, "file:///%0A/**", "control character"),
        (Uri, "file:///100%", "upper case"),
    ];
    for (dialect, text, why) in cases {
        match Pattern::parse(text, dialect) {
            Err(error @ PatternError::MatchesNothing { .. }) => {
                assert!(error.to_string().contains(why), "{text:?}: {error}");
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }
    assert_eq!(Pattern::parse("", Name), Err(PatternError::Empty));
}

#[test]
fn a_pattern_that_could_match_is_not_refused() {
    let patterns = [
        "**",
        "*:**",
        "*://**",
        "*://*/**",
        "*/**",
        "f*",
        "urn:*",
        "file:///**",
        "file://**",
        "file://*/**",
        "file:///a/.*",
        "file:///a/..*",
        "https://**",
        "https://*/",
        "https://*:8443/**",
        "https://h:*/",
        "https://h:84*/",
        "https://h:8443/mcp",
        "http://10.*.0.1/",
        "http://10.0.0.*/",
        "http://127.0.0.1*/**",
        "http://[*]/**",
        "http://[::1]:9/**",
        "ftp://h/**",
        "s3://bucket/**",
        "s3://bucket",
        "s3://**",
        "https://h/?u=https%3A%2F%2Fx/*",
        "demo://resource/static/*",
        "mailto:*@example.com",
        "ui://a#b*",
        "test://static/resource/1",
    ];
    for text in patterns {
        uri(text);
    }
}

#[test]
fn only_one_spelling_of_a_uri_is_canonical() {
    let canonical = [
        "file:///etc/passwd",
        "file:///C:/x",
        "s3://clinic-exports/a/b.dcm",
        "urn:isbn:0451450523",
        "https://example.com/",
        "https://example.com/a%20b?x=%2F..%2F%2C&y=../z",
        "file:///a,b/(c)%3F%23%25",
        "ui://a#Top",
        "repo://a/b%2Cc%40d",
        "https://example.com:8443/mcp",
        "http://[2001:db8::1]/",
        "http://127.0.0.1:14001/",
        "ftp://h/a/b",
        "ftp://h:2121/",
        "test://static/resource/1",
        "a+b-c.1:x",
        "x:",
        "s3://bucket//key",
        "s3://bucket/a;x=1/..b;/...;/.c",
        "mailto:A@b.example",
    ];
    for uri in canonical {
        assert_eq!(uri::check(uri), Ok(()), "{uri}");
    }
    let others = [
        "",
        "x",
        ":x",
        "//h/x",
        "FILE:///x",
        "http:/h/x",
        "http:///x",
        "http://:8080/",
        "x://:1/",
        "http:h/x",
        "https://example.com",
        "https://example.com?x",
        "https://Example.com/",
        "https://example.com:/",
        "https://example.com:443/",
        "http://h:080/",
        "http://h:65536/",
        "http://h:+80/",
        "ws://h:80/",
        "wss://h:443/x",
        "ftp:/h/x",
        "ftp:h/x",
        "ftp:///h/x",
        "ftp://h",
        "ftp://h:21/x",
        "ftp://H/x",
        "ftp://0x7f.1/x",
        "ftp://h/a%3Bb",
        "ftp://h/a#x",
        "ftp://h//a",
        "ftp://h/a;type=i",
        "ftp://h/a?x",
        "https://u@h/",
        "https://h./",
        "https://%68/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://127.0.0.01/",
        "http://[::1/",
        "http://::1/",
        "http://[::0001]/",
        "http://[::1]x/",
        "file:/x",
        "file://localhost/x",
        "file://127.0.0.1/x",
        "file://[::1]/x",
        "file://server/share/x",
        "file:////x",
        "file:///a//b",
        "file://h",
        "file:///a/.",
        "file:///a/..",
        "file:///a/./b",
        "x:..",
        "x:a/../b",
        "file:///a?",
        "file:///a?x",
        "file:///a#",
        "file:///a#x",
        "file:///a%2Cb",
        "file:///a%2A",
        "file:///a%40b",
        "https://h/a%3Bb",
        "https://h/a#x",
        "https://h/#",
        "https://h/?",
        "x:a?",
        "x:a#",
        "x:?#",
        "file:///a/..;/b",
        "file:///a/.;x=1/b",
        "file:///a/..%3Bx/b",
        "file:///%2E%2E/x",
        "file:///..%2Fx",
        "file:///a%5Cb",
        "file:///%61",
        "file:///%e9",
        "file:///%4",
        "file:///%",
        "file:///%zz",
        "file:///%00",
        "file:///%7F",
        "file:///a\\b",
        "file:///a b",
        "file:///a\tb",
        "file:///\u{7f}",
        "file:///é",
        "x:[",
        "x:{a}",
        "x:<",
        "x:#a#b",
        "x:\u{0}",
        " x:y",
        "x:y ",
    ];
    for uri in others {
        assert!(!is_canonical_uri(uri), "{uri:?}");
    }
}

#[test]
fn a_long_text_is_matched_in_linear_time() {
    let began = Instant::now();
    let long = "a".repeat(1 << 20);
    assert!(!name(&"*a".repeat(50).replace("a*", "a*b*")).matches(&long));
    assert!(!name("*a*a*a*ab*").matches(&long));
    assert!(!uri("x:**a*a*a*a*ab**").matches(&format!("x:{long}")));
    assert!(!uri("x:**a*/b*c**").matches(&format!("x:{}", "aa/".repeat(1 << 18))));
    assert!(!uri("x:**/a/a/a/*/b").matches(&format!("x:{}", "/a".repeat(1 << 18))));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_set_gives_each_number_once_and_appends() {
    let set =
        Set::new([(name("get_*"), 7), (name("get_a"), 7), (name("*"), 3), (name("get_a"), 1), (name("get_b"), 2)]);
    let mut numbers = vec![9, 9];
    set.matches("get_a", &mut numbers);
    assert_eq!(numbers, [9, 9, 1, 3, 7]);
    assert!(!set.is_empty());
    assert!(Set::default().is_empty() && Set::new([]).is_empty());
    assert!(found(&Set::default(), "x").is_empty());
}

#[test]
fn nested_prefixes_of_any_depth_are_built_and_matched() {
    let patterns = (0..2_000).map(|length| (name(&format!("{}*", "a".repeat(length as usize))), length));
    let set = Set::new(patterns);
    assert_eq!(found(&set, &"a".repeat(1_500)).len(), 1_501);
}

/// Few characters, so that patterns and texts meet.
fn texts() -> impl Strategy<Value = String> {
    "[ab/é]{0,12}"
}

fn patterns() -> impl Strategy<Value = (String, Dialect)> {
    let name = "[ab/é*]{1,8}".prop_map(|text| (text, Dialect::Name));
    let uri = "([ab/é]|\\*{1,2}[ab/é]){0,6}\\*{0,2}".prop_map(|text| (text, Dialect::Uri));
    prop_oneof![name, uri]
}

#[test]
fn an_escape_of_what_a_path_may_have_is_the_same_as_what_it_stands_for() {
    for (pattern, uri) in [
        ("profile://x/alice@corp.com", "profile://x/alice%40corp.com"),
        ("profile://x/alice%40corp.com", "profile://x/alice@corp.com"),
        ("repo://x/a%2Cb/*", "repo://x/a,b/c%3Ad"),
    ] {
        assert!(Pattern::parse(pattern, Dialect::Uri).unwrap().matches(&alike(uri)), "{pattern} {uri}");
    }
    for unlike in ["repo://x/%2A", "repo://x/a%20b", "repo://x/a%3Fb", "repo://x/%C3%A9", "100%", "a%4"] {
        assert_eq!(alike(unlike), unlike);
    }
}

proptest! {
    #[test]
    fn a_pattern_matches_what_its_regular_expression_does((text, dialect) in patterns(), against in texts()) {
        laws::hold(&text, dialect, &against);
    }

    #[test]
    fn a_set_finds_what_its_patterns_match_alone(
        patterns in prop::collection::vec((patterns(), 0_u32..8), 0..24),
        against in prop::collection::vec(texts(), 1..8),
    ) {
        let patterns: Vec<_> = patterns.iter().map(|((text, dialect), number)| (laws::unchecked(text, *dialect), *number)).collect();
        let set = Set::new(patterns.clone());
        for text in &against {
            let mut alone: Vec<u32> = patterns.iter().filter(|(pattern, _)| pattern.matches(text)).map(|&(_, number)| number).collect();
            alone.sort_unstable();
            alone.dedup();
            prop_assert_eq!(found(&set, text), alone, "{:?}", text);
        }
    }

    #[test]
    fn every_canonical_uri_is_accepted_as_a_pattern_and_matches_itself(text in "(https|file|s3|x)://?[a.1@:\\[\\]]{0,4}(/[a.%2FE]{0,3}){0,3}[?#a]{0,2}") {
        match Pattern::parse(&text, Dialect::Uri) {
            Ok(pattern) => prop_assert!(is_canonical_uri(&text) && pattern.matches(&alike(&text))),
            Err(_) => prop_assert!(!is_canonical_uri(&text)),
        }
    }

    #[test]
    fn any_text_is_read_and_matched_to_an_end(text in "\\PC{0,64}|[*/a%.:@\\[\\]]{0,64}", against in "\\PC{0,64}") {
        for dialect in [Dialect::Name, Dialect::Uri] {
            laws::hold(&text, dialect, &against);
            laws::hold(&text, dialect, &text.replace('*', &against));
        }
    }
}
