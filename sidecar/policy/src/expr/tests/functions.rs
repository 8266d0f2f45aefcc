use std::collections::BTreeSet;

use super::*;

/// Of every function and macro, some that is true.
const EXAMPLES: &[(&str, &str)] = &[
    ("all", "[1, 2].all(x, x > 0)"),
    ("cidr", "cidr('10.0.0.0/8') == cidr('10.0.0.0/8')"),
    (
        "contains",
        "args.s.contains('llo W') && cidr('10.0.0.0/8').contains(ip('10.1.2.3')) && cidr('::/0').contains('::1')",
    ),
    ("double", "double(2) == 2.0 && double('1.5') == 1.5 && double(args.f) == 2.5"),
    ("duration", "duration('1h30m') == duration('5400s') && duration('1.5s') == duration('1500ms')"),
    ("endsWith", "args.s.endsWith('World')"),
    ("exists", "[1, 2].exists(x, x > 1)"),
    ("exists_one", "[1, 2].exists_one(x, x > 1)"),
    ("family", "ip('10.0.0.1').family() == 4 && ip('::1').family() == 6"),
    ("filter", "[1, 2].filter(x, x > 1) == [2]"),
    ("getDate", "now.getDate() == 1 && now.getDate('-01:00') == 31"),
    ("getDayOfMonth", "now.getDayOfMonth() == 0"),
    ("getDayOfWeek", "now.getDayOfWeek() == 4"),
    ("getDayOfYear", "now.getDayOfYear() == 0 && now.getDayOfYear('-00:01') == 364"),
    ("getFullYear", "now.getFullYear() == 2026 && now.getFullYear('-05:00') == 2025"),
    ("getHours", "now.getHours() == 0 && now.getHours('+05:30') == 5 && duration('90m').getHours() == 1"),
    ("getMinutes", "now.getMinutes('+05:30') == 30 && duration('90m').getMinutes() == 90"),
    ("getMonth", "now.getMonth() == 0 && now.getMonth('-01:00') == 11"),
    ("getSeconds", "now.getSeconds() == 0 && duration('1m5s').getSeconds() == 65"),
    ("has", "has(args.s) && !has(args.x)"),
    (
        "indexOf",
        "args.s.indexOf('o') == 4 && args.s.indexOf('o', 5) == 7 && args.s.indexOf('x') == -1 && args.u.indexOf('ü') == 1",
    ),
    ("int", "int('42') == 42 && int(2.9) == 2 && int(-2.9) == -2 && int(now) == 1767225600"),
    ("ip", "ip('::ffff:10.0.0.1') == ip('10.0.0.1') && ip('10.0.0.1') != ip('10.0.0.2')"),
    ("isCIDR", "isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.1/8') && !isCIDR('10.0.0.0')"),
    ("isIP", "isIP('10.0.0.1') && isIP('::1') && !isIP('10.0.0.01') && !isIP('localhost')"),
    (
        "isLinkLocal",
        "ip('169.254.169.254').isLinkLocal() && ip('fe80::1').isLinkLocal() && !ip('8.8.8.8').isLinkLocal()",
    ),
    ("isLoopback", "ip('127.0.0.1').isLoopback() && ip('::1').isLoopback() && ip('::ffff:127.0.0.1').isLoopback()"),
    ("isPrivate", "ip('192.168.1.1').isPrivate() && ip('fd00::1').isPrivate() && !ip('8.8.8.8').isPrivate()"),
    ("isURL", "isURL('https://example.com/a') && !isURL('/a') && !isURL('example.com')"),
    ("isUnspecified", "ip('0.0.0.0').isUnspecified() && ip('::').isUnspecified()"),
    ("lastIndexOf", "args.s.lastIndexOf('o') == 7 && args.s.lastIndexOf('x') == -1"),
    ("lowerAscii", "args.s.lowerAscii() == 'hello world' && 'ÄB'.lowerAscii() == 'Äb'"),
    ("map", "[1, 2].map(x, x + 1) == [2, 3]"),
    ("matches", "args.s.matches('^H.*d$') && matches(args.s, 'lo') && !args.s.matches('^lo')"),
    ("replace", "args.s.replace('o', '0') == 'Hell0 W0rld' && args.s.replace('o', '', 1) == 'Hell World'"),
    (
        "size",
        "size(args.s) == 11 && args.u.size() == 3 && size(args.l) == 2 && size(args) == 5 && size('a' + 'b') == 2",
    ),
    (
        "split",
        "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'ab'.split('') == ['a', 'b'] && 'a'.split(',', 0) == []",
    ),
    ("startsWith", "args.s.startsWith('Hello')"),
    (
        "string",
        "string(5) == '5' && string(true) == 'true' && string(1.5) == '1.5' && string(now) == '2026-01-01T00:00:00Z' && string(duration('90s')) == '90s' && string(ip('::1')) == '::1' && string(args.s) == args.s",
    ),
    (
        "substring",
        "args.s.substring(6) == 'World' && args.s.substring(0, 5) == 'Hello' && args.u.substring(1, 2) == 'ü'",
    ),
    ("timestamp", "timestamp('2026-01-01T01:00:00+01:00') == now && timestamp('2026-01-01T00:00:00.5Z') > now"),
    ("trim", "'  a b '.trim() == 'a b'"),
    ("type", "type(args.s) == string && type(1) == int && type('a'.trim()) == string"),
    ("upperAscii", "args.s.upperAscii() == 'HELLO WORLD'"),
    (
        "url",
        "url(args.url).host == 'example.com' && url(args.url).scheme == 'https' && url(args.url).port == 8443 && url(args.url).path == '/a/b' && url(args.url).query == 'q=1' && url(args.url).fragment == 'f'",
    ),
];

