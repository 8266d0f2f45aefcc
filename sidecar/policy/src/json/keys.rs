//! The keys of an object: that none occurs twice, and where each is.
//!
//! A few keys without escapes are compared with one another. Others are sorted by a hash that nobody outside the process can
//! predict, which finds duplicates and is kept as an index, so that neither many keys nor many look-ups are quadratic.

use std::hash::BuildHasher as _;
use std::sync::LazyLock;

use super::tape::{self, Word, low};
use super::{ParseError, ParseErrorKind, scan, text};

/// Up to so many keys are compared one by one.
const FEW: usize = 16;

static HASHER: LazyLock<foldhash::quality::RandomState> = LazyLock::new(Default::default);

/// The upper half of an index entry; the lower half is the key's node.
fn hash(key: &str) -> u64 {
    HASHER.hash_one(key) >> 32 << 32
}

/// Refuses an object in which a key occurs twice: one of `count` members, its first key at `node`. If it takes an index to
/// tell, that is appended to `index`, the number of members and an entry for each, by hash; returned is where.
pub(super) fn check(
    bytes: &[u8],
    tape: &[u64],
    node: usize,
    count: usize,
    index: &mut Vec<u64>,
) -> Result<Option<usize>, ParseError> {
    if compare_few(bytes, tape, node, count)? {
        return Ok(None);
    }
    let at = index.len();
    index.push(count as u64);
    index.extend(keys(tape, node, count).map(|node| {
        let key = Word(tape[node]);
        hash(&text::read(key.content(bytes), key.is_marked())) | node as u64
    }));
    let entries = &mut index[at + 1..];
    entries.sort_unstable();
    for run in entries.chunk_by(|one, other| one >> 32 == other >> 32) {
        for (position, &entry) in run.iter().enumerate() {
            let key = Word(tape[node_of(entry)]);
            if run[..position].iter().any(|&earlier| same(bytes, Word(tape[node_of(earlier)]), key)) {
                return Err(scan::fault(ParseErrorKind::DuplicateKey, key.start()));
            }
        }
    }
    Ok(Some(at))
}

/// Refuses an object in which a key occurs twice, and tells whether it could: not if there are many keys or one has escapes.
fn compare_few(bytes: &[u8], tape: &[u64], node: usize, count: usize) -> Result<bool, ParseError> {
    if count > FEW {
        return Ok(false);
    }
    let mut seen = 0;
    for at in keys(tape, node, count) {
        let key = Word(tape[at]);
        if key.is_marked() {
            return Ok(false);
        }
        let looks = looks(key.content(bytes));
        let mut earlier = keys(tape, node, count).take_while(|earlier| *earlier < at);
        if seen & looks != 0 && earlier.any(|earlier| same(bytes, Word(tape[earlier]), key)) {
            return Err(scan::fault(ParseErrorKind::DuplicateKey, key.start()));
        }
        seen |= looks;
    }
    Ok(true)
}

/// One of 64 bits, the same for equal keys and mostly another for others: only keys that share it need be compared.
fn looks(key: &[u8]) -> u64 {
    let [first, last] = [key.first(), key.last()].map(|byte| byte.map_or(0, |byte| u64::from(*byte)));
    1 << ((first + 2 * last + 8 * key.len() as u64) % 64)
}

/// The nodes of an object's keys.
fn keys(tape: &[u64], first: usize, count: usize) -> impl Iterator<Item = usize> {
    let mut node = first;
    (0..count).map(move |_| {
        let this = node;
        node = tape::next(tape, this + 1);
        this
    })
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
    if key.is_marked() { text::equals(text::utf8(content), name) } else { content == name.as_bytes() }
}

/// Whether two keys, decoded, are equal.
fn same(bytes: &[u8], one: Word, other: Word) -> bool {
    let decoded = |key: Word| text::read(key.content(bytes), key.is_marked());
    if one.is_marked() || other.is_marked() {
        return decoded(one) == decoded(other);
    }
    one.content(bytes) == other.content(bytes)
}
