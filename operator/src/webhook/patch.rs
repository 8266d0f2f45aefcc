//! What makes one JSON document of another: a JSON Patch (RFC 6902), as it is written.
//!
//! Lists are compared from both ends, so that what is put in between moves nothing else.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// The patch that makes `after` of `before`, as JSON; none if they are the same.
pub fn between(before: &Value, after: &Value) -> Option<String> {
    let mut steps = Vec::new();
    values(Path::Whole, before, after, &mut steps);
    // JSON can always be written. If it could not, no API server would take this for a patch, so that no pod would go without one.
    (!steps.is_empty()).then(|| serde_json::to_string(&steps).unwrap_or_default())
}

/// One change.
#[derive(Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Step<'a> {
    Add { path: String, value: &'a Value },
    Replace { path: String, value: &'a Value },
    Remove { path: String },
}

/// A place in a document. It is written out only where something changes.
#[derive(Clone, Copy)]
enum Path<'p> {
    Whole,
    Field(&'p Path<'p>, &'p str),
    Item(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Field(of, name) => write!(formatter, "{of}/{}", name.replace('~', "~0").replace('/', "~1")),
            Self::Item(of, number) => write!(formatter, "{of}/{number}"),
        }
    }
}

fn values<'a>(at: Path<'_>, before: &Value, after: &'a Value, steps: &mut Vec<Step<'a>>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => objects(at, before, after, steps),
        (Value::Array(before), Value::Array(after)) => lists(at, before, after, steps),
        _ if before == after => {}
        _ => steps.push(Step::Replace { path: at.to_string(), value: after }),
    }
}

fn objects<'a>(at: Path<'_>, before: &Map<String, Value>, after: &'a Map<String, Value>, steps: &mut Vec<Step<'a>>) {
    for (name, value) in after {
        let at = Path::Field(&at, name);
        match before.get(name) {
            Some(before) => values(at, before, value, steps),
            None => steps.push(Step::Add { path: at.to_string(), value }),
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        steps.push(Step::Remove { path: Path::Field(&at, name).to_string() });
    }
}

fn lists<'a>(at: Path<'_>, before: &[Value], after: &'a [Value], steps: &mut Vec<Step<'a>>) {
    let same = before.iter().zip(after).take_while(|(before, after)| before == after).count();
    let (before, after) = (&before[same..], &after[same..]);
    let same_at_end = before.iter().rev().zip(after.iter().rev()).take_while(|(before, after)| before == after).count();
    let (before, after) = (&before[..before.len() - same_at_end], &after[..after.len() - same_at_end]);
    let item = |number| Path::Item(&at, same + number);
    let in_both = before.len().min(after.len());
    for number in 0..in_both {
        values(item(number), &before[number], &after[number], steps);
    }
    for (number, value) in after.iter().enumerate().skip(in_both) {
        steps.push(Step::Add { path: item(number).to_string(), value });
    }
    // From the last, so that none moves before it is removed.
    for number in (in_both..before.len()).rev() {
        steps.push(Step::Remove { path: item(number).to_string() });
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn steps(before: &Value, after: &Value) -> Value {
        between(before, after).map_or(Value::Null, |patch| serde_json::from_str(&patch).unwrap())
    }

    #[test]
    fn what_is_put_before_others_is_added_and_moves_them() {
        let container = |name: &str| json!({"name": name, "image": "i"});
        let before = json!({"list": [container("a"), container("b")]});
        let after = json!({"list": [container("sidecar"), container("a"), container("b")]});
        assert_eq!(
            steps(&before, &after),
            json!([{"op": "add", "path": "/list/0", "value": {"name": "sidecar", "image": "i"}}])
        );
        assert_eq!(steps(&after, &before), json!([{"op": "remove", "path": "/list/0"}]));
    }

    #[test]
    fn names_with_slashes_and_tildes_are_escaped() {
        let after = json!({"a/b": {"~c": null}});
        assert_eq!(steps(&json!({"a/b": {}}), &after), json!([{"op": "add", "path": "/a~1b/~0c", "value": null}]));
    }

    #[test]
    fn of_the_same_nothing_is_made() {
        assert_eq!(between(&json!({"a": [1, {"b": "c"}]}), &json!({"a": [1, {"b": "c"}]})), None);
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(json!(null)), any::<bool>().prop_map(Value::from), (0..3).prop_map(Value::from)];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let name = prop::sample::select(vec!["a", "b/c", "~d", ""]).prop_map(str::to_owned);
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Value::from),
                btree_map(name, inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_patch_makes_the_one_of_the_other(before in document(), after in document()) {
            let mut patched = before.clone();
            if let Some(patch) = between(&before, &after) {
                json_patch::patch(&mut patched, &serde_json::from_str::<json_patch::Patch>(&patch).unwrap()).unwrap();
            }
            prop_assert_eq!(patched, after);
        }
    }
}
