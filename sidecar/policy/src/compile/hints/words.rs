//! What is said of an expression that takes an argument for something it is not: what is wrong, and what to write.

use super::Role;
use super::arguments::{Doubt, Finding};
use crate::catalogue::Tool;
use crate::expr::spelling;
use crate::expr::{Expectation, Expected};
use crate::schema::Kinds;

/// What `string(…)` can be had of.
const SCALARS: Kinds = Kinds::STRING.or(Kinds::NUMBER).or(Kinds::BOOLEAN);

const AN_ERROR: &str = "an error, which refuses the call";

/// What is said of a finding.
pub(super) fn message(finding: &Finding, tool: &Tool, expectation: &Expectation, role: Role) -> String {
    let tool = &tool.name;
    let Expectation { path, expected, .. } = expectation;
    let (name, access) = (path.join("."), access(path));
    match finding {
        Finding::Undeclared(Some(nearest)) => {
            format!("`{tool}` takes no argument `{name}`: did you mean `{nearest}`?")
        }
        Finding::Undeclared(None) => format!("`{tool}` takes no argument `{name}`"),
        Finding::Impossible { path, is, needed } => {
            let (name, access) = (path.join("."), self::access(path));
            let advice = if is_ordered_as_text(*expected, *needed) {
                compared_as_it_is(&access, *is)
            } else {
                used_as_it_is(&access, *is, *needed)
            };
            format!(
                "`{name}` of `{tool}` is {is}, and here {needed} is needed, so that this is always {AN_ERROR}: {advice}"
            )
        }
        Finding::NeverEqual { is, with } => {
            let advice = compared_as_it_is(&access, *is);
            let values = is.without(Kinds::NULL);
            if values == Kinds::NONE {
                let always = if matches!(expected, Expected::Unequal(_)) { "true" } else { "false" };
                format!("`{name}` of `{tool}` is null, so that this is always {always}: {advice}")
            } else if is.meets(Kinds::NULL) {
                format!("`{name}` of `{tool}` may be {values}, and then this is {AN_ERROR}: {advice}")
            } else {
                format!(
                    "`{name}` of `{tool}` is {is}, and here {with} is needed, so that this is always {AN_ERROR}: {advice}"
                )
            }
        }
        Finding::Missing(doubts) => missing(tool, doubts, role),
        Finding::NullIsPresent => {
            let presence = presence(path);
            let advice = format!("write ({presence} && {access} != null)");
            format!("`{name}` of `{tool}` may be null, and {presence} is true of null: {advice}")
        }
        Finding::MayDiffer { others } => {
            let advice = if others.is_within(SCALARS) {
                format!("compare string({access}) with a string")
            } else {
                format!("test type({access}) first")
            };
            format!("`{name}` of `{tool}` may also be {others}, and then this is {AN_ERROR}: {advice}")
        }
        Finding::MayFail { others, needed } => {
            let advice = converted(&access, *others, *needed).filter(|_| !is_ordered_as_text(*expected, *needed));
            let advice = advice.unwrap_or_else(|| format!("test type({access}) first"));
            format!("`{name}` of `{tool}` may also be {others}, and then this is {AN_ERROR}: {advice}")
        }
    }
}

/// Whether what is needed is needed for its order, in which no number is to be made a string: as text, 10 comes before 9.
fn is_ordered_as_text(expected: Expected, needed: Kinds) -> bool {
    expected == Expected::Ordered(needed) && !needed.is_within(Kinds::NUMBER)
}

fn missing(tool: &str, doubts: &[Doubt], role: Role) -> String {
    let names: Vec<_> = doubts.iter().map(|doubt| format!("`{}`", doubt.path.join("."))).collect();
    let names = names.join(" and ");
    let may_be_missing = doubts.iter().any(|doubt| doubt.may_be_missing);
    let may_be_null = doubts.iter().any(|doubt| doubt.may_be_null);
    let how = match (may_be_missing, may_be_null) {
        (true, true) => "left out or null",
        (true, false) => "left out",
        (false, _) => "null",
    };
    let (tests, opposites) = tests(doubts);
    let advice = match role {
        Role::When => format!("write {tests} && …"),
        Role::Require => {
            format!("write {tests} && … to refuse such a call in your own words, or {opposites} || … to permit it")
        }
        Role::Value => format!("write {tests} ? … : …"),
    };
    format!("{names} of `{tool}` may be {how}, and then this is {AN_ERROR}: {advice}")
}

