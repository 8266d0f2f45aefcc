//! Hostile expressions and hostile arguments: each is refused at load, or evaluated to an error, at a bounded cost.

#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what fails here fails the test; children tell on standard output"
)]

#[path = "expr_hostile/harness.rs"]
mod harness;

use harness::End::{Decides, Fails, Gives, Refused};
use harness::{Case, End, case, check_all, run_if_asked};
use reeve_policy::reason::Reason;

#[test]
fn deep_expressions_are_refused_or_fit_on_a_small_stack() {
    check_all(&nesting());
}

#[test]
fn work_is_bounded_even_where_an_error_is_absorbed() {
    check_all(&work());
}

#[test]
fn memory_is_bounded() {
    check_all(&memory());
}

#[test]
fn patterns_cost_little_whatever_the_text() {
    check_all(&patterns());
}

#[test]
fn bad_arithmetic_and_times_are_errors_of_their_own() {
    check_all(&arithmetic());
}

#[test]
fn wide_objects_cannot_be_searched_again_and_again() {
    check_all(&wide_objects());
}

#[test]
fn arguments_are_decided_in_time_linear_in_them_however_many_paths_rules_read() {
    check_all(&keys());
}

/// Not a test of its own: the other process that the tests above start.
#[test]
fn one_case() {
    run_if_asked(|| {
        [nesting(), work(), memory(), patterns(), arithmetic(), wide_objects(), keys()].into_iter().flatten().collect()
    });
}

/// Brackets around something, as many as fit.
fn around(open: &str, middle: &str, close: &str, times: usize) -> String {
    [&open.repeat(times), middle, &close.repeat(times)].concat()
}

/// A list of so many numbers.
fn ones(count: usize) -> String {
    format!("[{}1]", "1,".repeat(count - 1))
}

