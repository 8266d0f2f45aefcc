//! Checks words, texts and numbers.

use regex::Regex;
use serde_json::{Map, Value};

use super::{Checker, words};
use crate::load::node::{Data, Mark, Node, quoted};
use crate::load::suggest::{either, nearest};

impl<'a> Checker<'a> {
    /// One of a few words.
    pub(super) fn word(&mut self, node: &Node, mark: Mark, words: &[&str]) {
        let Some(written) = node.as_str() else {
            let message = format!("{} must be {}, not {}", self.name(), either(words), node.describe());
            return self.find(mark, message);
        };
        if words.contains(&written) {
            return;
        }
        let meant = nearest(written, words.iter().copied());
        let advice = match (words, meant) {
            ([_, _, ..], Some(meant)) => format!("; did you mean {meant}?"),
            _ => String::new(),
        };
        let message = format!("{} cannot be {}: write {}{advice}", self.name(), quoted(written), either(words));
        self.find(mark, message);
    }

    /// A value of another type than the schema names.
    pub(super) fn wrong_type(&mut self, node: &Node, mark: Mark, expected: &[&str]) {
        let mut kinds: Vec<&str> =
            expected.iter().filter(|kind| **kind != "null").map(|kind| words::kind(kind)).collect();
        kinds.dedup();
        let text_expected = expected.contains(&"string");
        let advice = match &node.unquoted {
            Some(unquoted) if text_expected => format!("; quote it: {}", quoted(&unquoted.text)),
            Some(unquoted) if unquoted.yaml_1_1 == Some("a boolean") && expected.contains(&"boolean") => {
                "; YAML 1.2 knows only true and false".to_owned()
            }
            _ => String::new(),
        };
        let message = format!("{} must be {}, not {}{advice}", self.name(), either(&kinds), node.describe());
        self.find(mark, message);
    }

    /// A text or number of the right type.
    pub(super) fn scalar(&mut self, node: &Node, mark: Mark, schema: &'a Map<String, Value>) {
        match &node.data {
            Data::String(text) => self.text(text, node, mark, schema),
            Data::Number(number) => {
                if let Some(message) = words::out_of_range(number, schema) {
                    let message = format!("{} {message}", self.name());
                    self.find(mark, message);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, node: &Node, mark: Mark, schema: &'a Map<String, Value>) {
        if let Some(taken_for) = node.unquoted.as_ref().and_then(|unquoted| unquoted.yaml_1_1) {
            let quoted = quoted(text);
            let message = format!(
                "{} must be text, and {quoted} without quotes is {taken_for} to kubectl: quote it",
                self.name()
            );
            return self.find(mark, message);
        }
        let length = text.chars().count() as u64;
        if let Some(least) = words::bound(schema, "minLength").filter(|least| length < *least) {
            let message = match length {
                0 => format!("{} must not be empty", self.name()),
                _ => format!("{} must have at least {least} characters", self.name()),
            };
            return self.find(mark, message);
        }
        if let Some(most) = words::bound(schema, "maxLength").filter(|most| length > *most) {
            let message = format!("{} has {length} characters, and may have {most}", self.name());
            return self.find(mark, message);
        }
        let Some(pattern) = schema.get("pattern").and_then(Value::as_str) else { return };
        let compiled = self.patterns.entry(pattern).or_insert_with(|| Regex::new(pattern).ok());
        if compiled.as_ref().is_some_and(|compiled| !compiled.is_match(text)) {
            let message = format!("{} cannot be {}: {}", self.name(), quoted(text), words::pattern(pattern));
            self.find(mark, message);
        }
    }
}
