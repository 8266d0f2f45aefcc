//! Bytes that nobody should send, from a seed: the same in each run.

use serde_json::{Map, Value, json};

/// A source of chance (splitmix64).
#[derive(Clone, Debug)]
pub struct Noise(u64);

impl Noise {
    /// The same numbers for the same seed.
    pub const fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub fn one_of<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[self.below(several.len())]
    }

    /// At most so many bytes; few are more likely.
    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        let longest = 1 + self.below(most);
        (0..self.below(longest)).map(|_| self.number() as u8).collect()
    }

    /// These bytes with a few of them changed, taken out or written twice.
    pub fn damaged(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut damaged = bytes.to_vec();
        for _ in 0..=self.below(8) {
            if damaged.is_empty() {
                return damaged;
            }
            let at = self.below(damaged.len());
            match self.below(4) {
                0 => damaged[at] = self.number() as u8,
                1 => damaged.truncate(at),
                2 => drop(damaged.remove(at)),
                _ => {
                    let again = damaged[at..].to_vec();
                    damaged.extend(again);
                }
            }
        }
        damaged
    }

    /// A document with one part of it replaced by something else.
    pub fn altered(&mut self, document: &Value) -> Value {
        let mut altered = document.clone();
        let mut part = &mut altered;
        loop {
            let inner = match &*part {
                Value::Object(members) if !members.is_empty() => members.len(),
                Value::Array(elements) if !elements.is_empty() => elements.len(),
                _ => 0,
            };
            if inner == 0 || self.once_in(4) {
                *part = self.json(4);
                return altered;
            }
            let at = self.below(inner);
            part = match part {
                Value::Object(members) => members.values_mut().nth(at).expect("one of them"),
                Value::Array(elements) => &mut elements[at],
                _ => unreachable!("only these have parts"),
            };
        }
    }

    /// Some JSON, at most so deep.
    pub fn json(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.once_in(2)),
            2 => json!(self.number()),
            3 => json!(-(self.below(1 << 20) as i64)),
            4 => json!(f64::from_bits(self.number())),
            5 => json!(self.text()),
            6 => (0..self.below(6)).map(|_| self.json(depth - 1)).collect(),
            _ => (0..self.below(6)).map(|_| (self.text(), self.json(depth - 1))).collect::<Map<_, _>>().into(),
        }
    }

    /// Some text: a word that means something to someone, or none.
    pub fn text(&mut self) -> String {
        const WORDS: [&str; 12] =
            ["", "name", "spec", "metadata", "*", "../..", "\u{0}", "\u{202e}", "${jndi}", "1e999", "🦀", "%s%n"];
        match self.below(3) {
            0 => String::from_utf8_lossy(&self.bytes(24)).into_owned(),
            1 => self.one_of(&WORDS).repeat(1 + self.below(3)),
            _ => (*self.one_of(&WORDS)).to_owned(),
        }
    }
}