/// The test whether everything is there, and whether anything is not.
fn tests(doubts: &[Doubt]) -> (String, String) {
    let (mut tests, mut opposites) = (Vec::new(), Vec::new());
    for Doubt { path, may_be_missing, may_be_null } in doubts {
        if *may_be_missing {
            let presence = presence(path);
            opposites.push(if presence.starts_with("has(") {
                format!("!{presence}")
            } else {
                format!("!({presence})")
            });
            tests.push(presence);
        }
        if *may_be_null {
            tests.push(format!("{} != null", access(path)));
            opposites.push(format!("{} == null", access(path)));
        }
    }
    (tests.join(" && "), opposites.join(" || "))
}

/// What to write where an argument stands that is never what is needed.
fn used_as_it_is(access: &str, is: Kinds, needed: Kinds) -> String {
    let is = is.without(Kinds::NULL);
    if needed == Kinds::BOOLEAN && is.is_within(Kinds::STRING.or(Kinds::NUMBER)) {
        return format!("compare it, as in {access} == …");
    }
    if is == Kinds::STRING && needed == Kinds::LIST.or(Kinds::OBJECT) {
        return format!("write {access}.contains(…)");
    }
    converted(access, is, needed).unwrap_or_else(|| match is {
        Kinds::LIST => elements(access),
        Kinds::OBJECT => members(access),
        _ if needed == Kinds::OBJECT => "it has no members".to_owned(),
        _ => format!("use it as {is}"),
    })
}

/// What to write where an argument is compared with what it never equals.
fn compared_as_it_is(access: &str, is: Kinds) -> String {
    match is.without(Kinds::NULL) {
        Kinds::STRING => "compare it with a string, in quotes".to_owned(),
        Kinds::BOOLEAN => "compare it with true or false, without quotes".to_owned(),
        Kinds::LIST => elements(access),
        Kinds::OBJECT => members(access),
        Kinds::NONE => "compare it with null".to_owned(),
        number if number.is_within(Kinds::NUMBER) => "compare it with a number, without quotes".to_owned(),
        several => format!("compare it with {several}"),
    }
}

/// How to make what is needed of a value of these kinds, where a function does.
fn converted(access: &str, is: Kinds, needed: Kinds) -> Option<String> {
    if needed == Kinds::WHOLE && is.is_within(Kinds::NUMBER) {
        Some(format!("write int({access})"))
    } else if needed.is_within(Kinds::NUMBER) && is.is_within(Kinds::NUMBER.or(Kinds::STRING)) {
        Some(format!("write double({access})"))
    } else if needed.meets(Kinds::STRING) && is.is_within(Kinds::NUMBER.or(Kinds::STRING).or(Kinds::BOOLEAN)) {
        Some(format!("write string({access})"))
    } else if needed == Kinds::BOOLEAN && is.is_within(Kinds::STRING) {
        Some(format!("write string({access}) == \"true\""))
    } else {
        None
    }
}

fn elements(access: &str) -> String {
    format!("write … in {access}, or {access}.exists(x, …)")
}

fn members(access: &str) -> String {
    format!("read one of its members, as in {access}.name")
}

/// An argument, as an expression reads it.
fn access(path: &[String]) -> String {
    path.iter().fold("args".to_owned(), |object, key| spelling::member(&object, key))
}

/// The test whether an argument is there.
fn presence(path: &[String]) -> String {
    match path.split_last() {
        Some((key, around)) => spelling::presence(&access(around), key),
        None => "true".to_owned(),
    }
}
