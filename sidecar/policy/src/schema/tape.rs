//! The tape as the `jsonschema` crate's own kind of JSON: it reads arguments where they are, without a tree of values.
//!
//! Every access takes steps of the [`Budget`].

use std::borrow::Cow;
use std::ops::ControlFlow;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node as JsonNode, NodeIdentity, Object, cmp};

use super::budget::Budget;
use super::unique;
use crate::json::{Kind, Number, Value};

/// Bytes of text that are read in one step.
pub(super) const BYTES_PER_STEP: usize = 64;

/// The representation.
#[derive(Debug)]
pub(super) struct Tape;

/// One value of the arguments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'a> {
    what: What<'a>,
    depth: usize,
    /// None for a name that the evaluator shows itself, which costs nothing to look at.
    budget: Option<&'a Budget>,
}

#[derive(Clone, Copy, Debug)]
enum What<'a> {
    Value(Value<'a>),
    /// A property's name, which is a value of its own to `propertyNames`.
    Name(&'a str),
    /// What absent arguments are: an empty object.
    Absent,
}

impl<'a> Node<'a> {
    pub(super) fn new(arguments: Option<Value<'a>>, budget: &'a Budget) -> Self {
        Self { what: arguments.map_or(What::Absent, What::Value), depth: 0, budget: Some(budget) }
    }

    /// Takes steps; false if nothing may be looked at any more.
    pub(super) fn spend(&self, steps: usize) -> bool {
        self.budget.is_none_or(|budget| budget.spend(steps))
    }

    /// Ends the evaluation: something about this value would take too long.
    pub(super) fn give_up(&self) {
        if let Some(budget) = self.budget {
            budget.give_up();
        }
    }

    fn inside(&self) -> Inside<'a> {
        Inside { depth: self.depth + 1, budget: self.budget }
    }

    fn value(&self, kind: Kind) -> Option<Value<'a>> {
        match self.what {
            What::Value(value) if value.kind() == kind && self.spend(1) => Some(value),
            _ => None,
        }
    }
}

impl Json for Tape {
    type Node<'a> = Node<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Node<'_>) -> T) -> T {
        f(Node { what: What::Name(string), depth: 0, budget: None })
    }
}

impl<'a> JsonNode<'a, Tape> for Node<'a> {
    type Object = Members<'a>;
    type Array = Items<'a>;
    type Number = serde_json::Number;

    fn as_object(&self) -> Option<Members<'a>> {
        let value = match self.what {
            What::Absent => None,
            _ => Some(self.value(Kind::Object)?),
        };
        Some(Members { value, inside: self.inside() })
    }

    fn as_array(&self) -> Option<Items<'a>> {
        Some(Items { value: self.value(Kind::Array)?, inside: self.inside() })
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = match self.what {
            What::Name(name) => Cow::Borrowed(name),
            _ => self.value(Kind::String)?.as_str()?,
        };
        self.spend(text.len() / BYTES_PER_STEP).then_some(text)
    }

    fn as_number(&self) -> Option<serde_json::Number> {
        let number = self.value(Kind::Number)?.as_number()?;
        match self.budget.map_or(number, |budget| budget.read(number)) {
            Number::Int(number) => Some(number.into()),
            Number::UInt(number) => Some(number.into()),
            Number::Float(number) => serde_json::Number::from_f64(number),
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        self.value(Kind::Bool)?.as_bool()
    }

    fn is_null(&self) -> bool {
        self.json_type() == JsonType::Null
    }

    fn is_number(&self) -> bool {
        self.json_type() == JsonType::Number
    }

    fn json_type(&self) -> JsonType {
        match self.what {
            What::Absent => JsonType::Object,
            What::Name(_) => JsonType::String,
            What::Value(value) => match value.kind() {
                Kind::Null => JsonType::Null,
                Kind::Bool => JsonType::Boolean,
                Kind::Number => JsonType::Number,
                Kind::String => JsonType::String,
                Kind::Array => JsonType::Array,
                Kind::Object => JsonType::Object,
            },
        }
    }

    fn equals_value(&self, expected: &serde_json::Value) -> bool {
        if !self.spend(1) {
            return false;
        }
        use serde_json::Value as Expected;
        match expected {
            Expected::Null => self.is_null(),
            Expected::Bool(expected) => self.as_boolean() == Some(*expected),
            Expected::Number(expected) => self.as_number().is_some_and(|number| cmp::equal_numbers(&number, expected)),
            Expected::String(expected) => match self.what {
                What::Value(value) => value.is_str(expected),
                What::Name(name) => name == expected,
                What::Absent => false,
            },
            Expected::Array(expected) => self.as_array().is_some_and(|array| {
                array.len() == expected.len()
                    && array.elements().zip(expected).all(|(element, expected)| element.equals_value(expected))
            }),
            Expected::Object(expected) => self.as_object().is_some_and(|object| {
                object.len() == expected.len()
                    && expected
                        .iter()
                        .all(|(key, expected)| object.get(key).is_some_and(|member| member.equals_value(expected)))
            }),
        }
    }

    /// Only errors ask for it, to hold the value that they are about: they get none of the call's.
    fn to_value(&self) -> Cow<'a, serde_json::Value> {
        if let Some(budget) = self.budget {
            budget.record_finding();
        }
        Cow::Owned(serde_json::Value::Null)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        match self.what {
            What::Value(value) => u32::try_from(value.span().start).ok().map(|start| NodeIdentity::tagged(1, start)),
            What::Absent => Some(NodeIdentity::tagged(0, 0)),
            What::Name(_) => None,
        }
    }
}

