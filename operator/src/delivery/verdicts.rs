//! What was decided of tokens, by their hash, for a time: bounded.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

type Hash = [u8; 32];

/// A table of so many; when it is full, what ends first makes room.
#[derive(Debug)]
pub(super) struct Verdicts<T> {
    most: usize,
    by_hash: HashMap<Hash, (T, Timestamp)>,
    by_end: BTreeSet<(Timestamp, Hash)>,
}

impl<T: Clone> Verdicts<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, by_hash: HashMap::new(), by_end: BTreeSet::new() }
    }

    pub(super) fn get(&self, hash: &Hash, now: Timestamp) -> Option<T> {
        self.by_hash.get(hash).filter(|(_, until)| *until > now).map(|(verdict, _)| verdict.clone())
    }

    pub(super) fn insert(&mut self, hash: Hash, verdict: T, until: Timestamp, now: Timestamp) {
        while let Some(&(end, first)) = self.by_end.first()
            && (end <= now || self.by_hash.len() >= self.most)
        {
            self.by_end.remove(&(end, first));
            self.by_hash.remove(&first);
        }
        if let Some((_, before)) = self.by_hash.insert(hash, (verdict, until)) {
            self.by_end.remove(&(before, hash));
        }
        self.by_end.insert((until, hash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_verdict_holds_until_its_end_and_no_longer() {
        let mut verdicts = Verdicts::new(10);
        verdicts.insert([1; 32], "yes", at(10), at(0));
        assert_eq!(verdicts.get(&[1; 32], at(9)), Some("yes"));
        assert_eq!(verdicts.get(&[1; 32], at(10)), None);
        assert_eq!(verdicts.get(&[2; 32], at(0)), None);
    }

    #[test]
    fn a_full_table_gives_up_what_ends_first_and_never_grows() {
        let mut verdicts = Verdicts::new(3);
        for (byte, until) in [(1, 30), (2, 10), (3, 20), (4, 40)] {
            verdicts.insert([byte; 32], byte, at(until), at(0));
        }
        let held = [1, 2, 3, 4].map(|byte| verdicts.get(&[byte; 32], at(5)));
        assert_eq!(held, [Some(1), None, Some(3), Some(4)]);
        for second in 0..200_u8 {
            verdicts.insert([second; 32], second, at(i64::from(second) + 5), at(i64::from(second)));
            verdicts.insert([second; 32], second, at(i64::from(second) + 6), at(i64::from(second)));
            assert!(verdicts.by_hash.len() <= 3 && verdicts.by_end.len() == verdicts.by_hash.len());
        }
    }
}
