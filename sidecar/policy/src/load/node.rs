//! One tree for JSON and YAML documents, in which every value knows where it stands.
//!
//! [`super::json`] and [`super::yaml`] build it, [`super::structure`] checks it, [`super::positions`] looks places up in it, and
//! serde types are read from it. Its depth is bounded by those who build it, so that walking and dropping it need little
//! stack.

mod deserialize;

pub(super) use deserialize::Error;

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// The deepest nesting of lists and objects in a file.
pub(super) const MAX_DEPTH: usize = 64;
/// The most values in a file, those that aliases repeat included.
pub(super) const MAX_NODES: usize = 1_000_000;

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// 1-based.
    pub(super) line: usize,
    /// 1-based, in characters.
    pub(super) column: usize,
}

impl Mark {
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) data: Data,
    /// How the value was written, if it is a YAML scalar without quotes that some reader takes for more than text.
    pub(super) unquoted: Option<Unquoted>,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

/// A key, its value, and where the key stands.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) mark: Mark,
    pub(super) key: String,
    /// As in [`Node::unquoted`], for the key.
    pub(super) unquoted: Option<Unquoted>,
    pub(super) value: Node,
}

/// A YAML scalar without quotes that some reader takes for more than text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unquoted {
    pub(super) text: String,
    /// What readers of YAML 1.1, kubectl among them, take it for, where YAML 1.2 says it is text.
    pub(super) yaml_1_1: Option<&'static str>,
}

impl Node {
    pub(super) fn new(mark: Mark, data: Data) -> Self {
        Self { mark, data, unquoted: None }
    }

    /// A JSON value that stands in no file. None if it nests too deeply.
    pub(super) fn of_json(value: &Value) -> Option<Self> {
        Self::of_json_within(value, MAX_DEPTH)
    }

    fn of_json_within(value: &Value, depth: usize) -> Option<Self> {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(value) => Data::Bool(*value),
            Value::Number(number) => Data::Number(number.clone()),
            Value::String(text) => Data::String(text.clone()),
            Value::Array(items) => {
                let depth = depth.checked_sub(1)?;
                Data::Array(items.iter().map(|item| Self::of_json_within(item, depth)).collect::<Option<_>>()?)
            }
            Value::Object(members) => {
                let depth = depth.checked_sub(1)?;
                let member = |(key, value): (&String, &Value)| {
                    let value = Self::of_json_within(value, depth)?;
                    Some(Member { mark: Mark::START, key: key.clone(), unquoted: None, value })
                };
                Data::Object(members.iter().map(member).collect::<Option<_>>()?)
            }
        };
        Some(Self::new(Mark::START, data))
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn members(&self) -> &[Member] {
        match &self.data {
            Data::Object(members) => members,
            _ => &[],
        }
    }

    pub(super) fn items(&self) -> &[Self] {
        match &self.data {
            Data::Array(items) => items,
            _ => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.members().iter().find(|member| member.key == key).map(|member| &member.value)
    }

    /// Takes out what stands at a path of keys, if anything does.
    pub(super) fn leave_out(&mut self, path: &[&str]) {
        let Data::Object(members) = &mut self.data else { return };
        match path {
            [] => {}
            [key] => members.retain(|member| member.key != *key),
            [key, rest @ ..] => {
                members.iter_mut().filter(|member| member.key == *key).for_each(|member| member.value.leave_out(rest));
            }
        }
    }

    /// How many values this is, itself included.
    pub(super) fn size(&self) -> usize {
        let inner: usize = match &self.data {
            Data::Array(items) => items.iter().map(Self::size).sum(),
            Data::Object(members) => members.iter().map(|member| member.value.size()).sum(),
            _ => 0,
        };
        inner + 1
    }

    /// How deeply lists and objects nest in this.
    pub(super) fn depth(&self) -> usize {
        match &self.data {
            Data::Array(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Data::Object(members) => 1 + members.iter().map(|member| member.value.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// The value in words, for messages: `the number 5`, `a list`. Long text is cut.
    pub(super) fn describe(&self) -> String {
        match &self.data {
            Data::Null if self.unquoted.as_ref().is_some_and(|written| written.text.is_empty()) => "nothing".into(),
            Data::Null => "null".into(),
            Data::Bool(value) => value.to_string(),
            Data::Number(number) => format!("the number {number}"),
            Data::String(text) => format!("the text {}", quoted(text)),
            Data::Array(_) => "a list".into(),
            Data::Object(_) => "an object".into(),
        }
    }
}

impl Member {
    /// Where a reader looks for the member: at its value if that is a scalar, else at its key, as the value may begin lines
    /// below or be nothing at all.
    pub(super) fn place(&self) -> Mark {
        match self.value.data {
            Data::Bool(_) | Data::Number(_) | Data::String(_) => self.value.mark,
            Data::Null | Data::Array(_) | Data::Object(_) => self.mark,
        }
    }
}

/// Text in double quotes for messages, control characters escaped and long text cut.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((end, _)) => {
            let mut cut = format!("{:?}", &text[..end]);
            cut.pop();
            cut.push_str("…\"");
            cut
        }
    }
}

/// A step from a value to one inside it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// The JSON pointer (RFC 6901) of a path.
pub(super) fn pointer<'a>(path: impl IntoIterator<Item = Step<'a>>) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) => push_key(&mut text, key),
            Step::Index(index) => {
                let _ = write!(text, "/{index}");
            }
        }
    }
    text
}

/// Appends one key to a JSON pointer.
pub(super) fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    for character in key.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// The JSON pointer to a member of the object at a pointer.
pub(super) fn below(object: &str, key: &str) -> String {
    let mut pointer = object.to_owned();
    push_key(&mut pointer, key);
    pointer
}

/// The keys of a JSON pointer, unescaped.
pub(super) fn steps(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}
