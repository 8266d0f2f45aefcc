//! The keys of an object: that none occurs twice, and where each is.
//!
//! A few keys are compared with one another. Above [`FEW`] they are sorted by a hash that nobody outside the process can
//! predict, which finds duplicates and is kept as an index, so that neither many keys nor many look-ups are quadratic.

use std::hash::BuildHasher as _;
use std::sync::LazyLock;

use super::tape::{self, Word, low};
use super::{ParseError, ParseErrorKind, scan, text};

/// Up to so many keys are compared one by one.
pub(super) const FEW: usize = 16;

static HASHER: LazyLock<foldhash::quality::RandomState> = LazyLock::new(Default::default);

/// The upper half of an index entry; the lower half is the key's node.
fn hash(key: &str) -> u64 {
    HASHER.hash_one(key) >> 32 << 32
}

/// Refuses an object of at most [`FEW`] members, its first key at `node`, in which a key occurs twice.
pub(super) fn distinct_few(
    bytes: &[u8],
    tape: &[u64],
    mut node: usize,
    count: usize,
) -> Result<(), ParseError> {
    let mut seen = [Word(0); FEW];
    for at in 0..count.min(FEW) {
        let key = Word(tape[node]);
        if seen[..at].iter().any(|&earlier| same(bytes, earlier, key)) {
            return Err(scan::fault(ParseErrorKind::DuplicateKey, key.start()));
        }
        seen[at] = key;
        node = tape::next(tape, node + 1);
    }
    Ok(())
}

/// Appends the index of an object's `count` members, the first key at `node`: their number, then an entry for each, by hash.
pub(super) fn index(
    bytes: &[u8],
    tape: &[u64],
    mut node: usize,
    count: usize,
    into: &mut Vec<u64>,
) -> Result<(), ParseError> {
    into.push(count as u64);
    let from = into.len();
    into.reserve(count);
    for _ in 0..count {
        let key = Word(tape[node]);
        into.push(hash(&text::read(key.content(bytes), key.is_marked())) | node as u64);
        node = tape::next(tape, node + 1);
    }
    let entries = &mut into[from..];
    entries.sort_unstable();
    for run in entries.chunk_by(|one, other| one >> 32 == other >> 32) {
        for (at, &entry) in run.iter().enumerate() {
            let key = Word(tape[node_of(entry)]);
            if run[..at]
                .iter()
                .any(|&earlier| same(bytes, Word(tape[node_of(earlier)]), key))
            {
                return Err(scan::fault(ParseErrorKind::DuplicateKey, key.start()));
            }
        }
    }
    Ok(())
}

/// The node of the key among the entries of an object's index.
pub(super) fn find(bytes: &[u8], tape: &[u64], entries: &[u64], key: &str) -> Option<usize> {
    let wanted = hash(key);
    let from = entries.partition_point(|&entry| entry < wanted);
    entries[from..]
        .iter()
        .take_while(|&entry| entry >> 32 == wanted >> 32)
        .map(|&entry| node_of(entry))
        .find(|&node| is(bytes, Word(tape[node]), key))
}

fn node_of(entry: u64) -> usize {
    low(entry & u64::from(u32::MAX))
}

/// Whether a key, decoded, is `name`.
pub(super) fn is(bytes: &[u8], key: Word, name: &str) -> bool {
    let content = key.content(bytes);
    if key.is_marked() {
        text::equals(text::utf8(content), name)
    } else {
        content == name.as_bytes()
    }
}

fn same(bytes: &[u8], one: Word, other: Word) -> bool {
    if one.is_marked() || other.is_marked() {
        let read = |key: Word| text::read(key.content(bytes), key.is_marked());
        return read(one) == read(other);
    }
    one.same_plain_length(other) && one.content(bytes) == other.content(bytes)
}
