//! Many patterns, matched together.
//!
//! Names without a `*` are looked up by hash. The others hang in a trie over what stands before their first `*`; walking down
//! it along the text meets every pattern whose prefix the text has, and only what follows the prefix remains to be matched.

use std::collections::HashMap;
use std::ops::Range;

use super::Pattern;
use crate::pace::pause;

/// Many patterns, each with a number, matched together. The cost of a look-up does not grow with the number of patterns that
/// the text does not begin like; those that it does are each matched in turn.
#[derive(Clone, Debug, Default)]
pub struct Set {
    exact: HashMap<Box<str>, Vec<u32>, foldhash::fast::RandomState>,
    /// By prefix, so that the patterns of a node stand together.
    globs: Box<[(Pattern, u32)]>,
    /// The root first; the children of a node stand together.
    nodes: Box<[Node]>,
}

#[derive(Clone, Debug)]
struct Node {
    /// What the text must go on with to come here from the parent.
    label: Box<[u8]>,
    /// The patterns whose prefix ends here.
    globs: Range<usize>,
    /// The first bytes of the children's labels, ascending.
    branches: Box<[u8]>,
    first_child: usize,
}

impl Set {
    /// A set of these patterns; several may carry the same number.
    pub fn new(patterns: impl IntoIterator<Item = (Pattern, u32)>) -> Self {
        let mut exact: HashMap<Box<str>, Vec<u32>, _> = HashMap::default();
        let mut globs = Vec::new();
        for (pattern, number) in patterns {
            pause();
            match pattern.exact() {
                Some(name) => exact.entry(name.into()).or_default().push(number),
                None => globs.push((pattern, number)),
            }
        }
        globs.sort_by(|(one, _), (other, _)| one.prefix().cmp(other.prefix()));
        Self { exact, nodes: trie(&globs), globs: globs.into() }
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.globs.is_empty()
    }

    /// The patterns that match more than one text, each with its number, in no order.
    pub(crate) fn globs(&self) -> impl Iterator<Item = (&Pattern, u32)> {
        self.globs.iter().map(|(pattern, number)| (pattern, *number))
    }

    /// The numbers of all patterns that match, ascending, each once, appended to `into`.
    pub fn matches(&self, text: &str, into: &mut Vec<u32>) {
        let from = into.len();
        into.extend(self.exact.get(text).into_iter().flatten());
        self.walk(text, |number| into.push(number));
        into[from..].sort_unstable();
        let mut kept = from;
        for at in from..into.len() {
            if at == from || into[at] != into[kept - 1] {
                into[kept] = into[at];
                kept += 1;
            }
        }
        into.truncate(kept);
    }

    /// Goes down the trie along the text.
    fn walk(&self, text: &str, mut found: impl FnMut(u32)) {
        let mut rest = text.as_bytes();
        let mut next = self.nodes.first();
        while let Some(node) = next {
            let Some(after) = rest.strip_prefix(&*node.label) else {
                return;
            };
            rest = after;
            for (pattern, number) in &self.globs[node.globs.clone()] {
                if pattern.is_prefix_only() || pattern.matches(text) {
                    found(*number);
                }
            }
            let branch = rest.first().and_then(|byte| node.branches.binary_search(byte).ok());
            next = branch.map(|branch| &self.nodes[node.first_child + branch]);
        }
    }
}

/// The trie over the prefixes of these patterns, which are sorted by them.
fn trie(globs: &[(Pattern, u32)]) -> Box<[Node]> {
    let prefix = |at: usize| globs[at].0.prefix().as_bytes();
    let mut nodes = Vec::new();
    // For each node, made or to be made: its patterns and those of its children, and the length of the parent's prefix.
    let mut ranges = Vec::from_iter((!globs.is_empty()).then_some((0..globs.len(), 0)));
    while let Some((range, parent)) = ranges.get(nodes.len()).cloned() {
        pause();
        let (first, last) = (prefix(range.start), prefix(range.end - 1));
        let length = first.iter().zip(last).take_while(|(one, other)| one == other).count();
        let own = range.clone().take_while(|&at| prefix(at).len() == length).count();
        let first_child = ranges.len();
        let mut branches = Vec::new();
        let mut child = range.start + own;
        while child < range.end {
            let byte = prefix(child)[length];
            let same = |(pattern, _): &(Pattern, u32)| pattern.prefix().as_bytes()[length] == byte;
            let end = child + globs[child..range.end].partition_point(same);
            branches.push(byte);
            ranges.push((child..end, length));
            child = end;
        }
        nodes.push(Node {
            label: first[parent..length].into(),
            globs: range.start..range.start + own,
            branches: branches.into(),
            first_child,
        });
    }
    nodes.into()
}
