//! What of a document can still be read although parts of it are wrong, so that the rest is checked in the same run.
//!
//! A part goes as a whole (a rule, a tool, a field of the policy): half of it would only raise mistakes that follow from the
//! first.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{Data, Member, Node, push_key, steps};

/// The document without the parts in which something is wrong, and the pointers into it that differ from those into the
/// document. `part` says how many steps of a pointer lead to the part that goes.
pub(super) fn without<'p>(
    document: &Node,
    wrong: impl IntoIterator<Item = &'p str>,
    part: fn(&[String]) -> usize,
) -> (Node, BTreeMap<String, String>) {
    let parts = wrong.into_iter().map(|pointer| {
        let mut path: Vec<String> = steps(pointer).collect();
        path.truncate(part(&path));
        joined(&path)
    });
    let mut pruner = Pruner { parts: parts.collect(), sources: BTreeMap::from([(String::new(), String::new())]) };
    let kept = pruner.keep(document, "", "");
    (kept, pruner.sources)
}

fn joined(path: &[String]) -> String {
    let mut pointer = String::new();
    for step in path {
        push_key(&mut pointer, step);
    }
    pointer
}

struct Pruner {
    parts: BTreeSet<String>,
    sources: BTreeMap<String, String>,
}

impl Pruner {
    /// What remains of a value that stands at `from` in the document and will stand at `to`.
    fn keep(&mut self, node: &Node, from: &str, to: &str) -> Node {
        if !self.has_parts_in(from) {
            return node.clone();
        }
        let mut kept = Node { mark: node.mark, data: Data::Null, unquoted: node.unquoted.clone() };
        kept.data = match &node.data {
            Data::Object(members) => {
                let mut left = Vec::new();
                for member in members {
                    let from = below(from, &member.key);
                    if !self.parts.contains(&from) {
                        let value = self.keep(&member.value, &from, &below(to, &member.key));
                        let (key, unquoted) = (member.key.clone(), member.unquoted.clone());
                        left.push(Member { mark: member.mark, key, unquoted, value });
                    }
                }
                Data::Object(left)
            }
            Data::Array(items) => {
                let mut left = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let from = format!("{from}/{index}");
                    if !self.parts.contains(&from) {
                        let to = format!("{to}/{}", left.len());
                        left.push(self.keep(item, &from, &to));
                        if from != to {
                            self.sources.insert(to, from);
                        }
                    }
                }
                Data::Array(left)
            }
            scalar => scalar.clone(),
        };
        kept
    }

    fn has_parts_in(&self, pointer: &str) -> bool {
        let inside = format!("{pointer}/");
        self.parts.range(inside.clone()..).next().is_some_and(|part| part.starts_with(&inside))
    }
}

fn below(pointer: &str, key: &str) -> String {
    let mut pointer = pointer.to_owned();
    push_key(&mut pointer, key);
    pointer
}
