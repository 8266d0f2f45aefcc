//! JSON → YAML that readers of YAML 1.1 and 1.2 take for the same.
//!
//! Text stands without quotes only where no reader can take it for anything else; else as in JSON, which is YAML too.

use serde_json::Value;

/// Words that some reader of YAML 1.1 takes for a truth value or nothing.
const NOT_TEXT: [&str; 11] = ["y", "yes", "n", "no", "true", "false", "on", "off", "null", "nan", "inf"];

/// One document.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => lines_of_object(members, 0, &mut text),
        other => {
            text.push_str(&scalar(other));
            text.push('\n');
        }
    }
    text
}

fn lines_of_object(members: &serde_json::Map<String, Value>, indent: usize, text: &mut String) {
    for (number, (key, value)) in members.iter().enumerate() {
        // The first member of an object in a list stands behind its dash.
        if number > 0 || !text.ends_with("- ") {
            text.push_str(&" ".repeat(indent));
        }
        text.push_str(&word(key));
        text.push(':');
        below(value, indent, text);
    }
}

/// What stands after a key.
fn below(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            lines_of_object(members, indent + 2, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                text.push_str(&" ".repeat(indent));
                text.push_str("- ");
                match item {
                    Value::Object(members) if !members.is_empty() => lines_of_object(members, indent + 2, text),
                    other => {
                        text.push_str(&scalar(other));
                        text.push('\n');
                    }
                }
            }
        }
        other => {
            text.push(' ');
            text.push_str(&scalar(other));
            text.push('\n');
        }
    }
}

/// A value on one line.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        other => other.to_string(),
    }
}

fn word(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/' | '_'))
        && !NOT_TEXT.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_and_lists_nest_by_indentation() {
        let value = json!({"a": {"b": [{"c": 1, "d": [true]}, "e"]}, "f": [], "g": {}});
        assert_eq!(document(&value), "a:\n  b:\n  - c: 1\n    d:\n    - true\n  - e\nf: []\ng: {}\n");
    }

    #[test]
    fn what_a_reader_could_take_for_no_text_stands_in_quotes() {
        for text in [
            "y",
            "No",
            "ON",
            "null",
            "",
            "1",
            "0x1",
            "1e3",
            "a: b",
            "# a",
            "- a",
            "a b",
            "é",
            "{",
            "a\nb",
            "~",
            "2026-11-24",
        ] {
            assert_eq!(document(&json!(text)), format!("{}\n", json!(text)), "{text}");
        }
        for text in ["reeve.dev/v1alpha1", "matchLabels", "x-kubernetes-validations", "nope"] {
            assert_eq!(document(&json!(text)), format!("{text}\n"));
        }
        assert_eq!(document(&json!({"on": 1})), "\"on\": 1\n");
    }
}