const ARGS: &str = r#"{"s":"Hello World","u":"püt","l":[1,2],"f":2.5,"url":"HTTPS://Example.com:8443/a/b?q=1#f"}"#;

#[test]
fn every_function_of_the_reference_does_what_it_says() {
    let examples: BTreeSet<_> = EXAMPLES.iter().map(|(name, _)| *name).collect();
    let known: BTreeSet<_> = reference().iter().map(|function| function.name).collect();
    assert_eq!(examples, known);
    assert_eq!(known.len(), reference().len(), "a name occurs twice");
    for (name, source) in EXAMPLES {
        assert!(source.contains(name));
        all_true(ARGS, &[source]);
    }
}

#[test]
fn the_reference_says_of_every_function_and_variable_what_it_is() {
    for function in reference() {
        assert!(function.signature.contains(function.name) && function.doc.ends_with('.'), "{function:?}");
    }
    for variable in super::super::variables() {
        assert!(variable.doc.ends_with('.') && !variable.kind.is_empty(), "{variable:?}");
    }
}

#[test]
fn arguments_of_the_wrong_type_are_errors() {
    all_fail(
        ARGS,
        &[
            ("args.l.startsWith('x')", 8, "wrong type"),
            ("args.s.startsWith(1)", 8, "wrong type"),
            ("args.s.contains(args.l)", 8, "wrong type"),
            ("args.s.isLoopback()", 8, "wrong type"),
            ("args.s.getHours() == 1", 8, "wrong type"),
            ("int(args.s) == 1", 1, "not a number"),
            ("int(' 1') == 1", 1, "not a number"),
            ("double('inf') == 1.0", 1, "not a number"),
            ("double('nan') == 1.0", 1, "not a number"),
            ("int(args.l) == 1", 1, "wrong type"),
            ("string(args.l) == ''", 1, "wrong type"),
            ("ip(args.s).family() == 4", 1, "not an IP address or network"),
            ("url(args.s).host == ''", 1, "not a URL that every reader takes alike"),
            ("now.getHours(args.s) == 1", 5, "not a time, duration or offset"),
            ("args.s.substring(12) == ''", 8, "index out of range"),
            ("args.s.substring(5, 4) == ''", 8, "index out of range"),
            ("args.s.substring(-1) == ''", 8, "index out of range"),
            ("now + 1 == now", 5, "wrong type"),
            ("duration('1h').getHours('+01:00') == 1", 16, "wrong type"),
        ],
    );
}

#[test]
fn times_and_durations_are_added_subtracted_and_compared() {
    all_true(
        "{}",
        &[
            "now + duration('1d') == timestamp('2026-01-02T00:00:00Z')",
            "duration('1d') + now > now",
            "now - duration('1s') < now",
            "timestamp('2026-01-01T00:00:10Z') - now == duration('10s')",
            "duration('1h') - duration('30m') == duration('30m')",
            "-duration('1h') < duration('0s')",
            "now.getDayOfWeek() in [1, 2, 3, 4, 5]",
        ],
    );
    all_fail(
        "{}",
        &[
            ("now + duration('106751d') > now", 5, "overflow"),
            ("duration('106751d') + duration('106751d') > duration('0s')", 21, "overflow"),
        ],
    );
}

#[test]
fn what_an_expression_makes_is_bounded() {
    let args = format!(r#"{{"s":"{}","l":[{}0]}}"#, "ab,".repeat(20_000), "1,".repeat(600));
    all_fail(
        &args,
        &[
            ("args.s + args.s == ''", 8, "a text of more than 65536 bytes"),
            ("args.s.replace('a', 'aa') == ''", 8, "a text of more than 65536 bytes"),
            ("args.s.split(',') == []", 8, "a list of more than 1000 elements"),
            ("args.l + args.l == []", 8, "a list of more than 1000 elements"),
        ],
    );
    all_true(&args, &["args.s.split(',', 3) != []", "size(args.s) == 60000", "args.s.lowerAscii().size() == 60000"]);
}
