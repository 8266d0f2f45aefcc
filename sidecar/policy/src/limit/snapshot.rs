//! The bytes of a snapshot: everything counted, so that it survives a restart.
//!
//! ```text
//! "reevelim" 1   counter*   SHA-256 of all before
//! counter:       policy  counter  shadow  window  number of keys  key*
//! key:           name  number of entries  entry*
//! entry:         first (after the last of the entry before; of the first entry: before the snapshot)  span  units
//! ```
//!
//! Numbers are LEB128 (signed ones zigzag), nanoseconds and millionths of a unit; text has its length before it. Times
//! are relative, so that no two processes need a clock of one origin. The checksum is there to tell a file that a crash
//! or a full disk has cut off from a whole one, not to keep anyone out: whoever can write the file can forge it. Size:
//! at most about 280 bytes a key and 20 an entry, and in practice 30 and 8.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::CounterName;
use super::table::CounterImage;
use super::window::Entry;

const MAGIC: &[u8; 9] = b"reevelim\x01";
const CHECKSUM: usize = 32;

/// Writes counters one by one, each at a time of its own choice before [`Writer::finish`].
pub(super) struct Writer {
    bytes: Vec<u8>,
    now: i64,
}

impl Writer {
    pub(super) fn new(now: i64) -> Self {
        Self { bytes: MAGIC.to_vec(), now }
    }

    pub(super) fn counter(&mut self, counter: &CounterImage) {
        self.text(&counter.name.policy);
        self.text(&counter.name.counter);
        self.bytes.push(u8::from(counter.name.shadow));
        self.signed(counter.length);
        self.unsigned(counter.keys.len() as u64);
        for (name, entries) in &counter.keys {
            self.text(name);
            self.unsigned(entries.len() as u64);
            let mut previous = self.now;
            for entry in entries {
                self.signed(entry.first.saturating_sub(previous));
                self.signed(entry.last.saturating_sub(entry.first));
                self.signed(entry.units);
                previous = entry.last;
            }
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let checksum = Sha256::digest(&self.bytes);
        self.bytes.extend_from_slice(&checksum);
        self.bytes
    }

    fn unsigned(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }

    fn signed(&mut self, number: i64) {
        self.unsigned(number.cast_unsigned() << 1 ^ (number >> 63).cast_unsigned());
    }

    fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

/// Reads a snapshot that was taken `elapsed` before `now`.
///
/// # Errors
/// What is wrong with the bytes.
pub(super) fn read(bytes: &[u8], now: i64, elapsed: Duration) -> Result<Vec<CounterImage>, &'static str> {
    let rest = bytes.strip_prefix(b"reevelim").ok_or("it does not begin like one")?;
    if rest.first() != Some(&MAGIC[8]) {
        return Err("it has a version that this build does not know");
    }
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or("it is cut off")?;
    if Sha256::digest(content)[..] != checksum[..] {
        return Err("it is cut off or damaged");
    }
    let taken = now.saturating_sub(super::nanos(elapsed));
    let mut reader = Reader { rest: content.get(MAGIC.len()..).ok_or("it is cut off")? };
    let mut counters = Vec::new();
    while !reader.rest.is_empty() {
        counters.push(reader.counter(taken).ok_or("its content is not what this version writes")?);
    }
    Ok(counters)
}

struct Reader<'a> {
    rest: &'a [u8],
}

/// Nothing is allocated by a number that was read, only by what follows it.
impl Reader<'_> {
    fn counter(&mut self, taken: i64) -> Option<CounterImage> {
        let name = CounterName { policy: self.text()?, counter: self.text()?, shadow: self.flag()? };
        let length = self.signed().filter(|length| *length >= 0)?;
        let mut keys = Vec::new();
        for _ in 0..self.unsigned()? {
            let key = self.text()?;
            let mut entries = Vec::new();
            let mut previous = taken;
            for _ in 0..self.unsigned()? {
                let entry = self.entry(previous)?;
                previous = entry.last;
                entries.push(entry);
            }
            keys.push((key, entries));
        }
        Some(CounterImage { name, length, keys })
    }

    fn entry(&mut self, previous: i64) -> Option<Entry> {
        let first = previous.saturating_add(self.signed()?);
        let last = first.saturating_add(self.signed()?);
        Some(Entry { first, last, units: self.signed()? })
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = *self.take(1)?.first()?;
            let part = u64::from(byte & 0x7f);
            number |= part.checked_shl(shift).filter(|shifted| shifted >> shift == part)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    fn text(&mut self) -> Option<Arc<str>> {
        let length = usize::try_from(self.unsigned()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok().map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> CounterImage {
        CounterImage {
            name: CounterName { policy: "clinic/imaging".into(), counter: "export".into(), shadow: false },
            length: 60_000_000_000,
            keys: vec![
                (
                    "clinic/agent".into(),
                    vec![Entry { first: -5, last: -5, units: 1 }, Entry { first: 7, last: 90, units: i64::MAX - 1 }],
                ),
                ("a key in ünicode".into(), vec![]),
            ],
        }
    }

    fn written(counters: &[CounterImage], now: i64) -> Vec<u8> {
        let mut writer = Writer::new(now);
        for counter in counters {
            writer.counter(counter);
        }
        writer.finish()
    }

    #[test]
    fn what_is_written_reads_back_at_any_time() {
        let bytes = written(&[image(), image()], 100);
        assert_eq!(read(&bytes, 100, Duration::ZERO), Ok(vec![image(), image()]));
        let later = read(&bytes, 1_000, Duration::from_nanos(300)).expect("a snapshot");
        assert_eq!(later[0].keys[0].1[0], Entry { first: 595, last: 595, units: 1 });
        assert_eq!(later[0].keys[0].1[1].last, 690);
    }

    #[test]
    fn a_snapshot_that_is_cut_off_or_changed_anywhere_is_refused() {
        let bytes = written(&[image()], 100);
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length], 100, Duration::ZERO).is_err(), "cut at {length}");
        }
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 0x10;
            assert!(read(&changed, 100, Duration::ZERO).is_err(), "changed at {index}");
        }
    }

    /// What a forger could write: the checksum is right and the content is not.
    fn sealed(content: &[u8]) -> Vec<u8> {
        let bytes = [&MAGIC[..], content].concat();
        [&bytes[..], &Sha256::digest(&bytes)].concat()
    }

    #[test]
    fn a_forged_snapshot_allocates_no_more_than_it_has_bytes() {
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let counter = |keys: &[u8]| sealed(&[&[1, b'p', 1, b'c', 0, 20][..], keys].concat());
        for bytes in [sealed(&huge), counter(&huge), counter(&[&[1, 1, b'k'], &huge[..]].concat()), sealed(&[0x80; 12])]
        {
            assert!(read(&bytes, 100, Duration::ZERO).is_err());
        }
        assert!(read(&counter(&[0]), 100, Duration::ZERO).is_ok(), "the form itself is right");
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_refused_without_a_panic(content: Vec<u8>) {
            let _ = read(&content, 100, Duration::ZERO);
            let _ = read(&sealed(&content), i64::MIN, Duration::MAX);
        }
    }
}
