use super::*;
use crate::schema::Kinds;

/// What an expression reads: `column path: what it is taken for`, and what is certain of it there.
fn read(source: &str, purpose: Purpose) -> Vec<String> {
    let expression = Expression::compile(source, purpose).expect(source);
    let each = |expectation: &Expectation| {
        let Expectation { path, expected, column, certain } = expectation;
        let expected = match expected {
            Expected::Asked => "asked".to_owned(),
            Expected::Kinds(Kinds::ANY) => "anything".to_owned(),
            Expected::Kinds(kinds) => kinds.to_string(),
            Expected::Ordered(kinds) => format!("< {kinds}"),
            Expected::Equal(kinds) => format!("== {kinds}"),
            Expected::Unequal(kinds) => format!("!= {kinds}"),
        };
        let certain: String = certain.iter().map(|fact| format!("; {}", in_words(fact))).collect();
        format!("{column} {}: {expected}{certain}", path.join("."))
    };
    expression.expectations().iter().map(each).collect()
}

fn in_words(fact: &Fact) -> String {
    match fact.certain {
        Certain::Present => format!("{} is there", fact.path.join(".")),
        Certain::Kinds(kinds) => format!("{} is {kinds}", fact.path.join(".")),
    }
}

#[test]
fn what_an_expression_takes_for_granted_is_known() {
    for (source, expected) in [
        ("args.s != 5", &["6 s: != a number"][..]),
        ("'x' == args.s", &["13 s: == a string"]),
        (
            "args.s == null || args.s == args.t",
            &[
                "6 s: anything",
                "24 s: anything; s is a string, a number, a boolean, a list or an object",
                "34 t: anything",
            ],
        ),
        (
            "args.a in ['x', true] && 'y' in args.l.m",
            &["6 a: == a string or a boolean", "40 l.m: a list or an object", "30 l.m.y: asked"],
        ),
        ("args.n >= 1.5", &["6 n: < a number"]),
        ("args.a < args.b", &["6 a: < a string, a number or a boolean", "15 b: < a string, a number or a boolean"]),
        ("args.a.b % 2 > args.c", &["8 a.b: a whole number", "21 c: < a number"]),
        ("-args.a + args.b == 1", &["7 a: a number", "16 b: a string, a number or a list"]),
        ("args.s.startsWith(args.t)", &["6 s: a string", "24 t: anything"]),
        ("url(args.u).host == server", &["10 u: a string"]),
        ("args.x || !args.y", &["6 x: a boolean", "17 y: a boolean"]),
        ("args.l.all(x, x.y == args.s)", &["6 l: a list or an object", "27 s: anything"]),
        ("has(args.a.b)", &["10 a: an object", "1 a.b: asked"]),
        ("args.l[0].x == 1 && args.l[args.i].y == 2", &["6 l: a list", "26 l: a list or an object", "33 i: anything"]),
        ("size(args) == 0 && server == 'args.x'", &[]),
    ] {
        assert_eq!(read(source, Purpose::Condition), expected, "{source}");
    }
    assert_eq!(read("args.k", Purpose::Key), ["6 k: a string, a whole number or a boolean"]);
    assert_eq!(read("has(args.n) ? args.n : 0", Purpose::Cost), ["1 n: asked", "20 n: a number; n is there"]);
}

#[test]
fn what_is_tested_is_certain_beside_the_test_and_where_the_condition_is_true() {
    let ensured = |source: &str| {
        let expression = Expression::compile(source, Purpose::Condition).expect(source);
        expression.ensures().iter().map(in_words).collect::<Vec<_>>()
    };
    for (source, certain) in [
        (
            "has(args.a.b) && args.n == 1",
            &["a.b is there", "n is a string, a number, a boolean, a list or an object"][..],
        ),
        (
            "'a-b' in args && args.s in ['x', 'y']",
            &["a-b is there", "s is a string, a number, a boolean, a list or an object"],
        ),
        (
            "!(!has(args.a) || args.n == null)",
            &["a is there", "n is a string, a number, a boolean, a list or an object"],
        ),
        ("(has(args.a) && has(args.b)) || has(args.a)", &["a is there"]),
        (
            "type(args.n) == int && type(args.s) != string",
            &["n is a whole number", "s is a number, a boolean, a list, an object or null"],
        ),
        ("has(args.a) || args.n > 5 || args.s.startsWith('x') || args.l.all(x, x == 1)", &[]),
        ("has(args.a) ? args.n == 1 : true", &[]),
    ] {
        assert_eq!(ensured(source), certain, "{source}");
    }
}
