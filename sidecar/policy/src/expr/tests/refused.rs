use super::*;

/// Each source must be refused at this column with a message that has this in it.
fn all_refused(cases: &[(&str, usize, &str)]) {
    for (source, column, part) in cases {
        let error = Expression::compile(source, Purpose::Condition).expect_err(source);
        assert!(error.message.contains(part), "{source}: {error}");
        assert_eq!(error.column, *column, "{source}: {error}");
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_there_is() {
    all_refused(&[
        ("arg.s == 'x'", 1, "there is no variable `arg`: did you mean `args`?"),
        ("x.y == 1", 1, "write args, tool, server, grant, pod, session or now"),
        ("true && tool.nme == 'x'", 14, "`tool` has no member `nme`: did you mean `name`?"),
        ("tool.risk.sevrity == 'x'", 11, "`tool.risk` has no member `sevrity`: did you mean `severity`?"),
        ("grant.serviceaccount == 'x'", 7, "did you mean `serviceAccount`?"),
        ("grant == 'a/b'", 1, "`grant` is an object: write one of its members, namespace or serviceAccount"),
        ("server.name == 'x'", 8, "`server` is a string, which has no members"),
        ("tool.risk == 'x'", 1, "`tool.risk` is an object"),
        ("args.s.startWith('x')", 8, "there is no function `startWith`: did you mean `startsWith`?"),
        ("foo(1)", 1, "there is no function `foo`"),
        ("url(args.u).getHost() == ''", 13, "write url(x).host"),
        ("url(args.u).hots == 'x'", 13, "a URL has no part `hots`: did you mean `host`?"),
        ("size == 1", 1, "`size` is a function: call it"),
        ("args.l.all(x, y > 1)", 15, "there is no variable `y`"),
        ("[1].all(x, true) && x == 1", 21, "there is no variable `x`"),
        ("optional.of(1) == 1", 10, "there is no function `of`"),
        ("google.protobuf.Duration{seconds: 1} == 1", 25, "objects cannot be written"),
    ]);
}

#[test]
fn a_function_is_called_as_it_is_written() {
    all_refused(&[
        ("startsWith(args.s, 'x')", 1, "`startsWith` is written string.startsWith(string) -> bool"),
        ("args.s.startsWith()", 8, "is written"),
        ("args.s.startsWith('a', 'b')", 8, "is written"),
        ("args.s.int() == 1", 8, "`int` is written int(number | string | timestamp) -> int"),
        ("args.l.all(x)", 8, "`all` is written list.all(name, condition) -> bool"),
        ("has(args.x, 1)", 1, "`has` is written has(x.field) -> bool"),
        ("has(args)", 5, "`has` needs a member"),
        ("args.l.all(1, true)", 12, "the first argument of a loop names the element"),
    ]);
}

#[test]
fn a_loop_ranges_over_a_field_or_literals_and_hides_nothing() {
    all_refused(&[
        ("args.l.map(x, x).all(y, y > 0)", 18, "it must range over a field such as args.items, or a list of literals"),
        ("args.s.split(',').all(y, y != '')", 19, "it must range over"),
        ("[args.a].all(y, y != '')", 10, "it must range over"),
        ("args.l.all(x, args.l.all(y, x == y))", 22, "only one may range over a field"),
        ("args.l.all(x, [1].all(z, x.tags.all(y, true)))", 33, "only one may range over a field"),
        ("args.l.all(args, true)", 8, "`args` is a variable"),
        ("args.l.all(size, true)", 8, "`size` is a function"),
        ("args.l.all(has, true)", 8, "`has` is a function"),
        ("args.l.all(list, true)", 8, "`list` is a type"),
        ("args.l.all(x, [1].all(x, true))", 19, "the name of a loop around this one"),
        ("server.all(x, true)", 1, "here stands a string: a loop needs a list or an object"),
    ]);
}

#[test]
fn what_would_mean_something_else_than_it_seems_is_not_in_the_language() {
    all_refused(&[
        ("{'a': 1} != args.o", 1, "objects cannot be written in an expression"),
        ("args.b == b'x'", 11, "bytes are not supported"),
        ("args.n == 1u", 11, "unsigned numbers are not supported"),
        ("args.null == 1", 6, "`null` is a reserved word: for a member of that name write ['null']"),
        ("args.?x == 1", 5, "optional members are not supported"),
        ("args.`a-b` == 1", 5, "names in backticks"),
        ("args.s.matches(args.p)", 16, "write the pattern as a literal"),
        ("matches(args.s, args.p)", 17, "write the pattern as a literal"),
        ("args.s.matches('(')", 16, "the pattern is not a regular expression"),
        ("now.getHours('Europe/Berlin') > 8", 14, "`Europe/Berlin` is not an offset from UTC"),
        (
            "cidr('10.0.0.0/33').contains(args.a)",
            1,
            "cidr cannot read `10.0.0.0/33`: it is not an IP address or network",
        ),
        ("now > timestamp('yesterday')", 7, "timestamp cannot read `yesterday`: it is not a time"),
        ("duration('1y') > duration('1s')", 1, "duration cannot read `1y`"),
    ]);
}

#[test]
fn the_type_must_fit_the_purpose_where_it_can_be_told() {
    all_refused(&[
        ("'x'", 1, "the expression gives a string: write something that is true or false"),
        ("size(args.l)", 1, "gives a number"),
        ("args.l.map(x, x)", 1, "gives a list"),
        ("size(args.l) && true", 1, "here stands a number"),
        ("args.a ? true : 'x' && true", 17, "here stands a string"),
        ("size(args.l).startsWith('1')", 1, "here stands a number: `startsWith` needs a string"),
        ("isURL([args.u])", 7, "here stands a list: `isURL` needs a string"),
    ]);
    for (source, purpose) in
        [("[1]", Purpose::Key), ("args.l.map(x, x)", Purpose::Key), ("'x'", Purpose::Cost), ("true", Purpose::Cost)]
    {
        assert!(Expression::compile(source, purpose).is_err(), "{source}");
    }
}

#[test]
fn what_is_not_cel_is_refused_in_plain_words() {
    all_refused(&[
        ("", 1, "the expression is empty"),
        (" \n", 1, "the expression is empty"),
        ("1 + ", 5, "the expression ends too early"),
        ("args.s == ", 11, "the expression ends too early"),
        ("args.s = 'x'", 8, "`=` compares nothing: write =="),
        ("args.a & args.b", 8, "`&` means nothing: write &&"),
        ("(args.s", 8, "the expression ends before a `)`"),
        ("args.s)", 7, "`)` does not fit here"),
        ("'abc", 1, "the string is not closed"),
        ("args.s @ 3", 8, "`@` means nothing here"),
        ("'ü' == args.ö", 13, "`ö` means nothing here"),
        ("true &&\n  args.s @ 3", 18, "`@` means nothing here"),
        ("if == 1", 1, "`if` is a reserved word"),
        ("99999999999999999999 == 1", 1, "a whole number must fit in 64 bits"),
        ("args.s == '\\ud800'", 11, "the string has an escape that means nothing"),
        ("@meter == 1", 1, "`@` means nothing here"),
    ]);
}

#[test]
fn size_and_depth_are_bounded() {
    let long = format!("args.s == '{}'", "x".repeat(SOURCE));
    let deep = format!("{}true{}", "(".repeat(33), ")".repeat(33));
    let chain = format!("args.n{} > 0", " + 1".repeat(40));
    let wide = format!("args.n in [{}0]", "args.n,".repeat(140));
    for (source, part) in [
        (&long, "the expression is 1036 bytes long: 1024 is the most"),
        (&deep, "brackets or conditions nested more than 32 deep"),
        (&chain, "nested more than 40 deep"),
        (&wide, "more than 256 parts"),
    ] {
        let error = Expression::compile(source, Purpose::Condition).expect_err(source);
        assert!(error.message.contains(part), "{error}");
    }
}

#[test]
fn loops_that_take_more_work_than_there_is_are_refused_and_those_that_fit_run() {
    let cube = |count: usize| {
        let list = vec!["1"; count].join(",");
        format!("[{list}].all(a, [{list}].all(b, [{list}].all(c, a == b)))")
    };
    let twice = format!("{} && args.l.all(x, {})", cube(22), cube(22));
    let what = "the loops take more than the 20000 units of work that an evaluation has: shorten the lists";
    all_refused(&[(&cube(30), 63, what), (&twice, cube(22).len() + 2, what)]);
    all_true("{}", &[&cube(15)]);
}
