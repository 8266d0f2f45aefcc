//! Checks a document against the schema of its type and says every mistake in words.
//!
//! The schemas are those that `schemars` derives from our own types, so a small walk over the few keywords they use gives full
//! control over what the user reads. A schema that uses another keyword fails the test that lists them.

mod mend;
mod scalars;
mod words;

use std::collections::HashMap;

use regex::Regex;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::node::{Data, Mark, Member, Node, Step, pointer, quoted};
use super::suggest::{either, nearest};
use super::{Finding, Lost, MAX_MISTAKES};
use crate::pace::pause;

/// The schema of a type.
pub(super) struct Schema {
    root: Value,
}

impl Schema {
    pub(super) fn of<T: JsonSchema>() -> Self {
        Self { root: SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value() }
    }

    /// Everything in the document that the schema does not permit, in the order of the document.
    pub(super) fn check(&self, document: &Node) -> Vec<Finding> {
        let mut checker =
            Checker { root: &self.root, path: Vec::new(), patterns: HashMap::new(), findings: Vec::new() };
        checker.value(document, document.mark, &self.root);
        checker.findings
    }

    /// The schema as JSON.
    pub(super) fn into_value(self) -> Value {
        self.root
    }
}

struct Checker<'a> {
    root: &'a Value,
    path: Vec<Step<'a>>,
    patterns: HashMap<&'a str, Option<Regex>>,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    /// Checks a value; `mark` is where a mistake in it is shown.
    fn value(&mut self, node: &'a Node, mark: Mark, schema: &'a Value) {
        // `true` permits everything.
        let Some(schema) = words::resolved(self.root, schema) else { return };
        if self.is_unfinished(node, mark) {
            return;
        }
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            return self.any_of(node, mark, choices);
        }
        if let Some(words) = words::of(schema) {
            return self.word(node, mark, &words);
        }
        if let Some(variants) = schema.get("oneOf").and_then(Value::as_array) {
            return self.variant(node, mark, variants);
        }
        let expected = words::types(schema);
        if !expected.is_empty() && !expected.iter().any(|kind| words::is(node, kind)) {
            return self.wrong_type(node, mark, &expected);
        }
        match &node.data {
            Data::Object(members) => self.object(node, mark, members, schema),
            Data::Array(items) => self.array(items, mark, schema),
            Data::String(_) | Data::Number(_) => self.scalar(node, mark, schema),
            Data::Null | Data::Bool(_) => {}
        }
    }

    /// `when:` with nothing after it is null to YAML, and hardly ever meant.
    fn is_unfinished(&mut self, node: &Node, mark: Mark) -> bool {
        let empty =
            matches!(node.data, Data::Null) && node.unquoted.as_ref().is_some_and(|written| written.text.is_empty());
        if empty {
            let message = format!("{} has no value: write one, or remove it", self.name());
            self.find(mark, message);
        }
        empty
    }

    /// Several types: the one that the value has is meant.
    fn any_of(&mut self, node: &'a Node, mark: Mark, choices: &'a [Value]) {
        let types = |choice| words::resolved(self.root, choice).map(words::types).unwrap_or_default();
        let meant = choices.iter().find(|choice| types(choice).iter().any(|kind| words::is(node, kind)));
        match meant.or_else(|| words::only_choice(choices)) {
            Some(choice) => self.value(node, mark, choice),
            None => {
                let expected: Vec<&str> = choices.iter().flat_map(types).collect();
                self.wrong_type(node, mark, &expected);
            }
        }
    }

    /// One of several objects, told apart by a field that names the kind.
    fn variant(&mut self, node: &'a Node, mark: Mark, variants: &'a [Value]) {
        let Data::Object(members) = &node.data else { return self.wrong_type(node, mark, &["object"]) };
        let Some(tag) = words::tag(variants) else { return };
        let names: Vec<&str> = variants.iter().filter_map(|variant| words::tag_value(variant, tag)).collect();
        let Some(member) = members.iter().find(|member| member.key == tag) else {
            let message = format!("{} has no {}: write {}", self.name(), quoted(tag), either(&names));
            return self.lose(mark, message, Lost::Field(tag.to_owned()));
        };
        let written = member.value.as_str().unwrap_or_default();
        let exact = names.contains(&written);
        let likely = if exact { Some(written) } else { nearest(written, names.iter().copied()) };
        let meant = variants.iter().find(|variant| likely.is_some() && words::tag_value(variant, tag) == likely);
        let before = self.findings.len();
        if let Some(variant) = meant {
            self.value(node, mark, variant);
        }
        if !exact {
            // The variant that was taken knows one word only; the user may write any.
            self.path.push(Step::Key(&member.key));
            let tag = pointer(self.path.iter().copied());
            let inner = self.findings.split_off(before);
            self.findings.extend(inner.into_iter().filter(|finding| finding.pointer != tag));
            self.word(&member.value, member.place(), &names);
            self.path.pop();
        }
    }

    fn object(&mut self, node: &'a Node, mark: Mark, members: &'a [Member], schema: &'a Map<String, Value>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let known: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let absent: Vec<&str> = known.iter().copied().filter(|name| node.get(name).is_none()).collect();
        if let Some(most) = words::bound(schema, "maxProperties").filter(|most| members.len() as u64 > *most) {
            let message = format!("{} has {}, and may have {most}", self.name(), words::entries(members.len() as u64));
            self.lose(mark, message, Lost::Nothing);
        }
        let mut meant = Vec::new();
        for member in members {
            if self.is_full() {
                return;
            }
            let property = properties.and_then(|properties| properties.get(&member.key));
            self.path.push(Step::Key(&member.key));
            match (property, others) {
                (Some(property), _) => self.value(&member.value, member.place(), property),
                (None, Some(Value::Bool(false))) => meant.extend(self.unknown_field(member, &known, &absent)),
                (None, Some(other)) => {
                    self.free_key(member);
                    self.value(&member.value, member.place(), other);
                }
                (None, None) => {}
            }
            self.path.pop();
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for field in required.filter_map(Value::as_str) {
            if absent.contains(&field) && !meant.contains(&field) {
                let words = properties.and_then(|properties| words::of_field(self.root, properties.get(field)?));
                let choice = words.map(|words| format!(": write {}", either(&words))).unwrap_or_default();
                let message = format!("{} has no {}{choice}", self.name(), quoted(field));
                self.lose(mark, message, Lost::Field(field.to_owned()));
            }
        }
    }

    /// Reports a field that is not known, and returns the one that was probably meant.
    fn unknown_field(&mut self, member: &'a Member, known: &[&'a str], absent: &[&'a str]) -> Option<&'a str> {
        let meant = nearest(&member.key, absent.iter().copied());
        let advice = match meant {
            Some(name) => format!("; did you mean {}?", quoted(name)),
            None => format!("; it has {}", either(known).replace(" or ", " and ")),
        };
        let place = words::name(&self.path[..self.path.len() - 1]);
        let message = format!("unknown field {} in {place}{advice}", quoted(&member.key));
        self.lose(member.mark, message, Lost::Stray(meant.map(str::to_owned)));
        meant
    }

    /// A key of the user's choice, such as a label.
    fn free_key(&mut self, member: &Member) {
        let Some(unquoted) = &member.unquoted else { return };
        let plain_number = member.key.bytes().all(|byte| byte.is_ascii_digit());
        if !plain_number || unquoted.yaml_1_1.is_some() {
            let message = format!("quote the key: {} without quotes is not text to kubectl", quoted(&member.key));
            self.lose(member.mark, message, Lost::Nothing);
        }
    }

    fn array(&mut self, items: &'a [Node], mark: Mark, schema: &'a Map<String, Value>) {
        let (least, most) = (words::bound(schema, "minItems"), words::bound(schema, "maxItems"));
        let count = items.len() as u64;
        if least.is_some_and(|least| count < least) {
            let message = format!("{} needs at least {}", self.name(), words::entries(least.unwrap_or_default()));
            self.lose(mark, message, Lost::Nothing);
        }
        if let Some(most) = most.filter(|most| count > *most) {
            let message = format!("{} has {}, and may have {most}", self.name(), words::entries(count));
            self.lose(mark, message, Lost::Nothing);
        }
        let Some(item_schema) = schema.get("items") else { return };
        for (index, item) in items.iter().enumerate() {
            pause();
            self.path.push(Step::Index(index));
            self.value(item, item.mark, item_schema);
            self.path.pop();
        }
    }

    /// Whether nobody will read more.
    fn is_full(&self) -> bool {
        self.findings.len() > MAX_MISTAKES
    }

    fn name(&self) -> String {
        words::name(&self.path)
    }

    /// Notes a mistake for which the value is not known.
    fn find(&mut self, mark: Mark, message: String) {
        self.lose(mark, message, Lost::Value);
    }

    /// Notes a mistake.
    fn lose(&mut self, mark: Mark, message: String, lost: Lost) {
        if self.is_full() {
            return;
        }
        let pointer = pointer(self.path.iter().copied());
        self.findings.push(Finding { lost, ..Finding::new(mark, pointer, message) });
    }
}

#[cfg(test)]
mod tests;
