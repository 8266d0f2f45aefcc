//! Expressions that nobody wrote, on arguments that nobody sent: whatever they are, they are refused, or evaluated to a
//! value or to an error in fixed words, within the budget, on a small stack.

use std::thread;

use proptest::prelude::*;

use super::*;

/// A thread's usual stack is 2 MiB; some of it is taken by then.
const SMALL: usize = 1_536 * 1024;

const ARGS: &str = r#"{"s":"hello","n":3,"f":1.5,"t":true,"z":null,"l":[1,"b",[2],{"k":1}],"o":{"a":1,"b":{"c":"x"}},
    "u":"https://Example.com:8443/a?b#c","big":18446744073709551615,"esc":"\u0041\n","N":1,"x":[],"y":{}}"#;

fn on_a_small_stack(source: String, args: &'static str) {
    let thread = thread::Builder::new().stack_size(SMALL);
    let thread = thread.spawn(move || exercise(&source, args.as_bytes())).expect("a thread");
    assert_eq!(thread.join().expect("no panic"), Ok(()));
}

/// What an expression of the generator gives.
#[derive(Clone, Copy)]
enum Of {
    Truth,
    Number,
    Text,
    List,
    Anything,
}

/// Expressions of the grammar that are mostly right in type, with names that mostly exist.
fn expressions() -> BoxedStrategy<String> {
    prop_oneof![
        8 => expression(Of::Truth, 3, false),
        1 => expression(Of::Number, 3, false),
        1 => expression(Of::Text, 3, false)
    ]
    .boxed()
}

/// An expression nested at most so deep, perhaps within a loop over `x`.
fn expression(of: Of, depth: u32, in_loop: bool) -> BoxedStrategy<String> {
    if depth == 0 {
        return leaf(of, in_loop);
    }
    let part = |of: Of| expression(of, depth - 1, in_loop);
    let body = |of: Of| expression(of, depth - 1, true);
    let infix = |of: Of, signs: &'static [&'static str]| {
        (part(of), proptest::sample::select(signs), part(of))
            .prop_map(|(left, sign, right)| format!("({left} {sign} {right})"))
    };
    let method = |names: &'static [&'static str]| {
        (part(Of::Text), proptest::sample::select(names), part(Of::Text))
            .prop_map(|(text, name, argument)| format!("{text}.{name}({argument})"))
    };
    let stray = (1, part(Of::Anything));
    match of {
        Of::Truth => prop_oneof![
            2 => leaf(of, in_loop),
            3 => infix(Of::Truth, &["&&", "||", "=="]),
            3 => infix(Of::Number, &["==", "!=", "<", "<=", ">", ">="]),
            2 => infix(Of::Text, &["==", "!=", "<"]),
            1 => infix(Of::List, &["==", "!="]),
            3 => method(&["startsWith", "endsWith", "contains"]),
            1 => part(Of::Truth).prop_map(|truth| format!("!{truth}")),
            1 => (part(Of::Truth), part(Of::Truth), part(Of::Truth)).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            1 => (part(Of::Anything), part(Of::List)).prop_map(|(item, list)| format!("({item} in {list})")),
            1 => part(Of::Text).prop_map(|text| format!("{text}.matches('^[a-z]+$')")),
            1 => part(Of::Text).prop_map(|text| format!("(isURL({text}) && url({text}).host != '')")),
            1 => part(Of::Text).prop_map(|text| format!("(isIP({text}) && cidr('10.0.0.0/8').contains({text}))")),
            1 => part(Of::Number).prop_map(|days| format!("(now.getDayOfWeek() == {days})")),
            3 => (range(), proptest::sample::select(vec!["all", "exists", "exists_one"]), body(Of::Truth))
                .prop_map(|(range, name, body)| format!("{range}.{name}(x, {body})")),
            stray.0 => stray.1,
        ]
        .boxed(),
        Of::Number => prop_oneof![
            2 => leaf(of, in_loop),
            3 => infix(Of::Number, &["+", "-", "*", "/", "%"]),
            1 => part(Of::Number).prop_map(|number| format!("-({number})")),
            1 => part(Of::Text).prop_map(|text| format!("size({text})")),
            1 => part(Of::List).prop_map(|list| format!("{list}.size()")),
            1 => method(&["indexOf", "lastIndexOf"]),
            1 => part(Of::Text).prop_map(|text| format!("int({text})")),
            1 => part(Of::Number).prop_map(|number| format!("double({number})")),
            stray.0 => stray.1,
        ]
        .boxed(),
        Of::Text => prop_oneof![
            2 => leaf(of, in_loop),
            2 => infix(Of::Text, &["+"]),
            1 => (part(Of::Text), proptest::sample::select(vec!["trim", "lowerAscii", "upperAscii"]))
                .prop_map(|(text, name)| format!("{text}.{name}()")),
            1 => (part(Of::Text), part(Of::Number)).prop_map(|(text, from)| format!("{text}.substring({from})")),
            1 => (part(Of::Text), part(Of::Text), part(Of::Text))
                .prop_map(|(text, old, new)| format!("{text}.replace({old}, {new})")),
            1 => part(Of::Number).prop_map(|number| format!("string({number})")),
            1 => (part(Of::List), part(Of::Number)).prop_map(|(list, index)| format!("{list}[{index}]")),
            stray.0 => stray.1,
        ]
        .boxed(),
        Of::List => prop_oneof![
            2 => leaf(of, in_loop),
            1 => infix(Of::List, &["+"]),
            1 => (part(Of::Anything), part(Of::Anything)).prop_map(|(one, other)| format!("[{one}, {other}]")),
            1 => (part(Of::Text), part(Of::Text)).prop_map(|(text, separator)| format!("{text}.split({separator})")),
            1 => (range(), body(Of::Anything)).prop_map(|(range, body)| format!("{range}.map(x, {body})")),
            1 => (range(), body(Of::Truth)).prop_map(|(range, body)| format!("{range}.filter(x, {body})")),
            stray.0 => stray.1,
        ]
        .boxed(),
        Of::Anything => {
            prop_oneof![part(Of::Truth), part(Of::Number), part(Of::Text), part(Of::List), leaf(of, in_loop)].boxed()
        }
    }
}

