//! Numbers: the Rust type that holds one best, and the form in which ECMAScript writes a double.

use std::io::Write as _;

/// A number, as exactly as Rust's own types can hold it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number written without fraction or exponent that fits.
    Int(i64),
    /// A whole number above `i64::MAX` that fits.
    UInt(u64),
    /// Any other: the nearest double, always finite.
    Float(f64),
}

impl Number {
    /// The nearest double: all that many readers keep of a number, those of JavaScript among them.
    pub fn nearest(self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "what is asked for")]
        match self {
            Self::Int(int) => int as f64,
            Self::UInt(uint) => uint as f64,
            Self::Float(float) => float,
        }
    }

    /// The number that [`nearest`](Self::nearest) is; a whole number stays one if it can.
    pub fn rounded(self) -> Self {
        let nearest = self.nearest();
        // Doubles of this size are whole, and in these ranges conversion is exact.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        match nearest {
            _ if matches!(self, Self::Float(_)) || !self.is_wide() => self,
            _ if nearest.abs() < 9_223_372_036_854_775_808.0 => Self::Int(nearest as i64),
            _ if nearest > 0.0 && nearest < 18_446_744_073_709_551_616.0 => Self::UInt(nearest as u64),
            _ => Self::Float(nearest),
        }
    }

    /// Whether its nearest double is that of other whole numbers too: from 2^53 on, either way.
    pub fn is_wide(self) -> bool {
        match self {
            Self::Int(int) => int.unsigned_abs() >= WIDE,
            Self::UInt(_) => true,
            #[allow(clippy::cast_precision_loss, reason = "a power of two")]
            Self::Float(float) => float.abs() >= WIDE as f64,
        }
    }
}

/// The first double of whose neighbours one is more than 1 away.
const WIDE: u64 = 1 << 53;

/// Reads a number that the parser has checked.
pub(super) fn read(text: &str, fractional: bool) -> Number {
    if !fractional {
        if let Ok(number) = text.parse() {
            return Number::Int(number);
        }
        if let Ok(number) = text.parse() {
            return Number::UInt(number);
        }
    }
    Number::Float(double(text))
}

/// The double nearest to a number that the parser has checked.
pub(super) fn double(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}

/// Writes a finite double as ECMAScript's `Number::toString` does (ECMA-262, 6.1.6.1.20; RFC 8785, 3.2.2.3): the fewest
/// digits that read back as the same double, with an exponent from 1e21 up and below 1e-6.
pub(super) fn write_double(number: f64, sink: &mut impl FnMut(&[u8])) {
    if number == 0.0 {
        return sink(b"0");
    }
    if number < 0.0 {
        sink(b"-");
    }
    // Rust's `{:e}` gives the same digits: `d[.ddd]e[-]x`. At most 17 digits and an exponent of three.
    let mut buffer = [0; 32];
    let mut rest = buffer.as_mut_slice();
    let written = write!(rest, "{:e}", number.abs()).map_or(0, |()| 32 - rest.len());
    let text = std::str::from_utf8(&buffer[..written]).unwrap_or_default();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (first, others) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    match (exponent, usize::try_from(exponent)) {
        (0..21, Ok(places)) => {
            let (whole, fraction) = others.split_at(places.min(others.len()));
            sink(first.as_bytes());
            sink(whole.as_bytes());
            sink(&[b'0'; 21][..places - whole.len()]);
            if !fraction.is_empty() {
                sink(b".");
                sink(fraction.as_bytes());
            }
        }
        (-6..0, _) => {
            let zeros = usize::try_from(-1 - exponent).unwrap_or_default();
            sink(b"0.");
            sink(&[b'0'; 5][..zeros]);
            sink(first.as_bytes());
            sink(others.as_bytes());
        }
        _ => {
            sink(first.as_bytes());
            if !others.is_empty() {
                sink(b".");
                sink(others.as_bytes());
            }
            sink(if exponent < 0 { b"e" } else { b"e+" });
            sink(text.rsplit('e').next().unwrap_or_default().as_bytes());
        }
    }
}
