//! Puts something that can be read where a document has something that cannot, so that all the rest is checked in the same run.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Schema, words};
use crate::load::node::{Data, Mark, Member, Node, below};
use crate::load::suggest::nearest;

impl Schema {
    /// The document with every value at a pointer of `lost` left out, or where the schema needs one, replaced by some value
    /// of its type. No element of a list changes its place.
    pub(in crate::load) fn mend(&self, document: &Node, lost: &BTreeSet<String>) -> Node {
        Mender { root: &self.root, lost }.value(document, &self.root, "")
    }
}

struct Mender<'a> {
    root: &'a Value,
    lost: &'a BTreeSet<String>,
}

impl<'a> Mender<'a> {
    fn value(&self, node: &Node, schema: &'a Value, at: &str) -> Node {
        let inside = format!("{at}/");
        let is_whole = !self.lost.range(inside.clone()..).next().is_some_and(|pointer| pointer.starts_with(&inside));
        let Some(schema) = self.meant(node, schema).filter(|_| !is_whole) else { return node.clone() };
        let data = match &node.data {
            Data::Object(members) => Data::Object(self.object(members, node.mark, schema, at)),
            Data::Array(items) => Data::Array(self.array(items, schema, at)),
            scalar => scalar.clone(),
        };
        Node { mark: node.mark, data, unquoted: node.unquoted.clone() }
    }

    fn object(&self, members: &[Member], mark: Mark, schema: &'a Map<String, Value>, at: &str) -> Vec<Member> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let required: Vec<&str> = required.collect();
        let mut mended = Vec::new();
        for member in members {
            let at = below(at, &member.key);
            let declared = properties.and_then(|properties| properties.get(&member.key));
            let Some(schema) = declared.or(others) else { continue };
            let value = match self.lost.contains(&at) {
                false => self.value(&member.value, schema, &at),
                // What the user named stands for something, such as a tool.
                true if declared.is_none() && schema.is_object() => self.stand_in(schema, member.mark),
                true => continue,
            };
            let (key, unquoted) = (member.key.clone(), member.unquoted.clone());
            mended.push(Member { mark: member.mark, key, unquoted, value });
        }
        for name in required.iter().filter(|name| self.lost.contains(&below(at, name))) {
            let Some(schema) = properties.and_then(|properties| properties.get(*name)) else { continue };
            let value = self.stand_in(schema, mark);
            mended.push(Member { mark, key: (*name).to_owned(), unquoted: None, value });
        }
        mended
    }

    fn array(&self, items: &[Node], schema: &'a Map<String, Value>, at: &str) -> Vec<Node> {
        let Some(schema) = schema.get("items") else { return items.to_vec() };
        let mend = |(index, item): (usize, &Node)| {
            let at = format!("{at}/{index}");
            if self.lost.contains(&at) { self.stand_in(schema, item.mark) } else { self.value(item, schema, &at) }
        };
        items.iter().enumerate().map(mend).collect()
    }

    /// The schema that the checker took for the value.
    fn meant(&self, node: &Node, schema: &'a Value) -> Option<&'a Map<String, Value>> {
        let schema = words::resolved(self.root, schema)?;
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            let fits = |choice: &&Value| {
                let types = words::resolved(self.root, choice).map(words::types).unwrap_or_default();
                types.iter().any(|kind| words::is(node, kind))
            };
            return self.meant(node, choices.iter().find(fits).or_else(|| words::only_choice(choices))?);
        }
        let Some(variants) = schema.get("oneOf").and_then(Value::as_array) else { return Some(schema) };
        let tag = words::tag(variants)?;
        let written = node.get(tag).and_then(Node::as_str)?;
        let meant = nearest(written, variants.iter().filter_map(|variant| words::tag_value(variant, tag)));
        let is_meant = |word: Option<&str>| word.is_some_and(|word| word == written || Some(word) == meant);
        let exact = variants.iter().find(|variant| words::tag_value(variant, tag) == Some(written));
        words::resolved(
            self.root,
            exact.or_else(|| variants.iter().find(|variant| is_meant(words::tag_value(variant, tag))))?,
        )
    }

    /// Some value that the schema permits.
    fn stand_in(&self, schema: &'a Value, mark: Mark) -> Node {
        let Some(schema) = words::resolved(self.root, schema) else { return Node::new(mark, Data::Null) };
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            let choice = words::only_choice(choices).or(choices.first());
            return choice.map_or(Node::new(mark, Data::Null), |choice| self.stand_in(choice, mark));
        }
        if let Some(word) = words::of(schema).and_then(|words| words.first().copied()) {
            return Node::new(mark, Data::String(word.to_owned()));
        }
        let data = match words::types(schema).first() {
            Some(&"string") => {
                let length = words::bound(schema, "minLength").unwrap_or(1).max(1);
                Data::String("x".repeat(usize::try_from(length).unwrap_or(1)))
            }
            Some(&"integer" | &"number") => Data::Number(words::bound(schema, "minimum").unwrap_or(1).into()),
            Some(&"boolean") => Data::Bool(false),
            Some(&"array") => Data::Array(Vec::new()),
            Some(&"object") => {
                let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
                let member = |name: &str| {
                    let value = self.stand_in(schema.get("properties")?.get(name)?, mark);
                    Some(Member { mark, key: name.to_owned(), unquoted: None, value })
                };
                Data::Object(required.filter_map(Value::as_str).filter_map(member).collect())
            }
            _ => Data::Null,
        };
        Node::new(mark, data)
    }
}