fn range() -> impl Strategy<Value = String> {
    proptest::sample::select(vec!["args.l", "args.o", "[1, 2]", "['a', 'b']", "args.x", "pod.labels"])
        .prop_map(str::to_owned)
}

fn leaf(of: Of, in_loop: bool) -> BoxedStrategy<String> {
    let mut names: Vec<&'static str> = match of {
        Of::Truth => vec!["true", "false", "args.t", "has(args.s)", "has(args.o.x)", "has(tool.risk)"],
        Of::Number => {
            vec!["args.n", "args.f", "args.l[0]", "args.big", "size(args.l)", "0", "-1", "1.5", "9223372036854775807"]
        }
        Of::Text => vec![
            "args.s",
            "args.esc",
            "args.u",
            "args.o.b.c",
            "tool.name",
            "session",
            "server",
            "'a'",
            "'é'",
            "''",
            "'10.0.0.1'",
        ],
        Of::List => vec!["args.l", "args.x", "[1, 'a']", "[]", "args.l[2]"],
        Of::Anything => vec![
            "args",
            "args.o",
            "args.z",
            "args.missing",
            "args.l[9]",
            "now",
            "null",
            "int",
            "pod.labels",
            "nothing",
            "args.o['a']",
        ],
    };
    if in_loop {
        names.extend(["x", "x", "x.k"]);
    }
    proptest::sample::select(names).prop_map(str::to_owned).boxed()
}

/// A source with some bytes changed, removed or doubled.
fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
    (expressions(), proptest::collection::vec(change, 1..6)).prop_map(|(source, changes)| {
        let mut bytes = source.into_bytes();
        for (at, byte, kind) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_expression_of_the_grammar_gives_a_value_or_an_error(source in expressions()) {
        on_a_small_stack(source, ARGS);
    }

    #[test]
    fn a_mutated_expression_gives_a_value_or_an_error(source in mutated()) {
        on_a_small_stack(source, ARGS);
    }

    #[test]
    fn any_text_gives_a_value_or_an_error(source in ".{0,60}") {
        on_a_small_stack(source, ARGS);
    }
}
