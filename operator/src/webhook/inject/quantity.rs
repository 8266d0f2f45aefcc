//! Quantities of Kubernetes, such as `100m` and `64Mi`.

use serde_json::Value;

/// What is measured: which values make sense, and which examples a message gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Processors.
    Cpu,
    /// Bytes.
    Memory,
}

impl Kind {
    fn accepted(self) -> &'static str {
        match self {
            Self::Cpu => "write processors from 1m to 64, such as 50m or 1",
            Self::Memory => "write bytes from 1Mi to 64Gi, such as 64Mi or 1Gi",
        }
    }

    /// The least and the most, in billionths.
    fn bounds(self) -> (u128, u128) {
        match self {
            Self::Cpu => (UNIT / 1_000, 64 * UNIT),
            Self::Memory => (UNIT << 20, UNIT << 36),
        }
    }
}

/// One, in the billionths that quantities are read as: Kubernetes keeps no smaller part.
const UNIT: u128 = 1_000_000_000;

/// Reads a quantity, in billionths.
///
/// # Errors
/// It is none, or none that makes sense: the value and what is accepted, in words that follow the name of what was set.
pub(super) fn parse(text: &str, kind: Kind) -> Result<u128, String> {
    let (least, most) = kind.bounds();
    match value(text) {
        Some(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!("is {text:?}: {}", kind.accepted())),
    }
}

/// Reads whatever is a quantity, in billionths: a text, or a number as JSON may have it.
pub(super) fn read(given: &Value) -> Option<u128> {
    match given {
        Value::String(text) => value(text),
        Value::Number(number) => value(&number.to_string()),
        _ => None,
    }
}

/// Writes what was given in billionths as a quantity that is no less: thousandths of a processor, or bytes.
pub(super) fn write(billionths: u128, kind: Kind) -> String {
    const MEBIBYTE: u128 = 1 << 20;
    match kind {
        Kind::Cpu => format!("{}m", billionths.div_ceil(UNIT / 1_000)),
        Kind::Memory => match billionths.div_ceil(UNIT) {
            bytes if bytes.is_multiple_of(MEBIBYTE) => format!("{}Mi", bytes / MEBIBYTE),
            bytes => bytes.to_string(),
        },
    }
}

fn value(text: &str) -> Option<u128> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let is_number = !(whole.is_empty() && part.is_empty()) && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || whole.len() > 15 || part.len() > 9 {
        return None;
    }
    let digits: u128 = format!("{whole}{part}").parse().ok()?;
    let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
    Some(digits.checked_mul(multiple(suffix)?)? / scale)
}

/// What a suffix stands for, in billionths.
fn multiple(suffix: &str) -> Option<u128> {
    const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    if let Some(power) = DECIMAL.iter().position(|known| *known == suffix) {
        return 1_000_u128.checked_pow(u32::try_from(power).ok()?);
    }
    if let Some(power) = BINARY.iter().position(|known| *known == suffix) {
        return UNIT.checked_mul(1_u128 << (10 * (power + 1)));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    10_u128.checked_pow(u32::try_from(exponent.checked_add(9)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, billionths) in [
            ("1", UNIT),
            ("100m", UNIT / 10),
            ("0.1", UNIT / 10),
            (".5", UNIT / 2),
            ("1.5k", 1_500 * UNIT),
            ("1Ki", 1_024 * UNIT),
            ("1.5Gi", (UNIT * 3) << 29),
            ("2e3", 2_000 * UNIT),
            ("5E-1", UNIT / 2),
            ("7n", 7),
        ] {
            assert_eq!(value(text), Some(billionths), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_no_less_and_reads_as_it_was() {
        for (billionths, kind, text) in [
            (UNIT + UNIT / 100, Kind::Cpu, "1010m"),
            (1, Kind::Cpu, "1m"),
            ((UNIT << 20) * 96, Kind::Memory, "96Mi"),
            ((UNIT << 20) + 1, Kind::Memory, "1048577"),
        ] {
            assert_eq!(write(billionths, kind), text);
            assert!(value(text).unwrap() >= billionths, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_with_what_is_accepted() {
        for text in ["", ".", "-1", "1 ", "1mi", "1.2.3", "m", "1e", "1e99", "99999999999999999", "0x10"] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(
            parse("much", Kind::Cpu).unwrap_err(),
            "is \"much\": write processors from 1m to 64, such as 50m or 1"
        );
        assert!(parse("0", Kind::Cpu).is_err());
        assert!(parse("100Gi", Kind::Memory).is_err());
        assert!(parse("64Gi", Kind::Memory).is_ok());
    }
}
