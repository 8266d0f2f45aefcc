//! YAML files → [`Node`]s: YAML 1.2 with the core schema, as a policy file may use it.
//!
//! Built from the parser's events with a stack of its own, so that nesting costs no call stack. Aliases are replaced by what
//! they stand for, within the bounds of [`MAX_NODES`] and [`MAX_DEPTH`].

mod scalar;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use super::node::{Data, MAX_DEPTH, MAX_NODES, Mark, Member, Node, Step, Unquoted, pointer, quoted};
use super::{Finding, MAX_MISTAKES};
use crate::pace::pause;

/// The most documents in a file.
const MAX_DOCUMENTS: usize = 1_000;

/// The documents of a file, and what is wrong with them as YAML. What was read before a mistake is kept.
#[derive(Default)]
pub(super) struct Yaml {
    pub(super) documents: Vec<Node>,
    pub(super) findings: Vec<Finding>,
}

/// Reads a file of YAML documents. Empty documents are left out.
pub(super) fn read(text: &str) -> Yaml {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        pause();
        let taken = match event {
            Ok((Event::StreamEnd, _)) => break,
            Ok((event, span)) => builder.take(event, span),
            Err(error) => Err(builder.syntax(&error)),
        };
        if let Err(fatal) = taken {
            builder.yaml.findings.push(fatal);
            break;
        }
        if builder.yaml.findings.len() > MAX_MISTAKES {
            // Nobody will read more.
            break;
        }
    }
    builder.yaml
}

#[derive(Default)]
struct Builder {
    yaml: Yaml,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
}

/// A completed value that an anchor names.
struct Anchored {
    node: Node,
    size: usize,
    depth: usize,
}

/// A list or object whose end has not come.
struct Open {
    mark: Mark,
    anchor: usize,
    content: Content,
}

enum Content {
    Array(Vec<Node>),
    Object { members: Vec<Member>, keys: HashSet<String>, key: Option<Key> },
}

/// A key whose value has not come.
struct Key {
    mark: Mark,
    text: String,
    unquoted: Option<Unquoted>,
    /// Whether the key stood before in this object; its value is then dropped.
    repeated: bool,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Finding> {
        let mark = place(&span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(mark, tag);
                self.scalar(mark, &text, style, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(mark, tag);
                self.begin(mark, anchor, Content::Array(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(mark, tag);
                self.begin(mark, anchor, Content::Object { members: Vec::new(), keys: HashSet::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(mark, anchor),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
        }
    }

    fn scalar(&mut self, mark: Mark, text: &str, style: ScalarStyle, anchor: usize) -> Result<(), Finding> {
        let (data, unquoted) = match style {
            ScalarStyle::Plain => scalar::resolve(text),
            _ => (Data::String(text.to_owned()), None),
        };
        self.count(mark, 1)?;
        if self.awaits_key() {
            return self.key(mark, text, &data, unquoted);
        }
        self.complete(Node { mark, data, unquoted }, anchor)
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { content: Content::Object { key: None, .. }, .. }))
    }

    fn key(&mut self, mark: Mark, text: &str, data: &Data, unquoted: Option<Unquoted>) -> Result<(), Finding> {
        if matches!(data, Data::Null) {
            return Err(self.finding(mark, "a key is empty or null: write its name".into()));
        }
        if text == scalar::MERGE && unquoted.is_some() {
            return Err(self.finding(mark, "merge keys (<<) are not read: write the fields out".into()));
        }
        let mut repeated = false;
        if let Some(Open { content: Content::Object { keys, key, .. }, .. }) = self.open.last_mut() {
            repeated = !keys.insert(text.to_owned());
            *key = Some(Key { mark, text: text.to_owned(), unquoted, repeated });
        }
        if repeated {
            let message = format!("{} stands twice in one object: remove one", quoted(text));
            self.find(mark, message);
        }
        Ok(())
    }

    fn begin(&mut self, mark: Mark, anchor: usize, content: Content) -> Result<(), Finding> {
        self.count(mark, 1)?;
        if self.awaits_key() {
            return Err(self.finding(mark, "a list or object cannot be a key: write text".into()));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(mark));
        }
        self.open.push(Open { mark, anchor, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Finding> {
        let Some(Open { mark, anchor, content }) = self.open.pop() else { return Ok(()) };
        let data = match content {
            Content::Array(items) => Data::Array(items),
            Content::Object { members, .. } => Data::Object(members),
        };
        self.complete(Node::new(mark, data), anchor)
    }

    fn alias(&mut self, mark: Mark, anchor: usize) -> Result<(), Finding> {
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(self.finding(mark, "an alias repeats what is not complete here: write the values out".into()));
        };
        let (size, depth) = (anchored.size, anchored.depth);
        self.count(mark, size)?;
        if self.open.len() + depth > MAX_DEPTH {
            return Err(self.too_deep(mark));
        }
        let Some(node) = self.anchors.get(&anchor).map(|anchored| anchored.node.clone()) else { return Ok(()) };
        if !self.awaits_key() {
            return self.complete(node, 0);
        }
        match node.as_str() {
            Some(text) => self.key(mark, text, &node.data, node.unquoted.clone()),
            None => Err(self.finding(mark, "an alias as a key must stand for text".into())),
        }
    }

    /// Puts a completed value where it belongs. `anchor` is zero for a value that has none.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Finding> {
        if anchor != 0 {
            let size = node.size();
            self.count(node.mark, size)?;
            let depth = node.depth();
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, depth });
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            Some(Content::Array(items)) => items.push(node),
            Some(Content::Object { members, key, .. }) => {
                if let Some(Key { mark, text, unquoted, repeated: false }) = key.take() {
                    members.push(Member { mark, key: text, unquoted, value: node });
                }
            }
            None if matches!(node.data, Data::Null) => {}
            None => {
                if self.yaml.documents.len() == MAX_DOCUMENTS {
                    return Err(Finding::new(node.mark, String::new(), format!("more than {MAX_DOCUMENTS} documents")));
                }
                self.yaml.documents.push(node);
            }
        }
        Ok(())
    }

    /// Counts values, whether read, kept for an alias or repeated by one.
    fn count(&mut self, mark: Mark, more: usize) -> Result<(), Finding> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} values, those that aliases repeat included");
            return Err(self.finding(mark, message));
        }
        Ok(())
    }

    fn refuse_tag(&mut self, mark: Mark, tag: Option<Cow<'_, Tag>>) {
        if let Some(tag) = tag {
            self.find(mark, format!("the tag {} is not read: remove it", quoted(&tag.to_string())));
        }
    }

    /// Reports a mistake after which reading goes on.
    fn find(&mut self, mark: Mark, message: String) {
        if self.yaml.findings.len() <= MAX_MISTAKES {
            let finding = self.finding(mark, message);
            self.yaml.findings.push(finding);
        }
    }

    fn syntax(&self, error: &ScanError) -> Finding {
        self.finding(place(error.marker()), format!("this is not YAML: {}", error.info()))
    }

    fn too_deep(&self, mark: Mark) -> Finding {
        self.finding(mark, format!("lists and objects nest deeper than {MAX_DEPTH} levels"))
    }

    fn finding(&self, mark: Mark, message: String) -> Finding {
        let path = self.open.iter().filter_map(|open| match &open.content {
            Content::Array(items) => Some(Step::Index(items.len())),
            Content::Object { key, .. } => key.as_ref().map(|key| Step::Key(&key.text)),
        });
        Finding::new(mark, pointer(path), message)
    }
}

fn place(marker: &Marker) -> Mark {
    Mark { line: marker.line(), column: marker.col() + 1 }
}