/// What is inside a container.
#[derive(Clone, Copy, Debug)]
struct Inside<'a> {
    depth: usize,
    budget: Option<&'a Budget>,
}

impl<'a> Inside<'a> {
    /// The node of a value, if there are steps left to look at it.
    fn node(self, value: Value<'a>, steps: usize) -> Option<Node<'a>> {
        let admitted = self.budget.is_none_or(|budget| budget.spend(steps) && budget.admits_depth(self.depth));
        admitted.then_some(Node { what: What::Value(value), depth: self.depth, budget: self.budget })
    }
}

/// An object's members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Members<'a> {
    /// None for absent arguments.
    value: Option<Value<'a>>,
    inside: Inside<'a>,
}

impl<'a> Object<'a, Tape> for Members<'a> {
    type Node = Node<'a>;
    type MemberName = Cow<'a, str>;
    type MembersIter = Box<dyn Iterator<Item = (Cow<'a, str>, Node<'a>)> + 'a>;

    fn len(&self) -> usize {
        self.value.map_or(0, Value::len)
    }

    fn get(&self, key: &String) -> Option<Node<'a>> {
        self.inside.node(self.value?.get(key)?, 1)
    }

    fn members(&self) -> Self::MembersIter {
        let inside = self.inside;
        let members = self.value.into_iter().flat_map(Value::members);
        Box::new(members.map_while(move |(name, value)| {
            let node = inside.node(value, 1 + name.len() / BYTES_PER_STEP)?;
            inside.budget.is_none_or(|budget| budget.admits_name(&name)).then_some((name, node))
        }))
    }

    fn try_for_each_name_node<B>(&self, (): &mut (), mut f: impl FnMut(Node<'_>) -> ControlFlow<B>) -> ControlFlow<B> {
        for (name, node) in self.members() {
            f(Node { what: What::Name(&name), ..node })?;
        }
        ControlFlow::Continue(())
    }
}

/// An array's elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Items<'a> {
    value: Value<'a>,
    inside: Inside<'a>,
}

impl<'a> Array<'a, Tape> for Items<'a> {
    type Node = Node<'a>;
    type ElementsIter = Box<dyn Iterator<Item = Node<'a>> + 'a>;

    fn len(&self) -> usize {
        self.value.len()
    }

    fn elements(&self) -> Self::ElementsIter {
        let inside = self.inside;
        Box::new(self.value.items().map_while(move |value| inside.node(value, 1)))
    }

    fn is_unique(&self) -> bool {
        self.inside.budget.is_none_or(|budget| unique::is_unique(self.value, budget))
    }
}