fn text(length: usize) -> String {
    format!(r#"{{"s":"{}"}}"#, "a".repeat(length))
}

const TOO_LONG: End = Refused("1024 is the most");
const TOO_NESTED: End = Refused("nested more than 32 deep");
const TOO_DEEP: End = Refused("nested more than 40 deep");

fn nesting() -> Vec<Case> {
    let none = "{}";
    vec![
        case("10,000 parentheses", around("(", "true", ")", 10_000), none, TOO_LONG),
        case("10,000 brackets", around("[", "1", "]", 10_000), none, TOO_LONG),
        case("10,000 calls", around("size(", "'a'", ")", 10_000), none, TOO_LONG),
        case("all the parentheses that fit", around("(", "true", ")", 510), none, TOO_NESTED),
        case("all the brackets that fit", around("[", "1", "]", 511), none, TOO_NESTED),
        case("all the calls that fit", around("size(", "'a'", ")", 170), none, TOO_NESTED),
        case("conditionals", "true ? true : ".repeat(70) + "true", none, TOO_NESTED),
        case("parentheses left open", "(".repeat(1_024), none, Refused("")),
        case("a sum", "1".to_owned() + &"+1".repeat(511), none, TOO_DEEP),
        case("a product", "1".to_owned() + &"*1".repeat(511), none, TOO_DEEP),
        case("comparisons", "1".to_owned() + &"<1".repeat(511), none, TOO_DEEP),
        case("elements", "args.a".to_owned() + &"[0]".repeat(339), none, TOO_DEEP),
        case("members", "args".to_owned() + &".a".repeat(510), none, TOO_DEEP),
        case("methods", "args.a".to_owned() + &".size()".repeat(145), none, TOO_DEEP),
        case("conjunctions", "true".to_owned() + &"&&true".repeat(170), none, Refused("more than 256 parts")),
        case("negations", "!".repeat(1_019) + "true", none, Gives(false)),
        case("minus signs", "-".repeat(1_018) + "1 > 0", none, Gives(true)),
        case("nested loops", around("[1].all(x,", "true", ")", 90), none, Refused("")),
        case("eleven nested lists", around("[", "args.n", "]", 11) + " != []", r#"{"n":1}"#, Gives(true)),
        case("as deep as may be: a sum", "0 < args.n".to_owned() + &"+args.n".repeat(37), r#"{"n":1}"#, Gives(true)),
        case("as deep as may be: lists", around("[", "args.n", "]", 30) + " != []", r#"{"n":1}"#, Gives(true)),
        case("as deep as may be: brackets", around("(true && ", "args.b", ")", 31), r#"{"b":true}"#, Gives(true)),
        case("as deep as may be: conditions", "args.b ? true : ".repeat(30) + "true", r#"{"b":false}"#, Gives(true)),
        case("as deep as may be: loops", loops(12), none, Gives(true)),
    ]
}

/// Loops over one element inside one another.
fn loops(count: usize) -> String {
    let open: String = (0..count).map(|number| format!("[1].all(x{number},")).collect();
    open + "true" + &")".repeat(count)
}

fn work() -> Vec<Case> {
    let million = format!(r#"{{"l":{}}}"#, ones(1_000_000));
    let thousand = format!(r#"{{"l":{0},"m":{0}}}"#, ones(1_000));
    let five = format!(r#"{{"l":{}}}"#, ones(5_000));
    let too_long = || Fails("a list of more than 1000 elements");
    let too_much = || Fails("too much work");
    let only_one = || Refused("only one may range over a field");
    let more_than_there_are = || Refused("the loops take more than the 20000 units");
    vec![
        case("all over a million", "args.l.all(x, x > 0)", &million, too_long()),
        case("map over a million", "args.l.map(x, x) == []", &million, too_long()),
        case("in a million", "2 in args.l", &million, too_long()),
        case("a million compared", "args.l == args.l", &million, too_long()),
        case("a million and one more", "args.l + [1] == []", &million, too_long()),
        case("the end of a million", "args.l[999999] == 1", &million, too_long()),
        case("a million absorbed", "args.l.all(x, x > 0) || true", &million, too_long()),
        case("a million counted", "size(args.l) > 1000", &million, Gives(true)),
        case("two nested loops over 3,000", "args.l.all(x, args.l.all(y, x == y))", &five, only_one()),
        case("three nested loops", "args.l.all(x, args.l.all(y, args.l.all(z, x == y)))", &million, only_one()),
        case("nested loops over literals", literal_loops(), &thousand, more_than_there_are()),
        case("such loops for each element", format!("args.l.all(x, {})", literal_loops()), "{}", more_than_there_are()),
        case("a loop over a thousand and nine", nine_each("args.l"), &thousand, too_much()),
        case("a list of lists", "args.l.map(x, args.l) == []", &five, too_long()),
        case("a smaller list of lists", "args.l.map(x, args.l) != []", &thousand, Gives(true)),
        case("a list of lists of elements", many_each("args.l"), &thousand, too_much()),
        case("a list searched for each element", "args.l.all(x, !(2 in args.m))", &thousand, too_much()),
        case("work absorbed by or", "args.l.all(x, !(2 in args.m)) || true", &thousand, too_much()),
        case("work absorbed by exists", "args.l.exists(x, 2 in args.m) || true", &thousand, too_much()),
        case("conjunctions in loops", conjunctions_in_loops("[1,2,3,4,5,6,7,8,9,0]"), "{}", more_than_there_are()),
        case("conjunctions in a loop over a thousand", conjunctions_in_loops("args.l"), &thousand, too_much()),
    ]
}

const NINE: &str = "[1,2,3,4,5,6,7,8,9]";

fn literal_loops() -> String {
    let open: String = ["a", "b", "c", "d", "e", "f"].map(|name| format!("{NINE}.all({name},")).concat();
    format!("{open}true{}", ")".repeat(6))
}

fn nine_each(range: &str) -> String {
    format!("{range}.all(x, {NINE}.all(y, x != y || true))")
}

fn many_each(range: &str) -> String {
    format!("{range}.map(x, [{}x]) == []", "x,".repeat(150))
}

fn conjunctions_in_loops(range: &str) -> String {
    let open = ["a", "b", "c"].map(|name| format!("[1,2,3,4,5,6,7,8,9,0].all({name},")).concat();
    format!("{range}.all(d,{open}{}true))))", "true&&".repeat(40))
}

fn memory() -> Vec<Case> {
    let doubled = (0..6).fold("args.s".to_owned(), |sum, _| format!("({sum}+{sum})"));
    let escaped = format!(r#"{{"s":"\n{0}","t":"\n{0}"}}"#, "a".repeat(2_000_000));
    let long_elements = format!(r#"{{"l":[{}0]}}"#, format!(r#""\n{}","#, "a".repeat(4_000)).repeat(999));
    vec![
        case("a doubled string", format!("{doubled} == ''"), text(4_096), Fails("a text of more than 65536 bytes")),
        case("4 MB joined", "args.s + 'a' == ''", text(4_000_000), Fails("a text of more than 65536 bytes")),
        case("4 MB in lower case", "args.s.lowerAscii() == ''", text(4_000_000), Fails("too much work")),
        case("4 MB decoded twice", "args.s + args.t == ''", &escaped, Fails("a text of more than 65536 bytes")),
        case("a string replaced by longer ones", replaced(), text(60_000), Fails("a text of more than 65536 bytes")),
        case(
            "4 MB of single letters replaced",
            "args.s.replace('a', '') == ''",
            text(4_000_000),
            Fails("too much work"),
        ),
        case("4 MB split", "args.s.split('') == []", text(4_000_000), Fails("too much work")),
        case(
            "copies of long elements",
            "args.l.map(x, [x,x,x,x,x,x,x,x]) == []",
            &long_elements,
            Fails("too much work"),
        ),
        case("a list plus a number", "args.l + 5 == []", format!(r#"{{"l":{}}}"#, ones(1_000)), Fails("wrong type")),
        case("4 MB of URL", "isURL(args.s)", text(4_000_000), Fails("too much work")),
    ]
}

fn replaced() -> String {
    format!("args.s.replace('a', '{}') == ''", "b".repeat(900))
}

fn patterns() -> Vec<Case> {
    let mut state = 1_u32;
    let mut bit = || {
        // A linear congruential generator; its high bit is random enough to need every state.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 31 == 0 { '0' } else { '1' }
    };
    let bits: String = (0..1_000_000).map(|_| bit()).collect();
    let bits = format!(r#"{{"s":"{bits}"}}"#);
    let too_large = || Refused("the pattern is too large");
    vec![
        case("(a+)+$ on 4 MB", "args.s.matches('(a+)+$')", text(4_000_000), Fails("too much work")),
        case("(a+)+$ on 1 MB", "args.s.matches('(a+)+$')", text(1_000_000), Gives(true)),
        case(
            "a pattern of the call",
            "args.s.matches(args.s)",
            text(4_000_000),
            Refused("write the pattern as a literal"),
        ),
        case("a huge pattern", r"args.s.matches('\\pL{1000}')", text(10), too_large()),
        case("nested repetitions", "args.s.matches('((a{1,100}){1,100}){1,100}')", text(10), too_large()),
        case("an exponential automaton", "args.s.matches('[01]*1[01]{200}x')", &bits, Fails("too much work")),
        case("another, absorbed", "args.s.matches('.*1.{250}x') || true", &bits, Fails("too much work")),
        case("the largest that may be", "args.s.matches('(.?){300}x')", &bits, Fails("too much work")),
        case(
            "many patterns",
            format!("args.s != ''{}", " && args.s.matches('.*1.{99}x')".repeat(30)),
            text(10),
            Refused("more than 8 patterns"),
        ),
        case("nested groups", format!("args.s.matches('{}')", around("(", "a", ")", 400)), text(10), Refused("")),
        case(
            "a match for each of a thousand",
            "args.l.exists(x, x.matches('.{0,50}foo.{0,50}bar'))",
            names(),
            Fails("too much work"),
        ),
    ]
}

fn names() -> String {
    format!(r#"{{"l":[{}"x"]}}"#, r#""a name of some length","#.repeat(999))
}

fn arithmetic() -> Vec<Case> {
    let args = r#"{"wide":9223372036854775807,"one":1,"zero":0,"t":"2026-02-30T00:00:00Z","d":"1w","s":"x"}"#;
    let fails = |name, source: &str, words| case(name, source, args, Fails(words));
    vec![
        fails("overflow", "9223372036854775807 + args.one > 0", "overflow"),
        fails("MIN / -1", "-9223372036854775808 / -args.one > 0", "overflow"),
        fails("MIN % -1", "-9223372036854775808 % -args.one == 0", "overflow"),
        fails(
            "what some round",
            "args.wide + 1 > 0",
            "a whole number of 2^53 or more, which servers may round to another",
        ),
        fails("division by zero", "1 / args.zero > 0", "division by zero"),
        fails("remainder by zero", "1 % args.zero > 0", "division by zero"),
        fails("a day that does not exist", "timestamp(args.t) < now", "not a time, duration or offset"),
        fails("a unit that does not exist", "duration(args.d) > duration('1s')", "not a time, duration or offset"),
        fails("a time too far off", "now + duration('100000d') + duration('100000d') > now", "overflow"),
        fails("no number", "int(args.s) == 1", "not a number"),
    ]
}

/// Keys that differ only at their end, and are asked for in a loop.
fn long_keys() -> String {
    let long = "é".repeat(10_000);
    let members: String = (0..50).map(|number| format!(r#""{long}{number}":1,"#)).collect();
    let keys: String = (0..50).map(|number| format!(r#""{long}x{number}","#)).collect();
    format!(r#"{{"k":[{keys}""],"o":{{{members}"z":1}}}}"#)
}

fn wide_objects() -> Vec<Case> {
    let members: String = (0..40_000).map(|number| format!(r#""k{number}":1,"#)).collect();
    let keys: String = (0..900).map(|number| format!(r#""k{number}","#)).collect();
    let args = format!(r#"{{"l":[{keys}"k1"],"o":{{{members}"z":1}}}}"#);
    vec![
        case("a wide object searched in a loop", "args.l.all(x, x in args.o)", &args, Fails("too much work")),
        case("a wide object read in a loop", "args.l.all(x, args.o[x] == 1)", &args, Fails("too much work")),
        case("the keys of a wide object", "args.o.all(k, k != '')", &args, Fails("a list of more than 1000 elements")),
        case("long keys in a loop", "args.k.all(x, !(x in args.o))", long_keys(), Fails("too much work")),
        case("a member of a wide object", "args.o.k39999 == 1", &args, Gives(true)),
    ]
}

/// Rules that together read so many paths, and refuse what is there.
fn reading(paths: usize) -> String {
    let rule = |number| {
        let reads = format!("require: [{{expression: '!has(args.bucket_{number})'}}]");
        format!("  - {{name: r{number}, tools: [tool], action: Allow, {reads}}}\n")
    };
    (0..paths).map(rule).collect()
}

/// An object of keys that are written like this, before a number, of so many bytes.
fn object_of(key: &str, bytes: usize) -> String {
    let member = |number: usize| format!(r#""{key}{number:06}":0,"#);
    let count = bytes / member(0).len();
    format!(r#"{{{}"z":1}}"#, (0..count).map(member).collect::<String>())
}

const KIB_63: usize = 63 * 1024;
const MIB_3: usize = 3_500 * 1024;

fn keys() -> Vec<Case> {
    let validating = || "  - {name: v, tools: [tool], action: Allow, validateArguments: true}\n".to_owned();
    let escaped = r"\u0042\u0055\u0043\u004b\u0045\u0054\u005f";
    let long = format!("bucket_{}", "é".repeat(2_000));
    let after_nul = format!(r#"{{"bucket_1\u0000{}":1}}"#, "x".repeat(MIB_3));
    let inner = |key| format!(r#"{{"inner":{{"a":{}}}}}"#, object_of(key, MIB_3));
    let fine = || Decides(&[Reason::AllowedByRule]);
    let validated = || Decides(&[Reason::AllowedByRule, Reason::ArgumentsInvalid]);
    let ambiguous = Decides(&[Reason::ArgumentsAmbiguous]);
    vec![
        case("63 KiB of escaped keys, 30 paths", reading(30), object_of(escaped, KIB_63), fine()),
        case("63 KiB of other letters, 30 paths", reading(30), object_of("buc\u{212a}et_", KIB_63), fine()),
        case("3.5 MiB of escaped keys, 30 paths", reading(30), object_of(escaped, MIB_3), fine()),
        case("3.5 MiB of escaped keys, 300 paths", reading(300), object_of(escaped, MIB_3), fine()),
        case("3.5 MiB of long keys, 30 paths", reading(30), object_of(&long, MIB_3), fine()),
        case("a key after whose NUL come 3.5 MiB", reading(30), after_nul, ambiguous),
        case("63 KiB of escaped keys, validated", validating(), object_of(escaped, KIB_63), validated()),
        case("63 KiB of other letters, validated", validating(), object_of("buc\u{212a}et", KIB_63), validated()),
        case("3.5 MiB of keys within, validated", validating(), inner("uri"), validated()),
    ]
}
