//! Which calls are recorded: the samplers of OpenTelemetry that need nobody to ask.

use super::context::{Context, TraceId};

/// The words of `OTEL_TRACES_SAMPLER` that are understood.
pub(super) const WORDS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// Decides whether a call is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Whether a call with a parent is recorded if its parent is.
    follows_parent: bool,
    /// Otherwise: which part of traces, from 0 to 1.
    ratio: f64,
}

impl Default for Sampler {
    /// `parentbased_always_on`
    fn default() -> Self {
        Self { follows_parent: true, ratio: 1.0 }
    }
}

impl Sampler {
    /// By its word, and the ratio that the words which need one are given. None if the word is not understood.
    pub(super) fn named(word: &str, ratio: f64) -> Option<Self> {
        let (follows_parent, rest) = match word.strip_prefix("parentbased_") {
            Some(rest) => (true, rest),
            None => (false, word),
        };
        let ratio = match rest {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => ratio,
            _ => return None,
        };
        Some(Self { follows_parent, ratio })
    }

    /// Whether a call of this trace is recorded.
    pub(super) fn samples(self, parent: Option<Context>, trace: TraceId) -> bool {
        match parent {
            Some(parent) if self.follows_parent => parent.is_sampled(),
            _ => self.is_within(trace),
        }
    }

    /// By the end of the trace's id, which is random: everybody who is given the same ratio decides alike.
    fn is_within(self, trace: TraceId) -> bool {
        let [.., a, b, c, d, e, f, g, h] = *trace.bytes();
        // Half of it is exact in a double, and as fine as anybody asks.
        let place = f64::from(u32::from_be_bytes([a & 0x7f, b, c, d]))
            + f64::from(u32::from_be_bytes([e, f, g, h])) / TWO_POW_32;
        place / (TWO_POW_32 / 2.0) < self.ratio || self.ratio >= 1.0
    }
}

const TWO_POW_32: f64 = 4_294_967_296.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(flags: &str) -> Option<Context> {
        Context::parse(format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}").as_bytes())
    }

    fn samples(word: &str, parent: Option<Context>) -> bool {
        Sampler::named(word, 0.0).unwrap().samples(parent, TraceId::random(1, 2))
    }

    #[test]
    fn a_parent_decides_where_the_sampler_follows_it() {
        for (word, of_sampled, of_other, of_none) in [
            ("always_on", true, true, true),
            ("always_off", false, false, false),
            ("parentbased_always_on", true, false, true),
            ("parentbased_always_off", true, false, false),
        ] {
            let found = [parent("01"), parent("00"), None].map(|parent| samples(word, parent));
            assert_eq!(found, [of_sampled, of_other, of_none], "{word}");
        }
        assert_eq!(Some(Sampler::default()), Sampler::named("parentbased_always_on", 0.0));
    }

    #[test]
    fn every_word_is_understood_and_no_other() {
        assert!(WORDS.iter().all(|word| Sampler::named(word, 0.5).is_some()));
        for word in ["", "jaeger_remote", "parentbased_", "ALWAYS_ON", "parentbased_parentbased_always_on"] {
            assert_eq!(Sampler::named(word, 0.5), None, "{word}");
        }
    }

    #[test]
    fn a_ratio_records_that_part_of_traces() {
        let sampler = Sampler::named("traceidratio", 0.25).unwrap();
        // Evenly over all ids, whatever their first half is.
        let ids = (0..4_000u64).map(|n| TraceId::random(7, n.wrapping_mul(u64::MAX / 4_000)));
        let recorded = ids.filter(|id| sampler.samples(None, *id)).count();
        assert!((990..=1_010).contains(&recorded), "{recorded}");
        let all = Sampler::named("traceidratio", 1.0).unwrap();
        assert!(all.samples(None, TraceId::random(0, u64::MAX)));
        assert!(!Sampler::named("traceidratio", 0.0).unwrap().samples(None, TraceId::random(1, 0)));
    }
}
